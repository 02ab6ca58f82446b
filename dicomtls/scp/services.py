"""What a server does with the messages of an association: Verification and Storage (PS3.4 annexes A and B)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.status import SUCCESS
from dicomtls.errors import DataError, MachineError
from dicomtls.scp.index import Index
from dicomtls.scp.offers import Lasting, Service
from dicomtls.scp.requests import Requests
from dicomtls.scp.storage import IncomingInstance, InstanceHeader, Storage, StoredInstance
from dicomtls.uid import is_uid
from dicomtls.waiting import Interrupt, pause

OUT_OF_RESOURCES: Final = 0xA700
CANNOT_UNDERSTAND: Final = 0xC000
PROCESSING_FAILURE: Final = 0x0110
INVALID_SOP_INSTANCE: Final = 0x0117
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
UNRECOGNIZED_OPERATION: Final = 0x0211


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What a server does wrong on purpose, to test senders with.

    `status` answers every C-STORE instead of keeping the instance, `delay` is in seconds before each response,
    `abort_after` counts instances before an A-ABORT.
    """

    refuse: bool = False
    status: int | None = None
    delay: float = 0.0
    abort_after: int | None = None


@dataclass
class Tally:
    """What came over one association."""

    stored: int = 0
    refused: int = 0
    echoed: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class StoreOutcome:
    """How one C-STORE ended: `stored` is None where it failed, and `reason` then says why.

    `error` is what this machine could not do, where that was it.
    """

    header: InstanceHeader
    status: int
    stored: StoredInstance | None
    reason: str | None = None
    error: MachineError | None = None


class AbortedOnPurpose(Exception):
    """`abort_after` instances have come."""


class Services:
    """Answers the requests of one association until it ends.

    Without `storage` a C-STORE is no request that is known. An `index` takes note of each instance before its response;
    `others` make what answers the requests that are none of Verification and Storage, each when the first of its kind
    comes.
    """

    def __init__(
        self,
        association: Association,
        storage: Storage | None,
        *,
        on_outcome: Callable[[StoreOutcome], None],
        faults: Faults | None = None,
        interrupt: Interrupt | None = None,
        index: Index | None = None,
        requests: Requests | None = None,
        others: Mapping[CommandField, Callable[[], Service]] | None = None,
    ) -> None:
        self.tally = Tally()
        self._association = association
        self._storage = storage
        self._on_outcome = on_outcome
        self._faults = faults or Faults()
        self._interrupt = interrupt
        self._index = index
        self._requests = requests or Requests(association)
        self._others = others or {}
        self._made: dict[Callable[[], Service], Service] = {}

    def run(self, idle_timeout: float) -> None:
        """Serve until the peer releases; raises what ends an association otherwise, and `AbortedOnPurpose`."""
        while (message := self._requests.next(idle_timeout)) is not None:
            command = message.command
            if command.command_field is CommandField.C_STORE_RQ and self._storage is not None:
                self.store(message)
            elif command.command_field is CommandField.C_ECHO_RQ:
                self.tally.echoed += 1
                self._respond(message, SUCCESS)
            elif command.command_field in self._others:
                self._serve(message)
            elif not command.command_field.is_response and command.command_field is not CommandField.C_CANCEL_RQ:
                self._respond(message, UNRECOGNIZED_OPERATION)

    def _serve(self, message: Message) -> None:
        make = self._others[message.command.command_field]
        if make not in self._made:
            self._made[make] = make()
        self._association.flush_responses()
        self._made[make].run(message)

    def finish(self) -> None:
        """Let services do what is left to do when the association has ended."""
        for service in self._made.values():
            if isinstance(service, Lasting):
                service.finish()

    def store(self, message: Message) -> None:
        """Take the dataset of a C-STORE request, and respond; a C-GET of ours gives its sub-operations to this."""
        outcome = self._receive_instance(message)
        if outcome.stored is None:
            self.tally.refused += 1
        else:
            self.tally.stored += 1
            self.tally.bytes += outcome.stored.size
        self._on_outcome(outcome)
        if self.tally.stored + self.tally.refused == self._faults.abort_after:
            self._association.abort()
            raise AbortedOnPurpose
        # What the disk said is for our log; the paths in it are none of the peer's business.
        self._respond(message, outcome.status, comment=None if outcome.status == OUT_OF_RESOURCES else outcome.reason)

    def _receive_instance(self, message: Message) -> StoreOutcome:
        """Take the whole dataset, whatever happens to it: the association goes on."""
        parameters = self._association.parameters
        command = message.command
        header = InstanceHeader(
            sop_class_uid=command.affected_sop_class_uid or "",
            sop_instance_uid=command.affected_sop_instance_uid or "",
            transfer_syntax=message.context.transfer_syntax,
            calling_ae_title=parameters.calling_ae_title,
            called_ae_title=parameters.called_ae_title,
        )
        if self._faults.status is not None:
            return StoreOutcome(header, self._faults.status, None, "refused on purpose")
        if header.sop_class_uid != message.context.abstract_syntax:
            reason = "the SOP class is not that of the presentation context"
            return StoreOutcome(header, SOP_CLASS_NOT_SUPPORTED, None, reason)
        if not command.has_dataset:
            return StoreOutcome(header, CANNOT_UNDERSTAND, None, "the request has no dataset")
        assert self._storage is not None  # noqa: S101 -- looked at before
        try:
            return StoreOutcome(header, SUCCESS, self._keep(self._storage.receive(header)))
        except DataError as error:
            return StoreOutcome(header, INVALID_SOP_INSTANCE, None, error.message)
        except MachineError as error:
            return StoreOutcome(header, OUT_OF_RESOURCES, None, error.message, error)

    def _keep(self, incoming: IncomingInstance) -> StoredInstance:
        try:
            for fragment in self._association.fragments():
                incoming.write(fragment)
            stored = incoming.commit()
        except BaseException:  # an interrupt too: nothing half written may stay
            incoming.discard()
            raise
        if self._index is not None:
            self._index.add(stored)
        return stored

    def _respond(self, message: Message, status: int, *, comment: str | None = None) -> None:
        if self._faults.delay:
            pause(self._faults.delay, self._interrupt)
        request = message.command
        response = Command(
            command_field=request.command_field.response,
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=_valid(request.affected_sop_class_uid or request.requested_sop_class_uid),
            affected_sop_instance_uid=_valid(request.affected_sop_instance_uid or request.requested_sop_instance_uid),
            status=status,
            error_comment=None if status == SUCCESS else comment,
        )
        self._association.respond(message.context.context_id, response)


def _valid(uid: str | None) -> str | None:
    """The UID to repeat in a response; what is none cannot be encoded."""
    return uid if uid and is_uid(uid) else None
