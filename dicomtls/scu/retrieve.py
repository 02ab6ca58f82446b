"""C-MOVE and C-GET: let a peer send instances to another, or to us (PS3.4 sections C.4.2, C.4.3, PS3.7 section 9.1)."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from dicomtls.association.dimse import Command, CommandField, Priority
from dicomtls.association.negotiation import ContextProposal
from dicomtls.association.query import GET_SOP_CLASSES, MOVE_SOP_CLASSES, QUERY_RETRIEVE_LEVEL, Level, Model
from dicomtls.association.reasons import AbortReason, AbortSource
from dicomtls.association.status import SUCCESS, StatusCategory, category, status_meaning
from dicomtls.dataset.character_sets import UTF_8
from dicomtls.dataset.identifier import Element, Identifier, encode
from dicomtls.errors import (
    AssociationAborted,
    AssociationError,
    DataError,
    DicomTLSError,
    DIMSEError,
    DIMSETimeout,
    Interrupted,
    NoPresentationContext,
    RemoteProtocolError,
    StatusFailure,
    UsageError,
)
from dicomtls.scu.attempt import Attempt, Requestor
from dicomtls.scu.response import hint_at_titles
from dicomtls.scu.storage_contexts import NATIVE, storage_proposals
from dicomtls.scu.suboperations import MOST_COUNTED, NOTHING_COUNTED, Counts, SubOperations

if TYPE_CHECKING:
    from dicomtls.association.association import Association, Message
    from dicomtls.waiting import Interrupt

DEFAULT_MAX_PERFORMED: Final = 128
_MESSAGE_ID: Final = 1
_CANCEL_SECONDS: Final = 10.0
_STALLED: Final = 10
"""So many times the limit of silence may pass with responses that are no progress."""
_MOST_IDLE_RESPONSES: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class RetrieveRequest:
    """What is to be retrieved: `keys` are an identifier without (0008,0052), which `level` becomes."""

    model: Model
    level: Level
    keys: Identifier


class RetrieveObserver(Protocol):
    """Hears of the progress: what the peer has counted, and how many instances have come over this association."""

    def progress(self, counts: Counts, received: int) -> None:
        """Something has changed."""


class InstanceReceiver(Protocol):
    """Keeps what comes over an association: the SCP of the storage service (`scp.services.Services`)."""

    def store(self, message: "Message") -> None:
        """Take the dataset of a C-STORE-RQ, and respond to it."""


@dataclass(frozen=True)
class RetrieveResult:
    """How a retrieval ended: the last status and counts, the instances that the peer lists as failed.

    `status` is None where no final response came, and `error` says why. `received` counts the C-STORE requests that
    came over this association. `remarks` say what cannot be true of the peer's counts. `sop_classes` are those that the
    peer could send to us, where it was to.
    """

    status: int | None = None
    counts: Counts = NOTHING_COUNTED
    failed_instances: tuple[str, ...] = ()
    received: int = 0
    comment: str | None = None
    remarks: tuple[str, ...] = ()
    error: DicomTLSError | None = None
    destination: str | None = None
    sop_classes: frozenset[str] = frozenset()

    def check(self) -> None:
        """Raise `error`, or `StatusFailure` where anything was not retrieved."""
        if self.error is not None:
            raise self.error
        status = SUCCESS if self.status is None else self.status
        kind = category(status)
        failed = max(self.counts.failed or 0, len(self.failed_instances))
        is_refused = kind in (StatusCategory.FAILURE, StatusCategory.CANCEL)
        if is_refused or failed or (kind is StatusCategory.WARNING and not self.counts.warning):
            raise StatusFailure(self._sentence(status, failed), status=status, hints=self._hints(status))

    def _sentence(self, status: int, failed: int) -> str:
        meaning = status_meaning(status, CommandField.C_MOVE_RSP)
        said = f": {self.comment}" if self.comment else ""
        if category(status) is StatusCategory.CANCEL:
            return f"the peer cancelled the retrieval by itself{said}"
        if failed and status in (SUCCESS, _WARNING):
            total = f" of {failed + (self.counts.completed or 0) + (self.counts.warning or 0)}"
            return f"{failed}{total} sub-operations failed: the peer answered {meaning} (0x{status:04X}){said}"
        return f"the peer answered with a failure status: {meaning} (0x{status:04X}){said}"

    def _hints(self, status: int) -> tuple[str, ...]:
        hints = _HINTS.get(0xC000 if status >> 12 == _UNABLE else status, ())
        if status >> 12 == _UNABLE and self.destination is not None:
            hints = (*hints, _NOT_KNOWN)
        if self.destination is None and self.counts.failed:
            hints = (*hints, _NOT_PROPOSED)
        return tuple(hint.format(destination=self.destination or "us") for hint in hints)


_NOT_KNOWN: Final = "or it may not know the move destination {destination}, or not reach it"  # Orthanc has no 0xA801
_NOT_PROPOSED: Final = "where the archive's log says that no presentation context was accepted, give --sop-class UID"
_WARNING: Final = 0xB000
_UNABLE: Final = 0xC
_HINTS: Final = {
    0xA801: ("the archive must be told of the move destination {destination}: its AE title, host and port, and TLS",),
    0xA702: ("see the archive's log: it may not reach {destination}, or not speak the TLS that is spoken there",),
    0xC000: ("the archive may not have what was asked for, or want other keys; its log says more",),
    0xA900: ("give the unique key of the level with -k, and those of the levels above it",),
}


def move(
    requestor: Requestor,
    request: RetrieveRequest,
    destination: str,
    *,
    attempt: Attempt | None = None,
    observer: RetrieveObserver | None = None,
) -> RetrieveResult:
    """Let the peer send what `request` asks for to the AE title `destination`, and wait for the end of it.

    Where the requestor's interrupt is set, the peer is asked to cancel and has ten seconds to answer. Raises what
    `Requestor.associate` raises; what comes after that is in the result, for the caller to `check`.
    """
    sop_class = _sop_class(MOVE_SOP_CLASSES, request.model)
    proposals = [ContextProposal(sop_class, NATIVE)]
    try:
        association = requestor.associate(attempt or requestor.attempt(), proposals)
    except NoPresentationContext as error:
        error.message = "the peer accepts no C-MOVE by this information model"
        error.hints = ("try the other --model, or 'dicomtls get'",)
        raise
    command = Command(
        command_field=CommandField.C_MOVE_RQ,
        message_id=_MESSAGE_ID,
        affected_sop_class_uid=sop_class,
        priority=Priority.MEDIUM,
        move_destination=destination,
        has_dataset=True,
    )
    return _Retrieval(association, command, observer, requestor.interrupt).run(request)


def get(
    requestor: Requestor,
    request: RetrieveRequest,
    receiver: "Callable[[Association], InstanceReceiver]",
    *,
    sop_classes: Sequence[str] = (),
    attempt: Attempt | None = None,
    observer: RetrieveObserver | None = None,
) -> RetrieveResult:
    """Let the peer send what `request` asks for over our own association, and keep it with what `receiver` makes.

    `sop_classes` are proposed before the usual ones (see `storage_contexts`). Interrupts, results and errors are those
    of `move`; `NoPresentationContext` too where the peer would send no instance of any SOP class.
    """
    sop_class = _sop_class(GET_SOP_CLASSES, request.model)
    proposals = [ContextProposal(sop_class, NATIVE), *storage_proposals(sop_classes)]
    association = requestor.associate(attempt or requestor.attempt(), proposals, max_performed=DEFAULT_MAX_PERFORMED)
    _check_contexts(association, sop_class)
    command = Command(
        command_field=CommandField.C_GET_RQ,
        message_id=_MESSAGE_ID,
        affected_sop_class_uid=sop_class,
        priority=Priority.MEDIUM,
        has_dataset=True,
    )
    return _Retrieval(association, command, observer, requestor.interrupt, receiver(association)).run(request)


def _sop_class(known: "dict[Model, str]", model: Model) -> str:
    if model not in known:
        msg = f"nothing can be retrieved by the model {model}"
        raise UsageError(msg, hints=("the models are study-root and patient-root",))
    return known[model]


def _check_contexts(association: "Association", sop_class: str) -> None:
    accepted = {context.abstract_syntax for context in association.parameters.contexts.values()}
    problem = None
    if sop_class not in accepted:
        problem = "the peer accepts no C-GET by this information model"
    elif accepted == {sop_class}:
        problem = "the peer accepts C-GET, but would send us no instance of any SOP class"
    if problem is not None:
        with suppress(AssociationError, DIMSEError):
            association.release()
        association.abort()
        hints = ("try the other --model, or let it send with 'dicomtls move'",)
        raise NoPresentationContext(problem, hints=hints, evidence={"accepted": sorted(accepted)})


class _Retrieval:
    """One C-MOVE or C-GET, from its request to its final response."""

    def __init__(
        self,
        association: "Association",
        command: Command,
        observer: RetrieveObserver | None,
        interrupt: "Interrupt | None",
        receiver: InstanceReceiver | None = None,
    ) -> None:
        self._association = association
        self._command = command
        self._observer = observer
        self._interrupt = interrupt
        self._receiver = receiver
        self._context = next(
            context
            for context in association.parameters.contexts.values()
            if context.abstract_syntax == command.affected_sop_class_uid
        )
        self._operations = SubOperations()
        self._received = 0
        self._cancelled: Interrupted | None = None
        self._give_up_at: float | None = None
        self._furthest = -1
        self._idle_since = monotonic()
        self._idle_responses = 0

    def run(self, request: RetrieveRequest) -> RetrieveResult:
        """Ask, follow and release; whatever breaks off is in the result, and the peer has been told."""
        final: Command | None = None
        failed: tuple[str, ...] = ()
        error: DicomTLSError | None = None
        try:
            self._association.send(
                self._context.context_id, self._command, _identifier(request, self._context.transfer_syntax)
            )
            self._association.ignore_interrupt()
            final, failed = self._follow()
            with suppress(AssociationError, DIMSEError):
                self._association.release()
            self._check_claims(final)
        except DicomTLSError as ended:
            has_begun = self._received or self._operations.counts != NOTHING_COUNTED
            if isinstance(ended, AssociationAborted) and not has_begun:
                hint_at_titles(ended)
            error = ended
        finally:
            self._association.abort()  # nothing where it has ended already
        return RetrieveResult(
            status=final.status if final is not None else None,
            counts=self._operations.counts,
            failed_instances=failed,
            received=self._received,
            comment=final.error_comment if final is not None else None,
            remarks=self._operations.remarks,
            error=self._cancelled or error,
            destination=self._command.move_destination,
            sop_classes=frozenset(
                context.abstract_syntax
                for context in self._association.parameters.contexts.values()
                if context.scp_role
            ),
        )

    def _follow(self) -> tuple[Command, tuple[str, ...]]:
        """Take responses and instances until the final response."""
        while True:
            message = self._next_message()
            command = message.command
            if command.command_field is CommandField.C_STORE_RQ and self._receiver is not None:
                self._store(message)
                continue
            self._check_response(message)
            is_final = category(command.status or 0) is not StatusCategory.PENDING
            self._operations.update(command, is_final=is_final)
            self._tell()
            if is_final:
                failed: tuple[str, ...] = ()
                if command.has_dataset:
                    fragments = self._association.fragments()
                    failed = self._operations.failed_instances(fragments, message.context.transfer_syntax)
                return command, failed
            self._check_progress()

    def _next_message(self) -> "Message":
        self._wait()
        message = self._association.receive()
        if message is None:
            msg = "the peer released the association before it answered"
            raise AssociationAborted(msg)
        return message

    def _wait(self) -> None:
        if self._give_up_at is None:
            try:
                self._association.await_message(self._interrupt)
            except Interrupted as interrupted:
                self._cancel(interrupted)
        if self._give_up_at is not None:
            left = self._give_up_at - monotonic()
            if left <= 0:  # also where something has always come already
                self._association.abort()
                msg = "the peer goes on with what it was asked to cancel"
                raise DIMSETimeout(msg)
            self._association.await_message(None, left)

    def _cancel(self, interrupted: Interrupted) -> None:
        """Ask the peer to end it (PS3.7 section 9.3.2.3); until it has, what is under way still comes."""
        self._cancelled = interrupted
        self._give_up_at = monotonic() + _CANCEL_SECONDS
        cancel = Command(command_field=CommandField.C_CANCEL_RQ, message_id_being_responded_to=_MESSAGE_ID)
        self._association.flush_responses()
        self._association.send(self._context.context_id, cancel)

    def _store(self, message: "Message") -> None:
        assert self._receiver is not None  # noqa: S101 -- looked at before
        if message.context.abstract_syntax == self._context.abstract_syntax:
            what = "an instance in the presentation context of the C-GET, which is for no instances"
            raise self._broken(what)
        self._receiver.store(message)
        self._received += 1
        self._tell()

    def _check_response(self, message: "Message") -> None:
        command = message.command
        expected = self._command.command_field.response
        if command.command_field is not expected:
            what = f"a {command.command_field} where a {expected} was due"
            raise self._broken(what)
        if command.message_id_being_responded_to != _MESSAGE_ID:
            what = f"a {expected} to a request that was never made"
            raise self._broken(what)
        if message.context.context_id != self._context.context_id:
            what = f"a {expected} in another presentation context than that of the request"
            raise self._broken(what)

    def _broken(self, what: str) -> RemoteProtocolError:
        self._association.abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNEXPECTED_PDU)
        return RemoteProtocolError(f"the peer sent {what}")

    def _check_progress(self) -> None:
        """Raise where the peer says pending again and again, and nothing comes of it."""
        reached = self._operations.counts.done + self._received
        if reached > self._furthest:
            self._furthest, self._idle_since, self._idle_responses = reached, monotonic(), 0
            return
        self._idle_responses += 1
        idle = monotonic() - self._idle_since
        if idle > _STALLED * self._association.timeout or self._idle_responses > _MOST_IDLE_RESPONSES:
            self._association.abort()
            msg = f"the peer answered pending {self._idle_responses} times in {idle:.0f} s without any progress"
            raise DIMSETimeout(msg, hints=("give a slow archive more time with --dimse-timeout", "see the peer's log"))

    def _check_claims(self, final: Command) -> None:
        """Raise where the peer counts instances as sent to us that have not come."""
        counts = self._operations.counts
        claimed = (counts.completed or 0) + (counts.warning or 0)
        if self._receiver is not None and self._received < claimed < MOST_COUNTED and final.status is not None:
            msg = f"the peer counts {claimed} instances that it has sent, and {self._received} have come"
            raise RemoteProtocolError(msg, evidence={"claimed": claimed, "received": self._received})

    def _tell(self) -> None:
        if self._observer is not None:
            self._observer.progress(self._operations.counts, self._received)


def _identifier(request: RetrieveRequest, transfer_syntax: str) -> bytes:
    identifier = {**request.keys, QUERY_RETRIEVE_LEVEL: Element("CS", (request.level.value,))}
    try:
        return encode(identifier, transfer_syntax)
    except DataError:  # text beyond ASCII
        return encode(identifier, transfer_syntax, (UTF_8,))
