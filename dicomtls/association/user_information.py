"""The user information item of A-ASSOCIATE-RQ and -AC, and its sub-items (PS3.8 annex D, PS3.7 annex D.3.3)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from struct import error as StructError  # noqa: N812 - `struct` names its only exception like a function
from typing import Final, NamedTuple, TypeVar

from dicomtls.association.items import (
    decode_text,
    encode_uid,
    pack_field,
    pack_item,
    refuse_rest,
    take_field,
    walk_items,
)
from dicomtls.association.reasons import AbortReason
from dicomtls.errors import LocalProtocolError, RemoteProtocolError

_LONGEST_VERSION_NAME: Final = 16

_MAXIMUM_LENGTH: Final = Struct(">I")
_WINDOW: Final = Struct(">HH")
_ROLES: Final = Struct("??")
_IDENTITY: Final = Struct(">B?")

_T = TypeVar("_T")
_SubItems = dict[int, list[memoryview]]


class SubItem(IntEnum):
    """Types of the user information sub-items that we know; others are ignored."""

    MAXIMUM_LENGTH = 0x51
    IMPLEMENTATION_CLASS_UID = 0x52
    OPERATIONS_WINDOW = 0x53
    ROLE_SELECTION = 0x54
    IMPLEMENTATION_VERSION_NAME = 0x55
    EXTENDED_NEGOTIATION = 0x56
    COMMON_EXTENDED_NEGOTIATION = 0x57
    USER_IDENTITY = 0x58
    USER_IDENTITY_RESPONSE = 0x59


_REPEATABLE: Final = frozenset(
    {SubItem.ROLE_SELECTION, SubItem.EXTENDED_NEGOTIATION, SubItem.COMMON_EXTENDED_NEGOTIATION}
)
_KNOWN: Final = frozenset(SubItem)


class OperationsWindow(NamedTuple):
    """Asynchronous operations window (PS3.7 section D.3.3.3).

    How many operations the association-requestor may have outstanding (`invoked`), and how many it lets the acceptor
    have outstanding (`performed`); 0 means unlimited, 1 that there is no asynchrony.
    """

    invoked: int
    performed: int


class RoleSelection(NamedTuple):
    """The roles of the association-requestor for one SOP class: proposed in a request, granted in an accept.

    PS3.7 section D.3.3.4.
    """

    sop_class_uid: str
    scu: bool
    scp: bool


class ExtendedNegotiation(NamedTuple):
    """What only the service class of this SOP class can read (PS3.7 section D.3.3.5)."""

    sop_class_uid: str
    information: bytes


class CommonExtendedNegotiation(NamedTuple):
    """The service class of a SOP class, and the general SOP classes related to it (PS3.7 section D.3.3.6)."""

    sop_class_uid: str
    service_class_uid: str
    related: tuple[str, ...] = ()


class IdentityKind(IntEnum):
    """User-Identity-Type (PS3.7 table D.3-14)."""

    USERNAME = 1
    USERNAME_PASSCODE = 2
    KERBEROS = 3
    SAML = 4
    JWT = 5


_IDENTITY_KINDS: Final = {int(kind): kind for kind in IdentityKind}


class UserIdentity(NamedTuple):
    """Who uses the association-requestor (PS3.7 section D.3.3.7).

    `primary` is the user name, ticket, assertion or token, `secondary` the passcode. Neither is ever shown.
    """

    kind: IdentityKind
    response_requested: bool
    primary: bytes
    secondary: bytes = b""

    def __repr__(self) -> str:
        return f"UserIdentity(kind={self.kind!r}, response_requested={self.response_requested})"


@dataclass(frozen=True)
class UserInformation:
    """All that is negotiated beside presentation contexts.

    `maximum_length` is the longest P-DATA-TF that the sender can receive, in bytes without the PDU header; 0 sets no
    limit. `identity` stands in requests, `identity_response` in accepts; it may be empty, and None where it is absent.
    """

    maximum_length: int
    implementation_class_uid: str
    implementation_version_name: str | None = None
    operations_window: OperationsWindow | None = None
    roles: tuple[RoleSelection, ...] = ()
    extended: tuple[ExtendedNegotiation, ...] = ()
    common_extended: tuple[CommonExtendedNegotiation, ...] = ()
    identity: UserIdentity | None = None
    identity_response: bytes | None = field(default=None, repr=False)


def encode_user_information(information: UserInformation) -> bytes:
    """The value of the user information item; raises `LocalProtocolError`."""
    return b"".join(_encode_items(information))


def decode_user_information(data: memoryview) -> UserInformation:
    """Read the value of the user information item; raises `RemoteProtocolError`.

    Sub-items that we do not know are ignored, as PS3.8 section D.2 demands. The maximum length is mandatory (PS3.8
    section D.1), but who leaves it out has set no limit, and is better read than refused; the same goes for the
    implementation class UID (PS3.7 section D.3.3.2), which is then empty.
    """
    found = _collect(data)
    return UserInformation(
        maximum_length=_one(found, SubItem.MAXIMUM_LENGTH, _decode_maximum_length) or 0,
        implementation_class_uid=_one(found, SubItem.IMPLEMENTATION_CLASS_UID, decode_text) or "",
        implementation_version_name=_one(found, SubItem.IMPLEMENTATION_VERSION_NAME, decode_text),
        operations_window=_one(found, SubItem.OPERATIONS_WINDOW, _decode_window),
        roles=_each(found, SubItem.ROLE_SELECTION, _decode_role),
        extended=_each(found, SubItem.EXTENDED_NEGOTIATION, _decode_extended),
        common_extended=_each(found, SubItem.COMMON_EXTENDED_NEGOTIATION, _decode_common_extended),
        identity=_one(found, SubItem.USER_IDENTITY, _decode_identity),
        identity_response=_one(found, SubItem.USER_IDENTITY_RESPONSE, _decode_identity_response),
    )


def _collect(data: memoryview) -> _SubItems:
    found: _SubItems = {}
    for item_type, value in walk_items(data, "the user information"):
        if item_type not in _KNOWN:
            continue
        if item_type in found and item_type not in _REPEATABLE:
            msg = f"the user information has a second item 0x{item_type:02X}"
            raise RemoteProtocolError(msg, abort_reason=AbortReason.UNEXPECTED_PDU_PARAMETER)
        found.setdefault(item_type, []).append(value)
    return found


def _one(found: _SubItems, item_type: SubItem, decode: Callable[[memoryview], _T]) -> _T | None:
    values = found.get(item_type)
    return decode(values[0]) if values else None


def _each(found: _SubItems, item_type: SubItem, decode: Callable[[memoryview], _T]) -> tuple[_T, ...]:
    return tuple(map(decode, found.get(item_type, ())))


def _encode_items(information: UserInformation) -> Iterator[bytes]:
    yield pack_item(SubItem.MAXIMUM_LENGTH, _pack(_MAXIMUM_LENGTH, "maximum length", information.maximum_length))
    implementation_class = encode_uid(information.implementation_class_uid, "implementation class UID")
    yield pack_item(SubItem.IMPLEMENTATION_CLASS_UID, implementation_class)
    if (window := information.operations_window) is not None:
        counts = _pack(_WINDOW, "asynchronous operations window", window.invoked, window.performed)
        yield pack_item(SubItem.OPERATIONS_WINDOW, counts)
    for role in information.roles:
        yield pack_item(SubItem.ROLE_SELECTION, _encode_role(role))
    if (name := information.implementation_version_name) is not None:
        yield pack_item(SubItem.IMPLEMENTATION_VERSION_NAME, _encode_version_name(name))
    for extended in information.extended:
        yield pack_item(SubItem.EXTENDED_NEGOTIATION, _uid_field(extended.sop_class_uid) + extended.information)
    for common in information.common_extended:
        yield pack_item(SubItem.COMMON_EXTENDED_NEGOTIATION, _encode_common_extended(common))
    if information.identity is not None:
        yield pack_item(SubItem.USER_IDENTITY, _encode_identity(information.identity))
    if information.identity_response is not None:
        response = pack_field(information.identity_response, "server response")
        yield pack_item(SubItem.USER_IDENTITY_RESPONSE, response)


def _pack(layout: Struct, name: str, *numbers: int) -> bytes:
    try:
        return layout.pack(*numbers)
    except StructError:
        msg = f"the {name} cannot say {', '.join(map(str, numbers))}"
        raise LocalProtocolError(msg) from None


def _uid_field(uid: str) -> bytes:
    return pack_field(encode_uid(uid, "SOP class UID"), "SOP class UID")


def _refuse_length(value: memoryview, expected: int, name: str) -> None:
    if len(value) != expected:
        msg = f"the {name} has {len(value)} bytes instead of {expected}"
        raise RemoteProtocolError(msg)


def _decode_maximum_length(value: memoryview) -> int:
    _refuse_length(value, _MAXIMUM_LENGTH.size, "maximum length")
    return int.from_bytes(value, "big")


def _decode_window(value: memoryview) -> OperationsWindow:
    _refuse_length(value, _WINDOW.size, "asynchronous operations window")
    return OperationsWindow(*_WINDOW.unpack(value))


def _encode_version_name(name: str) -> bytes:
    if not (name.isascii() and name.isprintable() and 0 < len(name) <= _LONGEST_VERSION_NAME):
        msg = f"the implementation version name {name!r} is not 1 to 16 characters of printable ASCII"
        raise LocalProtocolError(msg)
    return name.encode("ascii")


def _encode_role(role: RoleSelection) -> bytes:
    return _uid_field(role.sop_class_uid) + _ROLES.pack(role.scu, role.scp)


def _decode_role(value: memoryview) -> RoleSelection:
    uid, roles = take_field(value, "SOP class UID of a role selection")
    _refuse_length(roles, _ROLES.size, "roles of a role selection")
    return RoleSelection(decode_text(uid), *_ROLES.unpack(roles))


def _decode_extended(value: memoryview) -> ExtendedNegotiation:
    uid, information = take_field(value, "SOP class UID of an extended negotiation")
    return ExtendedNegotiation(decode_text(uid), bytes(information))


def _encode_common_extended(common: CommonExtendedNegotiation) -> bytes:
    service_class = pack_field(encode_uid(common.service_class_uid, "service class UID"), "service class UID")
    related = pack_field(b"".join(map(_uid_field, common.related)), "list of related general SOP classes")
    return _uid_field(common.sop_class_uid) + service_class + related


def _decode_common_extended(value: memoryview) -> CommonExtendedNegotiation:
    sop_class, rest = take_field(value, "SOP class UID of a common extended negotiation")
    service_class, rest = take_field(rest, "service class UID of a common extended negotiation")
    related, rest = take_field(rest, "list of related general SOP classes")
    # Bytes after the list are reserved for later versions of the sub-item (PS3.7 table D.3-12), so they are let be.
    uids = []
    while related:
        uid, related = take_field(related, "related general SOP class UID")
        uids.append(decode_text(uid))
    return CommonExtendedNegotiation(decode_text(sop_class), decode_text(service_class), tuple(uids))


def _encode_identity(identity: UserIdentity) -> bytes:
    return (
        _IDENTITY.pack(identity.kind, identity.response_requested)
        + pack_field(identity.primary, "primary field of the user identity")
        + pack_field(identity.secondary, "secondary field of the user identity")
    )


def _decode_identity(value: memoryview) -> UserIdentity:
    if len(value) < _IDENTITY.size:
        msg = "the user identity ends within its header"
        raise RemoteProtocolError(msg)
    number, response_requested = _IDENTITY.unpack_from(value)
    kind = _IDENTITY_KINDS.get(number)
    if kind is None:
        msg = f"the user identity is of the unknown type {number}"
        raise RemoteProtocolError(msg)
    primary, rest = take_field(value[_IDENTITY.size :], "primary field of the user identity")
    secondary, rest = take_field(rest, "secondary field of the user identity")
    refuse_rest(rest, "user identity")
    return UserIdentity(kind, response_requested, bytes(primary), bytes(secondary))


def _decode_identity_response(value: memoryview) -> bytes:
    response, rest = take_field(value, "server response to the user identity")
    refuse_rest(rest, "server response to the user identity")
    return bytes(response)
