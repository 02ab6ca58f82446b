"""PDUs of four bytes: read, answered, and refused where they are none."""

import pytest

from dicomtls.association.pdu import Abort, PDUType, ReleaseRequest, encode
from dicomtls.association.reasons import AbortReason, AbortSource
from dicomtls.association.short_pdu import SHORT_PDU_LENGTH, aborted, read_short_pdu, send_abort, unexpected
from dicomtls.errors import RemoteProtocolError
from dicomtls.waiting import deadline_in
from tests.support.messages import header
from tests.support.pairs import SECONDS, facing, receive_until_end, send

BODY = b"\x00\x00\x02\x01"


@pytest.mark.parametrize(
    ("pdu_type", "expected"),
    [(PDUType.A_ABORT, Abort(2, 1)), (PDUType.A_RELEASE_RQ, ReleaseRequest()), (PDUType.P_DATA_TF, None)],
)
def test_short_pdu_is_read_and_a_longer_one_is_left_to_the_caller(pdu_type: int, expected: object) -> None:
    """Nothing is taken of one that has another form."""
    with facing(send(header(pdu_type, SHORT_PDU_LENGTH) + BODY)) as opposite:
        opposite.channel.read_header(deadline_in(SECONDS))
        assert read_short_pdu(opposite.channel, pdu_type, SHORT_PDU_LENGTH, deadline_in(SECONDS)) == expected


@pytest.mark.parametrize(
    ("pdu_type", "length", "reason"),
    [
        (PDUType.A_ABORT, 5, "claims 5 bytes; it has 4"),
        (PDUType.A_RELEASE_RP, 1 << 31, "claims 2147483648 bytes; it has 4"),
        (0x42, SHORT_PDU_LENGTH, "0x42"),
    ],
)
def test_what_claims_to_be_one_is_refused_before_it_is_read(pdu_type: int, length: int, reason: str) -> None:
    """Another length, or a type that the Standard does not have."""
    with facing(send(BODY)) as opposite, pytest.raises(RemoteProtocolError, match=reason):
        read_short_pdu(opposite.channel, pdu_type, length, deadline_in(SECONDS))


def test_abort_is_sent_and_the_connection_closed() -> None:
    """With its source and reason; a second one, on what is closed already, is not an error."""
    with facing(receive_until_end) as opposite:
        send_abort(opposite.channel, AbortSource.SERVICE_PROVIDER, AbortReason.UNEXPECTED_PDU)
        send_abort(opposite.channel, AbortSource.SERVICE_USER, AbortReason.REASON_NOT_SPECIFIED)
    assert opposite.outcome() == encode(Abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNEXPECTED_PDU))


def test_errors_say_what_came() -> None:
    """An abort with its numbers, a PDU out of turn with what our own abort must say."""
    error = aborted(Abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNEXPECTED_PDU))
    assert (error.source, error.reason) == (AbortSource.SERVICE_PROVIDER, AbortReason.UNEXPECTED_PDU)
    assert unexpected(PDUType.P_DATA_TF).abort_reason == AbortReason.UNEXPECTED_PDU
