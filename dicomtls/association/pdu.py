"""The PDUs of the DICOM upper layer: bytes to frozen dataclasses and back (PS3.8 section 9.3). No I/O.

Everything but P-DATA-TF goes through `encode` and `decode`. P-DATA-TF carries the images, so it has no dataclass: what
is sent is `data_header` and the fragment beside it, what is received `iterate_fragments` takes apart without copying.

Decoding raises `RemoteProtocolError` for all that does not add up, with the reason for our A-ABORT, and nothing else;
encoding raises `LocalProtocolError`. The memory taken is bounded by the bytes given: whoever reads a PDU from the
network decides by `parse_header` how many those are.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from struct import error as StructError  # noqa: N812 - `struct` names its only exception like a function
from typing import Final, NamedTuple

from dicomtls.association.contexts import (
    MAXIMUM_CONTEXTS,
    AnsweredContext,
    ProposedContext,
    check_context_ids,
    decode_answered,
    decode_proposed,
    encode_answered,
    encode_proposed,
    refuse_repeated,
)
from dicomtls.association.items import (
    ItemType,
    decode_text,
    encode_ae_title,
    encode_uid,
    pack_item,
    refuse_item,
    walk_items,
)
from dicomtls.association.reasons import AbortReason
from dicomtls.association.user_information import (
    UserInformation,
    decode_user_information,
    encode_user_information,
)
from dicomtls.errors import LocalProtocolError, RemoteProtocolError

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
"""The only application context name that DICOM defines (PS3.7 annex A.2.1)."""
PROTOCOL_VERSION: Final = 1
"""Bit 0 set: version 1, the only one (PS3.8 table 9-11)."""
HEADER_LENGTH: Final = 6
"""Bytes of a PDU's type, reserved byte and length."""
DATA_HEADER_LENGTH: Final = 12
"""Bytes before the fragment in a P-DATA-TF with a single presentation data value."""
DATA_VALUE_OVERHEAD: Final = 6
"""What a fragment costs of the peer's maximum length: the header of its presentation data value."""
MAXIMUM_ASSOCIATE_LENGTH: Final = 1_048_576
"""A limit for A-ASSOCIATE PDUs, which the standard does not give: 128 contexts of 100 transfer syntaxes fit."""

_HEADER: Final = Struct(">BxI")
_DATA_HEADER: Final = Struct(">BxIIBB")
_DATA_VALUE_HEADER: Final = Struct(">IBB")
_ASSOCIATE: Final = Struct(">Hxx16s16s32x")
_FOUR_BYTES: Final = Struct(">BBBB")

_IS_COMMAND: Final = 0b01
_IS_LAST: Final = 0b10


class PDUType(IntEnum):
    """First byte of a PDU."""

    A_ASSOCIATE_RQ = 0x01
    A_ASSOCIATE_AC = 0x02
    A_ASSOCIATE_RJ = 0x03
    P_DATA_TF = 0x04
    A_RELEASE_RQ = 0x05
    A_RELEASE_RP = 0x06
    A_ABORT = 0x07

    def __str__(self) -> str:
        return self.name.replace("_", "-")


class AssociateRequest(NamedTuple):
    """A-ASSOCIATE-RQ (PS3.8 section 9.3.2)."""

    called_ae_title: str
    calling_ae_title: str
    contexts: tuple[ProposedContext, ...]
    user_information: UserInformation
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = PROTOCOL_VERSION


class AssociateAccept(NamedTuple):
    """A-ASSOCIATE-AC (PS3.8 section 9.3.3); its AE titles repeat those of the request and are not to be tested."""

    called_ae_title: str
    calling_ae_title: str
    contexts: tuple[AnsweredContext, ...]
    user_information: UserInformation
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = PROTOCOL_VERSION


class AssociateReject(NamedTuple):
    """A-ASSOCIATE-RJ (PS3.8 section 9.3.4); `reasons.describe_reject` says what the numbers mean."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True)
class ReleaseRequest:
    """A-RELEASE-RQ (PS3.8 section 9.3.6)."""


@dataclass(frozen=True)
class ReleaseResponse:
    """A-RELEASE-RP (PS3.8 section 9.3.7)."""


class Abort(NamedTuple):
    """A-ABORT (PS3.8 section 9.3.8); `reasons.describe_abort` says what the numbers mean."""

    source: int
    reason: int


PDU = AssociateRequest | AssociateAccept | AssociateReject | ReleaseRequest | ReleaseResponse | Abort

Fragment = tuple[int, bool, bool, memoryview]
"""Presentation context identifier, whether it is of the command set, whether it is the last one, the bytes."""


def parse_header(header: bytes | memoryview) -> tuple[int, int]:
    """Type and length of a PDU from its first `HEADER_LENGTH` bytes; nothing is judged here."""
    pdu_type, length = _HEADER.unpack(header)
    return pdu_type, length


def data_header(context_id: int, fragment_length: int, *, is_command: bool, is_last: bool) -> bytes:
    """The `DATA_HEADER_LENGTH` bytes before a fragment that fills a P-DATA-TF alone (PS3.8 section 9.3.5, annex E.2).

    Raises `LocalProtocolError` where the numbers do not fit into their fields.
    """
    control = is_command | is_last << 1
    try:
        return _DATA_HEADER.pack(
            PDUType.P_DATA_TF, fragment_length + DATA_VALUE_OVERHEAD, fragment_length + 2, context_id, control
        )
    except StructError:
        msg = f"no P-DATA-TF holds {fragment_length} bytes of the presentation context {context_id}"
        raise LocalProtocolError(msg) from None


def iterate_fragments(body: memoryview) -> Iterator[Fragment]:
    """Yield the presentation data values of a P-DATA-TF, as views into `body` (PS3.8 section 9.3.5, annex E.2).

    Raises `RemoteProtocolError` when it comes to a value whose length does not add up or whose presentation context
    identifier is even; unknown bits of the control header are ignored, as annex E.2 demands.
    """
    offset, end = 0, len(body)
    if not end:
        msg = "a P-DATA-TF holds no presentation data value"
        raise RemoteProtocolError(msg)
    while offset < end:
        start = offset + DATA_VALUE_OVERHEAD
        if start > end:
            msg = f"a P-DATA-TF ends within the header of a presentation data value, after {end} bytes"
            raise RemoteProtocolError(msg)
        length, context_id, control = _DATA_VALUE_HEADER.unpack_from(body, offset)
        offset = start - 2 + length
        if length < 2 or offset > end:  # noqa: PLR2004 - identifier and control header are part of the length
            msg = f"a presentation data value claims {length} bytes where {end - start + 2} are left"
            raise RemoteProtocolError(msg)
        if not context_id & 1:
            msg = f"a presentation data value has the even presentation context identifier {context_id}"
            raise RemoteProtocolError(msg)
        yield context_id, control & _IS_COMMAND != 0, control & _IS_LAST != 0, body[start:offset]


def encode(pdu: PDU) -> bytes:
    """The whole PDU, header included; raises `LocalProtocolError` for values that it cannot carry."""
    match pdu:
        case AssociateRequest():
            return _pack_pdu(PDUType.A_ASSOCIATE_RQ, _encode_request(pdu))
        case AssociateAccept():
            return _pack_pdu(PDUType.A_ASSOCIATE_AC, _encode_accept(pdu))
        case AssociateReject():
            return _pack_pdu(PDUType.A_ASSOCIATE_RJ, _four_bytes(0, pdu.result, pdu.source, pdu.reason))
        case ReleaseRequest():
            return _pack_pdu(PDUType.A_RELEASE_RQ, bytes(_FOUR_BYTES.size))
        case ReleaseResponse():
            return _pack_pdu(PDUType.A_RELEASE_RP, bytes(_FOUR_BYTES.size))
        case Abort():
            return _pack_pdu(PDUType.A_ABORT, _four_bytes(0, 0, pdu.source, pdu.reason))


def decode(pdu_type: int, body: bytes | memoryview) -> PDU:
    """Read the bytes that follow the header of any PDU but a P-DATA-TF; raises `RemoteProtocolError`.

    The result keeps no view into `body`.
    """
    read = _DECODERS.get(pdu_type)
    if read is None:
        if pdu_type == PDUType.P_DATA_TF:
            msg = "a P-DATA-TF came where none was expected"
            raise RemoteProtocolError(msg, abort_reason=AbortReason.UNEXPECTED_PDU)
        msg = f"a PDU of the unknown type 0x{pdu_type:02X}"
        raise RemoteProtocolError(msg, abort_reason=AbortReason.UNRECOGNIZED_PDU)
    return read(memoryview(body))


def _pack_pdu(pdu_type: PDUType, body: bytes) -> bytes:
    return _HEADER.pack(pdu_type, len(body)) + body


def _four_bytes(*numbers: int) -> bytes:
    try:
        return _FOUR_BYTES.pack(*numbers)
    except StructError:
        msg = f"a byte cannot say one of {', '.join(map(str, numbers))}"
        raise LocalProtocolError(msg) from None


def _encode_request(pdu: AssociateRequest) -> bytes:
    if not pdu.contexts:
        msg = "an A-ASSOCIATE-RQ proposes at least one presentation context"
        raise LocalProtocolError(msg)
    called = encode_ae_title(pdu.called_ae_title, "called AE title")
    calling = encode_ae_title(pdu.calling_ae_title, "calling AE title")
    return _encode_associate(pdu, called, calling, map(encode_proposed, pdu.contexts))


def _encode_accept(pdu: AssociateAccept) -> bytes:
    # These repeat what the peer sent, which may be anything, and nobody tests them: no reason to fail.
    called = pdu.called_ae_title.encode("ascii", "replace")
    calling = pdu.calling_ae_title.encode("ascii", "replace")
    return _encode_associate(pdu, called[:16].ljust(16), calling[:16].ljust(16), map(encode_answered, pdu.contexts))


def _encode_associate(
    pdu: AssociateRequest | AssociateAccept, called: bytes, calling: bytes, contexts: Iterator[bytes]
) -> bytes:
    check_context_ids(pdu.contexts)
    if not 0 <= pdu.protocol_version <= 0xFFFF:  # noqa: PLR2004 - two bytes
        msg = f"two bytes cannot say the protocol version {pdu.protocol_version}"
        raise LocalProtocolError(msg)
    name = encode_uid(pdu.application_context, "application context name")
    return b"".join(
        (
            _ASSOCIATE.pack(pdu.protocol_version, called, calling),
            pack_item(ItemType.APPLICATION_CONTEXT, name),
            *contexts,
            pack_item(ItemType.USER_INFORMATION, encode_user_information(pdu.user_information)),
        )
    )


def _decode_request(body: memoryview) -> AssociateRequest:
    version, called, calling = _decode_fixed(body, PDUType.A_ASSOCIATE_RQ)
    items = _collect_items(body, PDUType.A_ASSOCIATE_RQ, ItemType.PROPOSED_CONTEXT)
    contexts = tuple(map(decode_proposed, items[ItemType.PROPOSED_CONTEXT]))
    if not contexts:
        msg = "the A-ASSOCIATE-RQ proposes no presentation context"
        raise RemoteProtocolError(msg)
    refuse_repeated(contexts)
    return AssociateRequest(called, calling, contexts, *_decode_common(items), version)


def _decode_accept(body: memoryview) -> AssociateAccept:
    version, called, calling = _decode_fixed(body, PDUType.A_ASSOCIATE_AC)
    items = _collect_items(body, PDUType.A_ASSOCIATE_AC, ItemType.ANSWERED_CONTEXT)
    contexts = tuple(map(decode_answered, items[ItemType.ANSWERED_CONTEXT]))
    refuse_repeated(contexts)
    return AssociateAccept(called, calling, contexts, *_decode_common(items), version)


def _decode_fixed(body: memoryview, pdu_type: PDUType) -> tuple[int, str, str]:
    if len(body) < _ASSOCIATE.size:
        msg = f"an {pdu_type} of {len(body)} bytes is too short"
        raise RemoteProtocolError(msg)
    version, called, calling = _ASSOCIATE.unpack_from(body)
    return version, decode_text(called), decode_text(calling)


def _collect_items(body: memoryview, pdu_type: PDUType, context_type: ItemType) -> dict[int, list[memoryview]]:
    """The items of an A-ASSOCIATE PDU by type, one application context and one user information among them."""
    owner = f"the {pdu_type}"
    allowed = {ItemType.APPLICATION_CONTEXT: 1, context_type: MAXIMUM_CONTEXTS, ItemType.USER_INFORMATION: 1}
    items: dict[int, list[memoryview]] = {item_type: [] for item_type in allowed}
    for item_type, value in walk_items(body[_ASSOCIATE.size :], owner):
        if item_type not in items:
            refuse_item(item_type, owner)
        if len(items[item_type]) == allowed[ItemType(item_type)]:
            msg = f"{owner} has more than {allowed[ItemType(item_type)]} items 0x{item_type:02X}"
            raise RemoteProtocolError(msg, abort_reason=AbortReason.UNEXPECTED_PDU_PARAMETER)
        items[item_type].append(value)
    for item_type in (ItemType.APPLICATION_CONTEXT, ItemType.USER_INFORMATION):
        if not items[item_type]:
            msg = f"{owner} has no item 0x{item_type:02X}"
            raise RemoteProtocolError(msg)
    return items


def _decode_common(items: dict[int, list[memoryview]]) -> tuple[UserInformation, str]:
    user_information = decode_user_information(items[ItemType.USER_INFORMATION][0])
    return user_information, decode_text(items[ItemType.APPLICATION_CONTEXT][0])


def _decode_four_bytes(body: memoryview, pdu_type: PDUType) -> bytes:
    if len(body) != _FOUR_BYTES.size:
        msg = f"an {pdu_type} has {_FOUR_BYTES.size} bytes, not {len(body)}"
        raise RemoteProtocolError(msg)
    return bytes(body)


def _decode_reject(body: memoryview) -> AssociateReject:
    _reserved, result, source, reason = _decode_four_bytes(body, PDUType.A_ASSOCIATE_RJ)
    return AssociateReject(result, source, reason)


def _decode_release_request(body: memoryview) -> ReleaseRequest:
    _decode_four_bytes(body, PDUType.A_RELEASE_RQ)
    return ReleaseRequest()


def _decode_release_response(body: memoryview) -> ReleaseResponse:
    _decode_four_bytes(body, PDUType.A_RELEASE_RP)
    return ReleaseResponse()


def _decode_abort(body: memoryview) -> Abort:
    _reserved, _reserved, source, reason = _decode_four_bytes(body, PDUType.A_ABORT)
    return Abort(source, reason)


_DECODERS: Final[dict[int, Callable[[memoryview], PDU]]] = {
    PDUType.A_ASSOCIATE_RQ: _decode_request,
    PDUType.A_ASSOCIATE_AC: _decode_accept,
    PDUType.A_ASSOCIATE_RJ: _decode_reject,
    PDUType.A_RELEASE_RQ: _decode_release_request,
    PDUType.A_RELEASE_RP: _decode_release_response,
    PDUType.A_ABORT: _decode_abort,
}
