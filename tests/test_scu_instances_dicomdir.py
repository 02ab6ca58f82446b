"""A DICOMDIR stands for the files that it lists, and for nothing outside of its folder."""

import os
import shutil
from pathlib import Path

import pydicom
import pytest

from dicomtls.dataset import EXPLICIT_VR_LE
from dicomtls.scu import instances as instances_module
from dicomtls.scu.instances import Found, find_instances
from tests.support.elements import PYDICOM_DATA, explicit, part10, read_with_pydicom
from tests.support.instances import make_instance

MEDIA = PYDICOM_DATA / "test_files" / "dicomdirtests"


def look(*paths: Path) -> Found:
    """What the paths lead to."""
    return find_instances([str(path) for path in paths])


def names(found: Found, folder: Path) -> list[str]:
    """The instances by their paths within a folder."""
    return [str(Path(instance.path).relative_to(folder)) for instance in found.instances]


META = explicit(0x00020010, b"UI", EXPLICIT_VR_LE.encode() + b"\0")


def test_named_dicomdir_stands_for_what_it_lists() -> None:
    """Each file of the medium once, in its order, and the DICOMDIR itself is not sent."""
    found = look(MEDIA / "DICOMDIR")
    listed = [record.ReferencedFileID for record in read_records(MEDIA / "DICOMDIR")]
    assert names(found, MEDIA) == ["/".join(components) for components in listed]
    assert len(found.instances) == 31
    assert (found.skipped, found.unreadable) == ([], [])


def read_records(path: Path) -> list[pydicom.Dataset]:
    """The records that refer to files, as pydicom sees them."""
    directory = read_with_pydicom(path)
    return [record for record in directory.DirectoryRecordSequence if "ReferencedFileID" in record]


def test_dicomdir_in_a_folder_is_left_out_with_the_reason(tmp_path: Path) -> None:
    """What it lists is found anyway: nothing is sent twice."""
    shutil.copytree(MEDIA, tmp_path / "disc", ignore=shutil.ignore_patterns("DICOMDIR-*"))
    found = look(tmp_path)
    assert len(found.instances) >= 31
    assert len({instance.path for instance in found.instances}) == len(found.instances)
    directories = {left_out.path: left_out.reason for left_out in found.skipped if "DICOMDIR" in left_out.path}
    assert directories[str(tmp_path / "disc" / "DICOMDIR")] == "a DICOMDIR: what it lists lies in this folder"


def test_dicomdir_finds_names_that_were_copied_in_lower_case(tmp_path: Path) -> None:
    """As discs come through some systems."""
    for instance in look(MEDIA / "DICOMDIR").instances:
        target = tmp_path / str(Path(instance.path).relative_to(MEDIA)).lower()
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(instance.path, target)
    shutil.copy(MEDIA / "DICOMDIR", tmp_path / "dicomdir")
    found = look(tmp_path / "dicomdir")
    assert len(found.instances) == 31
    assert found.unreadable == []


def test_dicomdir_names_what_it_lists_and_is_not_there(tmp_path: Path) -> None:
    """A disc that was copied in part: the rest is sent, and what is missing is said."""
    shutil.copytree(MEDIA, tmp_path, dirs_exist_ok=True)
    all_of_them = look(tmp_path / "DICOMDIR").instances
    Path(all_of_them[0].path).unlink()
    shutil.rmtree(Path(all_of_them[-1].path).parent)
    found = look(tmp_path / "DICOMDIR")
    assert 0 < len(found.instances) < 30
    assert len(found.instances) + len(found.unreadable) == 31
    assert {left_out.reason for left_out in found.unreadable} == {"listed in the DICOMDIR, but not there"}
    assert found.unreadable[0].path == all_of_them[0].path


def directory(*components: bytes) -> bytes:
    """A DICOMDIR with one record for each file identifier."""
    records = b"".join(
        b"\xfe\xff\x00\xe0" + len(record).to_bytes(4, "little") + record
        for record in (
            explicit(0x00041410, b"US", b"\xff\xff") + explicit(0x00041500, b"CS", name + b" " * (len(name) & 1))
            for name in components
        )
    )
    uids = explicit(0x00020002, b"UI", b"1.2.840.10008.1.3.10") + explicit(0x00020003, b"UI", b"1.2.3\0")
    return part10(explicit(0x00041220, b"SQ", records), uids, META)


@pytest.mark.parametrize("name", [b"..\\SECRET", b"A\\..\\..\\SECRET", b"/SECRET", b"..", b"A/../../SECRET"])
def test_dicomdir_leads_to_nothing_outside_of_its_folder(tmp_path: Path, name: bytes) -> None:
    """A hostile disc cannot have other files sent."""
    make_instance(tmp_path / "SECRET", pixel_bytes=1024)
    (tmp_path / "disc" / "A").mkdir(parents=True)
    (tmp_path / "disc" / "DICOMDIR").write_bytes(directory(name))
    found = look(tmp_path / "disc" / "DICOMDIR")
    assert found.instances == []
    assert len(found.unreadable) == 1


def test_dicomdir_that_lists_a_dicomdir_or_itself_comes_to_an_end(tmp_path: Path) -> None:
    """It is left out like any that was not named."""
    (tmp_path / "DICOMDIR").write_bytes(directory(b"DICOMDIR", b"OTHER"))
    (tmp_path / "OTHER").write_bytes(directory(b"DICOMDIR"))
    found = look(tmp_path / "DICOMDIR")
    assert found.instances == []
    assert len(found.skipped) == 2


def test_dicomdir_that_lists_names_that_no_system_takes_goes_on(tmp_path: Path) -> None:
    """One that is too long, one below a file, one that is a folder: each is named, and the good one is found."""
    make_instance(tmp_path / "GOOD", pixel_bytes=1024)
    (tmp_path / "FOLDER").mkdir()
    long = b"X" * 300
    (tmp_path / "DICOMDIR").write_bytes(directory(long, b"GOOD\\BELOW", b"FOLDER", b"GOOD"))
    found = look(tmp_path / "DICOMDIR")
    assert names(found, tmp_path) == ["GOOD"]
    assert len(found.unreadable) == 2
    assert [left_out.reason for left_out in found.skipped] == ["not a regular file"]


@pytest.mark.parametrize("fault", ["cut short", "too large"])
def test_dicomdir_that_is_broken_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """It is not sent in part: what it lost would go unnoticed."""
    path = tmp_path / "DICOMDIR"
    shutil.copy(MEDIA / "DICOMDIR", path)
    if fault == "cut short":
        os.truncate(path, path.stat().st_size - 500)
    else:
        monkeypatch.setattr(instances_module, "_LONGEST_DIRECTORY", 1000)
    found = look(path)
    assert found.instances == []
    [left_out] = found.unreadable
    assert fault in left_out.reason
