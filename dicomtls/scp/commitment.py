"""Storage commitment as SCP: what is safely kept is reported as committed (PS3.4 annex J).

The report goes over the association of the request; where that ends before the requestor has confirmed it, over a new
one to the destination that we know by the requestor's AE title.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from dicomtls.association.association import Association, Message
from dicomtls.association.commitment import (
    CLASS_CONFLICT,
    EVENT_ALL_COMMITTED,
    EVENT_FAILURES,
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    REQUEST_ACTION,
    SOP_CLASS,
    SOP_INSTANCE,
    Failed,
    Reference,
    Transaction,
    read_transaction,
)
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.negotiation import AcceptedContext, ContextProposal
from dicomtls.association.query import UNIQUE_KEYS, Level, Model
from dicomtls.association.status import SUCCESS
from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.dataset.identifier import Element, encode
from dicomtls.diagnosis import diagnose
from dicomtls.errors import AssociationError, DataError, DicomTLSError, DIMSEError, MachineError
from dicomtls.scp.destinations import Destinations
from dicomtls.scp.index import Index, Query
from dicomtls.scp.requests import Refused, read_identifier
from dicomtls.scu.response import receive_response
from dicomtls.waiting import Interrupt

NO_SUCH_ACTION: Final = 0x0123
INVALID_ARGUMENT: Final = 0x0115
NO_SUCH_SOP_CLASS: Final = 0x0118
RESOURCE_LIMITATION: Final = 0x0213
LONGEST_REQUEST: Final = 16 << 20
"""Bytes of a request; its instances are limited by the elements that a dataset may have."""
_ASKED_AT_ONCE: Final = 500
_MOST_REPORTS: Final = 1000
_MOST_HELD: Final = 50_000
"""Instances in reports that are not confirmed yet; a single request may have more."""
_HIGHEST_MESSAGE_ID: Final = 0xFFFF


class CommitmentOutcome(NamedTuple):
    """What became of one request; `delivered` says how the report went: "same", "new", or why it did not."""

    transaction: str
    committed: int
    failed: int
    delivered: str


OnOutcome = Callable[[CommitmentOutcome], None]


@dataclass(frozen=True)
class _Report:
    transaction: Transaction
    event: int

    def command(self, message_id: int) -> Command:
        return Command(
            command_field=CommandField.N_EVENT_REPORT_RQ,
            message_id=message_id,
            affected_sop_class_uid=SOP_CLASS,
            affected_sop_instance_uid=SOP_INSTANCE,
            event_type_id=self.event,
            has_dataset=True,
        )

    def outcome(self, delivered: str) -> CommitmentOutcome:
        transaction = self.transaction
        return CommitmentOutcome(transaction.uid, len(transaction.references), len(transaction.failed), delivered)


class CommitmentService:
    """Answers the requests of one association, and takes the responses to its reports.

    `finish` is called when the association has ended, and delivers what was not confirmed.
    """

    def __init__(
        self,
        association: Association,
        index: Index,
        destinations: Destinations,
        *,
        on_outcome: OnOutcome,
        interrupt: Interrupt | None = None,
    ) -> None:
        self._association = association
        self._index = index
        self._destinations = destinations
        self._on_outcome = on_outcome
        self._interrupt = interrupt
        self._waiting: deque[tuple[_Report, AcceptedContext]] = deque()
        self._outstanding: dict[int, _Report] = {}
        self._refused: list[_Report] = []
        self._message_id = 0

    def run(self, message: Message) -> None:
        """Answer an N-ACTION request and send its report, or take the response to a report."""
        if message.command.command_field is CommandField.N_EVENT_REPORT_RSP:
            self._take_answer(message)
        else:
            self._answer(message)
        self._report()

    def _answer(self, message: Message) -> None:
        try:
            transaction = self._read(message)
        except Refused as refused:
            self._respond(message, refused.status, refused.reason)
            return
        self._respond(message, SUCCESS)
        self._association.flush_responses()
        self._waiting.append((self._judge(transaction), message.context))

    def _report(self) -> None:
        """Send what waits, as many at once as the requestor has granted: one, unless it has an asynchronous window."""
        window = self._association.parameters.window or _MOST_REPORTS
        while self._waiting and len(self._outstanding) < window:
            report, context = self._waiting.popleft()
            self._message_id = self._message_id % _HIGHEST_MESSAGE_ID + 1
            # Before it is sent: where that fails, it is to be delivered otherwise.
            self._outstanding[self._message_id] = report
            dataset = encode(report.transaction.encode(), context.transfer_syntax)
            self._association.send(context.context_id, report.command(self._message_id), dataset)

    def _take_answer(self, message: Message) -> None:
        """A report that was refused is delivered again, over another association."""
        report = self._outstanding.pop(message.command.message_id_being_responded_to or 0, None)
        if report is None:
            return
        if message.command.status == SUCCESS:
            self._on_outcome(report.outcome("same"))
        else:
            self._refused.append(report)

    def finish(self) -> None:
        """Deliver over a new association what the requestor has not confirmed; raises nothing that a peer can cause."""
        reports = self._unconfirmed()
        self._refused, self._outstanding = [], {}
        self._waiting.clear()
        for report, delivered in self._deliver(reports):
            self._on_outcome(report.outcome(delivered))

    def _unconfirmed(self) -> list[_Report]:
        return [*self._refused, *self._outstanding.values(), *(report for report, _ in self._waiting)]

    def _check_room(self, transaction: Transaction) -> None:
        """Raise `Refused` where the requestor asks more than it takes the answers to."""
        unconfirmed = self._unconfirmed()
        held = sum(report.transaction.size for report in unconfirmed)
        if len(unconfirmed) >= _MOST_REPORTS or (held and held + transaction.size > _MOST_HELD):
            raise Refused(RESOURCE_LIMITATION, "too many reports on storage commitment are not confirmed yet")

    def _read(self, message: Message) -> Transaction:
        elements = self._elements(message)
        sop_class = message.command.requested_sop_class_uid or SOP_CLASS
        if message.context.abstract_syntax != SOP_CLASS or sop_class != SOP_CLASS:
            raise Refused(NO_SUCH_SOP_CLASS, "the SOP class is not that of storage commitment")
        if message.command.action_type_id != REQUEST_ACTION:
            raise Refused(NO_SUCH_ACTION, "storage commitment has the action 1 only")
        if message.command.requested_sop_instance_uid != SOP_INSTANCE:
            raise Refused(NO_SUCH_INSTANCE, "not the instance of storage commitment")
        try:
            transaction = read_transaction(elements)
        except DataError as error:
            raise Refused(INVALID_ARGUMENT, error.message) from error
        if not transaction.references:
            raise Refused(INVALID_ARGUMENT, "the request names no instance")
        self._check_room(transaction)
        return transaction

    def _elements(self, message: Message) -> dict[int, Element]:
        if not message.command.has_dataset:
            return {}
        try:
            return read_identifier(self._association, message, longest=LONGEST_REQUEST)
        except Refused as refused:  # with a status of C-FIND, which an N-ACTION does not have
            raise Refused(PROCESSING_FAILURE, refused.reason) from refused

    def _respond(self, message: Message, status: int, reason: str | None = None) -> None:
        response = Command(
            command_field=CommandField.N_ACTION_RSP,
            message_id_being_responded_to=message.command.message_id,
            affected_sop_class_uid=SOP_CLASS,
            affected_sop_instance_uid=SOP_INSTANCE,
            action_type_id=message.command.action_type_id,
            status=status,
            error_comment=reason,
        )
        self._association.respond(message.context.context_id, response)

    def _judge(self, transaction: Transaction) -> _Report:
        """What is kept, as what it was named, and its file there, is committed."""
        wanted = list(dict.fromkeys(transaction.references))
        committed: list[Reference] = []
        failed: list[Failed] = []
        try:
            kept = dict(self._kept([reference.sop_instance_uid for reference in wanted]))
        except (MachineError, DataError):
            failed = [Failed(reference, PROCESSING_FAILURE) for reference in wanted]
        else:
            for reference in wanted:
                sop_class = kept.get(reference.sop_instance_uid)
                if sop_class == reference.sop_class_uid:
                    committed.append(reference)
                else:
                    failed.append(Failed(reference, NO_SUCH_INSTANCE if sop_class is None else CLASS_CONFLICT))
        event = EVENT_FAILURES if failed else EVENT_ALL_COMMITTED
        return _Report(Transaction(transaction.uid, tuple(committed), tuple(failed)), event)

    def _kept(self, uids: Sequence[str]) -> Iterator[tuple[str, str]]:
        """SOP instance and class of those that are there, file and all."""
        for start in range(0, len(uids), _ASKED_AT_ONCE):
            key = Element("UI", tuple(uids[start : start + _ASKED_AT_ONCE]))
            query = Query(Model.STUDY_ROOT, Level.IMAGE, {UNIQUE_KEYS[Level.IMAGE]: key})
            for kept in self._index.instances(query):
                if Path(kept.path).is_file():
                    yield kept.sop_instance_uid, kept.sop_class_uid

    def _deliver(self, reports: Sequence[_Report]) -> Iterator[tuple[_Report, str]]:
        """Report over an association that we ask for, in the SCP's role (PS3.4 section J.3.3); yield how it went."""
        left = deque(reports)
        try:
            association = self._associate() if left else None
        except DicomTLSError as error:
            yield from ((report, diagnose(error).message) for report in left)
            return
        if association is None:
            title = self._association.parameters.calling_ae_title
            yield from ((report, f"nobody told us where {title} is") for report in left)
            return
        try:
            while left:
                status = _bring(association, left[0])
                yield left.popleft(), "new" if status == SUCCESS else f"answered with the status 0x{status:04X}"
            with suppress(AssociationError, DIMSEError):
                association.release()
        except DicomTLSError as error:
            yield from ((report, diagnose(error).message) for report in left)
        finally:
            association.abort()

    def _associate(self) -> Association | None:
        parameters = self._association.parameters
        destination = self._destinations.find(parameters.calling_ae_title)
        if destination is None:
            return None
        proposal = ContextProposal(SOP_CLASS, (EXPLICIT_VR_LE, IMPLICIT_VR_LE), scu_role=False, scp_role=True)
        requestor = self._destinations.requestor(destination, parameters.called_ae_title, self._interrupt)
        return requestor.associate(requestor.attempt(), [proposal])


def _bring(association: Association, report: _Report) -> int:
    """Send a report, and wait for the status of its response."""
    context = next(iter(association.parameters.contexts.values()))
    dataset = encode(report.transaction.encode(), context.transfer_syntax)
    association.send(context.context_id, report.command(1), dataset)
    return receive_response(association, CommandField.N_EVENT_REPORT_RSP, {1}).status or 0
