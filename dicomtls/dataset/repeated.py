"""The same attributes off many datasets, or files: those of one series are mostly laid out alike.

Where every header up to the last wanted attribute has the same bytes at the same place as last time, a walk would go
the same way and find the values at the same places. One comparison of all headers tells, in a quarter of the time.
"""

from struct import Struct
from typing import NamedTuple

from dicomtls.dataset import tags as known_tags
from dicomtls.dataset.elements import PADDING, Attributes, read_attributes, want
from dicomtls.dataset.encoding import HEADER_LENGTH, UNDEFINED_LENGTH, Buffer, open_source, read_header
from dicomtls.dataset.file_meta import META_GROUP, PREAMBLE_LENGTH, PREFIX, FileMeta, read_file_meta
from dicomtls.dataset.uids import EXPLICIT_VR_LE, is_deflated, text
from dicomtls.errors import DataError
from dicomtls.uid import is_uid

_ITEM_GROUP = 0xFFFE
_MOST_ELEMENTS = 1000


class _Arrangement(NamedTuple):
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


class FileMetaReader:
    """Reads as `read_file_meta` does, and remembers how the last file was laid out, in a third of the time."""

    def __init__(self) -> None:
        self._known: tuple[_Arrangement, FileMeta] | None = None
        self._misses = 0

    def read(self, head: bytes, size: int) -> FileMeta:
        """Find what a file of `size` bytes holds from its beginning; raises as `read_file_meta` does."""
        if self._known is not None and self._known[0].fits(head):
            arrangement, like = self._known
            uid = text(head[arrangement.places[0][1]])
            if is_uid(uid):  # else the meta information may have it
                self._misses = 0
                return FileMeta(like.sop_class_uid, uid, like.transfer_syntax, like.dataset_offset)
        found = read_file_meta(head, size)
        self._misses += 1
        if not self._misses & (self._misses - 1):
            arranged = _file_arrangement(head, found)
            self._known = None if arranged is None else (arranged, found)
        return found


def _file_arrangement(head: bytes, meta: FileMeta) -> _Arrangement | None:
    """Note how a file is laid out up to its SOP instance UID, with the values that everything else depends on."""
    if head[PREAMBLE_LENGTH : PREAMBLE_LENGTH + len(PREFIX)] != PREFIX or is_deflated(meta.transfer_syntax):
        return None
    layout = _Layout(f"<{PREAMBLE_LENGTH}x{len(PREFIX)}s", [PREFIX])
    source = open_source(head, 0, EXPLICIT_VR_LE)
    position = PREAMBLE_LENGTH + len(PREFIX)
    while head[position : position + len(META_GROUP)] == META_GROUP:
        tag, value, length = read_header(source, position)
        fixed = value + (length if tag in _FIXED else 0)
        layout.expect(head[position:fixed], skip=value + length - fixed)
        position = value + length
    if position != meta.dataset_offset:
        return None  # not what it seemed: it may be in Implicit VR, as some writers have it
    try:
        found = _arrangement(head, meta.transfer_syntax, _SOP_INSTANCE, layout, position, fixed=_FIXED)
    except DataError:  # the UIDs were those of the meta information, then
        return None
    return found if found is not None and found.places else None


_FIXED = frozenset({known_tags.MEDIA_STORAGE_SOP_CLASS_UID, known_tags.TRANSFER_SYNTAX_UID, known_tags.SOP_CLASS_UID})
_SOP_INSTANCE = frozenset({known_tags.SOP_INSTANCE_UID})


class _Layout:
    """An arrangement in the making: what is expected, and how much is skipped in between."""

    def __init__(self, form: str = "<", expected: list[bytes] | None = None) -> None:
        self._form = [form]
        self.expected = expected or []

    def expect(self, data: bytes, *, skip: int = 0) -> None:
        self._form.append(f"{len(data)}s{skip}x")
        self.expected.append(data)

    def arranged(self, places: dict[int, slice]) -> _Arrangement:
        return _Arrangement(Struct("".join(self._form)), tuple(self.expected), tuple(places.items()))


def _arrangement(
    head: Buffer,
    transfer_syntax: str,
    tags: frozenset[int],
    layout: _Layout | None = None,
    position: int = 0,
    *,
    fixed: frozenset[int] = frozenset(),
) -> _Arrangement | None:
    """Note how a dataset is laid out up to the wanted attributes; None where that depends on more than headers.

    Values of `fixed` tags are expected again, as headers are.
    """
    if is_deflated(transfer_syntax):
        return None
    layout = layout or _Layout()
    source = open_source(head, position, transfer_syntax)
    stop = want(tags).stop
    places: dict[int, slice] = {}
    while position + HEADER_LENGTH <= len(head) and len(layout.expected) < _MOST_ELEMENTS:
        tag, value, length = read_header(source, position)
        if tag >= stop:
            layout.expect(bytes(head[position : position + HEADER_LENGTH]))
            return layout.arranged(places)
        if length == UNDEFINED_LENGTH or tag >> 16 == _ITEM_GROUP or value + length > len(head):
            return None
        expected = value + (length if tag in fixed else 0)
        layout.expect(bytes(head[position:expected]), skip=value + length - expected)
        if tag in tags:
            places[tag] = slice(value, value + length)
        position = value + length
    return None
