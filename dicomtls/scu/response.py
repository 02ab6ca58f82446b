"""Waiting for the response to one of our requests (PS3.7 section 9.3)."""

from collections.abc import Container
from typing import TYPE_CHECKING

from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.reasons import AbortReason, AbortSource
from dicomtls.errors import AssociationAborted, RemoteProtocolError

if TYPE_CHECKING:
    from dicomtls.association.association import Association


def receive_response(association: "Association", expected: CommandField, message_ids: Container[int]) -> Command:
    """Return the next response, which must be an `expected` one to a request of ours that is outstanding.

    Raises `RemoteProtocolError` after an A-ABORT where it is anything else, and what `Association.receive` raises.
    """
    message = association.receive()
    if message is None:
        msg = "the peer released the association before it answered"
        raise AssociationAborted(msg)
    command = message.command
    if command.command_field is expected and command.message_id_being_responded_to in message_ids:
        return command
    association.abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNEXPECTED_PDU)
    msg = f"the peer sent a {command.command_field} where a {expected} to one of our requests was due"
    raise RemoteProtocolError(msg)
