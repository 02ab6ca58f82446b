"""The folder in which instances are kept: whole files or none, whatever the peer, the disk or somebody else does."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from struct import pack

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomtls.dataset import DEFLATED, EXPLICIT_VR_LE
from dicomtls.errors import DataError, MachineError
from dicomtls.scp import storage as storage_module
from dicomtls.scp.layout import Layout
from dicomtls.scp.storage import FolderStorage
from tests.support.elements import count_calls, implicit
from tests.support.instances import make_instance
from tests.support.kept import (
    DATASET,
    PLACE,
    SINGLE_LAYOUT,
    UID,
    cut,
    dataset_of,
    header,
    keep,
    limit_writes,
)
from tests.support.servers import CT, all_files


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[FolderStorage]:
    """A storage with the default layout."""
    with closing(FolderStorage(tmp_path / "kept")) as storage:
        yield storage


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, len(DATASET)), max_size=30), short=st.integers(1, 1000) | st.none())
def test_dataset_is_kept_byte_for_byte_however_it_is_cut(
    folder: FolderStorage, places: list[int], short: int | None
) -> None:
    """Whatever the fragments, and however few bytes the disk takes at a time, the file holds what was sent."""
    with pytest.MonkeyPatch.context() as patch:
        if short is not None:
            limit_writes(patch, short)
        stored = keep(folder, *cut(DATASET, places))
    try:
        assert stored.path == folder.directory / PLACE
        assert stored.is_new
        assert stored.size == len(DATASET)
        assert dataset_of(stored.path) == DATASET
        assert all_files(folder.directory) == [stored.path]
    finally:
        stored.path.unlink(missing_ok=True)


def test_meta_information_is_readable_by_pydicom(folder: FolderStorage, tmp_path: Path) -> None:
    """Preamble, prefix and group 0002 are as PS3.10 has them, and the dataset reads as the one that was sent."""
    sent = make_instance(tmp_path / "sent.dcm", pixel_bytes=4096)
    raw = sent.path.read_bytes()
    dataset = raw[144 + int.from_bytes(raw[140:144], "little") :]
    stored = keep(folder, dataset, head=header(sent.sop_instance_uid, EXPLICIT_VR_LE))
    read = pydicom.dcmread(stored.path)
    assert read.preamble == bytes(128)
    assert read.file_meta.MediaStorageSOPClassUID == CT
    assert read.file_meta.MediaStorageSOPInstanceUID == sent.sop_instance_uid
    assert read.file_meta.TransferSyntaxUID == EXPLICIT_VR_LE
    assert read.file_meta.SourceApplicationEntityTitle == "CALLER"
    assert read == pydicom.dcmread(sent.path)
    assert stored.path.parts[-3:] == (read.StudyInstanceUID, read.SeriesInstanceUID, f"{read.SOPInstanceUID}.dcm")


def test_meta_and_dataset_are_written_without_writev(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without `writev` gets the same file."""
    monkeypatch.setattr(storage_module, "_writev", None)
    assert dataset_of(keep(folder, DATASET[:7], DATASET[7:]).path) == DATASET


def test_source_ae_title_is_left_out_when_there_is_none(folder: FolderStorage) -> None:
    """A peer without an AE title leaves none in the file."""
    stored = keep(folder, head=header(calling=""))
    assert "SourceApplicationEntityTitle" not in pydicom.dcmread(stored.path, force=True).file_meta


def test_instance_without_a_dataset_is_kept_as_its_meta_information(folder: FolderStorage) -> None:
    """No fragment at all is no reason for a broken file."""
    incoming = folder.receive(header())
    stored = incoming.commit()
    assert stored.size == 0
    assert dataset_of(stored.path) == b""
    assert stored.path == folder.directory / f"_unknown/_unknown/{UID}.dcm"


def test_temporary_files_never_have_a_final_name(folder: FolderStorage) -> None:
    """Nothing ends in .dcm before it is whole, and nothing temporary lies beside what is kept."""
    incoming = folder.receive(header())
    incoming.write(memoryview(DATASET))
    [temporary] = all_files(folder.directory)
    assert temporary.suffix != ".dcm"
    assert temporary.parent.name.startswith(".dicomtls-incoming-")
    stored = incoming.commit()
    assert all_files(folder.directory) == [stored.path]


def test_final_name_appears_only_as_a_whole_file(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is given by one rename of a closed file: no moment has a part of it."""
    seen: list[bytes] = []
    real = os.replace

    def rename(source: str, target: str) -> None:
        assert not Path(target).exists()
        seen.append(Path(source).read_bytes())
        real(source, target)

    monkeypatch.setattr(os, "replace", rename)
    stored = keep(folder, DATASET[:100], DATASET[100:])
    assert seen == [stored.path.read_bytes()]


@pytest.mark.parametrize("written", [0, 1, 2])
def test_discard_leaves_nothing(folder: FolderStorage, written: int) -> None:
    """However much has come."""
    incoming = folder.receive(header())
    for _ in range(written):
        incoming.write(memoryview(DATASET))
    incoming.discard()
    incoming.discard()
    assert all_files(folder.directory) == []


def test_discard_removes_the_file_when_it_cannot_be_closed(
    folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A close that fails (a network file system's) keeps no file, and is not repeated on somebody else's descriptor."""
    incoming = folder.receive(header())
    incoming.write(memoryview(DATASET))
    closed: list[int] = []
    real = os.close

    def close(descriptor: int) -> None:
        real(descriptor)
        closed.append(descriptor)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "close", close)
    with pytest.raises(MachineError, match="no space left"):
        incoming.commit()
    incoming.discard()
    monkeypatch.undo()
    assert len(closed) == 1
    assert all_files(folder.directory) == []


def test_first_one_is_kept_when_an_instance_comes_again(folder: FolderStorage) -> None:
    """The second copy is dropped, whatever is in it, and said to be there already."""
    first = keep(folder)
    second = keep(folder, DATASET + implicit(0x7FE10010, b"more"))
    assert (first.is_new, second.is_new) == (True, False)
    assert first.path == second.path
    assert dataset_of(first.path) == DATASET
    assert all_files(folder.directory) == [first.path]


def test_link_to_nowhere_does_not_pass_for_an_instance(folder: FolderStorage) -> None:
    """What looks like a name, but holds nothing, is replaced: success means that the instance is there."""
    target = folder.directory / PLACE
    target.parent.mkdir(parents=True)
    target.symlink_to(folder.directory / "nowhere")
    assert keep(folder).is_new
    assert not target.is_symlink()
    assert dataset_of(target) == DATASET


def test_folder_in_the_place_of_an_instance_is_an_error(folder: FolderStorage) -> None:
    """A folder with the instance's name is not the instance."""
    (folder.directory / PLACE / "x").mkdir(parents=True)
    with pytest.raises(MachineError):
        keep(folder)
    assert all_files(folder.directory) == []


def test_same_instance_from_many_at_once_is_kept_once(folder: FolderStorage) -> None:
    """Twelve threads that send the same leave one whole file and nothing else."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            keep(folder, *cut(DATASET, list(range(0, len(DATASET), 97))))
        except BaseException as error:  # noqa: BLE001 -- asserted in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    [path] = all_files(folder.directory)
    assert dataset_of(path) == DATASET


# What a layout is made of


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.tuples(st.binary(max_size=90), st.binary(max_size=90)),
    calling=st.text(max_size=16),
)
def test_hostile_values_never_leave_the_folder(
    tmp_path_factory: pytest.TempPathFactory, values: tuple[bytes, bytes], calling: str
) -> None:
    """Any bytes as identifiers of patient and study make a path below the folder, or the instance is refused."""
    place = tmp_path_factory.mktemp("hostile")
    layout = Layout("{PatientID}/{StudyInstanceUID}/{CallingAETitle}/{SOPInstanceUID}.dcm")
    dataset = implicit(0x00100020, values[0]) + implicit(0x0020000D, values[1])
    with closing(FolderStorage(place / "kept", layout)) as storage:
        try:
            stored = keep(storage, dataset, head=header(calling=calling))
        except DataError:
            assert all_files(place) == []
            return
        [path] = all_files(place)
        assert path == stored.path
        assert path.relative_to(storage.directory).parts[-1] == f"{UID}.dcm"
        assert len(path.relative_to(storage.directory).parts) == 4
        assert not any(part.startswith(".") for part in path.relative_to(storage.directory).parts)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uid=st.text(max_size=70) | st.sampled_from(["../x", "..", "/etc/passwd", "1/2", "1\0", ".1", "", "1.2\n"]))
def test_hostile_uids_are_refused_or_stay_in_the_folder(tmp_path_factory: pytest.TempPathFactory, uid: str) -> None:
    """An SOP instance UID is one, or `DataError`, before anything is written."""
    place = tmp_path_factory.mktemp("hostile")
    with closing(FolderStorage(place / "kept", Layout(SINGLE_LAYOUT))) as storage:
        try:
            stored = keep(storage, head=header(uid))
        except DataError:
            assert all_files(place) == []
        else:
            assert stored.path == place / "kept" / f"{uid}.dcm"


@pytest.mark.parametrize("field", ["sop_class", "syntax"])
def test_other_uids_are_checked_too(folder: FolderStorage, field: str) -> None:
    """They go into the file meta information, where a wrong one would make the file unreadable."""
    with pytest.raises(DataError):
        folder.receive(header(**{field: "no/uid"}))
    assert all_files(folder.directory) == []


def test_value_cannot_pass_for_a_temporary_folder(tmp_path: Path) -> None:
    """A patient whose ID looks like our temporary folders is not cleared away with them at the next start."""
    layout = Layout("{PatientID}/{SOPInstanceUID}.dcm")
    with closing(FolderStorage(tmp_path, layout)) as storage:
        stored = keep(storage, implicit(0x00100020, b".dicomtls-incoming-x"))
    with closing(FolderStorage(tmp_path, layout)):
        assert stored.path.exists()


def test_dataset_that_cannot_be_read_is_kept_all_the_same(folder: FolderStorage) -> None:
    """What breaks the walker goes under names of its own: a stored instance can be looked at."""
    broken = implicit(0x00081140, b"\0\0\0\0", length=0xFFFFFFFF) + b"garbage, no item" * 4
    stored = keep(folder, broken)
    assert stored.path == folder.directory / f"_unknown/_unknown/{UID}.dcm"
    assert dataset_of(stored.path) == broken


def test_dataset_that_ends_within_an_element_is_kept_all_the_same(folder: FolderStorage) -> None:
    """The same for one that is cut short; what came before counts."""
    broken = implicit(0x0020000D, b"1.2.3\0") + implicit(0x0020000E, b"1.2", length=400)
    assert keep(folder, broken[:3], broken[3:]).path == folder.directory / f"1.2.3/_unknown/{UID}.dcm"


def test_broken_end_of_a_short_dataset_counts_as_nothing_known(folder: FolderStorage) -> None:
    """A dataset that turns out to be broken when its end is known is kept too."""
    first = implicit(0x00080005, b"ISO_IR 100") + implicit(0x00080012, bytes(100))
    broken = implicit(0x00081140, b"\0\0\0\0", length=0xFFFFFFFF) + b"no item!"
    stored = keep(folder, first, broken)
    assert dataset_of(stored.path) == first + broken
    assert stored.path.name == f"{UID}.dcm"


def test_deflated_dataset_is_placed_by_what_is_in_it(folder: FolderStorage) -> None:
    """The attributes are found in a deflated dataset as well, in whatever pieces it comes."""
    import zlib

    engine = zlib.compressobj(wbits=-15)
    plain = pack("<HH2sH", 0x20, 0x0D, b"UI", 6) + b"1.2.3\0" + pack("<HH2sH", 0x20, 0x0E, b"UI", 8) + b"1.2.3.4\0"
    deflated = engine.compress(plain) + engine.flush()
    stored = keep(folder, *cut(deflated, [1, 5, 9]), head=header(syntax=DEFLATED))
    assert stored.path == folder.directory / PLACE
    assert dataset_of(stored.path) == deflated


def test_attributes_are_found_behind_a_long_beginning(folder: FolderStorage) -> None:
    """The UIDs may come late: what stands before them is held for that long, and no longer than needed."""
    before = implicit(0x00091001, bytes(300_000))
    after = DATASET[DATASET.index(pack("<HH", 0x20, 0x0D)) :]
    stored = keep(folder, *cut(before + after, list(range(0, 300_000, 16_384))))
    assert stored.path == folder.directory / PLACE


def test_attributes_behind_a_megabyte_are_given_up(folder: FolderStorage) -> None:
    """Memory stays bounded: the instance goes under unknown names."""
    before = b"".join(implicit(0x00091001 + number, bytes(60_000)) for number in range(30))
    after = DATASET[DATASET.index(pack("<HH", 0x20, 0x0D)) :]
    stored = keep(folder, *cut(before + after, list(range(0, len(before), 16_384))))
    assert stored.path == folder.directory / f"_unknown/_unknown/{UID}.dcm"
    assert dataset_of(stored.path) == before + after


def test_tiny_fragments_cost_time_in_proportion(folder: FolderStorage) -> None:
    """A peer that sends two bytes at a time does not make us read what came before again and again."""
    element = implicit(0x00091001, b"")
    data = element * 1000

    def receive() -> None:
        incoming = folder.receive(header())
        for start in range(0, len(data), 2):
            incoming.write(memoryview(data)[start : start + 2])
        incoming.discard()

    assert count_calls(receive) < 200_000


def test_layout_without_attributes_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the command tells all, the dataset is not looked at."""
    monkeypatch.setattr(storage_module, "read_attributes", None)
    with closing(FolderStorage(tmp_path, Layout(SINGLE_LAYOUT))) as storage:
        assert keep(storage).path == tmp_path / f"{UID}.dcm"
