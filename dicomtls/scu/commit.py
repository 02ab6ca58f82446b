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
)
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.negotiation import ContextProposal
from dicomtls.association.status import SUCCESS, status_meaning
from dicomtls.dataset.identifier import encode
from dicomtls.errors import (
    AssociationAborted,
    AssociationError,
    DicomTLSError,
    DIMSEError,
    DIMSETimeout,
    NoPresentationContext,
    StatusFailure,
)
from dicomtls.scu.attempt import Requestor
from dicomtls.scu.reports import Reports, take_report
from dicomtls.scu.response import receive_response
from dicomtls.scu.storage_contexts import NATIVE

if TYPE_CHECKING:
    from dicomtls.association.association import Association

MOST_AT_ONCE: Final = 5_000
"""Instances in one transaction."""
DEFAULT_PATIENCE: Final = 60.0
_LOOK_EVERY_SECONDS: Final = 0.05


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
    requestor: Requestor,
    references: Sequence[Reference],
    *,
    patience: float = DEFAULT_PATIENCE,
    reports: Reports | None = None,
) -> CommitResult:
    """Ask the peer to commit to instances, over an association of its own, and wait for its reports.

    They come over that association, or into `reports` where there is somebody who receives them. `patience` is how
    many seconds each may take. Nothing is raised: what went wrong is in the result.
    """
    result = CommitResult()
    wanted = list(dict.fromkeys(references))
    commitment = _Commitment(requestor, result, patience, reports)
    try:
        for start in range(0, len(wanted), MOST_AT_ONCE):
            commitment.ask(wanted[start : start + MOST_AT_ONCE])
        commitment.release()
    except DicomTLSError as error:
        result.error = error
    finally:
        commitment.abort()  # nothing where it has ended already
    answered = {*result.committed, *(failed.reference for failed in result.failed)}
    result.unanswered = [reference for reference in wanted if reference not in answered]
    return result


class _Commitment:
    """One transaction after another, over one association as long as it lasts."""

    def __init__(self, requestor: Requestor, result: CommitResult, patience: float, reports: Reports | None) -> None:
        self._requestor = requestor
        self._result = result
        self._patience = patience
        self._reports = reports
        self._current: Association | None = None

    def ask(self, references: Sequence[Reference]) -> None:
        """One transaction, from its request to its report."""
        # A UUID makes a UID that nobody else has (PS3.5 annex B.2).
        transaction = Transaction(f"2.25.{uuid.uuid4().int}", tuple(references))
        if self._reports is not None:
            self._reports.expect(transaction.uid)  # it may come before the response
        association = self._association()
        try:
            _request(association, transaction)
        except AssociationAborted as error:
            error.hints = (f"the archive may not know {self._title}, or not whom to report to: its log says more",)
            raise
        deadline = monotonic() + self._patience
        if self._reports is None:
            report = self._await_here(association, transaction, deadline)
        else:
            report = self._await_anywhere(association, transaction, self._reports, deadline)
        self._note(report, references)

    def release(self) -> None:
        """Say goodbye; how the peer takes it changes nothing."""
        if self._current is not None:
            with suppress(AssociationError, DIMSEError):
                self._current.release()

    def abort(self) -> None:
        """End what has not ended."""
        if self._current is not None:
            self._current.abort()

    def _association(self) -> "Association":
        if self._current is None or not self._current.is_established:
            self._current = _associate(self._requestor)
        return self._current

    def _note(self, report: Transaction, asked: Sequence[Reference]) -> None:
        """Count what was asked for, once each; what is said to be both has failed."""
        own = set(asked)
        failed = {one.reference: one for one in report.failed if one.reference in own}
        own -= failed.keys()
        self._result.failed += failed.values()
        self._result.committed += [one for one in dict.fromkeys(report.references) if one in own]

    def _await_here(self, association: "Association", transaction: Transaction, deadline: float) -> Transaction:
        while (left := deadline - monotonic()) > 0:  # a peer that reports on anything else is as late as a silent one
            try:
                message = association.receive(left)
            except DIMSETimeout:
                raise self._late(_NOT_LISTENING.format(title=self._title)) from None
            except AssociationAborted as error:
                error.hints = (_NOT_LISTENING.format(title=self._title),)
                raise
            if message is None:
                msg = "the peer released the association before it reported on the storage commitment"
                released = AssociationAborted(msg)
                released.hints = (_NOT_LISTENING.format(title=self._title),)
                raise released
            report = take_report(association, message)
            if report.uid == transaction.uid:
                return report
        raise self._late(_NOT_LISTENING.format(title=self._title))

    def _await_anywhere(
        self, association: "Association", transaction: Transaction, reports: Reports, deadline: float
    ) -> Transaction:
        """Wait for the report on either association; ours may end before it comes."""
        while monotonic() < deadline:
            report = reports.take(transaction.uid, _LOOK_EVERY_SECONDS)
            if report is None:
                report = self._look_here(association)
            if report is not None and report.uid == transaction.uid:
                return report
            if self._requestor.interrupt is not None:
                self._requestor.interrupt.check()
        hint = f"the archive must know {self._title} as this host, and {reports.place}"
        raise self._late(hint)

    def _look_here(self, association: "Association") -> Transaction | None:
        try:
            if association.is_established and association.has_input():
                message = association.receive()
                return take_report(association, message) if message is not None else None
        except AssociationAborted:
            pass  # it had nothing more to say here
        return None

    @property
    def _title(self) -> str:
        return self._requestor.settings.calling_ae_title

    def _late(self, hint: str) -> DIMSETimeout:
        msg = f"the peer took the request for storage commitment, and did not report within {self._patience:g} s"
        return DIMSETimeout(msg, hints=(hint, "give it more time with --commit-timeout"))


_NOT_LISTENING: Final = (
    "most archives report on an association of their own, to where they know {title} to be: receive it with"
    " --listen PORT"
)


def _associate(requestor: Requestor) -> "Association":
    try:
        return requestor.associate(requestor.attempt(), [ContextProposal(SOP_CLASS, NATIVE)])
    except NoPresentationContext as error:
        error.message = "the peer has stored, and offers no storage commitment"
        error.hints = ("leave out --commit",)
        raise


def _request(association: "Association", transaction: Transaction) -> None:
    """Send an N-ACTION-RQ, and take its response; raises `StatusFailure` where the peer refuses."""
    context = next(iter(association.parameters.contexts.values()))
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
