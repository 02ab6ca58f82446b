"""The same attributes off many datasets: those of one series are mostly laid out alike.

Where every header up to the last wanted attribute has the same bytes at the same place as last time, a walk would go
the same way and find the values at the same places. One comparison of all headers tells, in a quarter of the time.
"""

from dataclasses import dataclass
from struct import Struct

from dicomtls.dataset.elements import PADDING, Attributes, read_attributes, want
from dicomtls.dataset.encoding import HEADER_LENGTH, UNDEFINED_LENGTH, Buffer, open_source, read_header
from dicomtls.dataset.uids import is_deflated

_ITEM_GROUP = 0xFFFE
_MOST_ELEMENTS = 1000


@dataclass(frozen=True, slots=True)
class _Arrangement:
    """Where the headers of a dataset stand and what they are, and where the wanted values are."""

    headers: Struct
    expected: tuple[bytes, ...]
    places: tuple[tuple[int, slice], ...]

    def fits(self, head: Buffer) -> bool:
        return len(head) >= self.headers.size and self.headers.unpack_from(head) == self.expected


class AttributeReader:
    """Reads as `read_attributes` does, and remembers how the last dataset was laid out."""

    def __init__(self, transfer_syntax: str, tags: frozenset[int]) -> None:
        self._transfer_syntax = transfer_syntax
        self._tags = tags
        self._arrangement: _Arrangement | None = None
        self._misses = 0

    def read(self, head: Buffer) -> Attributes:
        """Find the attributes in the beginning of a dataset; raises `DataError`."""
        known = self._arrangement
        if known is not None and known.fits(head):
            self._misses = 0
            return Attributes({tag: bytes(head[place]).rstrip(PADDING) for tag, place in known.places}, complete=True)
        found = read_attributes(head, self._transfer_syntax, self._tags)
        self._misses += 1
        # Datasets that are all different must not pay for each other: looked at anew ever more rarely.
        if found.complete and not self._misses & (self._misses - 1):
            self._arrangement = _arrangement(head, self._transfer_syntax, self._tags)
        return found


def _arrangement(head: Buffer, transfer_syntax: str, tags: frozenset[int]) -> _Arrangement | None:
    """Note how a dataset is laid out up to the wanted attributes; None where that depends on more than headers."""
    if is_deflated(transfer_syntax):
        return None
    source = open_source(head, 0, transfer_syntax)
    stop = want(tags).stop
    form = ["<"]
    expected: list[bytes] = []
    places: dict[int, slice] = {}
    position = 0
    while position + HEADER_LENGTH <= len(head) and len(expected) < _MOST_ELEMENTS:
        tag, value, length = read_header(source, position)
        if tag >= stop:
            form.append(f"{HEADER_LENGTH}s")
            expected.append(bytes(head[position : position + HEADER_LENGTH]))
            return _Arrangement(Struct("".join(form)), tuple(expected), tuple(places.items()))
        if length == UNDEFINED_LENGTH or tag >> 16 == _ITEM_GROUP or value + length > len(head):
            return None
        form.append(f"{value - position}s{length}x")
        expected.append(bytes(head[position:value]))
        if tag in tags:
            places[tag] = slice(value, value + length)
        position = value + length
    return None
