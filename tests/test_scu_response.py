"""The response that is due, and everything else."""

import pytest

from dicomtls.association.association import Association
from dicomtls.association.dimse import Command, CommandField
from dicomtls.errors import AssociationAborted, RemoteProtocolError
from dicomtls.scu.response import receive_response
from tests.support.receivers import requestor_of
from tests.support.servers import ECHO_CONTEXT, acceptor, context_of, echo_request
from tests.support.servers import VERIFICATION as ECHO


def answered_with(answer: Command | None, outstanding: set[int]) -> tuple[Command, list[object]]:
    """What `receive_response` makes of the answer to an echo, and how the acceptor's association ended."""

    def script(association: Association) -> None:
        assert association.receive() is not None
        if answer is None:
            association.release()
            return
        association.send(1, answer)
        association.receive()

    with acceptor(script) as peer:
        requestor = requestor_of(peer)
        association = requestor.associate(requestor.attempt(), [ECHO_CONTEXT])
        association.send(context_of(association, ECHO), echo_request(3))
        try:
            response = receive_response(association, CommandField.C_ECHO_RSP, outstanding)
        finally:
            association.abort()
            peer.server.wait_for_connections(1)
            ends: list[object] = list(peer.ends)
    return response, ends


def echo_response(message_id: int = 3) -> Command:
    """A C-ECHO-RSP."""
    return Command(command_field=CommandField.C_ECHO_RSP, message_id_being_responded_to=message_id, status=0x0122)


@pytest.mark.parametrize("outstanding", [{3}, {1, 2, 3}])
def test_response_to_a_request_of_ours_is_returned(outstanding: set[int]) -> None:
    """Whatever its status: that is for the caller."""
    response, _ = answered_with(echo_response(), outstanding)
    assert response.status == 0x0122


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (echo_response(4), "C-ECHO-RSP"),
        (Command(command_field=CommandField.C_STORE_RSP, message_id_being_responded_to=3, status=0), "C-STORE-RSP"),
        (echo_request(3), "C-ECHO-RQ"),
    ],
)
def test_anything_else_is_a_protocol_error_that_the_peer_hears_of(answer: Command, said: str) -> None:
    """The error names what came, and the A-ABORT has the reason "unexpected PDU"."""
    ends: list[AssociationAborted] = []

    def script(association: Association) -> None:
        association.receive()
        association.send(1, answer)
        with pytest.raises(AssociationAborted) as caught:
            association.receive()
        ends.append(caught.value)

    with acceptor(script) as peer:
        requestor = requestor_of(peer)
        association = requestor.associate(requestor.attempt(), [ECHO_CONTEXT])
        association.send(context_of(association, ECHO), echo_request(3))
        with pytest.raises(RemoteProtocolError, match=said):
            receive_response(association, CommandField.C_ECHO_RSP, {3})
        peer.server.wait_for_connections(1)
    [end] = ends
    assert (end.source, end.reason) == (2, 2)
    assert not association.is_established


def test_release_instead_of_a_response_is_the_end() -> None:
    """The peer is polite, but it has not answered."""
    with pytest.raises(AssociationAborted, match="released the association before it answered"):
        answered_with(None, {3})
