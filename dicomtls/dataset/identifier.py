"""Small datasets as a whole: the identifiers of C-FIND, C-MOVE and C-GET, worklist items, what an index holds.

Elements by tag, values decoded, sequences as tuples of the same: unlike `elements`, which finds a few attributes in the
beginning of an instance. Hostile bytes end in `DataError`; nesting, elements and memory are bounded.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from struct import Struct, error
from typing import Final, NamedTuple, TypeAlias, Union

from dicomtls.dataset import tags
from dicomtls.dataset.character_sets import CharacterSets, character_sets
from dicomtls.dataset.encoding import UNDEFINED_LENGTH
from dicomtls.dataset.uids import EXPLICIT_VR_BE, GE_PRIVATE_IMPLICIT, IMPLICIT_VR_LE
from dicomtls.dataset.value_representations import (
    BINARY,
    FORMATS,
    LONG_FORM,
    ONE_VALUE,
    SEQUENCE,
    TAG,
    TEXT,
    UNKNOWN,
    padding,
)
from dicomtls.errors import DataError

MOST_ELEMENTS: Final = 100_000
DEEPEST: Final = 16
_HEADER: Final = 8
_LONG_HEADER: Final = 12
_SHORT_LIMIT: Final = 0xFFFE

Value: TypeAlias = Union[str, int, float, bytes, "Identifier"]


class Element(NamedTuple):
    """A value representation and its values; none at all is an empty value (universal matching, PS3.4 C.2.2.2.3)."""

    vr: str
    values: tuple[Value, ...] = ()


Identifier: TypeAlias = Mapping[int, Element]
"""Elements by tag. (0008,0005) is not kept in step with anything: `encode` writes the one that it is told."""


class Layout(NamedTuple):
    """How a transfer syntax lays elements out."""

    explicit: bool
    order: str


def layout_of(transfer_syntax: str) -> Layout:
    """The layout of a native transfer syntax; identifiers have no other (PS3.4 annex C)."""
    implicit = transfer_syntax in (IMPLICIT_VR_LE, GE_PRIVATE_IMPLICIT)
    return Layout(not implicit, ">" if transfer_syntax == EXPLICIT_VR_BE else "<")


def encode(identifier: Identifier, transfer_syntax: str, names: tuple[str, ...] = ()) -> bytes:
    """Encode a dataset, its text in the character sets `names`, which become its (0008,0005).

    Raises `DataError` for text that they do not have, and for values that their VR does not take.
    """
    return _Writer(layout_of(transfer_syntax), character_sets(names)).dataset(identifier)


class _Writer:
    def __init__(self, layout: Layout, sets: CharacterSets) -> None:
        self._layout = layout
        self._sets = sets

    def dataset(self, identifier: Identifier) -> bytes:
        elements = dict(identifier)
        if self._sets.names:
            elements[tags.SPECIFIC_CHARACTER_SET] = Element("CS", self._sets.names)
        return b"".join(self._element(tag, *elements[tag]) for tag in sorted(elements))

    def _item(self, identifier: Identifier) -> bytes:
        body = b"".join(self._element(tag, *identifier[tag]) for tag in sorted(identifier))
        return self._tag(tags.ITEM) + Struct(self._layout.order + "L").pack(len(body)) + body

    def _element(self, tag: int, vr: str, values: tuple[Value, ...]) -> bytes:
        try:
            value = self._value(vr, values)
        except (TypeError, AttributeError, ValueError, error) as problem:
            msg = f"({tag >> 16:04X},{tag & 0xFFFF:04X}) of type {vr} cannot be {values!r}"
            raise DataError(msg) from problem
        value += padding(vr) if len(value) % 2 else b""
        order = self._layout.order
        if not self._layout.explicit:
            return self._tag(tag) + Struct(order + "L").pack(len(value)) + value
        if vr in LONG_FORM:
            return self._tag(tag) + vr.encode() + b"\0\0" + Struct(order + "L").pack(len(value)) + value
        if len(value) > _SHORT_LIMIT:
            msg = f"({tag >> 16:04X},{tag & 0xFFFF:04X}) has {len(value)} bytes, too many for {vr}"
            raise DataError(msg)
        return self._tag(tag) + vr.encode() + Struct(order + "H").pack(len(value)) + value

    def _tag(self, tag: int) -> bytes:
        return Struct(self._layout.order + "HH").pack(tag >> 16, tag & 0xFFFF)

    def _value(self, vr: str, values: tuple[Value, ...]) -> bytes:
        if vr == SEQUENCE:
            return b"".join(map(self._item, values))  # type: ignore[arg-type]  # what a sequence holds are identifiers
        if vr in FORMATS:
            return Struct(f"{self._layout.order}{len(values)}{FORMATS[vr]}").pack(*values)
        if vr == TAG:
            return b"".join(self._tag(tag) for tag in values)  # type: ignore[arg-type]  # tags are numbers
        if vr in BINARY:
            return b"".join(values)  # type: ignore[arg-type]  # what these hold is bytes
        texts: list[str] = [*values]  # type: ignore[list-item]  # all others are text
        if vr in TEXT:
            return b"\\".join(self._sets.encode(text, is_name=vr == "PN") for text in texts)
        return "\\".join(texts).encode("ascii")


class Dictionary:
    """VRs by tag, for what is encoded without them: pydicom's, imported when the first is asked for."""

    def __init__(self, known: Mapping[int, str]) -> None:
        self._known = dict(known)

    def vr(self, tag: int) -> str:
        """The VR of an attribute; UN where it is in no dictionary, UL of group lengths, LO of private creators."""
        found = self._known.get(tag)
        if found is None:
            found = self._known[tag] = _look_up(tag)
        return found


def _look_up(tag: int) -> str:
    if not tag & 0xFFFF:
        return "UL"
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"  # noqa: PLR2004 -- PS3.5 section 7.8.1
    from pydicom.datadict import dictionary_VR

    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "UN"
    return vr[:2] if " or " not in vr else {"US or SS": "US"}.get(vr, "OW")


DICTIONARY: Final = Dictionary({})


def decode(data: bytes | memoryview, transfer_syntax: str, dictionary: Dictionary = DICTIONARY) -> dict[int, Element]:
    """Decode a whole dataset; raises `DataError` where its lengths do not add up, or it is nested too deep.

    Text is decoded by its (0008,0005); what its sets lack becomes U+FFFD. A number that does not fill its bytes is
    kept as bytes of UN.
    """
    reader = _Reader(bytes(data), layout_of(transfer_syntax), dictionary)
    return reader.dataset(0, len(data), character_sets(()), 0)


class _Reader:
    def __init__(self, data: bytes, layout: Layout, dictionary: Dictionary) -> None:
        self._data = data
        self._layout = layout
        self._dictionary = dictionary
        self._left = MOST_ELEMENTS
        self._tag = Struct(layout.order + "HH").unpack_from
        self._short = Struct(layout.order + "H").unpack_from
        self._long = Struct(layout.order + "L").unpack_from

    def dataset(self, position: int, end: int, sets: CharacterSets, depth: int) -> dict[int, Element]:
        if depth > DEEPEST:
            msg = f"a dataset is nested more than {DEEPEST} deep"
            raise DataError(msg)
        raw = list(self._elements(position, end))
        for tag, _, start, stop in raw:
            if tag == tags.SPECIFIC_CHARACTER_SET:
                sets = character_sets(tuple(_split(self._data[start:stop].decode("ascii", "replace"))))
        return {
            tag: Element(SEQUENCE, tuple(self._inside.items(start, stop, sets, depth)))
            if vr == _UNKNOWN_SEQUENCE
            else Element(vr, self._values(vr, start, stop, sets, depth))
            for tag, vr, start, stop in raw
        }

    def _elements(self, position: int, end: int) -> Iterator[tuple[int, str, int, int]]:
        while position < end:
            self._left -= 1
            if self._left < 0:
                msg = f"a dataset has more than {MOST_ELEMENTS} elements"
                raise DataError(msg)
            tag, vr, start, length = self._header(position, end)
            if tag == tags.ITEM_DELIMITATION_ITEM:
                return
            if length == UNDEFINED_LENGTH:
                stop = self._end_of_undefined(vr, start, end)
                yield tag, _UNKNOWN_SEQUENCE if self._is_unknown(vr) else SEQUENCE, start, stop
                position = stop + _HEADER
                continue
            position = start + length
            if position > end:
                msg = f"({tag >> 16:04X},{tag & 0xFFFF:04X}) claims {length} bytes where {end - start} are left"
                raise DataError(msg)
            yield tag, vr, start, position

    def _header(self, position: int, end: int) -> tuple[int, str, int, int]:
        if position + _HEADER > end:
            msg = "a dataset ends within the header of an element"
            raise DataError(msg)
        group, element = self._tag(self._data, position)
        tag = group << 16 | element
        if not self._layout.explicit or group == _ITEM_GROUP:
            vr = self._dictionary.vr(tag) if group != _ITEM_GROUP else ""
            return tag, vr, position + _HEADER, self._long(self._data, position + 4)[0]
        vr = self._data[position + 4 : position + 6].decode("ascii", "replace")
        if vr not in LONG_FORM:
            return tag, vr, position + _HEADER, self._short(self._data, position + 6)[0]
        if position + _LONG_HEADER > end:
            msg = "a dataset ends within the header of an element"
            raise DataError(msg)
        return tag, vr, position + _LONG_HEADER, self._long(self._data, position + _HEADER)[0]

    def _is_unknown(self, vr: str) -> bool:
        """Whether a value of undefined length is in Implicit VR Little Endian, whatever surrounds it (PS3.5 6.2.2)."""
        return self._layout.explicit and vr == UNKNOWN

    @cached_property
    def _inside(self) -> "_Reader":
        """What reads such values."""
        return _Reader(self._data, layout_of(IMPLICIT_VR_LE), self._dictionary)

    def _end_of_undefined(self, vr: str, position: int, end: int) -> int:
        reader = self._inside if self._is_unknown(vr) else self
        return reader.end_of_sequence(position, end)

    def end_of_sequence(self, position: int, end: int) -> int:
        """Where the delimiter of a sequence of undefined length stands."""
        depth = [False]  # whether an item of undefined length is open at each level
        while position + _HEADER <= end:
            tag, vr, start, length = self._header(position, end)
            self._left -= 1
            if self._left < 0 or len(depth) > 2 * DEEPEST:
                msg = "a sequence has too many elements, or is nested too deep"
                raise DataError(msg)
            if tag == tags.SEQUENCE_DELIMITATION_ITEM:
                depth.pop()
                if not depth:
                    return position
                position = start
            elif tag == tags.ITEM_DELIMITATION_ITEM:
                depth[-1] = False
                position = start
            elif length == UNDEFINED_LENGTH and self._is_unknown(vr):
                position = self._end_of_undefined(vr, start, end) + _HEADER
            elif length == UNDEFINED_LENGTH:
                if tag == tags.ITEM:
                    depth[-1] = True
                else:
                    depth.append(False)
                position = start
            else:
                position = start + length
        msg = "a sequence has no end"
        raise DataError(msg)

    def _values(self, vr: str, start: int, stop: int, sets: CharacterSets, depth: int) -> tuple[Value, ...]:
        if vr == SEQUENCE:
            return tuple(self.items(start, stop, sets, depth))
        value = self._data[start:stop]
        if vr in FORMATS or vr == TAG:
            return self._numbers(vr, value)
        if vr in BINARY:
            return (value,) if value else ()
        is_one = vr in ONE_VALUE
        text = sets.decode(value, is_name=vr == "PN", is_one=is_one) if vr in TEXT else value.decode("ascii", "replace")
        if not is_one:
            return tuple(_split(text))
        text = text.rstrip(" \0")
        return (text,) if text else ()

    def _numbers(self, vr: str, value: bytes) -> tuple[Value, ...]:
        if vr == TAG:
            parts = (self._tag(value, place) for place in range(0, len(value) - 3, 4))
            return tuple(group << 16 | element for group, element in parts)
        number = Struct(self._layout.order + FORMATS[vr])
        if len(value) % number.size:
            return (value,)
        return tuple(found for (found,) in number.iter_unpack(value))

    def items(self, position: int, end: int, sets: CharacterSets, depth: int) -> Iterator[dict[int, Element]]:
        """The items of a sequence."""
        while position < end:
            tag, _, start, length = self._header(position, end)
            if tag != tags.ITEM:
                msg = f"a sequence holds ({tag >> 16:04X},{tag & 0xFFFF:04X}) in place of an item"
                raise DataError(msg)
            if length == UNDEFINED_LENGTH:
                stop = self._end_of_item(start, end)
                position = stop + _HEADER
            else:
                stop = position = start + length
            if stop > end:
                msg = "an item is longer than its sequence"
                raise DataError(msg)
            yield self.dataset(start, stop, sets, depth + 1)

    def _end_of_item(self, position: int, end: int) -> int:
        while position + _HEADER <= end:
            tag, vr, start, length = self._header(position, end)
            if tag == tags.ITEM_DELIMITATION_ITEM:
                return position
            undefined = length == UNDEFINED_LENGTH
            position = self._end_of_undefined(vr, start, end) + _HEADER if undefined else start + length
        msg = "an item has no end"
        raise DataError(msg)


_ITEM_GROUP: Final = 0xFFFE
_UNKNOWN_SEQUENCE: Final = "UN of undefined length"


def _split(text: str) -> Iterator[str]:
    """Values between backslashes, without the padding that none of them means."""
    stripped = text.strip(" \0")
    if stripped:
        yield from (part.strip(" \0") for part in stripped.split("\\"))
