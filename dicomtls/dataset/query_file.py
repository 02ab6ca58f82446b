"""A query in a file: a DICOM file, a bare dataset as DCMTK's dump2dcm makes, or an object of the DICOM JSON Model."""

from collections.abc import Mapping
from typing import Final

from dicomtls.dataset.attributes import DICTIONARY
from dicomtls.dataset.encoding import HEADER_LENGTH, UNDEFINED_LENGTH, open_source, read_header, skip_undefined
from dicomtls.dataset.file_meta import locate_dataset
from dicomtls.dataset.identifier import Element, Identifier, Value, decode
from dicomtls.dataset.json_model import from_text
from dicomtls.dataset.key_values import check_values
from dicomtls.dataset.keys import element_at, paths_of
from dicomtls.dataset.tags import SPECIFIC_CHARACTER_SET
from dicomtls.dataset.uids import is_deflated
from dicomtls.dataset.value_representations import UNKNOWN
from dicomtls.errors import DataError, UsageError

LONGEST_QUERY: Final = 4 << 20
"""Bytes that a file with a query may have: it holds no pixels."""
_PIXELS: Final = 0x7FE0
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def read_query(content: bytes) -> dict[int, Element]:
    """The identifier that a file holds, its text decoded; raises `DataError` where it holds none.

    What is about the encoding is left out: file meta information, group lengths, (0008,0005), padding.
    """
    text = content.removeprefix(_BYTE_ORDER_MARK).lstrip()
    if text[:1] not in (b"{", b"["):
        return _without_encoding(_read_dataset(content))
    identifier = _without_encoding(from_text(text))
    _check(identifier)
    return identifier


def _check(identifier: Identifier) -> None:
    """Hold what somebody has written against its VRs, as what is typed is (`keys`)."""
    for path in paths_of(identifier):
        vr, values = element_at(identifier, path) or Element(UNKNOWN)
        try:
            check_values(str(path), vr, values)
        except UsageError as error:
            raise DataError(error.message, hints=error.hints) from error


def _read_dataset(content: bytes) -> dict[int, Element]:
    _, transfer_syntax, offset = locate_dataset(content, len(content))
    if is_deflated(transfer_syntax):
        msg = "the file is deflated"
        raise DataError(msg, hints=("write the query in Explicit VR Little Endian",))
    end = _end_of_keys(content, offset, transfer_syntax)
    return decode(memoryview(content)[offset:end], transfer_syntax, DICTIONARY)


def _end_of_keys(content: bytes, position: int, transfer_syntax: str) -> int:
    """Where the pixels begin, or the dataset ends: whoever has an image of a study can ask for what is like it."""
    source = open_source(content, position, transfer_syntax)
    while position + HEADER_LENGTH <= source.end:
        tag, value, length = read_header(source, position)
        if tag >> 16 >= _PIXELS:
            return position
        position = skip_undefined(source, position, value) if length == UNDEFINED_LENGTH else value + length
    return source.end


def _without_encoding(identifier: Identifier) -> dict[int, Element]:
    return {
        tag: Element(vr, _values(values))
        for tag, (vr, values) in identifier.items()
        if tag & 0xFFFF and tag != SPECIFIC_CHARACTER_SET and tag >> 16 < _PIXELS
    }


def _values(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """None where all that is there is empty: a key without a value."""
    return tuple(map(_clean, values)) if any(value != "" for value in values) else ()


def _clean(value: Value) -> Value:
    return _without_encoding(value) if isinstance(value, Mapping) else value
