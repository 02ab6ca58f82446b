"""The PDUs of four bytes, which come at any time: rejections, releases, aborts; and what answers those that must not.

Both the establishment of an association and the association itself read and send them (PS3.8 sections 9.3.4 to 9.3.8).
"""

from typing import Final

from dicomtls.association.channel import Channel, WriteFailed
from dicomtls.association.pdu import PDU, Abort, PDUType, decode, encode
from dicomtls.association.reasons import AbortReason, describe_abort
from dicomtls.errors import AssociationAborted, Interrupted, RemoteProtocolError

SHORT_PDU_LENGTH: Final = 4
"""Length of every PDU but A-ASSOCIATE-RQ, A-ASSOCIATE-AC and P-DATA-TF."""

_LONG_PDUS: Final = frozenset({PDUType.A_ASSOCIATE_RQ, PDUType.A_ASSOCIATE_AC, PDUType.P_DATA_TF})
_SHORT_PDUS: Final = frozenset(PDUType) - _LONG_PDUS
LINGER_SECONDS: Final = 2.0
"""How long the end of a connection waits for the peer to close it (PS3.8 section 9.1.4)."""
_FAREWELL_SECONDS: Final = 2.0


def read_short_pdu(channel: Channel, pdu_type: int, length: int, deadline: float) -> PDU | None:
    """Read a PDU of four bytes; None where it is of one of the longer types, which the caller does not expect."""
    if pdu_type in _LONG_PDUS:
        return None
    if pdu_type not in _SHORT_PDUS:
        return decode(pdu_type, b"")  # raises: whatever it holds, we do not know the type
    if length != SHORT_PDU_LENGTH:
        msg = f"an {PDUType(pdu_type)} claims {length} bytes; it has {SHORT_PDU_LENGTH}"
        raise RemoteProtocolError(msg)
    return decode(pdu_type, channel.read_body(length, deadline))


def aborted(pdu: Abort) -> AssociationAborted:
    """The error for an A-ABORT that came."""
    return AssociationAborted(describe_abort(pdu.source, pdu.reason), source=pdu.source, reason=pdu.reason)


def unexpected(pdu_type: int) -> RemoteProtocolError:
    """The error for a PDU that is known, but not due in this state."""
    return RemoteProtocolError(
        f"the peer sent an unexpected PDU: {PDUType(pdu_type)}", abort_reason=AbortReason.UNEXPECTED_PDU
    )


def send_abort(channel: Channel, source: int, reason: int) -> None:
    """Send an A-ABORT, if the connection still takes one, and close it when the peer has, or after two seconds."""
    channel.ignore_interrupt()
    if not channel.is_broken:
        try:
            channel.write(encode(Abort(source, reason)), _FAREWELL_SECONDS)
        except (WriteFailed, TimeoutError, Interrupted):
            channel.close()
            return
    channel.close(0 if channel.is_broken else LINGER_SECONDS)
