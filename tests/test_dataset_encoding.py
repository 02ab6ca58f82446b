"""Headers of elements, and the way past values of undefined length."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomtls.dataset.encoding import guess_transfer_syntax, open_source, read_header, skip_undefined
from dicomtls.dataset.uids import DEFLATED, EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.errors import DataError
from tests.support.elements import (
    ITEM,
    ITEM_END,
    OPEN_ITEM,
    SEQUENCE_END,
    UNDEFINED,
    count_calls,
    explicit,
    implicit,
)

MODALITY = 0x00080060
SEQUENCE = 0x00081140
PIXEL_DATA = 0x7FE00010
FOLLOWING = explicit(0x00100020, b"LO", b"4711")


def skip(data: bytes, transfer_syntax: str = EXPLICIT_VR_LE) -> int:
    """Skip the value of the first element of `data`; how many bytes lie behind it, negative when it is cut short."""
    source = open_source(data, 0, transfer_syntax)
    _, value, length = read_header(source, 0)
    assert length == UNDEFINED
    return len(data) - skip_undefined(source, 0, value)


@pytest.mark.parametrize(
    ("data", "transfer_syntax", "header"),
    [
        (explicit(MODALITY, b"CS", b"CT"), EXPLICIT_VR_LE, (MODALITY, 8, 2)),
        (explicit(MODALITY, b"CS", b"CT", order=">"), EXPLICIT_VR_BE, (MODALITY, 8, 2)),
        (explicit(PIXEL_DATA, b"OW", b"1234"), EXPLICIT_VR_LE, (PIXEL_DATA, 12, 4)),
        (explicit(PIXEL_DATA, b"OW", b"1234", order=">"), EXPLICIT_VR_BE, (PIXEL_DATA, 12, 4)),
        (explicit(PIXEL_DATA, b"OB", length=UNDEFINED), "1.2.840.10008.1.2.4.50", (PIXEL_DATA, 12, UNDEFINED)),
        (explicit(0x00280010, b"US", b"\0\2"), DEFLATED, (0x00280010, 8, 2)),
        (implicit(MODALITY, b"CT"), IMPLICIT_VR_LE, (MODALITY, 8, 2)),
        (implicit(PIXEL_DATA, length=0x12345678), IMPLICIT_VR_LE, (PIXEL_DATA, 8, 0x12345678)),
        (ITEM + pack("<L", 0x4144), EXPLICIT_VR_LE, (0xFFFEE000, 8, 0x4144)),
        (SEQUENCE_END, EXPLICIT_VR_LE, (0xFFFEE0DD, 8, 0)),
    ],
)
def test_header_is_read_when_it_is_as_the_standard_has_it(
    data: bytes, transfer_syntax: str, header: tuple[int, int, int]
) -> None:
    """Tag, position and length of the value come out in each encoding."""
    assert read_header(open_source(data, 0, transfer_syntax), 0) == header


@pytest.mark.parametrize(
    ("element", "value", "length"),
    [
        (explicit(MODALITY, b"ZZ", b"CT"), 8, 2),
        (explicit(MODALITY, b"ZZ"), 8, 0),
        (pack("<HH2sHL", 8, 0x60, b"ZZ", 0, 4) + b"abcd", 12, 4),
        (implicit(MODALITY, b"CT"), 8, 2),
        (implicit(MODALITY), 8, 0),
        (explicit(MODALITY, b"??", b"CT"), 8, 2),
        (explicit(MODALITY, b"  ", b"CT"), 8, 2),
        (explicit(MODALITY, b"\0\0", b"CT"), 8, 2),
        (explicit(MODALITY, b"cs", b"CT"), 8, 2),
    ],
)
def test_header_is_read_when_its_vr_is_unknown(element: bytes, value: int, length: int) -> None:
    """An invented VR, a future one, none, and such as `??` are told apart by what follows the element."""
    source = open_source(element + FOLLOWING, 0, EXPLICIT_VR_LE)
    assert read_header(source, 0) == (MODALITY, value, length)


def test_header_without_its_long_length_leads_beyond_the_end() -> None:
    """Eight bytes of a twelve byte header are no reason to read further."""
    data = explicit(PIXEL_DATA, b"OW", b"")[:10]
    assert read_header(open_source(data, 0, EXPLICIT_VR_LE), 0) == (PIXEL_DATA, 12, 0)
    assert read_header(open_source(data[:6] + b"\0\0", 0, EXPLICIT_VR_LE), 0) == (PIXEL_DATA, 12, 0)


@pytest.mark.parametrize(
    ("data", "transfer_syntax"),
    [
        (explicit(MODALITY, b"CS", b"CT"), EXPLICIT_VR_LE),
        (explicit(MODALITY, b"CS", b"CT", order=">"), EXPLICIT_VR_BE),
        (implicit(MODALITY, b"CT"), IMPLICIT_VR_LE),
        (implicit(MODALITY), IMPLICIT_VR_LE),
    ],
)
def test_transfer_syntax_is_guessed_from_the_first_element(data: bytes, transfer_syntax: str) -> None:
    """VR and byte order show in the first eight bytes."""
    assert guess_transfer_syntax(data, 0) == transfer_syntax


def test_explicit_vr_wins_when_the_transfer_syntax_says_implicit() -> None:
    """A dataset that begins with a VR is read with VRs."""
    source = open_source(explicit(MODALITY, b"CS", b"CT"), 0, IMPLICIT_VR_LE)
    assert read_header(source, 0) == (MODALITY, 8, 2)


NESTED = explicit(
    SEQUENCE, b"SQ", OPEN_ITEM + explicit(MODALITY, b"CS", b"CT") + ITEM_END + SEQUENCE_END, length=UNDEFINED
)


@pytest.mark.parametrize(
    "value",
    [
        SEQUENCE_END,
        OPEN_ITEM + ITEM_END + SEQUENCE_END,
        ITEM + pack("<L", 4) + b"\xfe\xff\xdd\xe0" + SEQUENCE_END,
        ITEM + pack("<L", 0) + OPEN_ITEM + NESTED + NESTED + FOLLOWING + ITEM_END + SEQUENCE_END,
        OPEN_ITEM + explicit(SEQUENCE, b"SQ", ITEM + pack("<L", 2) + b"xx") + ITEM_END + SEQUENCE_END,
        OPEN_ITEM + implicit(MODALITY, b"CT") + FOLLOWING + ITEM_END + SEQUENCE_END,
        OPEN_ITEM + ITEM_END[:4] + b"\4\0\0\0" + SEQUENCE_END[:4] + b"\4\0\0\0",
    ],
)
def test_sequence_of_undefined_length_is_skipped(value: bytes) -> None:
    """The walk ends just behind the delimiter that belongs to the sequence, whatever the items hold."""
    assert skip(explicit(SEQUENCE, b"SQ", value, length=UNDEFINED) + FOLLOWING) == len(FOLLOWING)


def test_fragments_are_skipped_when_they_contain_delimiters() -> None:
    """Encapsulated pixel data end behind the last fragment, though a fragment looks like the end."""
    fragment = SEQUENCE_END + b"\xff\xd9"
    value = ITEM + pack("<L", 0) + ITEM + pack("<L", len(fragment)) + fragment + SEQUENCE_END
    assert skip(explicit(PIXEL_DATA, b"OB", value, length=UNDEFINED) + FOLLOWING) == len(FOLLOWING)


IMPLICIT_VALUE = (
    OPEN_ITEM
    + implicit(MODALITY, b"x" * 300)
    + implicit(SEQUENCE, OPEN_ITEM + implicit(MODALITY, b"CT") + ITEM_END + SEQUENCE_END, length=UNDEFINED)
    + ITEM_END
    + SEQUENCE_END
)


def test_unknown_vr_of_undefined_length_is_implicit_inside() -> None:
    """UN holds Implicit VR Little Endian, also in a dataset with explicit VR (PS3.5 section 6.2.2)."""
    assert skip(explicit(SEQUENCE, b"UN", IMPLICIT_VALUE, length=UNDEFINED) + FOLLOWING) == len(FOLLOWING)


def test_unknown_vr_is_little_endian_inside_when_the_dataset_is_big_endian() -> None:
    """UN holds Implicit VR Little Endian, also in a big endian dataset."""
    data = explicit(SEQUENCE, b"UN", IMPLICIT_VALUE, length=UNDEFINED, order=">") + FOLLOWING
    assert skip(data, EXPLICIT_VR_BE) == len(FOLLOWING)


def test_explicit_vr_goes_on_behind_a_nested_unknown_vr() -> None:
    """After UN of undefined length inside an item, elements have their VR again."""
    unknown = explicit(SEQUENCE, b"UN", IMPLICIT_VALUE, length=UNDEFINED)
    value = OPEN_ITEM + unknown + explicit(0x00400000, b"OB", b"1234") + unknown + ITEM_END + SEQUENCE_END
    assert skip(explicit(SEQUENCE, b"SQ", value, length=UNDEFINED) + FOLLOWING) == len(FOLLOWING)


@pytest.mark.parametrize("value", [b"", OPEN_ITEM, OPEN_ITEM + ITEM_END, ITEM + b"\xfe\xff\xff\xff", NESTED[12:-1]])
def test_skipping_leads_beyond_the_end_when_the_value_is_cut_short(value: bytes) -> None:
    """What is not there is not skipped."""
    assert skip(explicit(SEQUENCE, b"SQ", value, length=UNDEFINED)) < 0


@pytest.mark.parametrize("value", [FOLLOWING, ITEM_END, bytes(8), OPEN_ITEM + ITEM_END + FOLLOWING])
def test_sequence_is_refused_when_it_holds_no_items(value: bytes) -> None:
    """Where an item or a delimiter must stand, anything else is an error that names it."""
    with pytest.raises(DataError, match="in place of an item"):
        skip(explicit(SEQUENCE, b"SQ", value, length=UNDEFINED))


def deep(levels: int) -> bytes:
    """Sequences within sequences, all of undefined length."""
    opening = explicit(SEQUENCE, b"SQ", OPEN_ITEM, length=UNDEFINED)
    return opening * levels + (ITEM_END + SEQUENCE_END) * levels


def test_ten_thousand_levels_are_skipped() -> None:
    """Depth meets no limit of recursion."""
    assert skip(deep(10_000) + FOLLOWING) == len(FOLLOWING)


def wide(items: int) -> bytes:
    """One sequence of many items."""
    item = OPEN_ITEM + explicit(MODALITY, b"CS", b"CT") + ITEM_END
    return explicit(SEQUENCE, b"SQ", item * items + SEQUENCE_END, length=UNDEFINED)


def odd(elements: int) -> bytes:
    """One item of elements without VR among elements that have one."""
    value = OPEN_ITEM + implicit(MODALITY, b"CT") * elements + ITEM_END + SEQUENCE_END
    return explicit(SEQUENCE, b"SQ", value, length=UNDEFINED)


@pytest.mark.parametrize("build", [deep, wide, odd])
def test_time_is_linear_in_the_input(build: Callable[[int], bytes]) -> None:
    """Twice the levels or items take twice the calls."""
    counts = [count_calls(partial(skip, build(size))) for size in (500, 1000, 2000)]
    assert all(1.8 < after / before < 2.2 for before, after in pairwise(counts))


@given(st.binary(max_size=200), st.sampled_from([IMPLICIT_VR_LE, EXPLICIT_VR_LE, EXPLICIT_VR_BE]))
@settings(max_examples=200)
def test_skipping_ends_whatever_the_bytes_are(value: bytes, transfer_syntax: str) -> None:
    """Any bytes in place of items lead behind them or to `DataError`."""
    order = ">" if transfer_syntax == EXPLICIT_VR_BE else "<"
    data = explicit(SEQUENCE, b"SQ", value, length=UNDEFINED, order=order)
    source = open_source(data, 0, transfer_syntax)
    try:
        position = skip_undefined(source, 0, 12)
    except DataError:
        return
    assert position >= 12
