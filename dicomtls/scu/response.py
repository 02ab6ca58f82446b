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


def hint_at_titles(error: AssociationAborted) -> None:
    """Add to an A-ABORT that answers a first request what may be behind it, where it is the will of the application.

    An archive may accept an association from anybody, and serve those alone whose AE title it knows: Orthanc does so.
    """
    if error.source == AbortSource.SERVICE_USER:
        error.hints = ("it may not know our AE title: give one that it knows with --calling-aet", "its log says more")
