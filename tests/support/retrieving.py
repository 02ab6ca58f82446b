"""What peers say in a C-MOVE or C-GET when a test tells them what, and what becomes of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import Command, CommandField, encode_command
from dicomtls.association.outbox import pack
from dicomtls.association.query import GET_SOP_CLASSES, QUERY_RETRIEVE_LEVEL, Level, Model
from dicomtls.dataset import IMPLICIT_VR_LE, tags
from dicomtls.dataset.identifier import Element, decode, encode
from dicomtls.errors import DicomTLSError
from dicomtls.scp.services import Services, StoreOutcome
from dicomtls.scp.storage import FolderStorage
from dicomtls.scu.retrieve import RetrieveRequest, RetrieveResult, get, move
from dicomtls.scu.suboperations import Counts
from dicomtls.waiting import Interrupt
from tests.support.archives import study_uid
from tests.support.instances import Instance
from tests.support.receivers import requestor_of
from tests.support.servers import Acceptor, acceptor, context_of, open_policy, store_request

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


Script = Callable[[Association], None]


@contextmanager
def archive(script: Script, *, accepts: Callable[[str], bool] = lambda _uid: True) -> Iterator[Acceptor]:
    """A peer that lets us be the SCP of what it accepts."""
    with acceptor(script, open_policy(supports=accepts, scp_role_allowed=lambda _uid: True)) as peer:
        yield peer


class Watcher:
    """Hears of the progress, and calls `then` when so many instances have come or been counted."""

    def __init__(self, after: int = -1, then: Callable[[], None] | None = None) -> None:
        self.told: list[tuple[Counts, int]] = []
        self._after = after
        self._then = then

    def progress(self, counts: Counts, received: int) -> None:
        """Something has changed."""
        self.told.append((counts, received))
        if self._then is not None and max(received, counts.done) == self._after:
            self._then()


def moved(
    script: Script, *, watcher: Watcher | None = None, interrupt: Interrupt | None = None, timeout: float = 20.0
) -> RetrieveResult:
    """What became of a C-MOVE to a peer that follows a script."""
    with archive(script) as peer:
        return move(requestor_of(peer, interrupt, dimse_timeout=timeout), STUDY, "DEST", observer=watcher)


def got(
    script: Script, directory: Path, *, watcher: Watcher | None = None, interrupt: Interrupt | None = None
) -> tuple[RetrieveResult, list[StoreOutcome]]:
    """What became of a C-GET, and of each instance that came."""
    outcomes: list[StoreOutcome] = []
    with archive(script) as peer, closing(FolderStorage(directory)) as storage:
        result = get(
            requestor_of(peer, interrupt),
            STUDY,
            lambda association: Services(association, storage, on_outcome=outcomes.append),
            observer=watcher,
        )
    return result, outcomes


def refusal(result: RetrieveResult) -> DicomTLSError:
    """What the result raises."""
    with pytest.raises(DicomTLSError) as caught:
        result.check()
    return caught.value


def study_of(made: Sequence[Instance]) -> RetrieveRequest:
    """What asks for the study of these instances."""
    keys = {tags.STUDY_INSTANCE_UID: Element("UI", (study_uid(made),))}
    return RetrieveRequest(model=Model.STUDY_ROOT, level=Level.STUDY, keys=keys)


def send_request(association: Association, sop_class: str, request: RetrieveRequest, after: bytes = b"") -> None:
    """A C-GET or C-MOVE by hand, and in the same write whatever comes `after` it."""
    is_get = sop_class in GET_SOP_CLASSES.values()
    command = Command(
        command_field=CommandField.C_GET_RQ if is_get else CommandField.C_MOVE_RQ,
        message_id=1,
        affected_sop_class_uid=sop_class,
        priority=0,
        move_destination=None if is_get else "DEST",
        has_dataset=True,
    )
    keys = {**request.keys, QUERY_RETRIEVE_LEVEL: Element("CS", (request.level.value,))}
    context_id = context_of(association, sop_class)
    pdus = pack(context_id, encode_command(command), is_command=True, fragment=4096)
    association.write(pdus + pack(context_id, encode(keys, IMPLICIT_VR_LE), is_command=False, fragment=4096) + after)
