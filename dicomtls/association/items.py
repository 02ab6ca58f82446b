"""What A-ASSOCIATE PDUs are made of: items with a type and a length, fields with a length, and text.

What comes from a peer may lie about every length and hold any byte. Reading raises `RemoteProtocolError` for lengths
that do not add up, and never for text: that is made readable and harmless, and negotiation answers what it says.
Writing raises `LocalProtocolError`.
"""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import Final, NoReturn

from dicomtls.association.reasons import AbortReason
from dicomtls.errors import LocalProtocolError, RemoteProtocolError
from dicomtls.uid import is_uid

_ITEM_HEADER: Final = Struct(">BxH")
_FIELD_LENGTH: Final = Struct(">H")
_LONGEST_VALUE: Final = 0xFFFF
_LONGEST_AE_TITLE: Final = 16

# Nothing in the association layer may be longer than a UID (PS3.8 annex F) or an LO (PS3.5 table 6.2-1).
_LONGEST_TEXT: Final = 64


class ItemType(IntEnum):
    """Types of the items and sub-items of A-ASSOCIATE PDUs, but for those of the user information."""

    APPLICATION_CONTEXT = 0x10
    PROPOSED_CONTEXT = 0x20
    ANSWERED_CONTEXT = 0x21
    ABSTRACT_SYNTAX = 0x30
    TRANSFER_SYNTAX = 0x40
    USER_INFORMATION = 0x50


_ITEM_TYPES: Final = frozenset(ItemType)


def encode_uid(uid: str, name: str) -> bytes:
    """The bytes of a UID, without padding; `name` says in the error what it is the UID of."""
    if not is_uid(uid):
        msg = f"the {name} {uid!r} is not a UID"
        raise LocalProtocolError(msg)
    return uid.encode("ascii")


def encode_ae_title(title: str, name: str) -> bytes:
    """The 16 bytes of an AE title, padded with spaces (PS3.8 table 9-11, PS3.5 table 6.2-1)."""
    significant = title.strip(" ")
    is_valid = title.isascii() and title.isprintable() and "\\" not in title
    if not is_valid or not 0 < len(significant) <= _LONGEST_AE_TITLE:
        msg = f"the {name} {title!r} is not an AE title"
        raise LocalProtocolError(msg)
    return significant.encode("ascii").ljust(_LONGEST_AE_TITLE)


def decode_text(data: bytes | memoryview) -> str:
    r"""Text of a peer: padding (spaces, trailing NULs) taken off, anything unusual made visible.

    Bytes that are not printable ASCII become `\xNN`, and what exceeds 64 characters `...`. Neither can pass for a
    valid UID or AE title, so a text that was touched is equal to nothing that we know.
    """
    text = bytes(data).rstrip(b"\0 ").lstrip(b" ").decode("ascii", "backslashreplace")
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + "..."
    if not text.isprintable():
        text = "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)
    return text


def pack_item(item_type: int, value: bytes) -> bytes:
    """One item: its type, a reserved byte, the length of its value, its value."""
    if len(value) > _LONGEST_VALUE:
        msg = f"an item 0x{item_type:02X} of {len(value)} bytes exceeds the {_LONGEST_VALUE} that its length can say"
        raise LocalProtocolError(msg)
    return _ITEM_HEADER.pack(item_type, len(value)) + value


def walk_items(data: memoryview, owner: str) -> Iterator[tuple[int, memoryview]]:
    """Yield type and value of each item; `owner` says in errors whose items they are."""
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < _ITEM_HEADER.size:
            msg = f"{owner} ends within the header of an item"
            raise RemoteProtocolError(msg)
        item_type, length = _ITEM_HEADER.unpack_from(data, offset)
        offset += _ITEM_HEADER.size
        if length > end - offset:
            msg = f"{owner} has an item 0x{item_type:02X} of {length} bytes where {end - offset} are left"
            raise RemoteProtocolError(msg)
        yield item_type, data[offset : offset + length]
        offset += length


def refuse_item(item_type: int, owner: str) -> NoReturn:
    """Raise for an item that stands where it does not belong, or that nobody knows."""
    is_known = item_type in _ITEM_TYPES
    msg = f"{owner} has an {'unexpected' if is_known else 'unknown'} item 0x{item_type:02X}"
    reason = AbortReason.UNEXPECTED_PDU_PARAMETER if is_known else AbortReason.UNRECOGNIZED_PDU_PARAMETER
    raise RemoteProtocolError(msg, abort_reason=reason)


def pack_field(value: bytes, name: str) -> bytes:
    """One value after its length in two bytes; `name` says in the error what it is, as the value may be secret."""
    if len(value) > _LONGEST_VALUE:
        msg = f"the {name} has {len(value)} bytes, more than the {_LONGEST_VALUE} that its length can say"
        raise LocalProtocolError(msg)
    return _FIELD_LENGTH.pack(len(value)) + value


def take_field(data: memoryview, name: str) -> tuple[memoryview, memoryview]:
    """Split off one value that follows its length in two bytes: the value, and what comes after it."""
    if len(data) < _FIELD_LENGTH.size:
        msg = f"the length of the {name} is missing"
        raise RemoteProtocolError(msg)
    (length,) = _FIELD_LENGTH.unpack_from(data)
    rest = data[_FIELD_LENGTH.size :]
    if length > len(rest):
        msg = f"the {name} claims {length} bytes where {len(rest)} are left"
        raise RemoteProtocolError(msg)
    return rest[:length], rest[length:]


def refuse_rest(rest: memoryview, name: str) -> None:
    """Raise where bytes follow the last field of an item."""
    if rest:
        msg = f"{len(rest)} bytes follow the end of the {name}"
        raise RemoteProtocolError(msg)
