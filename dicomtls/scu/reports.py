"""Reports on storage commitment: how one is taken off an association, and where those wait that come over others.

An archive may report over the association of the request, or over one that it asks for itself (PS3.4 section J.3.3).
"""

import threading
from typing import TYPE_CHECKING, Final

from dicomtls.association.commitment import (
    EVENT_ALL_COMMITTED,
    EVENT_FAILURES,
    SOP_CLASS,
    SOP_INSTANCE,
    Transaction,
    read_transaction,
)
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.reasons import AbortReason, AbortSource
from dicomtls.association.status import SUCCESS
from dicomtls.dataset.identifier import decode
from dicomtls.errors import DataError, RemoteProtocolError

if TYPE_CHECKING:
    from dicomtls.association.association import Association, Message

LONGEST_REPORT: Final = 16 << 20
"""Bytes of one report."""
_EVENTS: Final = (EVENT_ALL_COMMITTED, EVENT_FAILURES)


class Reports:
    """What has come over associations that the archive asked for, by transaction; used from several threads.

    Only what is expected is kept, and of each transaction the first report. `place` says where we listen, for people.
    """

    def __init__(self, place: str = "") -> None:
        self.place = place
        self._changed = threading.Condition()
        self._expected: dict[str, Transaction | None] = {}

    def expect(self, uid: str) -> None:
        """Take the report on this transaction; to be called before it is asked for."""
        with self._changed:
            self._expected[uid] = None

    def put(self, report: Transaction) -> bool:
        """Keep a report; says whether it was expected, and is the first."""
        with self._changed:
            if self._expected.get(report.uid, report) is not None:
                return False
            self._expected[report.uid] = report
            self._changed.notify_all()
            return True

    def take(self, uid: str, seconds: float) -> Transaction | None:
        """The report on a transaction, waited for so long; None where it has not come."""
        with self._changed:
            self._changed.wait_for(lambda: self._expected.get(uid) is not None, seconds)
            return self._expected.get(uid)


def take_report(association: "Association", message: "Message") -> Transaction:
    """Read the N-EVENT-REPORT that `message` begins, and confirm it.

    Raises `RemoteProtocolError`, after an A-ABORT, where it is none, or cannot be read.
    """
    command = message.command
    if command.command_field is not CommandField.N_EVENT_REPORT_RQ or not command.has_dataset:
        association.abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNEXPECTED_PDU)
        msg = f"the peer sent a {command.command_field} where the report on a storage commitment was due"
        raise RemoteProtocolError(msg)
    data = bytearray()
    for fragment in association.fragments():
        data += fragment
        if len(data) > LONGEST_REPORT:
            association.abort()
            msg = f"the peer's report on the storage commitment has more than {LONGEST_REPORT} bytes"
            raise RemoteProtocolError(msg)
    try:
        _check_type(command)
        report = read_transaction(decode(bytes(data), message.context.transfer_syntax))
    except DataError as error:
        association.abort()
        msg = f"the peer's report on the storage commitment cannot be read: {error.message}"
        raise RemoteProtocolError(msg) from error
    confirm(association, message, SUCCESS)
    return report


def _check_type(command: Command) -> None:
    if command.event_type_id not in _EVENTS:
        msg = f"it is of the type {command.event_type_id}, and there are 1 and 2"
        raise DataError(msg)


def confirm(association: "Association", message: "Message", status: int) -> None:
    """Answer an N-EVENT-REPORT at once."""
    response = Command(
        command_field=CommandField.N_EVENT_REPORT_RSP,
        message_id_being_responded_to=message.command.message_id,
        affected_sop_class_uid=SOP_CLASS,
        affected_sop_instance_uid=SOP_INSTANCE,
        event_type_id=message.command.event_type_id,
        status=status,
    )
    association.respond(message.context.context_id, response)
    association.flush_responses()
