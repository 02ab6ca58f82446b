"""Identifiers in the DICOM JSON Model (PS3.18 annex F), one object each; what is read may be anybody's.

Text is Unicode there, so (0008,0005) is ISO_IR 192 wherever it stands. Integer and decimal strings become numbers where
they are any, and stay strings where they are none (table F.2.3-1). Floating point values that JSON does not have are
strings, as DCMTK writes them.
"""

import json
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

from dicomtls.dataset.attributes import DICTIONARY, name_of
from dicomtls.dataset.character_sets import UTF_8
from dicomtls.dataset.identifier import DEEPEST, MOST_ELEMENTS, Element, Identifier, Value
from dicomtls.dataset.tags import SPECIFIC_CHARACTER_SET
from dicomtls.dataset.value_representations import BINARY, FORMATS, KNOWN, SEQUENCE, TAG, UNKNOWN
from dicomtls.errors import DataError

NAME_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
"""The component groups of a person name in their order (PS3.5 section 6.2.1)."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[Ee][+-]?[0-9]{1,3})?")
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
_FLOATS: Final = frozenset({"FL", "FD"})
_FILE_META_GROUP: Final = 0x0002
_PART_OF_NAME: Final = "="


def to_json(identifier: Identifier) -> dict[str, object]:
    """The object of the DICOM JSON Model for an identifier, in the order of tags."""
    return {f"{tag:08X}": _write(tag, *identifier[tag]) for tag in sorted(identifier)}


def to_line(identifier: Identifier) -> str:
    """The same as text without a line break, in ASCII: whoever reads a pipe need not share our locale."""
    return json.dumps(to_json(identifier), separators=(",", ":"))


def _write(tag: int, vr: str, values: tuple[Value, ...]) -> dict[str, object]:
    if tag == SPECIFIC_CHARACTER_SET:
        values = (UTF_8,)
    if vr in BINARY or vr not in KNOWN or (vr in FORMATS and any(isinstance(value, bytes) for value in values)):
        return _write_binary(vr, values)
    if not values:
        return {"vr": vr}
    writer = _WRITERS.get(vr)
    return {"vr": vr, "Value": [writer(value) for value in values] if writer else [value or None for value in values]}


def _write_binary(vr: str, values: tuple[Value, ...]) -> dict[str, object]:
    """Bytes as they are; what claims to be of a VR that nobody knows, or is no number of its VR, is unknown."""
    vr = vr if vr in BINARY else UNKNOWN
    parts = [value if isinstance(value, bytes) else str(value).encode() for value in values]
    data = b"\\".join(parts)
    return {"vr": vr, "InlineBinary": b64encode(data).decode("ascii")} if data else {"vr": vr}


def _write_name(value: Any) -> dict[str, str] | None:
    groups = zip(NAME_GROUPS, value.split(_PART_OF_NAME, len(NAME_GROUPS) - 1), strict=False)
    return {group: part for group, part in groups if part} or None


def _write_integer(value: Any) -> object:
    return int(value) if _INTEGER.fullmatch(value) else value or None


def _write_decimal(value: Any) -> object:
    if not _DECIMAL.fullmatch(value):
        return value or None
    number = float(value)
    return number if isfinite(number) else value


def _write_float(value: Any) -> object:
    return value if isfinite(value) else "NaN" if value != value else "inf" if value > 0 else "-inf"  # noqa: PLR0124 -- what NaN is


def _write_tag(value: Any) -> str:
    return f"{value:08X}"


_WRITERS: Final[dict[str, Callable[[Any], object]]] = {
    SEQUENCE: to_json,
    "PN": _write_name,
    "IS": _write_integer,
    "DS": _write_decimal,
    TAG: _write_tag,
    **dict.fromkeys(_FLOATS, _write_float),
    **dict.fromkeys(FORMATS.keys() - _FLOATS, int),
}


def from_text(text: str | bytes) -> dict[int, Element]:
    """Read one object of the DICOM JSON Model, or an array with one; raises `DataError`."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = "this is no JSON" if isinstance(error, ValueError) else "this JSON is nested too deep"
        raise DataError(msg) from error
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    return from_json(found)


def from_json(found: object) -> dict[int, Element]:
    """The identifier of an object of the DICOM JSON Model, however it came; raises `DataError`.

    File meta information is left out, and so is (0008,0005), which speaks of another encoding of the same text.
    """
    return _Reader().identifier(found, 0)


class _Reader:
    def __init__(self) -> None:
        self._left = MOST_ELEMENTS

    def identifier(self, found: object, depth: int) -> dict[int, Element]:
        if not isinstance(found, Mapping):
            msg = "no object of the DICOM JSON Model: it is one object of attributes, by their tags"
            raise DataError(msg)
        self._left -= len(found)
        if depth > DEEPEST or self._left < 0:
            msg = f"an identifier has at most {MOST_ELEMENTS} elements, and is nested at most {DEEPEST} deep"
            raise DataError(msg)
        elements: dict[int, Element] = {}
        for name, attribute in found.items():
            if not _TAG.fullmatch(name) or not isinstance(attribute, Mapping):
                msg = f"no object of the DICOM JSON Model: {name[:80]!r} is no attribute"
                raise DataError(msg)
            tag = int(name, 16)
            if tag >> 16 != _FILE_META_GROUP and tag != SPECIFIC_CHARACTER_SET:
                elements[tag] = self._element(tag, attribute, depth)
        return elements

    def _element(self, tag: int, attribute: Mapping[str, object], depth: int) -> Element:
        vr = attribute.get("vr", DICTIONARY.vr(tag))
        if not isinstance(vr, str) or vr not in KNOWN:
            msg = f"{name_of(tag)} has no VR that is known: {vr!a}"
            raise DataError(msg)
        try:
            return Element(vr, tuple(self._values(vr, attribute, depth)))
        except (TypeError, ValueError, OverflowError) as error:
            msg = f"{name_of(tag)} has no value of its VR {vr}"
            raise DataError(msg) from error

    def _values(self, vr: str, attribute: Mapping[str, object], depth: int) -> list[Value]:
        if "BulkDataURI" in attribute:
            raise ValueError
        if vr in BINARY:
            return _read_binary(attribute)
        values = attribute.get("Value", [])
        if not isinstance(values, list):
            raise TypeError
        if vr == SEQUENCE:
            return [self.identifier({} if item is None else item, depth + 1) for item in values]
        return [_READERS.get(vr, _read_text)(value) for value in values]


def _read_binary(attribute: Mapping[str, object]) -> list[Value]:
    encoded = attribute.get("InlineBinary", "")
    if not isinstance(encoded, str):
        raise TypeError
    try:
        data = b64decode(encoded, validate=True)
    except Base64Error as error:
        raise ValueError from error
    return [data] if data else []


def _read_text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or any("\ud800" <= character <= "\udfff" for character in value):
        raise TypeError
    return value


def _read_name(value: object) -> str:
    if not isinstance(value, Mapping):
        return _read_text(value)  # as older writers have it
    return _PART_OF_NAME.join(_read_text(value.get(group)) for group in NAME_GROUPS).rstrip(_PART_OF_NAME)


def _read_number_as_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _read_text(value)
    if not isfinite(value):
        raise ValueError
    return _shortest(value)


def _shortest(value: float) -> str:
    """A number in the 16 characters of a DS, as exactly as they allow (PS3.5 table 6.2-1)."""
    text = str(value)
    for digits in range(16, 0, -1):
        if len(text) <= _LONGEST_DS:
            break
        text = f"{value:.{digits}g}"
    return text


_LONGEST_DS: Final = 16


def _read_float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    return float(value)


def _read_whole(value: object) -> int:
    """A number; as a string where it does not fit into a double (SV and UV)."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _read_tag(value: object) -> int:
    if not isinstance(value, str) or not _TAG.fullmatch(value):
        raise TypeError
    return int(value, 16)


_READERS: Final[dict[str, Callable[[object], Value]]] = {
    "PN": _read_name,
    "IS": _read_number_as_text,
    "DS": _read_number_as_text,
    TAG: _read_tag,
    **dict.fromkeys(_FLOATS, _read_float),
    **dict.fromkeys(FORMATS.keys() - _FLOATS, _read_whole),
}
