"""How elements lie in bytes: their headers, and the way past values of undefined length (PS3.5 chapter 7).

Everything here walks bytes that somebody else wrote. Three rules keep that safe: every step goes forward by eight
bytes at least, so that time is linear; nothing is copied; nesting is a number and no recursion, so that depth costs
nothing.
"""

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from dicomtls.dataset.tags import ITEM, ITEM_DELIMITATION_ITEM, SEQUENCE_DELIMITATION_ITEM
from dicomtls.dataset.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, GE_PRIVATE_IMPLICIT, IMPLICIT_VR_LE
from dicomtls.errors import DataError

Buffer = bytes | memoryview

HEADER_LENGTH = 8
UNDEFINED_LENGTH = 0xFFFFFFFF
_LONG_HEADER_LENGTH = 12
_ITEM_GROUP = 0xFFFE

_SHORT_FORM = b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
_LONG_FORM = b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split()
_VRS = frozenset(_SHORT_FORM + _LONG_FORM)


class Encoding(NamedTuple):
    """One way to write elements; VRs are numbers here, read in the same byte order as everything else."""

    explicit: bool
    header: Callable[[Buffer, int], tuple[int, int, int, int]]
    """Group, element, VR, and the 16-bit length that VRs of the short form have (PS3.5 table 7.1-2)."""
    implicit_header: Callable[[Buffer, int], tuple[int, int, int]]
    """Group, element and the 32-bit length (PS3.5 table 7.1-3); items have it in every encoding."""
    long_length: Callable[[Buffer, int], tuple[int]]
    short_form: frozenset[int]
    long_form: frozenset[int]


def _encoding(order: str, *, explicit: bool) -> Encoding:
    vr_number = Struct(order + "H").unpack
    return Encoding(
        explicit=explicit,
        header=Struct(order + "HHHH").unpack_from,
        implicit_header=Struct(order + "HHL").unpack_from,
        long_length=Struct(order + "L").unpack_from,
        short_form=frozenset(vr_number(vr)[0] for vr in _SHORT_FORM),
        long_form=frozenset(vr_number(vr)[0] for vr in _LONG_FORM),
    )


_IMPLICIT_LITTLE = _encoding("<", explicit=False)
_EXPLICIT_LITTLE = _encoding("<", explicit=True)
_EXPLICIT_BIG = _encoding(">", explicit=True)
_BY_TRANSFER_SYNTAX = {
    IMPLICIT_VR_LE: _IMPLICIT_LITTLE,
    GE_PRIVATE_IMPLICIT: _IMPLICIT_LITTLE,
    EXPLICIT_VR_BE: _EXPLICIT_BIG,
}


class Source(NamedTuple):
    """Bytes to be walked: no further than `end`, which may come before the end of `data`."""

    data: Buffer
    end: int
    encoding: Encoding


def open_source(data: Buffer, position: int, transfer_syntax: str) -> Source:
    """The elements that begin at `position` of `data`, to its end.

    An explicit VR in the first element wins over a transfer syntax that says implicit: such files are in use, and no
    length of a first element looks like that.
    """
    encoding = _BY_TRANSFER_SYNTAX.get(transfer_syntax, _EXPLICIT_LITTLE)
    if not encoding.explicit and has_vr(data, position):
        encoding = _EXPLICIT_LITTLE
    return Source(data, len(data), encoding)


def has_vr(data: Buffer, position: int) -> bool:
    """Whether the element at `position` names one of the VRs of PS3.5 section 6.2."""
    return bytes(data[position + 4 : position + 6]) in _VRS


def guess_transfer_syntax(data: Buffer, position: int) -> str:
    """The native transfer syntax that the first element of a dataset, at `position`, looks like.

    A dataset begins with a low group, which tells the byte orders apart.
    """
    if not has_vr(data, position):
        return IMPLICIT_VR_LE
    low, high = data[position], data[position + 1]
    return EXPLICIT_VR_LE if high <= low else EXPLICIT_VR_BE


def read_header(source: Source, position: int) -> tuple[int, int, int]:
    """Tag, position of the value and its length, for an element whose first eight bytes are there.

    The value may lie beyond the end, and so may its beginning.
    """
    data, end, encoding = source
    if not encoding.explicit:
        group, element, length = encoding.implicit_header(data, position)
        return group << 16 | element, position + HEADER_LENGTH, length
    group, element, vr, length = encoding.header(data, position)
    tag = group << 16 | element
    if group == _ITEM_GROUP:
        return tag, position + HEADER_LENGTH, encoding.implicit_header(data, position)[2]
    if vr in encoding.short_form:
        return tag, position + HEADER_LENGTH, length
    if vr not in encoding.long_form:
        return tag, *_read_odd_header(source, position)
    if position + _LONG_HEADER_LENGTH > end:
        return tag, position + _LONG_HEADER_LENGTH, 0
    return tag, position + _LONG_HEADER_LENGTH, encoding.long_length(data, position + HEADER_LENGTH)[0]


def _read_odd_header(source: Source, position: int) -> tuple[int, int]:
    """Position and length of a value whose VR is none that we know.

    Two capital letters are a VR newer than this table, in the long form as PS3.5 section 6.2 promises, or one that
    somebody made up, in the short form. Anything else is no VR: an element that slipped in with implicit VR, or
    question marks, blanks and zeros from writers that did not know. What a valid element follows is right.
    """
    data, end, encoding = source
    vr = bytes(data[position + 4 : position + 6])
    short_length = encoding.header(data, position)[3]
    short = (position + HEADER_LENGTH, short_length)
    if vr.isalpha() and vr.isupper():
        if short_length or position + _LONG_HEADER_LENGTH > end:
            return short
        long_length = encoding.long_length(data, position + HEADER_LENGTH)[0]
        return short if _is_followed(source, position, short) else (position + _LONG_HEADER_LENGTH, long_length)
    implicit = (position + HEADER_LENGTH, encoding.implicit_header(data, position)[2])
    return short if _is_followed(source, position, short) and not _is_followed(source, position, implicit) else implicit


def _is_followed(source: Source, position: int, value: tuple[int, int]) -> bool:
    """Whether an element with a known VR and a higher tag stands behind `value`, the value of that at `position`."""
    data, end, encoding = source
    following = sum(value)
    if following + HEADER_LENGTH > end or not has_vr(data, following):
        return False
    return encoding.header(data, following)[:2] > encoding.header(data, position)[:2]


def skip_undefined(source: Source, position: int, value: int) -> int:
    """The position behind the value, of undefined length, of the element at `position`; more than `end` if cut short.

    Sequences, fragments of encapsulated pixel data, and whatever is nested in them. Raises `DataError` where neither
    an item nor a delimiter stands in its place.
    """
    source = _inside(source, position)
    depth = 1  # odd among the items of a sequence, even among the elements of an item
    outer, outer_depth = source, 0
    position = value
    while position + HEADER_LENGTH <= source.end:
        tag, value, length = read_header(source, position)
        if depth & 1:
            position, step = _step_over_item(tag, value, length)
        elif tag == ITEM_DELIMITATION_ITEM:
            position, step = value, -1
        elif length == UNDEFINED_LENGTH:
            inner = _inside(source, position)
            if inner is not source:
                outer, outer_depth, source = source, depth, inner
            position, step = value, 1
        else:
            position, step = value + length, 0
        depth += step
        if not depth:
            return position
        if depth == outer_depth:
            source, outer_depth = outer, 0
    return source.end + 1


def _step_over_item(tag: int, value: int, length: int) -> tuple[int, int]:
    """Where to go on from an item or delimiter, and how many levels further in that is."""
    if tag == SEQUENCE_DELIMITATION_ITEM:
        return value, -1
    if tag != ITEM:
        msg = f"a sequence holds ({tag >> 16:04X},{tag & 0xFFFF:04X}) in place of an item"
        raise DataError(msg)
    return (value, 1) if length == UNDEFINED_LENGTH else (value + length, 0)


def _inside(source: Source, position: int) -> Source:
    """The source as the value of the element at `position`, of undefined length, is to be read.

    Within UN, or an element without VR, it is Implicit VR Little Endian whatever surrounds it (PS3.5 section 6.2.2).
    """
    data, end, encoding = source
    if not encoding.explicit:
        return source
    vr = bytes(data[position + 4 : position + 6])
    return source if vr in _VRS and vr != b"UN" else Source(data, end, _IMPLICIT_LITTLE)
