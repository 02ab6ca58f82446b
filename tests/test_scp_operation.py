"""One retrieval under way: its counts, and the responses that say them."""

from collections.abc import Callable
from typing import Any

import pytest

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.negotiation import ContextProposal
from dicomtls.association.query import MOVE_SOP_CLASSES, Model
from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE, tags
from dicomtls.dataset.identifier import decode
from dicomtls.scp.operation import Operation, RetrieveOutcome
from dicomtls.scp.requests import Refused
from dicomtls.scu.instances import Instance
from dicomtls.scu.ledger import InstanceReport
from tests.support.receivers import requestor_of
from tests.support.servers import CT, acceptor

MOVE = MOVE_SOP_CLASSES[Model.STUDY_ROOT]
REQUEST = Command(
    command_field=CommandField.C_MOVE_RQ, message_id=7, affected_sop_class_uid=MOVE, move_destination="WS1"
)


def instance(uid: str = "1.2.3") -> Instance:
    """One that was sent, or not."""
    return Instance("/a", CT, uid, IMPLICIT_VR_LE, 0, 0)


def report(status: int | None, uid: str = "1.2.3") -> InstanceReport:
    """What became of it."""
    return InstanceReport("/a", uid, status, "out of resources")


def answers(
    act: Callable[[Operation], RetrieveOutcome], syntax: str = IMPLICIT_VR_LE
) -> tuple[list[tuple[Command, dict[int, Any]]], RetrieveOutcome]:
    """What the requestor hears of an operation, with the identifiers, and its outcome."""
    outcomes: list[RetrieveOutcome] = []

    def script(association: Association) -> None:
        message = association.receive()
        assert message is not None
        outcomes.append(act(Operation(association, message)))
        assert association.receive() is None

    heard: list[tuple[Command, dict[int, Any]]] = []
    with acceptor(script) as peer:
        requestor = requestor_of(peer)
        association = requestor.associate(requestor.attempt(), [ContextProposal(MOVE, (syntax,))])
        association.send(1, REQUEST)
        while not heard or heard[-1][0].status == 0xFF00:
            message = association.receive()
            assert message is not None
            data = b"".join(map(bytes, association.fragments()))
            heard.append((message.command, decode(data, syntax)))
        association.release()
    return heard, outcomes[0]


def counts(command: Command) -> tuple[int | None, int | None, int | None, int | None]:
    """Remaining, completed, failed, warning."""
    return (
        command.number_of_remaining_suboperations,
        command.number_of_completed_suboperations,
        command.number_of_failed_suboperations,
        command.number_of_warning_suboperations,
    )


def ended(*reports: InstanceReport | None, total: int | None = None, cancelled: bool = False) -> Any:
    """An operation whose sub-operations ended so."""

    def act(operation: Operation) -> RetrieveOutcome:
        operation.begin(len(reports) if total is None else total)
        for one in reports:
            operation.count(instance(), one)
        operation.is_cancelled = cancelled
        return operation.finish()

    return act


@pytest.mark.parametrize(
    ("reports", "status", "expected"),
    [
        ([None, None], 0x0000, (None, 2, 0, 0)),
        ([], 0x0000, (None, 0, 0, 0)),
        ([None, report(0xA700)], 0xB000, (None, 1, 1, 0)),
        ([None, report(0xB000)], 0xB000, (None, 1, 0, 1)),
        ([report(0xA700), report(None)], 0xA702, (None, 0, 2, 0)),
        ([report(0xB000), report(0xA700)], 0xB000, (None, 0, 1, 1)),
    ],
)
def test_status_follows_from_the_counts(
    reports: list[InstanceReport | None], status: int, expected: tuple[int | None, ...]
) -> None:
    """And a final response does not say what remains."""
    [*_, (final, _)], outcome = answers(ended(*reports))
    assert (final.status, outcome.status) == (status, status)
    assert counts(final) == expected
    assert final.message_id_being_responded_to == 7
    assert final.affected_sop_class_uid == MOVE


def test_pending_says_what_remains() -> None:
    """From the first response on, which comes at once; there is none where nothing is to be done."""
    heard, outcome = answers(ended(None, None))
    assert (heard[0][0].status, counts(heard[0][0])) == (0xFF00, (2, 0, 0, 0))
    assert (outcome.operation, outcome.destination, outcome.total) == ("C-MOVE", "WS1", 2)
    heard, _ = answers(ended())
    assert [command.status for command, _ in heard] == [0x0000]


def test_cancelled_operation_says_what_remains() -> None:
    """FE00 counts what was not begun; where nothing is left, it came too late."""
    [*_, (final, identifier)], _ = answers(ended(None, report(0xA700), total=5, cancelled=True))
    assert (final.status, counts(final)) == (0xFE00, (3, 1, 1, 0))
    assert identifier[tags.FAILED_SOP_INSTANCE_UID_LIST].values == ("1.2.3",)
    [*_, (final, _)], _ = answers(ended(None, None, cancelled=True))
    assert final.status == 0x0000


def test_refusal_has_its_reason() -> None:
    """The comment is for people."""
    [(final, _)], outcome = answers(lambda operation: operation.refuse(Refused(0xA801, "not known here")))
    assert (final.status, final.error_comment) == (0xA801, "not known here")
    assert outcome.reason == "not known here"


def test_what_the_index_says_is_for_our_log_alone() -> None:
    """It may name files."""
    [(final, _)], outcome = answers(lambda operation: operation.refuse(Refused(0xA701, "/srv/index is damaged")))
    assert (final.status, final.error_comment) == (0xA701, None)
    assert outcome.reason == "/srv/index is damaged"


def test_more_than_65535_are_counted_as_65535() -> None:
    """The number has two bytes (VR US)."""
    heard, outcome = answers(ended(None, total=100_000, cancelled=True))
    assert heard[0][0].number_of_remaining_suboperations == 0xFFFF
    assert outcome.total == 100_000


@pytest.mark.parametrize(("syntax", "listed"), [(IMPLICIT_VR_LE, 5000), (EXPLICIT_VR_LE, 65534 // 45)])
def test_list_of_failed_instances_is_as_long_as_there_is_room(syntax: str, listed: int) -> None:
    """A value in Explicit VR ends at 64 KiB."""

    def act(operation: Operation) -> RetrieveOutcome:
        operation.begin(5000)
        for number in range(5000):
            operation.count(instance(f"2.25.{10**38 + number}"), report(0xA700))
        return operation.finish()

    [*_, (_, identifier)], outcome = answers(act, syntax)
    assert len(identifier[tags.FAILED_SOP_INSTANCE_UID_LIST].values) == listed
    assert outcome.failed == 5000


@pytest.mark.parametrize(("message_id", "cancels"), [(7, True), (8, False)])
def test_cancel_is_for_its_request(message_id: int, *, cancels: bool) -> None:
    """By the message identifier."""

    def act(operation: Operation) -> RetrieveOutcome:
        cancel = Command(command_field=CommandField.C_CANCEL_RQ, message_id_being_responded_to=message_id)
        context = operation._request.context
        operation.hear(Message(cancel, context))
        assert operation.is_cancelled is cancels
        return operation.finish()

    answers(act)


def test_response_that_nobody_waits_for_is_nothing() -> None:
    """The requestor's affair."""

    def act(operation: Operation) -> RetrieveOutcome:
        stray = Command(command_field=CommandField.C_ECHO_RSP, message_id_being_responded_to=1, status=0)
        operation.hear(Message(stray, operation._request.context))
        assert not operation.is_cancelled
        return operation.finish()

    [(final, _)], _ = answers(act)
    assert final.status == 0x0000
