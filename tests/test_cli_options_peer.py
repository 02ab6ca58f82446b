"""dicomtls.cli.options.peer: names of peers for the shell's TAB."""

from pathlib import Path

import pytest

from dicomtls.cli.app import COMMANDS
from dicomtls.cli.completion import answer
from dicomtls.cli.options.peer import peer_names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, and nothing of the user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.delenv("DICOMTLS_CONFIG", raising=False)
    return tmp_path


def test_names_are_those_of_the_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their addresses, for a command of one peer and one of many."""
    (folder / "dicomtls.toml").write_text('[peers.pacs]\nhost = "x"\n[peers.ct]\nhost = "y"\nport = 104\n')
    assert peer_names("") == [("pacs", "x:2762"), ("ct", "y:104")]
    assert peer_names("p") == [("pacs", "x:2762")]
    for command in ("echo", "store", "handshake-probe"):
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"dicomtls {command} pa")
        monkeypatch.setenv("_TYPER_COMPLETE_WORD_TO_COMPLETE", "pa")
        assert answer(COMMANDS, "complete_bash").splitlines() == ["pacs"]


@pytest.mark.parametrize("text", [None, "broken ["])
def test_no_names_without_a_sound_configuration(folder: Path, text: str | None) -> None:
    """A TAB is no place for an error."""
    if text is not None:
        (folder / "dicomtls.toml").write_text(text)
    assert peer_names("") == []
