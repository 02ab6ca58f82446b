"""What peers say in a C-MOVE or C-GET when a test tells them what."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.query import Level, Model
from dicomtls.dataset import tags
from dicomtls.dataset.identifier import Element, decode, encode
from dicomtls.scu.retrieve import RetrieveRequest
from dicomtls.scu.suboperations import Counts
from tests.support.servers import context_of, store_request

STUDY = RetrieveRequest(
    model=Model.STUDY_ROOT, level=Level.STUDY, keys={tags.STUDY_INSTANCE_UID: Element("UI", ("1.2.3",))}
)
FINISHED = Counts(None, 2, 0, 0)


def retrieve_response(
    request: Message,
    status: int,
    counts: Counts = FINISHED,
    *,
    has_dataset: bool = False,
    changed: Mapping[str, Any] | None = None,
) -> Command:
    """A response to a C-MOVE or C-GET."""
    values: dict[str, Any] = {
        "command_field": request.command.command_field.response,
        "message_id_being_responded_to": request.command.message_id,
        "status": status,
        "has_dataset": has_dataset,
        "number_of_remaining_suboperations": counts.remaining,
        "number_of_completed_suboperations": counts.completed,
        "number_of_failed_suboperations": counts.failed,
        "number_of_warning_suboperations": counts.warning,
        **(changed or {}),
    }
    return Command(**values)


def take_request(association: Association) -> tuple[Message, dict[int, Element]]:
    """The request that is due, and its identifier."""
    message = association.receive()
    assert message is not None
    data = b"".join(map(bytes, association.fragments()))
    return message, decode(data, message.context.transfer_syntax)


def failed_list(request: Message, uids: Sequence[str]) -> bytes:
    """The identifier of a final response."""
    element = Element("UI", tuple(uids))
    return encode({tags.FAILED_SOP_INSTANCE_UID_LIST: element}, request.context.transfer_syntax)


def answering(
    status: int, counts: Counts = FINISHED, *, pending: Sequence[Counts] = (), failed: bytes | None = None
) -> Callable[[Association], None]:
    """A script: pending responses with these counts, and the final one."""

    def script(association: Association) -> None:
        request, _ = take_request(association)
        context_id = request.context.context_id
        for one in pending:
            association.send(context_id, retrieve_response(request, 0xFF00, one))
        final = retrieve_response(request, status, counts, has_dataset=failed is not None)
        association.send(context_id, final, failed)
        assert association.receive() is None

    return script


def send_instance(association: Association, uid: str, dataset: bytes, *, message_id: int = 1) -> int:
    """A C-STORE of a C-GET; returns the status of its response."""
    association.send(context_of(association), store_request(uid, message_id=message_id), dataset)
    message = association.receive()
    assert message is not None
    assert message.command.command_field is CommandField.C_STORE_RSP
    return message.command.status or 0
