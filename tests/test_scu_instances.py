"""Which files can be sent, found by looking at their beginnings; everything else is named with the reason."""

import os
import socket
import subprocess
import warnings
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomtls.dataset import DEFLATED, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.errors import UsageError
from dicomtls.scu.instances import Found, find_instances, open_instance
from tests.support.elements import PYDICOM_DATA, explicit, implicit, name_of, part10, pydicom_files, read_with_pydicom
from tests.support.instances import make_instance, make_instances, pydicom_test_files
from tests.support.servers import CT

MEDIA = PYDICOM_DATA / "test_files" / "dicomdirtests"


def look(*paths: Path) -> Found:
    """What the paths lead to."""
    return find_instances([str(path) for path in paths])


def names(found: Found, folder: Path) -> list[str]:
    """The instances by their paths within a folder."""
    return [str(Path(instance.path).relative_to(folder)) for instance in found.instances]


@pytest.mark.parametrize("path", pydicom_files(), ids=name_of)
def test_every_file_of_pydicom_is_an_instance_or_has_a_reason(path: Path) -> None:
    """Valid and broken ones, DICOM or not: one entry, nothing raised, and what is found is what pydicom finds."""
    found = look(path)
    if path.name.startswith("DICOMDIR"):
        return  # named, they stand for what they list: below
    assert len(found.instances) + len(found.skipped) + len(found.unreadable) == 1
    for left_out in (*found.skipped, *found.unreadable):
        assert left_out.path == str(path)
        assert left_out.reason
        assert "\n" not in left_out.reason
    for instance in found.instances:
        read = read_with_pydicom(path)
        assert instance.sop_instance_uid == (read.get("SOPInstanceUID") or read.file_meta.MediaStorageSOPInstanceUID)
        assert instance.size == path.stat().st_size
        given_syntax = read.file_meta.get("TransferSyntaxUID")
        assert given_syntax is None or instance.transfer_syntax == given_syntax
        if instance.transfer_syntax != DEFLATED:
            dataset = path.read_bytes()[instance.offset :]
            meta = explicit(
                0x00020010, b"UI", instance.transfer_syntax.encode() + b"\0" * (len(instance.transfer_syntax) & 1)
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                again = pydicom.dcmread(BytesIO(part10(dataset, meta)), force=True, stop_before_pixels=True)
            assert again.get("SOPInstanceUID") == read.get("SOPInstanceUID")


def test_most_files_of_pydicom_can_be_sent() -> None:
    """The test above would pass where nothing is found at all."""
    found = look(*pydicom_test_files())
    assert len(found.instances) > 60


# Folders


def test_folder_is_searched_with_all_below_it(tmp_path: Path) -> None:
    """By name, folders among the files; names without an ending count as well."""
    for name in ("b/2.dcm", "b/a/1", "a.dcm", "c", "b/.hidden.dcm"):
        make_instance(tmp_path / name, pixel_bytes=1024)
    assert names(look(tmp_path), tmp_path) == ["a.dcm", "b/.hidden.dcm", "b/2.dcm", "b/a/1", "c"]


def test_paths_are_taken_in_their_order(tmp_path: Path) -> None:
    """As the user gave them; a file that is named twice is sent twice."""
    make_instances(tmp_path / "x", 2, pixel_bytes=1024)
    make_instance(tmp_path / "a.dcm", pixel_bytes=1024)
    found = look(tmp_path / "x", tmp_path / "a.dcm", tmp_path / "a.dcm")
    assert names(found, tmp_path) == ["x/00000.dcm", "x/00001.dcm", "a.dcm", "a.dcm"]


def test_empty_folder_has_nothing(tmp_path: Path) -> None:
    """Which is no error here."""
    found = look(tmp_path)
    assert (found.instances, found.skipped, found.unreadable, found.bytes) == ([], [], [], 0)


def deep_folder(top: Path, name: str, depth: int) -> int:
    """Folders in folders, all of one name; returns a descriptor of the last, which may have no path that works."""
    descriptor = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    return descriptor


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A folder that pytest itself need not clear away: it cannot, past a thousand levels."""
    folder = tmp_path / "deep"
    folder.mkdir()
    yield folder
    subprocess.run(["rm", "-rf", folder], check=True)


def test_folders_deeper_than_python_calls_are_searched(deep: Path) -> None:
    """A thousand levels and more, as archives of archives have them."""
    make_instance(deep / "x.dcm", pixel_bytes=1024)
    bottom = deep_folder(deep, "d", 1200)
    os.rename(deep / "x.dcm", "x.dcm", dst_dir_fd=bottom)
    os.close(bottom)
    found = look(deep)
    assert len(found.instances) == 1
    assert not found.unreadable


def test_path_that_is_too_long_is_named(deep: Path) -> None:
    """Deeper than the system can name: what lies there is not passed over in silence."""
    os.close(deep_folder(deep, "d" * 250, 20))
    assert [left_out.reason for left_out in look(deep).unreadable] == ["file name too long"]


def test_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are searched."""
    make_instance(tmp_path / "a" / "x.dcm", pixel_bytes=1024)
    make_instance(tmp_path / "b" / "x.dcm", pixel_bytes=1024)
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = look(tmp_path)
    assert names(found, tmp_path) == ["b/x.dcm"]
    assert [(left_out.path, left_out.reason) for left_out in found.unreadable] == [
        (str(tmp_path / "a"), "permission denied")
    ]


# What is no instance


def write(content: bytes) -> Callable[[Path], None]:
    """A maker of a file with this content."""

    def make(path: Path) -> None:
        path.write_bytes(content)

    return make


def fifo(path: Path) -> None:
    """A pipe, which would block whoever opens it to read."""
    os.mkfifo(path)


def device(path: Path) -> None:
    """A link to a device that never ends."""
    path.symlink_to("/dev/zero")


def unix_socket(path: Path) -> None:
    """A socket, which cannot be opened."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


def loop(path: Path) -> None:
    """A link to itself."""
    path.symlink_to(path.name)


def dangling(path: Path) -> None:
    """A link to nowhere."""
    path.symlink_to("nowhere")


def link_up(path: Path) -> None:
    """A link to the folder that it is in."""
    path.symlink_to(".")


UIDS = explicit(0x00080016, b"UI", CT.encode() + b"\0") + explicit(0x00080018, b"UI", b"1.2.3\0")
META = explicit(0x00020010, b"UI", EXPLICIT_VR_LE.encode() + b"\0")
SKIPPED = {
    "empty": (write(b""), "empty"),
    "text": (write(b"Dear colleague,\n" * 100), "not DICOM"),
    "picture": (write(b"\x89PNG\r\n\x1a\n" + bytes(5000)), "not DICOM"),
    "note": (write(b"v1.2\n"), "not DICOM"),
    "one byte": (write(b"\x08"), "not DICOM"),
    "pipe": (fifo, "not a regular file"),
    "device": (device, "not a regular file"),
    "link to a folder": (link_up, "not a regular file"),
}
UNREADABLE = {
    "socket": (unix_socket, "no such device or address"),
    "loop": (loop, "too many levels of symbolic links"),
    "dangling": (dangling, "no such file or directory"),
    "meta only": (write(part10(b"", META)), ""),
    "meta cut short": (write(part10(b"", META)[:-3]), "cut short"),
    "without UIDs": (write(part10(explicit(0x00080060, b"CS", b"CT"), META)), "no SOP instance UID"),
    "bad UID": (
        write(part10(explicit(0x00080016, b"UI", CT.encode() + b"\0") + explicit(0x00080018, b"UI", b"../x"), META)),
        "not a valid SOP instance UID",
    ),
    "odd": (
        write(
            part10(
                explicit(0x00080016, b"UI", CT.encode() + b"\0") + explicit(0x00080018, b"UI", b"1.2.3\0") + b"x", META
            )
        ),
        "odd number of bytes",
    ),
}


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("kind", [*SKIPPED, *UNREADABLE])
def test_file_that_is_no_instance_is_named_with_the_reason(tmp_path: Path, kind: str, *, is_named: bool) -> None:
    """In a folder or by itself; the good one beside it is found."""
    make, reason = (SKIPPED | UNREADABLE)[kind]
    make_instance(tmp_path / "good.dcm", pixel_bytes=1024)
    bad = tmp_path / "bad"
    make(bad)
    if kind == "link to a folder" and is_named:
        return  # whoever names a link to a folder means the folder: below
    found = look(tmp_path / "good.dcm", bad) if is_named else look(tmp_path)
    assert names(found, tmp_path) == ["good.dcm"]
    expected, other = (found.skipped, found.unreadable) if kind in SKIPPED else (found.unreadable, found.skipped)
    assert other == []
    [left_out] = expected
    assert left_out.path == str(bad)
    assert reason in left_out.reason


def test_link_to_a_folder_is_followed_only_where_it_is_named(tmp_path: Path) -> None:
    """Below a folder it might lead back up, or around in circles."""
    make_instance(tmp_path / "real" / "x.dcm", pixel_bytes=1024)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "up").symlink_to("..")
    assert len(look(tmp_path / "link").instances) == 1
    assert names(look(tmp_path), tmp_path) == ["real/x.dcm"]


def test_link_to_a_file_is_followed(tmp_path: Path) -> None:
    """Archives are full of them."""
    make_instance(tmp_path / "real.dcm", pixel_bytes=1024)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.dcm").symlink_to("../real.dcm")
    assert names(look(tmp_path / "in"), tmp_path) == ["in/link.dcm"]


def test_file_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been an instance."""
    make_instances(tmp_path, 2, pixel_bytes=1024)
    real = os.open

    def refuse(path: str, *options: int, **others: Any) -> int:
        if str(path).endswith("00000.dcm"):
            raise PermissionError(13, "Permission denied")
        return real(path, *options, **others)

    monkeypatch.setattr(os, "open", refuse)
    found = look(tmp_path)
    assert names(found, tmp_path) == ["00001.dcm"]
    assert [left_out.reason for left_out in found.unreadable] == ["permission denied"]


def test_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad sector at its beginning."""
    make_instance(tmp_path / "a.dcm", pixel_bytes=1024)

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    assert [left_out.reason for left_out in look(tmp_path).unreadable] == ["input/output error"]


@pytest.mark.parametrize("path", ["", "no such file", "no/such/folder/x.dcm", "nul\0byte"])
def test_path_that_does_not_exist_is_a_usage_error(tmp_path: Path, path: str) -> None:
    """The user meant something by it; nothing is sent before that is cleared up."""
    with pytest.raises(UsageError) as caught:
        find_instances([str(tmp_path), path and str(tmp_path / path)])
    assert caught.value.code == "unreadable-file"
    assert caught.value.hints


def test_descriptors_are_closed_whatever_the_file(tmp_path: Path) -> None:
    """A folder of ten thousand broken files must not exhaust them."""
    for kind, (make, _) in (SKIPPED | UNREADABLE).items():
        make(tmp_path / kind.replace(" ", "-"))
    make_instance(tmp_path / "good.dcm", pixel_bytes=1024)
    before = len(list(Path("/proc/self/fd").iterdir()))
    look(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# How much is read


def test_only_the_beginning_of_a_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gigabyte costs no more than a kilobyte."""
    make_instance(tmp_path / "big.dcm", pixel_bytes=1 << 30, sparse=True)
    taken = count_reads(monkeypatch)
    [instance] = look(tmp_path).instances
    assert instance.size > 1 << 30
    assert sum(taken) <= 4096


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each read gets from now on."""
    taken: list[int] = []
    real = os.read

    def read(descriptor: int, count: int) -> bytes:
        data = real(descriptor, count)
        taken.append(len(data))
        return data

    monkeypatch.setattr(os, "read", read)
    return taken


@pytest.mark.parametrize("before", [5000, 100_000, 900_000])
def test_more_is_read_where_the_identifiers_come_late(tmp_path: Path, before: int) -> None:
    """Up to a megabyte of meta information, as private elements there may take."""
    uids = explicit(0x00080016, b"UI", CT.encode() + b"\0") + explicit(0x00080018, b"UI", b"1.2.3\0")
    (tmp_path / "a.dcm").write_bytes(part10(uids, META, explicit(0x00020102, b"OB", bytes(before))))
    [instance] = look(tmp_path).instances
    assert (instance.sop_instance_uid, instance.size - instance.offset) == ("1.2.3", len(uids))


def test_file_whose_identifiers_come_too_late_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads a gigabyte to find out."""
    uids = implicit(0x00080016, CT.encode() + b"\0") + implicit(0x00080018, b"1.2.3\0")
    syntax = explicit(0x00020010, b"UI", IMPLICIT_VR_LE.encode() + b"\0")
    late = implicit(0x00080001, bytes(3_000_000)) + uids
    (tmp_path / "a.dcm").write_bytes(part10(late, syntax))
    taken = count_reads(monkeypatch)
    [left_out] = look(tmp_path).unreadable
    assert "no SOP instance UID in the first" in left_out.reason
    assert sum(taken) <= 1 << 20


def test_file_that_shrinks_while_it_is_looked_at_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of it does not come any more; there is an end to the asking."""
    uids = explicit(0x00080016, b"UI", CT.encode() + b"\0") + explicit(0x00080018, b"UI", b"1.2.3\0")
    path = tmp_path / "a.dcm"
    path.write_bytes(part10(uids, META, explicit(0x00020102, b"OB", bytes(50_000))))
    real = os.read

    def read(descriptor: int, count: int) -> bytes:
        data = real(descriptor, count)
        os.truncate(path, 4096)
        return data

    monkeypatch.setattr(os, "read", read)
    found = look(tmp_path)
    assert found.instances == []
    assert len(found.unreadable) == 1


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400), has_prefix=st.booleans())
def test_any_bytes_are_an_instance_or_have_a_reason(tmp_path: Path, content: bytes, *, has_prefix: bool) -> None:
    """Nothing is raised for what a file holds."""
    path = tmp_path / "any"
    path.write_bytes(part10(content) if has_prefix else content)
    found = look(path)
    assert len(found.instances) + len(found.skipped) + len(found.unreadable) == 1


def test_bytes_are_those_of_the_datasets(tmp_path: Path) -> None:
    """For the progress bar: without the meta information."""
    make_instances(tmp_path, 3, pixel_bytes=10_240)
    found = look(tmp_path)
    total = sum(Path(instance.path).stat().st_size - instance.offset for instance in found.instances)
    assert found.bytes == total
    assert 3 * 10_240 < found.bytes < 3 * 12_000


def test_instance_is_opened_without_waiting(tmp_path: Path) -> None:
    """What was a file may be a pipe by now."""
    os.mkfifo(tmp_path / "pipe")
    os.close(open_instance(str(tmp_path / "pipe")))
    with pytest.raises(FileNotFoundError):
        open_instance(str(tmp_path / "gone"))
