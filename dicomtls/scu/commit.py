"""Storage commitment as SCU: ask whether what was stored is safely kept, and wait for the report (PS3.4 annex J)."""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Final

from dicomtls.association.commitment import (
    REQUEST_ACTION,
    SOP_CLASS,
    SOP_INSTANCE,
    Failed,
    Reference,
    Transaction,
    read_transaction,
)
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.negotiation import ContextProposal
from dicomtls.association.reasons import AbortReason, AbortSource
from dicomtls.association.status import SUCCESS, status_meaning
from dicomtls.dataset.identifier import decode, encode
from dicomtls.errors import (
    AssociationAborted,
    AssociationError,
    DataError,
    DicomTLSError,
    DIMSEError,
    DIMSETimeout,
    NoPresentationContext,
    RemoteProtocolError,
    StatusFailure,
)
from dicomtls.scu.attempt import Requestor
from dicomtls.scu.response import receive_response
from dicomtls.scu.storage_contexts import NATIVE

if TYPE_CHECKING:
    from dicomtls.association.association import Association, Message

MOST_AT_ONCE: Final = 5_000
"""Instances in one transaction."""
DEFAULT_PATIENCE: Final = 60.0
_LONGEST_REPORT: Final = 16 << 20


@dataclass
class CommitResult:
    """What the peer has committed; the others it refused, or said nothing about.

    `error` is what kept it from saying so, if anything did.
    """

    committed: list[Reference] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    unanswered: list[Reference] = field(default_factory=list)
    error: DicomTLSError | None = None

    def check(self) -> None:
        """Raise `error`, or `StatusFailure` where not all was committed."""
        if self.error is not None:
            raise self.error
        missing = len(self.failed) + len(self.unanswered)
        if missing:
            total = missing + len(self.committed)
            reason = self.failed[0].reason if self.failed else 0
            msg = f"{missing} of {total} instances were not committed"
            if self.failed:
                msg += f": {self.failed[0].meaning} (0x{reason:04X})"
            raise StatusFailure(msg, status=reason)


def commit(
    requestor: Requestor, references: Sequence[Reference], *, patience: float = DEFAULT_PATIENCE
) -> CommitResult:
    """Ask the peer to commit to instances, over an association of its own, on which it has to report too.

    `patience` is how many seconds each report may take. Nothing is raised: what went wrong is in the result.
    """
    result = CommitResult()
    waiting = list(dict.fromkeys(references))
    try:
        association = _associate(requestor)
        try:
            while waiting:
                _commit_some(association, waiting[:MOST_AT_ONCE], result, patience)
                del waiting[:MOST_AT_ONCE]
            with suppress(AssociationError, DIMSEError):
                association.release()
        finally:
            association.abort()  # nothing where it has ended already
    except DicomTLSError as error:
        result.error = error
    answered = {*result.committed, *(failed.reference for failed in result.failed)}
    result.unanswered = [reference for reference in dict.fromkeys(references) if reference not in answered]
    return result


def _associate(requestor: Requestor) -> "Association":
    try:
        return requestor.associate(requestor.attempt(), [ContextProposal(SOP_CLASS, NATIVE)])
    except NoPresentationContext as error:
        error.message = "the peer has stored, and offers no storage commitment"
        error.hints = ("leave out --commit",)
        raise


def _commit_some(
    association: "Association", references: Sequence[Reference], result: CommitResult, patience: float
) -> None:
    """One transaction, from its request to its report."""
    context = next(iter(association.parameters.contexts.values()))
    # A UUID makes a UID that nobody else has (PS3.5 annex B.2).
    transaction = Transaction(f"2.25.{uuid.uuid4().int}", tuple(references))
    request = Command(
        command_field=CommandField.N_ACTION_RQ,
        message_id=1,
        requested_sop_class_uid=SOP_CLASS,
        requested_sop_instance_uid=SOP_INSTANCE,
        action_type_id=REQUEST_ACTION,
        has_dataset=True,
    )
    association.send(context.context_id, request, encode(transaction.encode(), context.transfer_syntax))
    response = receive_response(association, CommandField.N_ACTION_RSP, {1})
    if response.status != SUCCESS:
        status = response.status or 0
        meaning = status_meaning(status)
        msg = f"the peer refused the storage commitment: {meaning} (0x{status:04X})"
        raise StatusFailure(msg, status=status)
    report = _await_report(association, transaction, patience)
    asked = set(references)
    result.committed += [reference for reference in dict.fromkeys(report.references) if reference in asked]
    result.failed += [failed for failed in report.failed if failed.reference in asked]


def _await_report(association: "Association", transaction: Transaction, patience: float) -> Transaction:
    deadline = monotonic() + patience
    while True:
        try:
            message = association.receive(max(0.001, deadline - monotonic()))
        except DIMSETimeout:
            msg = f"the peer took the request for storage commitment, and did not report within {patience:g} s"
            raise DIMSETimeout(msg, hints=_LATE) from None
        if message is None:
            msg = "the peer released the association before it reported on the storage commitment"
            raise AssociationAborted(msg)
        report = _read_report(association, message)
        if report is not None and report.uid == transaction.uid:
            return report


_LATE: Final = (
    "some archives report later, or on an association of their own: that needs a server that they know",
    "give it more time with --commit-timeout",
)


def _read_report(association: "Association", message: "Message") -> Transaction | None:
    """Read a report and confirm it; None for a message that is none, and answered as such."""
    command = message.command
    if command.command_field is not CommandField.N_EVENT_REPORT_RQ or not command.has_dataset:
        association.abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNEXPECTED_PDU)
        msg = f"the peer sent a {command.command_field} where the report on a storage commitment was due"
        raise RemoteProtocolError(msg)
    data = bytearray()
    for fragment in association.fragments():
        data += fragment
        if len(data) > _LONGEST_REPORT:
            association.abort()
            msg = f"the peer's report on the storage commitment has more than {_LONGEST_REPORT} bytes"
            raise RemoteProtocolError(msg)
    try:
        report = read_transaction(decode(bytes(data), message.context.transfer_syntax))
    except DataError as error:
        association.abort()
        msg = f"the peer's report on the storage commitment cannot be read: {error.message}"
        raise RemoteProtocolError(msg) from error
    response = Command(
        command_field=CommandField.N_EVENT_REPORT_RSP,
        message_id_being_responded_to=command.message_id,
        affected_sop_class_uid=SOP_CLASS,
        affected_sop_instance_uid=SOP_INSTANCE,
        event_type_id=command.event_type_id,
        status=SUCCESS,
    )
    association.respond(message.context.context_id, response)
    association.flush_responses()
    return report
