"""The files that a DICOMDIR lists, and what a hostile one must not list."""

from pathlib import Path
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomtls.dataset import DEFLATED, EXPLICIT_VR_LE, encode_file_meta, tags
from dicomtls.dataset.directory import read_directory
from dicomtls.dataset.uids import MEDIA_STORAGE_DIRECTORY
from dicomtls.errors import DataError
from tests.support.elements import (
    ITEM,
    ITEM_END,
    OPEN_ITEM,
    PYDICOM_DATA,
    SEQUENCE_END,
    UNDEFINED,
    explicit,
    name_of,
    part10,
    pydicom_files,
    read_with_pydicom,
)

DIRECTORIES = [path for path in pydicom_files() if path.name.startswith("DICOMDIR")]
META = encode_file_meta(MEDIA_STORAGE_DIRECTORY, "1.2.3", EXPLICIT_VR_LE)
IN_USE = explicit(tags.RECORD_IN_USE_FLAG, b"US", b"\xff\xff")
INACTIVE = explicit(tags.RECORD_IN_USE_FLAG, b"US", b"\0\0")


def file_id(value: bytes) -> bytes:
    """A Referenced File ID, padded to an even length."""
    return explicit(tags.REFERENCED_FILE_ID, b"CS", value + b" " * (len(value) % 2))


def record(*elements: bytes) -> bytes:
    """A record of defined length."""
    value = b"".join(elements)
    return ITEM + pack("<L", len(value)) + value


def directory(*records: bytes) -> bytes:
    """A DICOMDIR with these records."""
    return META + explicit(tags.DIRECTORY_RECORD_SEQUENCE, b"SQ", b"".join(records))


@pytest.mark.parametrize("path", DIRECTORIES, ids=name_of)
def test_files_are_those_that_pydicom_lists(path: Path) -> None:
    """Explicit, implicit and big endian, reordered, without offsets, empty: the same components in the same order."""
    expected = [
        tuple(item.ReferencedFileID)
        for item in read_with_pydicom(path).DirectoryRecordSequence
        if item.get("ReferencedFileID") and item.get("RecordInUseFlag") != 0
    ]
    assert read_directory(path.read_bytes()) == expected


def test_listed_files_exist_below_the_folder() -> None:
    """Joined to the folder of the DICOMDIR, the components lead to the files."""
    folder = PYDICOM_DATA / "test_files/dicomdirtests/TINY_ALPHA"
    files = read_directory((folder / "DICOMDIR").read_bytes())
    assert len(files) == 50
    assert all(folder.joinpath(*components).is_file() for components in files)


def test_records_are_left_out_when_they_are_not_in_use_or_name_no_file() -> None:
    """Inactive records, and those of patients and studies, list nothing; a missing flag counts as in use."""
    data = directory(
        record(INACTIVE, file_id(b"OLD")),
        record(IN_USE),
        record(),
        record(IN_USE, file_id(b"")),
        record(IN_USE, file_id(b"A\\B")),
        record(file_id(b"C")),
    )
    assert read_directory(data) == [("A", "B"), ("C",)]


def test_records_may_have_undefined_lengths() -> None:
    """Sequence and items may end with delimiters, and hold sequences of their own."""
    nested = explicit(0x00081140, b"SQ", OPEN_ITEM + file_id(b"INNER") + ITEM_END + SEQUENCE_END, length=UNDEFINED)
    items = OPEN_ITEM + IN_USE + file_id(b"A") + nested + ITEM_END + record(IN_USE, nested, file_id(b"B"))
    sequence = explicit(tags.DIRECTORY_RECORD_SEQUENCE, b"SQ", items + SEQUENCE_END, length=UNDEFINED)
    assert read_directory(META + sequence) == [("A",), ("B",)]


@pytest.mark.parametrize("name", [b"A", b"im000001.dcm", b"..A", b"A B", b"A..B", b"IMG-1_2", b"\\".join([b"A"] * 8)])
def test_names_pass_when_they_are_plain(name: bytes) -> None:
    """More is tolerated than PS3.10 section 8.5 allows, as long as it is one name for each component."""
    assert read_directory(directory(record(file_id(name)))) == [tuple(name.decode().split("\\"))]


@pytest.mark.parametrize(
    "name",
    [
        *[b"..", b".", b"...", b". .", b"A\\..\\B", b"A\\.. \\B", b"A\\\\B", b"\\A", b"A\\", b"\\", b"A\\ \\B"],
        *[b"/etc/passwd", b"A/B", b"../A", b"C:", b"C:\\A", b"A\nB", b"A\0B", b"A\x7f", b"\x1b[31m", b"\xc4", b"\xff"],
    ],
)
def test_directory_is_refused_when_a_name_could_leave_its_folder(name: bytes) -> None:
    """A component that is no plain name is an error that shows it without its control characters."""
    with pytest.raises(DataError, match="what is no file name") as caught:
        read_directory(directory(record(file_id(b"GOOD")), record(file_id(name))))
    assert caught.value.message.isprintable()


UNDELIMITED = META + explicit(tags.DIRECTORY_RECORD_SEQUENCE, b"SQ", record(IN_USE, file_id(b"A")), length=UNDEFINED)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"not a DICOMDIR at all, but some text", "not DICOM"),
        (META + explicit(tags.MODALITY, b"CS", b"CT"), "no directory record sequence"),
        (META + explicit(0x00041130, b"CS", b"DISC"), "no directory record sequence"),
        (directory(record(IN_USE, file_id(b"A")))[:-4], "cut short"),
        (directory(ITEM + pack("<L", 100) + IN_USE[:-1]), "cut short"),
        (directory(OPEN_ITEM + IN_USE), "cut short"),
        (UNDELIMITED, "cut short"),
        (directory(record(IN_USE, file_id(b"A"), IN_USE[:-1])), "cut short"),
        (directory(ITEM), "cut short"),
        (META + explicit(tags.DIRECTORY_RECORD_SEQUENCE, b"SQ", b"", length=0x7FFFFFFF), "cut short"),
        (directory(IN_USE), "something else than items"),
        (part10(bytes(100), explicit(tags.TRANSFER_SYNTAX_UID, b"UI", DEFLATED.encode())), "cannot be deflated"),
    ],
)
def test_directory_is_refused_when_it_is_broken(data: bytes, message: str) -> None:
    """A list that may lack files is no list."""
    with pytest.raises(DataError, match=message):
        read_directory(data)


ORIGINAL = (PYDICOM_DATA / "test_files/dicomdirtests/DICOMDIR").read_bytes()


def test_directory_is_refused_or_whole_when_it_is_cut_anywhere() -> None:
    """No truncation leaves a file out unnoticed."""
    for length in range(0, len(ORIGINAL), 7):
        with pytest.raises(DataError):
            read_directory(ORIGINAL[:length])


def is_safe(component: str) -> bool:
    """Whether joining this to a folder stays in it."""
    return component not in ("", ".", "..") and not set(component) & set("/\\:\0")


@given(st.lists(st.binary(max_size=12), min_size=1, max_size=5))
@settings(max_examples=200)
def test_names_are_safe_whatever_the_bytes_are(names: list[bytes]) -> None:
    """Any bytes as file IDs give components that stay below the folder, or `DataError`."""
    try:
        files = read_directory(directory(*(record(file_id(name)) for name in names)))
    except DataError:
        return
    assert all(is_safe(component) for components in files for component in components)


@given(st.lists(st.tuples(st.integers(0, len(ORIGINAL) - 1), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=100)
def test_mutated_directories_give_safe_names_or_data_error(changes: list[tuple[int, int]]) -> None:
    """A real DICOMDIR with some bytes changed never raises anything else."""
    data = bytearray(ORIGINAL)
    for position, byte in changes:
        data[position] = byte
    try:
        files = read_directory(bytes(data))
    except DataError:
        return
    assert all(is_safe(component) for components in files for component in components)
