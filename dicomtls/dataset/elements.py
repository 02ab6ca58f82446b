"""A few attributes out of the beginning of a dataset, in microseconds and without decoding the rest.

The two loops are what `serve` does once for each instance: local names, one `unpack_from` per element, no objects.
"""

import zlib
from functools import lru_cache
from typing import NamedTuple

from dicomtls.dataset.encoding import (
    HEADER_LENGTH,
    UNDEFINED_LENGTH,
    Buffer,
    Source,
    open_source,
    read_header,
    skip_undefined,
)
from dicomtls.dataset.tags import ITEM_DELIMITATION_ITEM, SEQUENCE_DELIMITATION_ITEM
from dicomtls.dataset.uids import is_deflated
from dicomtls.errors import DataError

PADDING = b"\0 "
_INFLATE_LIMITS = (4 * 1024, 64 * 1024, 1024 * 1024)
"""Bytes of a deflated dataset to look at: a few, and more as long as they do not suffice. The last bounds memory."""


class Attributes(NamedTuple):
    """What was found of the attributes that were asked for."""

    values: dict[int, bytes]
    """By tag, as they were encoded but for the padding: for text only, since the end of a number may look like it."""
    complete: bool
    """No byte that follows can change `values`; else more of the dataset may."""


class Wanted(NamedTuple):
    """Tags to collect, and where that is over."""

    tags: frozenset[int]
    first_group: int
    stop: int
    """The scan ends before the first element with this tag or a higher one."""


@lru_cache(maxsize=64)
def want(tags: frozenset[int], stop: int | None = None) -> Wanted:
    """A plan for `scan`; `stop` follows the highest tag unless it is given."""
    return Wanted(tags, min(tags, default=0) >> 16, max(tags, default=0) + 1 if stop is None else stop)


def read_attributes(head: Buffer, transfer_syntax: str, tags: frozenset[int], *, whole: bool = False) -> Attributes:
    """Find attributes at the top level of a dataset of which `head` is the beginning.

    `whole` says that nothing follows `head`. Without it an attribute that is not there is known to be missing only
    when a higher tag has been seen. Of a deflated dataset at most 1 MiB is inflated. Duplicates: the last one.
    Raises `DataError` where elements cannot be told apart: broken sequences, broken deflated data.
    """
    values, complete, _ = read_dataset(head, 0, transfer_syntax, tags, whole=whole)
    return Attributes(values, complete)


def read_dataset(
    data: Buffer, position: int, transfer_syntax: str, tags: frozenset[int], *, whole: bool
) -> tuple[dict[int, bytes], bool, int]:
    """As `read_attributes`, from `position` of `data` on; says too which position comes next.

    That may lie beyond the end of `data`: the next element begins there, or later. For a deflated dataset, whose
    positions mean nothing outside, it is the end of `data`.
    """
    if not is_deflated(transfer_syntax):
        return _read_plain(open_source(data, position, transfer_syntax), position, want(tags), whole=whole)
    values: dict[int, bytes] = {}
    complete = False
    for limit in _INFLATE_LIMITS:
        plain, ended = _inflate(memoryview(data)[position:], limit)
        values, complete, _ = _read_plain(open_source(plain, 0, transfer_syntax), 0, want(tags), whole=ended)
        if complete or len(plain) < limit:
            break
    return values, complete, len(data)


def _read_plain(source: Source, position: int, wanted: Wanted, *, whole: bool) -> tuple[dict[int, bytes], bool, int]:
    values: dict[int, bytes] = {}
    position = scan(source, position, wanted, values)
    while position + HEADER_LENGTH <= source.end:
        tag, value, _ = read_header(source, position)
        if tag not in _DELIMITERS or len(values) == len(wanted.tags):
            return values, True, position
        # Some writers end sequences twice; the elements go on behind that.
        position = scan(source, value, wanted, values)
    return values, len(values) == len(wanted.tags) or (whole and position == source.end), position


_DELIMITERS = (ITEM_DELIMITATION_ITEM, SEQUENCE_DELIMITATION_ITEM)


def _inflate(data: Buffer, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes, and whether they are all (PS3.5 section A.5: RFC 1951 without a zlib header)."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = engine.decompress(data, limit)
    except zlib.error as exc:
        msg = "the deflated dataset cannot be inflated"
        raise DataError(msg) from exc
    return plain, engine.eof


def scan(source: Source, position: int, wanted: Wanted, values: dict[int, bytes]) -> int:
    """Collect wanted values of the elements from `position` on; the position of the element that ended it.

    Without such an element it is the end, or a position behind it or less than eight bytes before it when the last
    element is not there as a whole.
    """
    if source.encoding.explicit:
        return _scan_explicit(source, position, wanted, values)
    return _scan_implicit(source, position, wanted, values)


def _scan_explicit(source: Source, position: int, wanted: Wanted, values: dict[int, bytes]) -> int:
    data, end, encoding = source
    tags, first_group, stop = wanted
    unpack, short_form = encoding.header, encoding.short_form
    last = end - HEADER_LENGTH
    while position <= last:
        group, element, vr, length = unpack(data, position)
        if vr in short_form:
            value = position + 8
        else:
            _, value, length = read_header(source, position)
            if length == UNDEFINED_LENGTH:
                if group << 16 | element >= stop:
                    break
                position = skip_undefined(source, position, value)
                continue
        if group >= first_group:
            tag = group << 16 | element
            if tag >= stop:
                break
            if tag in tags and value + length <= end:
                values[tag] = bytes(data[value : value + length]).rstrip(PADDING)
        position = value + length
    return position


def _scan_implicit(source: Source, position: int, wanted: Wanted, values: dict[int, bytes]) -> int:
    data, end, encoding = source
    tags, first_group, stop = wanted
    unpack = encoding.implicit_header
    last = end - HEADER_LENGTH
    while position <= last:
        group, element, length = unpack(data, position)
        value = position + 8
        if group >= first_group:
            tag = group << 16 | element
            if tag >= stop:
                break
            if tag in tags and value + length <= end:
                values[tag] = bytes(data[value : value + length]).rstrip(PADDING)
        position = value + length if length != UNDEFINED_LENGTH else skip_undefined(source, position, value)
    return position
