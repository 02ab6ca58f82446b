"""dicomtls.cli.candidates: words for a shell's TAB that have to be looked for."""

from pathlib import Path

import pytest

from dicomtls.cli.candidates import keywords, peers, profiles, remembered
from dicomtls.cli.folders import data_folder
from dicomtls.profiles import PROFILES
from dicomtls.remembered import RememberedPeers
from tests.support.completing import complete

TWO = '[peers.pacs]\nhost = "x"\n[peers.ct]\nhost = "y"\nport = 104\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, and nothing of the user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("DICOMTLS_CONFIG", raising=False)
    return tmp_path


def test_peers_are_those_of_the_configuration(folder: Path) -> None:
    """With their addresses, for a command of one peer and one of many; keys that we do not know do no harm."""
    (folder / "dicomtls.toml").write_text(f'{TWO}of-a-later-version = "x"\n')
    assert peers("", {}) == [("pacs", "x:2762"), ("ct", "y:104")]
    assert peers("p", {}) == [("pacs", "x:2762")]
    for command in (["echo"], ["store"], ["handshake-probe", "ct"], ["peers", "check", "ct"], ["peers", "forget"]):
        assert complete("bash", *command, "pa") == ["pacs"]
    assert complete("bash", "echo", "ct", "pa") == []


def test_configuration_on_the_line_is_the_one_that_is_asked(folder: Path) -> None:
    """It is what the command will read."""
    (folder / "dicomtls.toml").write_text(TWO)
    (folder / "home").mkdir()
    (folder / "home" / "other.toml").write_text('[peers.pathology]\nhost = "z"\n')
    assert complete("fish", "echo", "--config", "home/other.toml", "pa") == ["pathology\tz:2762"]
    assert complete("fish", "echo", "--config=home/other.toml", "pa") == ["pathology\tz:2762"]
    assert peers("", {"--config": "~/other.toml"}) == [("pathology", "z:2762")]
    assert peers("", {"--config": "none.toml"}) == peers("", {"--config": "~nobody-here/x.toml"}) == []


@pytest.mark.parametrize("text", [None, "broken [", '[peers."a b"]\nhost = "x"\n', "[peers.a]\nhost = 1\n"])
def test_no_peers_without_a_sound_configuration(folder: Path, text: str | None) -> None:
    """A TAB is no place for an error."""
    if text is not None:
        (folder / "dicomtls.toml").write_text(text)
    assert peers("", {}) == []


def test_remembered_are_those_that_can_be_forgotten(folder: Path) -> None:
    """By address, before the names; a damaged file holds none."""
    (folder / "dicomtls.toml").write_text(TWO)
    known = RememberedPeers(data_folder())
    known.remember("plum", 2762, "1" * 64, "CN=plum")
    known.remember("y", 104, "2" * 64, "CN=ct")
    assert remembered("p", {}) == [("plum:2762", "CN=plum"), ("pacs", "x:2762")]
    assert complete("bash", "peers", "forget", "pl") == ["plum:2762"]
    known.path.write_text("nonsense\n")
    assert remembered("p", {}) == [("pacs", "x:2762")]


def test_profiles_have_their_titles() -> None:
    """However they are written."""
    assert profiles("", {}) == [(profile.name, profile.title) for profile in PROFILES]
    assert [name for name, _ in profiles("MOD", {})] == ["modern"]


def test_keywords_are_those_of_the_standard() -> None:
    """Behind `-k`, also within a path and however they are written; a value is nobody's to complete."""
    assert "PatientName" in complete("bash", "find", "pacs", "-k", "PatientN")
    assert "PatientName" in [word for word, _ in keywords("patientn", {})]
    nested = complete("bash", "find", "pacs", "-k", "ScheduledProcedureStepSequence.ScheduledStationA")
    assert nested == ["ScheduledProcedureStepSequence.ScheduledStationAETitle"]
    assert complete("bash", "find", "pacs", "-k", "PatientName=") == []
    assert complete("bash", "find", "--level", "s") == ["study", "series"]


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        ("PatientSpecies", ["PatientSpeciesDescription", "PatientSpeciesCodeSequence"]),
        ("A[0].ScheduledStationA", ["A[0].ScheduledStationAETitle"]),
        ("PatientName=", []),
        ("Nonsense", []),
    ],
)
def test_keyword_is_the_last_part_of_a_path(begun: str, expected: list[str]) -> None:
    """The last part of a path, as long as no value is begun."""
    assert sorted(word for word, _ in keywords(begun, {})) == sorted(expected)
