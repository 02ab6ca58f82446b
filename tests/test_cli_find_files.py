"""The folder of matches: names of our own, whole files, nothing overwritten."""

from pathlib import Path

import pytest
from pydicom import dcmread

from dicomtls.cli.find_files import MatchFolder
from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.dataset.identifier import Element, Identifier, encode
from dicomtls.errors import MachineError, UsageError
from dicomtls.scu.query import Match

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
HOSTILE: Identifier = {
    0x00080018: Element("UI", ("../../etc/passwd",)),
    0x00100020: Element("LO", ("/etc/passwd",)),
    0x0020000D: Element("UI", ("..",)),
}


def as_match(identifier: Identifier, syntax: str) -> Match:
    """What came over the wire."""
    return Match(dict(identifier), encode(identifier, syntax), syntax)


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
def test_match_is_kept_as_it_came(tmp_path: Path, syntax: str) -> None:
    """In its transfer syntax, under a number, whatever it says of itself."""
    folder = MatchFolder(tmp_path / "new" / "folder", FIND)
    folder.add(as_match(HOSTILE, syntax))
    folder.add(as_match(HOSTILE, syntax))
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert names == ["new/folder/000001.dcm", "new/folder/000002.dcm"]
    first, second = (dcmread(tmp_path / name) for name in names)
    assert first.file_meta.TransferSyntaxUID == syntax
    assert first.file_meta.MediaStorageSOPClassUID == FIND
    assert first.file_meta.MediaStorageSOPInstanceUID != second.file_meta.MediaStorageSOPInstanceUID
    assert (tmp_path / names[0]).read_bytes().endswith(encode(HOSTILE, syntax))


def test_folder_with_matches_is_left_alone(tmp_path: Path) -> None:
    """Other files do not matter."""
    (tmp_path / "notes.txt").touch()
    MatchFolder(tmp_path, FIND).add(as_match(HOSTILE, EXPLICIT_VR_LE))
    with pytest.raises(UsageError, match="holds matches already"):
        MatchFolder(tmp_path, FIND)


def test_file_is_no_folder(tmp_path: Path) -> None:
    """It stays what it was."""
    path = tmp_path / "file"
    path.write_text("x")
    with pytest.raises(UsageError, match="no folder"):
        MatchFolder(path, FIND)
    assert path.read_text() == "x"


def test_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """Not even the beginning."""
    folder = MatchFolder(tmp_path, FIND)
    (tmp_path / "000001.dcm").mkdir()
    with pytest.raises(MachineError, match=r"000001\.dcm"):
        folder.add(as_match(HOSTILE, EXPLICIT_VR_LE))
    assert [path.name for path in tmp_path.iterdir()] == ["000001.dcm"]
