"""A query in a file: a DICOM file, a bare dataset as DCMTK's dump2dcm makes, or an object of the DICOM JSON Model."""

from collections.abc import Mapping
from typing import Final

from dicomtls.dataset.attributes import DICTIONARY
from dicomtls.dataset.file_meta import locate_dataset
from dicomtls.dataset.identifier import Element, Identifier, Value, decode
from dicomtls.dataset.json_model import from_text
from dicomtls.dataset.tags import SPECIFIC_CHARACTER_SET
from dicomtls.dataset.uids import is_deflated
from dicomtls.errors import DataError

LONGEST_QUERY: Final = 4 << 20
"""Bytes that a file with a query may have: it holds no pixels."""
_PIXELS: Final = 0x7FE0
_PADDING: Final = 0xFFFC
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def read_query(content: bytes) -> dict[int, Element]:
    """The identifier that a file holds, its text decoded; raises `DataError` where it holds none.

    What is about the encoding is left out: file meta information, group lengths, (0008,0005), padding.
    """
    text = content.removeprefix(_BYTE_ORDER_MARK).lstrip()
    identifier = from_text(text) if text[:1] in (b"{", b"[") else _read_dataset(content)
    return _without_encoding(identifier)


def _read_dataset(content: bytes) -> dict[int, Element]:
    _, transfer_syntax, offset = locate_dataset(content, len(content))
    if is_deflated(transfer_syntax):
        msg = "the file is deflated"
        raise DataError(msg, hints=("write the query in Explicit VR Little Endian",))
    return decode(memoryview(content)[offset:], transfer_syntax, DICTIONARY)


def _without_encoding(identifier: Identifier) -> dict[int, Element]:
    return {
        tag: Element(vr, tuple(map(_clean, values)))
        for tag, (vr, values) in identifier.items()
        if tag & 0xFFFF and tag != SPECIFIC_CHARACTER_SET and tag >> 16 not in (_PIXELS, _PADDING)
    }


def _clean(value: Value) -> Value:
    return _without_encoding(value) if isinstance(value, Mapping) else value
