"""Where a passphrase comes from."""

import os
import threading
from pathlib import Path

import pytest

from dicomtls.cli.passphrase import ask_twice, passphrase_source, read_secret
from dicomtls.errors import CredentialError, UsageError

KEY = Path("server.key")


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A terminal at which somebody answers `secret`; holds what was asked."""
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "secret"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", answer)
    return asked


def test_source_reads_nothing_before_it_is_needed(tmp_path: Path) -> None:
    """A file that is missing is an error only when a key turns out to be encrypted."""
    source = passphrase_source(tmp_path / "missing", None)
    with pytest.raises(CredentialError, match="cannot read the passphrase file"):
        source(KEY)


@pytest.mark.parametrize("content", [b"secret", b"secret\n", b"secret\r\n", b"secret\nnot this\n"])
def test_file_gives_its_first_line(tmp_path: Path, content: bytes) -> None:
    """Line ends of any kind are none of it."""
    path = tmp_path / "secret"
    path.write_bytes(content)
    assert passphrase_source(path, None)(KEY) == b"secret"


def test_spaces_belong_to_the_passphrase(tmp_path: Path) -> None:
    """They are characters like others."""
    path = tmp_path / "secret"
    path.write_bytes(b" a b \n")
    assert read_secret(path, "passphrase") == b" a b "


def test_pipe_can_stand_for_the_file(tmp_path: Path) -> None:
    """`--passphrase-file <(command)` leaves no secret on the disk."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"secret\n",))
    writer.start()
    assert read_secret(path, "passphrase") == b"secret"
    writer.join()


@pytest.mark.parametrize(
    ("content", "error"), [(b"", "empty first line"), (b"\nsecret\n", "empty first line"), (b"x" * 5000, "more than")]
)
def test_file_that_holds_no_passphrase_is_refused(tmp_path: Path, content: bytes, error: str) -> None:
    """Empty or far too long: the wrong file; its content is never shown."""
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(CredentialError, match=error) as caught:
        read_secret(path, "passphrase")
    assert "xxx" not in str(caught.value)


def test_variable_gives_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it, as the bytes that it has."""
    monkeypatch.setenv("KEY_SECRET", "gehe\udcfcim")
    assert passphrase_source(None, "KEY_SECRET")(KEY) == b"gehe\xfcim"


def test_variable_that_is_not_set_is_an_error() -> None:
    """It is most often the passphrase itself, given where the name belongs: so the hint says what is wanted."""
    with pytest.raises(UsageError, match="the environment variable KEY_SECRET is not set") as caught:
        passphrase_source(None, "KEY_SECRET")(KEY)
    assert "takes the name of a variable" in caught.value.hints[0]


def test_user_is_asked_once_for_each_file(prompts: list[str]) -> None:
    """A certificate and a key in one file do not ask twice; the file's name is shown harmlessly."""
    source = passphrase_source(None, None)
    assert [source(KEY), source(KEY), source(Path("other\x1b.p12"))] == [b"secret"] * 3
    assert prompts == ["passphrase for server.key: ", "passphrase for other\\x1b.p12: "]


def test_nobody_is_asked_without_a_terminal() -> None:
    """There is no passphrase then, which is for the caller to say."""
    assert passphrase_source(None, None)(KEY) is None


def test_end_of_input_at_the_prompt_is_no_passphrase(monkeypatch: pytest.MonkeyPatch, prompts: list[str]) -> None:
    """Ctrl-D means that there is none."""

    def end(prompt: str) -> str:
        raise EOFError(prompt)

    monkeypatch.setattr("getpass.getpass", end)
    assert passphrase_source(None, None)(KEY) is None
    assert prompts == []


@pytest.mark.parametrize(
    ("typed", "error"), [(["a", "b"], "the two passphrases differ"), (["", ""], "the passphrase is empty")]
)
def test_new_passphrase_is_typed_twice(
    monkeypatch: pytest.MonkeyPatch, prompts: list[str], typed: list[str], error: str
) -> None:
    """A slip of the finger would lock the key for good."""
    assert ask_twice() == b"secret"
    assert prompts == ["new passphrase: ", "the same again: "]
    monkeypatch.setattr("getpass.getpass", lambda _: typed.pop(0))
    with pytest.raises(UsageError, match=error):
        ask_twice()


@pytest.mark.parametrize(
    ("ending", "error"), [(EOFError, UsageError), (UnicodeError, UsageError), (KeyboardInterrupt, None)]
)
@pytest.mark.usefixtures("prompts")
def test_whatever_ends_the_question_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, ending: type[BaseException], error: type[UsageError] | None
) -> None:
    """Ctrl-D, a terminal in another encoding; Ctrl-C goes on up, to end the program with its own status."""

    def end(_prompt: str) -> str:
        raise ending

    monkeypatch.setattr("getpass.getpass", end)
    with pytest.raises(error or ending):
        ask_twice()
