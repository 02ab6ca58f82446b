"""C-MOVE and C-GET: sending what is kept, to a move destination or to whoever asks (PS3.4 sections C.4.2 and C.4.3).

The files go out as they are: what was not negotiated in its transfer syntax is a failed sub-operation, not transcoded.
"""

from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import replace
from typing import Final

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.outbox import FileShrank
from dicomtls.association.query import GET_SOP_CLASSES, MOVE_SOP_CLASSES
from dicomtls.association.reasons import AbortReason, AbortSource
from dicomtls.diagnosis import diagnose
from dicomtls.errors import (
    DataError,
    DicomTLSError,
    Interrupted,
    MachineError,
    RemoteProtocolError,
)
from dicomtls.peer import is_ae_title
from dicomtls.scp.destinations import Destination, Destinations
from dicomtls.scp.index import Index, Query
from dicomtls.scp.kept import KeptLedger
from dicomtls.scp.operation import CANNOT_COUNT, Operation, RetrieveOutcome
from dicomtls.scp.requests import Refused, Requests
from dicomtls.scp.retrieve_request import read_query
from dicomtls.scp.selection import Selection
from dicomtls.scu.instances import Instance
from dicomtls.scu.ledger import InstanceReport
from dicomtls.scu.sender import Originator, Sender
from dicomtls.scu.store import DEFAULT_MAX_OPERATIONS, StoreOptions, store
from dicomtls.waiting import Interrupt

DESTINATION_UNKNOWN: Final = 0xA801
GET_MODELS: Final = {uid: model for model, uid in GET_SOP_CLASSES.items()}
MOVE_MODELS: Final = {uid: model for model, uid in MOVE_SOP_CLASSES.items()}

OnOutcome = Callable[[RetrieveOutcome], None]


class GetService:
    """Answers C-GET requests: the sub-operations go over the same association."""

    def __init__(
        self,
        association: Association,
        index: Index,
        *,
        on_outcome: OnOutcome,
        interrupt: Interrupt | None = None,
        requests: Requests | None = None,
    ) -> None:
        self._association = association
        self._index = index
        self._requests = requests
        self._on_outcome = on_outcome
        self._interrupt = interrupt

    def run(self, message: Message) -> None:
        """Answer one request to its final response; raises what ends the association."""
        operation = Operation(self._association, message, self._requests)
        try:
            query = read_query(self._association, message, GET_MODELS)
            selection = _select(self._index, query, operation, self._interrupt)
        except Refused as refused:
            self._on_outcome(operation.refuse(refused))
            return
        operation.begin(len(selection))
        if selection and not operation.is_cancelled:
            delivery = _Delivery(self._association, operation, self._index, selection)
            try:
                delivery.run()
            finally:
                _drop_removed(self._index, delivery.ledger, operation)
        self._on_outcome(operation.finish())


class _Delivery:
    """The sub-operations of a C-GET; observes what it sends."""

    def __init__(self, association: Association, operation: Operation, index: Index, selection: Selection) -> None:
        self._association = association
        self._operation = operation
        self.ledger = KeptLedger(index, selection, self, self._between)
        self._sender = Sender(
            association,
            self.ledger,
            window=association.parameters.window or DEFAULT_MAX_OPERATIONS,
            contexts=_contexts(association),
            receive=self._receive,
        )

    def run(self) -> None:
        self.ledger.open(self.ledger.kinds())
        try:
            self._sender.send_all()
        except FileShrank as error:  # half an instance is out, so the sender has aborted
            msg = "a file was cut short while it was being sent"
            raise MachineError(msg, code="unreadable-file") from error
        finally:
            del self._sender  # who refers to us: its buffer is not to wait for the garbage collection

    def sending(self, octets: int) -> None:
        """Bytes are no progress that a response tells."""

    def done(self, instance: Instance, report: InstanceReport | None) -> None:
        """One sub-operation less."""
        self._operation.count(instance, report)

    def _between(self) -> None:
        """Nothing is half laid out here: a response may follow what is."""
        if self._operation.is_pending_due:
            self._sender.flush()
            self._operation.tell()

    def _receive(self, association: Association, expected: CommandField, message_ids: Container[int]) -> Command:
        """Wait for the response to one of our requests; the requestor may cancel in between."""
        while (message := association.receive()) is not None:
            command = message.command
            if command.command_field.is_response and command.command_field is not CommandField.N_EVENT_REPORT_RSP:
                if command.command_field is expected and command.message_id_being_responded_to in message_ids:
                    return command
                association.abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNEXPECTED_PDU)
                msg = f"the peer sent a {command.command_field} where a {expected} to one of our requests was due"
                raise RemoteProtocolError(msg)
            self._operation.hear(message)
            if self._operation.is_cancelled:
                self.ledger.stop()
        raise self._operation.released()


def _contexts(association: Association) -> dict[tuple[str, str], int]:
    """Where the requestor has the SCP role, so that we may send."""
    return {
        (context.abstract_syntax, context.transfer_syntax): context_id
        for context_id, context in association.parameters.contexts.items()
        if context.scp_role
    }


class MoveService:
    """Answers C-MOVE requests: the sub-operations go to a destination that we know, over another association."""

    def __init__(
        self,
        association: Association,
        index: Index,
        destinations: Destinations,
        *,
        on_outcome: OnOutcome,
        interrupt: Interrupt | None = None,
        requests: Requests | None = None,
    ) -> None:
        self._association = association
        self._index = index
        self._requests = requests
        self._destinations = destinations
        self._on_outcome = on_outcome
        self._interrupt = interrupt

    def run(self, message: Message) -> None:
        """Answer one request to its final response; raises what ends the association."""
        operation = Operation(self._association, message, self._requests)
        try:
            query = read_query(self._association, message, MOVE_MODELS)
            destination = self._destination(message)
            selection = _select(self._index, query, operation, self._interrupt)
        except Refused as refused:
            self._on_outcome(operation.refuse(refused))
            return
        operation.begin(len(selection))
        if selection and not operation.is_cancelled:
            transfer = _Transfer(operation, self._index, selection)
            try:
                self._send(message, operation, destination, transfer)
            finally:
                _drop_removed(self._index, transfer.ledger, operation)
                del transfer.ledger  # which refers to it: the association is not to wait for the garbage collection
        self._on_outcome(operation.finish())

    def _destination(self, message: Message) -> Destination:
        destination = self._destinations.find(message.command.move_destination or "")
        if destination is None:
            raise Refused(DESTINATION_UNKNOWN, "the move destination is not known here")
        return destination

    def _send(self, message: Message, operation: Operation, destination: Destination, transfer: "_Transfer") -> None:
        parameters = self._association.parameters
        ledger, kinds = transfer.ledger, transfer.ledger.kinds()
        # We let in whoever has a title that is none, blank or with umlauts, and cannot repeat it to others.
        calling = parameters.calling_ae_title
        originator = Originator(calling, message.command.message_id or 0) if is_ae_title(calling) else None
        try:
            requestor = self._destinations.requestor(destination, parameters.called_ae_title, self._interrupt)
        except DicomTLSError as error:  # a certificate that cannot be read any more
            ledger.open(kinds)
            ledger.broken(error)
            ledger.close()
            result = ledger.result
        else:
            result = store(requestor, kinds, StoreOptions(originator=originator), observer=transfer, ledger=ledger)
        if transfer.broken is not None:
            raise transfer.broken
        if isinstance(result.error, Interrupted):
            raise result.error
        if result.error is not None:
            title, why = destination.peer.called_ae_title, diagnose(result.error)
            operation.reason = f"{title}: {why.message}"
            operation.comment = f"{title}: {why.code}"  # without the addresses of our network


class _Transfer:
    """Observes the sub-operations of a C-MOVE; between two of them it speaks with the requestor, and listens."""

    def __init__(self, operation: Operation, index: Index, selection: Selection) -> None:
        self.broken: DicomTLSError | None = None
        self.ledger = KeptLedger(index, selection, self)
        self._operation = operation

    def sending(self, octets: int) -> None:  # noqa: ARG002 -- what an observer is told
        """A large instance takes its time; the requestor is not to think that we are gone."""
        self._speak(self._operation.listen)
        self._speak(self._tell)

    def done(self, instance: Instance, report: InstanceReport | None) -> None:
        """One sub-operation less; what was never sent has not failed where the requestor has cancelled before that."""
        self._speak(self._operation.listen)
        self._operation.count(instance, report)
        self._speak(self._tell)

    def _tell(self) -> None:
        if self._operation.is_pending_due:
            self._operation.tell()

    def _speak(self, act: Callable[[], None]) -> None:
        """What ends the requestor's association ends the transfer too, but not by breaking the other association."""
        if self.broken is not None:
            return
        try:
            act()
        except DicomTLSError as error:
            self.broken = error
        if self.broken is not None or self._operation.is_cancelled:
            self.ledger.stop()


def _select(index: Index, query: Query, operation: Operation, interrupt: Interrupt | None) -> Selection:
    """What is to be sent; nobody waits for the end of that who does not want it any more."""

    def unwanted() -> bool:
        if interrupt is not None:
            interrupt.check()
        operation.listen()
        return operation.is_cancelled

    try:
        return Selection(index.instances(replace(query, unwanted=unwanted)))
    except (MachineError, DataError) as error:
        raise Refused(CANNOT_COUNT, error.message) from error


def _drop_removed(index: Index, ledger: KeptLedger, operation: Operation) -> None:
    """What could not be sent because it was removed is not to be found any more either."""
    operation.missing = len(ledger.missing)
    if ledger.missing:
        with suppress(MachineError):  # the next one to miss them tries it again
            operation.dropped = index.drop_removed(ledger.missing)
