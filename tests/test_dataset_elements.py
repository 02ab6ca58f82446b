"""Attributes out of the beginning of a dataset, against pydicom's own reading and against hostile bytes."""

import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from dicomtls.dataset import read_attributes, read_file_meta, tags
from dicomtls.dataset.uids import DEFLATED, EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.errors import DataError
from tests.support.elements import (
    ITEM_END,
    OPEN_ITEM,
    PYDICOM_DATA,
    SEQUENCE_END,
    UNDEFINED,
    count_calls,
    explicit,
    implicit,
    name_of,
    pydicom_files,
    read_with_pydicom,
)

WANTED = frozenset({tags.STUDY_INSTANCE_UID, tags.SERIES_INSTANCE_UID, tags.PATIENT_ID, tags.MODALITY})
SYNTAXES = [IMPLICIT_VR_LE, EXPLICIT_VR_LE, EXPLICIT_VR_BE, DEFLATED]
SEQUENCE = 0x00081140
UID = b"1.2.840.4711"
STUDY = explicit(tags.STUDY_INSTANCE_UID, b"UI", UID)
STUDY_ONLY = frozenset({tags.STUDY_INSTANCE_UID})


def raw_values(dataset: Dataset) -> dict[int, bytes]:
    """The values that pydicom read for the wanted tags, as bytes without padding."""
    values = {}
    for tag in WANTED & set(dataset.keys()):
        element = dataset.get_item(tag)
        value = element.value
        values[tag] = (value if isinstance(value, bytes) else str(value or "").encode()).rstrip(b"\0 ")
    return values


def dataset_of(path: Path) -> tuple[bytes, str]:
    """The dataset's bytes, to the end of the file, and its transfer syntax."""
    data = path.read_bytes()
    meta = read_file_meta(data, len(data))
    return data[meta.dataset_offset :], meta.transfer_syntax


def is_instance(path: Path) -> bool:
    """Whether the file can be read; what is to be refused, test_dataset_file_meta says of each."""
    try:
        dataset_of(path)
    except DataError:
        return False
    return True


INSTANCES = [path for path in pydicom_files() if is_instance(path)]


@pytest.mark.parametrize("path", INSTANCES, ids=name_of)
def test_attributes_are_those_that_pydicom_reads(path: Path) -> None:
    """All of pydicom's files yield the same values, complete unless the file ends first."""
    data, transfer_syntax = dataset_of(path)
    found = read_attributes(memoryview(data), transfer_syntax, WANTED, whole=True)
    assert found.values == raw_values(read_with_pydicom(path))
    assert found.complete


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_expb.dcm", "image_dfl.dcm"])
def test_values_are_complete_or_said_not_to_be_when_the_head_is_cut_anywhere(name: str) -> None:
    """However little of the dataset is there, no value is wrong, and `complete` is true only if none is missing."""
    data, transfer_syntax = dataset_of(PYDICOM_DATA / "test_files" / name)
    expected = read_attributes(data, transfer_syntax, WANTED).values
    assert expected.keys() == WANTED
    for length in range(3000):
        found = read_attributes(data[:length], transfer_syntax, WANTED)
        assert found.values.items() <= expected.items()
        assert found.complete == (found.values == expected)


def test_end_of_the_head_between_elements_tells_nothing_unless_it_is_the_whole() -> None:
    """A head that ends behind an element may or may not be all: the caller knows."""
    data = explicit(tags.MODALITY, b"CS", b"CT")
    assert not read_attributes(data, EXPLICIT_VR_LE, STUDY_ONLY).complete
    assert read_attributes(data, EXPLICIT_VR_LE, STUDY_ONLY, whole=True).complete
    assert not read_attributes(data[:-1], EXPLICIT_VR_LE, STUDY_ONLY, whole=True).complete


@pytest.mark.parametrize("transfer_syntax", SYNTAXES)
def test_nothing_is_found_in_nothing(transfer_syntax: str) -> None:
    """No bytes give no values, and only a deflated stream or the caller says that this was all."""
    assert not read_attributes(b"", transfer_syntax, WANTED).complete
    assert read_attributes(b"", transfer_syntax, WANTED).values == {}


def test_nothing_is_found_when_nothing_is_wanted() -> None:
    """Without tags there is nothing that could be missing."""
    found = read_attributes(STUDY, EXPLICIT_VR_LE, frozenset())
    assert (found.values, found.complete) == ({}, True)


def test_search_ends_behind_the_highest_wanted_tag() -> None:
    """What follows the last wanted element is not looked at, broken or not."""
    broken = explicit(0x00400275, b"SQ", b"no item at all", length=UNDEFINED)
    found = read_attributes(STUDY + broken, EXPLICIT_VR_LE, STUDY_ONLY)
    assert (found.values, found.complete) == ({tags.STUDY_INSTANCE_UID: UID}, True)
    missing = read_attributes(broken, EXPLICIT_VR_LE, STUDY_ONLY)
    assert (missing.values, missing.complete) == ({}, True)


def nested(levels: int) -> bytes:
    """A study's UID inside many sequences."""
    opening = explicit(SEQUENCE, b"SQ", OPEN_ITEM, length=UNDEFINED)
    return opening * levels + explicit(tags.STUDY_INSTANCE_UID, b"UI", b"6.6.6") + (ITEM_END + SEQUENCE_END) * levels


@pytest.mark.parametrize("levels", [1, 2, 10_000])
def test_only_the_top_level_counts_when_sequences_hold_the_same_tag(levels: int) -> None:
    """A value within a sequence is not taken for the dataset's, however deep."""
    found = read_attributes(nested(levels) + STUDY, EXPLICIT_VR_LE, STUDY_ONLY)
    assert found.values == {tags.STUDY_INSTANCE_UID: UID}


def test_implicit_sequences_are_passed_when_nested() -> None:
    """The same with implicit VR, with and without lengths."""
    inner = OPEN_ITEM + implicit(tags.STUDY_INSTANCE_UID, b"6.6.6 ") + ITEM_END + SEQUENCE_END
    data = implicit(SEQUENCE, inner, length=UNDEFINED) + implicit(0x00081150, inner)
    found = read_attributes(data + implicit(tags.STUDY_INSTANCE_UID, UID), IMPLICIT_VR_LE, STUDY_ONLY)
    assert found.values == {tags.STUDY_INSTANCE_UID: UID}


def test_elements_go_on_when_a_sequence_is_ended_twice() -> None:
    """A stray delimiter at the top level is passed over."""
    found = read_attributes(SEQUENCE_END + ITEM_END + STUDY, EXPLICIT_VR_LE, STUDY_ONLY)
    assert found.values == {tags.STUDY_INSTANCE_UID: UID}


def test_padding_is_stripped() -> None:
    """NULs and blanks at the end go, those at the beginning stay."""
    data = explicit(tags.PATIENT_ID, b"LO", b" 47\0 11 \0")
    assert read_attributes(data, EXPLICIT_VR_LE, frozenset({tags.PATIENT_ID})).values == {tags.PATIENT_ID: b" 47\0 11"}


def test_value_is_left_out_when_it_is_cut_short() -> None:
    """A part of a value is no value."""
    found = read_attributes(STUDY[:-1], EXPLICIT_VR_LE, STUDY_ONLY, whole=True)
    assert (found.values, found.complete) == ({}, False)


@pytest.mark.parametrize("length", [UNDEFINED - 1, 0x80000000, 0x7FFFFFFF])
def test_length_is_not_believed_when_it_leads_beyond_the_end(length: int) -> None:
    """A length of gigabytes takes neither memory nor time."""
    data = implicit(tags.STUDY_INSTANCE_UID, UID, length=length)
    found = read_attributes(data, IMPLICIT_VR_LE, STUDY_ONLY)
    assert (found.values, found.complete) == ({}, False)


def deflate(data: bytes) -> bytes:
    """RFC 1951 without a header, as PS3.5 section A.5 wants it."""
    engine = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


@pytest.mark.parametrize("filling", [0, 10_000, 500_000])
def test_deflated_attributes_are_found_behind_long_values(filling: int) -> None:
    """As much is inflated as it takes."""
    data = deflate(explicit(0x00090010, b"OB", Random(1).randbytes(filling)) + STUDY)
    found = read_attributes(data, DEFLATED, STUDY_ONLY)
    assert (found.values, found.complete) == ({tags.STUDY_INSTANCE_UID: UID}, True)
    assert not read_attributes(data[:-20], DEFLATED, STUDY_ONLY).complete


def test_deflated_dataset_is_known_to_end_with_its_stream() -> None:
    """A deflated stream says where it ends, so that a missing attribute is known to be missing."""
    found = read_attributes(deflate(explicit(tags.MODALITY, b"CS", b"CT")), DEFLATED, STUDY_ONLY)
    assert (found.values, found.complete) == ({}, True)


def test_deflate_bomb_takes_no_memory() -> None:
    """A few kilobytes that inflate to 64 MiB are given up after one."""
    bomb = deflate(explicit(0x00090010, b"OB", bytes(64 * 1024 * 1024)) + STUDY)
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        found = read_attributes(bomb, DEFLATED, STUDY_ONLY)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found.values, found.complete) == ({}, False)
    assert peak < 4 * 1024 * 1024


def test_deflated_dataset_is_refused_when_it_is_not_deflated() -> None:
    """Bytes that do not inflate are an error."""
    with pytest.raises(DataError, match="cannot be inflated"):
        read_attributes(b"\xff" * 100, DEFLATED, WANTED)


def test_broken_sequence_is_refused_before_the_wanted_tag() -> None:
    """Where elements cannot be told apart any more, no value is invented."""
    with pytest.raises(DataError, match="in place of an item"):
        read_attributes(explicit(SEQUENCE, b"SQ", b"no item", length=UNDEFINED) + STUDY, EXPLICIT_VR_LE, STUDY_ONLY)


def empty_elements(count: int) -> bytes:
    """Elements without a value."""
    return explicit(tags.MODALITY, b"CS") * count


def unknown_elements(count: int) -> bytes:
    """Elements of a VR that is none."""
    return explicit(tags.MODALITY, b"ZZ", b"CT") * count


def delimiters(count: int) -> bytes:
    """Nothing but ends of sequences."""
    return SEQUENCE_END * count


@pytest.mark.parametrize("build", [empty_elements, unknown_elements, delimiters, nested])
def test_time_is_linear_in_the_input(build: Callable[[int], bytes]) -> None:
    """Twice the elements take twice the calls."""
    counts = [
        count_calls(partial(read_attributes, build(size), EXPLICIT_VR_LE, WANTED, whole=True))
        for size in (500, 1000, 2000)
    ]
    assert all(1.8 < after / before < 2.2 for before, after in pairwise(counts))


@given(st.binary(max_size=400), st.sampled_from(SYNTAXES), st.booleans())
@settings(max_examples=300)
def test_any_bytes_give_values_or_data_error(data: bytes, transfer_syntax: str, whole: bool) -> None:  # noqa: FBT001 -- hypothesis passes by position
    """Random bytes never raise anything else, and what comes back is asked for and no longer than the input."""
    try:
        found = read_attributes(data, transfer_syntax, WANTED, whole=whole)
    except DataError:
        return
    assert found.values.keys() <= WANTED


ORIGINALS = [
    dataset_of(PYDICOM_DATA / "test_files" / name)
    for name in ("CT_small.dcm", "test-SR.dcm", "rtplan.dcm", "MR_small_expb.dcm", "image_dfl.dcm", "UN_sequence.dcm")
]


@given(st.data())
@settings(max_examples=200)
def test_mutated_files_give_values_or_data_error(data: st.DataObject) -> None:
    """Real datasets with some bytes changed never raise anything else."""
    original, transfer_syntax = data.draw(st.sampled_from(ORIGINALS))
    mutated = bytearray(original[:4096])
    changes = data.draw(st.lists(st.tuples(st.integers(0, len(mutated) - 1), st.integers(0, 255)), max_size=8))
    for position, byte in changes:
        mutated[position] = byte
    try:
        found = read_attributes(bytes(mutated), transfer_syntax, WANTED)
    except DataError:
        return
    assert found.values.keys() <= WANTED
