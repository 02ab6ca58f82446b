"""What a shell's TAB gets."""

import resource
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer._completion_classes import ZshComplete

from dicomtls.cli.app import COMMANDS
from dicomtls.cli.completion import answer, words_for
from dicomtls.cli.completion_table import COMMANDS as OF_COMMANDS
from dicomtls.cli.completion_table import GROUPS
from dicomtls.errors import UsageError
from tests.support.cli import dicomtls_command, dicomtls_environment
from tests.support.completing import complete

PATHS = [path.split() for path in (*GROUPS, *OF_COMMANDS)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ec"], ["echo"]),
        (["s"], ["store", "serve"]),
        (["certgen", "re"], ["request", "renew", "revoke"]),
        (["echo", "--pass"], ["--passphrase-file", "--passphrase-env"]),
        (["echo", "pacs", "--tls-min", ""], ["1.0", "1.1", "1.2", "1.3"]),
        (["echo", "--profile", "bcp195-m"], ["bcp195-modified"]),
        (["certgen", "pki", "--key-"], ["--key-type"]),
        (["certgen", "pki", "--key-type", "ec"], ["ec:p256", "ec:p384"]),
        (["certgen", "issue", "--key-type", "rsa:3"], ["rsa:3072"]),
        (["certgen", "renew", "a.pem", "--new-key", "ed"], ["ed25519"]),
        (["certgen", "sign", "--purpose", ""], ["both", "server", "client"]),
        (["certgen", "issue", "--purpose=s"], ["--purpose=server"]),
        (["certgen", "issue", "--purpose=both", "--pur"], []),
        (["certgen", "issue", "--purpose", "both", "--pur"], []),
        (["certgen", "issue", "--host", "x", "--ho"], ["--host"]),
        (["certgen", "issue", "--", "--ho"], []),
        (["echo", "--profile", "MOD"], ["modern"]),
        (["echo", "--no-tls=x"], []),
        (["echo", "--nix=x"], []),
        (["echo", "--nix", "--no-tl"], ["--no-tls"]),
        (["find", "-kPatientID", "-k", "PatientNa"], ["PatientName"]),
        (["get", "x", "-k", "p"], ["PatientID="]),
        (["move", "--level", "I"], ["image"]),
        (["certgen", "-h", "is"], ["issue"]),
        (["certgen", "nix", ""], []),
        (["echo", "-", ""], []),
        (["inspect-cert", "--purpose", ""], ["server", "client"]),
        (["serve", "--client-auth", "o"], ["optional"]),
        (["--v"], ["--version"]),
        (["echo", "--ca", ""], []),
        (["nix", "--ca"], []),
    ],
)
def test_commands_options_and_values_complete(words: list[str], expected: list[str]) -> None:
    """Names that begin so; nothing where the shell knows better (paths), and nothing for what does not exist."""
    assert complete("bash", *words) == expected


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("zsh", ["""_arguments '*: :(("--no-sni":"do not send the servers name"))\'"""]),
        ("fish", ["--no-sni\tdo not send the server's name"]),
        ("powershell", ["--no-sni:::do not send the server's name"]),
    ],
)
def test_shells_that_show_a_meaning_get_it(shell: str, expected: list[str]) -> None:
    """Each in its own form; quotes are left out where they would end a string."""
    assert complete(shell, "echo", "--no-sn") == expected


def test_meaning_is_taken_as_it_is() -> None:
    """Brackets are no markup, and a colon is escaped for zsh."""
    (found,) = complete("zsh", "ec")
    assert found == """_arguments '*: :(("echo":"ask a peer whether it answers (C-ECHO)"))'"""
    (found,) = complete("zsh", "echo", "--passphrase-f")
    assert r"first line\\: the passphrase" in found


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_options_and_commands_are_those_that_typer_would_offer(path: list[str]) -> None:
    """The other opinion; each before and behind an option that was given already."""
    typer = ZshComplete(COMMANDS, {}, "dicomtls", "_X")
    given = ["--json"] if path in map(str.split, OF_COMMANDS) and path != ["demo"] else []
    for before in (path, [*path, *given]):
        for begun in ("-", "--", "--no-", "-v"):
            names = [str(item.value) for item in typer.get_completions([*before], begun)]
            assert [word for word, _ in words_for(before, begun)] == names
    if " ".join(path) in GROUPS:
        names = [str(item.value) for item in typer.get_completions([*path], "")]
        assert sorted(word for word, _ in words_for(path, "")) == sorted(names)


WORDS = st.sampled_from(["-", "--", "--ca", "--pin=x", "-k", "-vk", "--purpose=", "echo", "certgen", "sign", "x", ""])


@given(st.lists(WORDS | st.text(max_size=4), max_size=6), st.text(max_size=6) | WORDS)
def test_any_line_gets_an_answer(before: list[str], begun: str) -> None:
    """Whatever was typed: words that begin as it does, or none."""
    for word, _ in words_for(before, begun):
        assert word.casefold().startswith(begun.casefold())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dicomtls 'ec", ["echo"]),
        ('dicomtls "ec', ["echo"]),
        ("dicomtls ec\\", ["echo"]),
        ("dicomtls  certgen   'pk'", ["pki"]),
        ("dicomtls echo # --pro", ["--profile"]),
        ("dicomtls echo\t--prof", ["--profile"]),
        ("DICOMTLS_CONFIG=x A='b c' dicomtls cert", ["certgen"]),
        ("", [name for name, _ in GROUPS[""]]),
        ("dicomtls", [name for name, _ in GROUPS[""]]),
    ],
)
def test_line_is_read_as_the_shell_has_it(line: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotes may be open still, and a number sign begins no comment within a line that is being typed."""
    monkeypatch.setenv("_DICOMTLS_COMPLETE_LINE", line)
    monkeypatch.delenv("_DICOMTLS_COMPLETE_WORD", raising=False)
    assert answer("complete_bash").split() == expected


@pytest.mark.parametrize("shell", ["powershell", "pwsh"])
def test_powershell_says_itself_which_word_it_is(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its line does not end where the cursor is behind a space."""
    monkeypatch.setenv("_DICOMTLS_COMPLETE_LINE", "dicomtls certgen sign --purpose")
    monkeypatch.setenv("_DICOMTLS_COMPLETE_WORD", "")
    assert answer(f"complete_{shell}") == "both::: \nserver::: \nclient::: \n"


@pytest.mark.parametrize(("shell", "expected"), [("bash", ""), ("fish", ""), ("powershell", ""), ("zsh", "_files\n")])
def test_nothing_is_said_where_there_is_nothing(shell: str, expected: str) -> None:
    """The shell then offers files; PowerShell would stumble over an empty line."""
    assert "".join(f"{line}\n" for line in complete(shell, "echo", "--ca", "")) == expected


def test_completing_imports_nothing_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """TAB has to answer at once: not even what commands are declared with is there."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    code = "import sys; from dicomtls.__main__ import main; main(); print(*sys.modules, file=sys.stderr)"
    env = {"_DICOMTLS_COMPLETE": "complete_fish", "_DICOMTLS_COMPLETE_LINE": "dicomtls echo --"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dicomtls_environment(env)
    )
    assert "--ca\t" in done.stdout
    modules = set(done.stderr.split())
    assert modules.isdisjoint({"typer", "rich", "cryptography", "pydicom", "pynetdicom", "dataclasses"})
    assert "dicomtls.cli.app" not in modules


@pytest.mark.parametrize("instruction", ["source_tcsh", "complete_", "bash_complete", "x"])
def test_unknown_instruction_is_refused(instruction: str) -> None:
    """With what is known in the hint."""
    with pytest.raises(UsageError) as caught:
        answer(instruction)
    assert "powershell" in caught.value.hints[0]


@pytest.mark.parametrize(
    "words",
    [
        "dicomtls ec",
        "dicomtls echo --",
        "dicomtls certgen pki --key-type ",
        "dicomtls echo ",
        "dicomtls find x -k Patient",
        "dicomtls peers forget ",
    ],
)
def test_answer_takes_little_time(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """0.15 s at most. Time of a processor, and the best of several: what else this machine does is not counted."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    env = dicomtls_environment({"_DICOMTLS_COMPLETE": "complete_zsh", "_DICOMTLS_COMPLETE_LINE": words})
    assert any(_processor_seconds(dicomtls_command(), env) < 0.15 for _ in range(10))


def _processor_seconds(command: list[str], env: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
