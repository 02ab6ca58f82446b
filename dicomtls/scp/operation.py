"""One C-MOVE or C-GET under way: its sub-operations counted, its pending and final responses, whether it was cancelled.

PS3.4 sections C.4.2.1.5 to C.4.2.1.8 and C.4.3.1.4; PS3.7 sections 9.1.3 and 9.1.4.
"""

from time import monotonic
from typing import Final, NamedTuple

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.reasons import AbortReason, AbortSource
from dicomtls.association.status import CANCEL, SUCCESS, StatusCategory, category
from dicomtls.dataset import tags
from dicomtls.dataset.identifier import Element, encode, layout_of
from dicomtls.errors import AssociationAborted, RemoteProtocolError
from dicomtls.scp.requests import Refused, Requests
from dicomtls.scu.instances import Instance
from dicomtls.scu.ledger import InstanceReport

PENDING: Final = 0xFF00
SOME_FAILED: Final = 0xB000
ALL_FAILED: Final = 0xA702
CANNOT_COUNT: Final = 0xA701
BUSY: Final = 0x0213
_PENDING_EVERY: Final = 0.1
_MOST_OWED: Final = 1000
"""Requests that wait for their answer; the largest window that we grant has no more operations (`--max-ops`)."""
_MOST_COUNTED: Final = 0xFFFF
_LONGEST_LIST: Final = 0xFFFE
"""Bytes of a value in Explicit VR (PS3.5 section 7.1.2)."""


class RetrieveOutcome(NamedTuple):
    """How a C-MOVE or C-GET ended; `reason` says why where not all was sent.

    Of what failed, `missing` were in the index while their files were gone; `dropped` of these left the index.
    """

    operation: str
    destination: str | None
    status: int
    total: int
    completed: int
    failed: int
    warning: int
    seconds: float
    reason: str | None
    missing: int = 0
    dropped: int = 0


class Operation:
    """Counts, and answers the request; the observer of whoever sends.

    `reason` is why not all was sent, for our log; `comment` is what the peer is told of that. `requests` get back what
    is for another service.
    """

    def __init__(self, association: Association, request: Message, requests: Requests | None = None) -> None:
        self.is_cancelled = False
        self.missing = 0
        self.dropped = 0
        self.reason: str | None = None
        self.comment: str | None = None
        self._association = association
        self._request = request
        self._requests = requests
        self._put_back = 0
        self._total = 0
        self._completed = 0
        self._warning = 0
        self._failed: list[str] = []
        self._owed: list[tuple[int, Command]] = []
        self._started = monotonic()
        self._last_pending = 0.0

    @property
    def remaining(self) -> int:
        """How many sub-operations have not ended."""
        return self._total - self._completed - self._warning - len(self._failed)

    def begin(self, total: int) -> None:
        """So many sub-operations there are; the peer hears of it at once."""
        self._total = total
        if total:
            self.tell()

    def count(self, instance: Instance, report: InstanceReport | None) -> None:
        """A sub-operation has ended."""
        if report is None:
            self._completed += 1
        elif report.status is not None and category(report.status) is StatusCategory.WARNING:
            self._warning += 1
        elif not (self.is_cancelled and report.status is None):  # what is not sent any more remains
            self._failed.append(instance.sop_instance_uid)
            self.reason = self.reason or report.reason

    @property
    def is_pending_due(self) -> bool:
        """Whether the peer has not heard of us for a while, or asked something."""
        return bool(self._owed) or monotonic() - self._last_pending > _PENDING_EVERY

    def tell(self) -> None:
        """Send a pending response, and what else is owed; between two messages only."""
        self._last_pending = monotonic()
        self._pay()
        self._association.respond(self._request.context.context_id, self._response(PENDING, remaining=self.remaining))
        self._association.flush_responses()

    def hear(self, message: Message) -> None:
        """Take what the requestor sends in the meantime: a cancel, or a request that has to wait and cannot.

        It is answered with the next `tell`: half an instance may be out just now. Raises `RemoteProtocolError`, after
        an A-ABORT, where the requestor asks on and on without waiting for that.
        """
        command = message.command
        if command.command_field is CommandField.C_CANCEL_RQ:
            if command.message_id_being_responded_to == self._request.command.message_id:
                self.is_cancelled = True
        elif command.command_field is CommandField.N_EVENT_REPORT_RSP and self._requests is not None:
            self._put_back += 1
            self._check_patience()
            self._requests.put_back(message)
        elif not command.command_field.is_response:
            self._check_patience()
            busy = Command(
                command_field=command.command_field.response,
                message_id_being_responded_to=command.message_id,
                status=BUSY,
                error_comment="a retrieval is under way on this association",
            )
            self._owed.append((message.context.context_id, busy))

    def _check_patience(self) -> None:
        if len(self._owed) + self._put_back > _MOST_OWED:
            self._association.abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNEXPECTED_PDU)
            msg = f"the peer sent more than {_MOST_OWED} messages in the middle of a retrieval"
            raise RemoteProtocolError(msg)

    def listen(self) -> None:
        """Take what has come from the requestor already; raises what ends the association."""
        while self._association.has_input():
            message = self._association.receive()
            if message is None:
                raise self.released()
            self.hear(message)

    def released(self) -> AssociationAborted:
        """What it is where the requestor releases the association before its end."""
        name = str(self._request.command.command_field).removesuffix("-RQ")
        return AssociationAborted(f"the peer released the association in the middle of its {name}")

    def _pay(self) -> None:
        for context_id, response in self._owed:
            self._association.respond(context_id, response)
        self._owed.clear()

    def refuse(self, refused: Refused) -> RetrieveOutcome:
        """Send a final response that says why nothing is sent."""
        self.reason = refused.reason
        # What the index says of its files is for our log alone.
        self.comment = refused.reason if refused.status != CANNOT_COUNT else None
        return self._end(refused.status)

    def finish(self) -> RetrieveOutcome:
        """Send the final response, whose status follows from the counts."""
        return self._end(self._final_status())

    def _end(self, status: int) -> RetrieveOutcome:
        remaining = self.remaining if status == CANCEL else None
        identifier = self._failed_list() if self._failed else None
        response = self._response(status, remaining=remaining, has_dataset=identifier is not None)
        self._pay()
        self._association.flush_responses()
        self._association.send(self._request.context.context_id, response, identifier)
        request = self._request.command
        return RetrieveOutcome(
            str(request.command_field).removesuffix("-RQ"),
            request.move_destination,
            status,
            self._total,
            self._completed,
            len(self._failed),
            self._warning,
            monotonic() - self._started,
            self.reason if status != SUCCESS else None,
            self.missing,
            self.dropped,
        )

    def _final_status(self) -> int:
        if self.is_cancelled and (self.remaining or not self._total):
            return CANCEL
        if self._failed and not self._completed and not self._warning:
            return ALL_FAILED
        return SOME_FAILED if self._failed or self._warning else SUCCESS

    def _response(self, status: int, *, remaining: int | None, has_dataset: bool = False) -> Command:
        request = self._request.command
        return Command(
            command_field=request.command_field.response,
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=self._request.context.abstract_syntax,
            status=status,
            has_dataset=has_dataset,
            error_comment=self.comment if category(status) is StatusCategory.FAILURE else None,
            number_of_remaining_suboperations=None if remaining is None else _counted(remaining),
            number_of_completed_suboperations=_counted(self._completed),
            number_of_failed_suboperations=_counted(len(self._failed)),
            number_of_warning_suboperations=_counted(self._warning),
        )

    def _failed_list(self) -> bytes:
        """The identifier with the UIDs of what failed; as many of them as the transfer syntax has room for."""
        syntax = self._request.context.transfer_syntax
        uids = self._failed
        if layout_of(syntax).explicit:
            uids = uids[: _LONGEST_LIST // (max(map(len, uids)) + 1)]
        return encode({tags.FAILED_SOP_INSTANCE_UID_LIST: Element("UI", tuple(uids))}, syntax)


def _counted(number: int) -> int:
    return min(number, _MOST_COUNTED)
