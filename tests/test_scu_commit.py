"""Storage commitment as SCU: what is asked, and what peers make of it."""

from collections.abc import Callable, Sequence

import pytest

from dicomtls.association.association import Association, Message
from dicomtls.association.commitment import SOP_INSTANCE, Failed, Reference, Transaction, read_transaction
from dicomtls.association.dimse import Command, CommandField
from dicomtls.dataset.identifier import decode, encode
from dicomtls.errors import AssociationAborted, DicomTLSError, DIMSETimeout, RemoteProtocolError, StatusFailure
from dicomtls.scu import commit as module
from dicomtls.scu.commit import CommitResult, commit
from tests.support.receivers import requestor_of
from tests.support.servers import CT, acceptor, open_policy

ONE, TWO, OTHER = Reference(CT, "1.2.3.1"), Reference(CT, "1.2.3.2"), Reference(CT, "1.2.3.9")


def take(association: Association) -> tuple[Message, Transaction]:
    """The request that is due."""
    message = association.receive()
    assert message is not None
    data = b"".join(map(bytes, association.fragments()))
    return message, read_transaction(decode(data, message.context.transfer_syntax))


def respond(association: Association, message: Message, status: int = 0) -> None:
    """The N-ACTION-RSP."""
    response = Command(
        command_field=CommandField.N_ACTION_RSP,
        message_id_being_responded_to=message.command.message_id,
        status=status,
    )
    association.send(message.context.context_id, response)


def report(association: Association, message: Message, dataset: bytes, event: int = 1) -> int | None:
    """Send an N-EVENT-REPORT; the status of its response."""
    command = Command(
        command_field=CommandField.N_EVENT_REPORT_RQ,
        message_id=77,
        affected_sop_class_uid=message.context.abstract_syntax,
        affected_sop_instance_uid=SOP_INSTANCE,
        event_type_id=event,
        has_dataset=True,
    )
    association.send(message.context.context_id, command, dataset)
    answer = association.receive()
    assert answer is not None
    assert answer.command.message_id_being_responded_to == 77
    return answer.command.status


def encoded(message: Message, transaction: Transaction) -> bytes:
    """A transaction as it goes out."""
    return encode(transaction.encode(), message.context.transfer_syntax)


def committing(
    judge: Callable[[Transaction], Transaction] = lambda asked: asked,
) -> Callable[[Association], None]:
    """A peer that reports what `judge` makes of each request."""

    def script(association: Association) -> None:
        while True:
            message = association.receive()
            if message is None:
                return
            data = b"".join(map(bytes, association.fragments()))
            asked = read_transaction(decode(data, message.context.transfer_syntax))
            respond(association, message)
            assert report(association, message, encoded(message, judge(asked))) == 0

    return script


def committed(script: Callable[[Association], None], references: Sequence[Reference] = (ONE, TWO)) -> CommitResult:
    """What becomes of a commitment with a peer that follows a script."""
    with acceptor(script, open_policy()) as peer:
        return commit(requestor_of(peer), references, patience=5.0)


def refusal(result: CommitResult) -> DicomTLSError:
    """What the result raises."""
    with pytest.raises(DicomTLSError) as caught:
        result.check()
    return caught.value


def test_all_is_committed() -> None:
    """Each instance once, however often it was named."""
    result = committed(committing(), [ONE, TWO, ONE])
    result.check()
    assert (result.committed, result.failed, result.unanswered) == ([ONE, TWO], [], [])


def test_many_are_asked_for_in_several_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with a UID of its own."""
    monkeypatch.setattr(module, "MOST_AT_ONCE", 2)
    uids = []

    def judge(asked: Transaction) -> Transaction:
        uids.append(asked.uid)
        return asked

    references = [Reference(CT, f"1.2.{number}") for number in range(5)]
    result = committed(committing(judge), references)
    result.check()
    assert result.committed == references
    assert len(set(uids)) == 3


def test_what_is_not_committed_is_a_failure() -> None:
    """With the reason of the first."""

    def judge(asked: Transaction) -> Transaction:
        return Transaction(asked.uid, (ONE,), (Failed(TWO, 0x0112),))

    result = committed(committing(judge))
    error = refusal(result)
    assert isinstance(error, StatusFailure)
    assert "1 of 2 instances were not committed: no such SOP instance (0x0112)" in error.message


def test_what_nobody_asked_for_is_not_counted() -> None:
    """Nor is what the report leaves out."""
    result = committed(committing(lambda asked: Transaction(asked.uid, (ONE, OTHER), (Failed(OTHER, 1),))))
    assert (result.committed, result.failed, result.unanswered) == ([ONE], [], [TWO])
    refusal(result)


def test_report_on_another_transaction_is_not_ours() -> None:
    """It is confirmed, and waited on."""

    def script(association: Association) -> None:
        message, asked = take(association)
        respond(association, message)
        report(association, message, encoded(message, Transaction("1.2.99", (ONE, TWO))))
        report(association, message, encoded(message, Transaction(asked.uid, (), (Failed(ONE, 1), Failed(TWO, 1)))), 2)
        assert association.receive() is None

    assert len(committed(script).failed) == 2


def test_refused_request_is_a_failure() -> None:
    """The status says why."""

    def script(association: Association) -> None:
        message, _ = take(association)
        respond(association, message, 0x0110)
        association.receive()

    error = refusal(committed(script))
    assert isinstance(error, StatusFailure)
    assert "processing failure (0x0110)" in error.message


def test_report_that_does_not_come_is_waited_for_only_so_long() -> None:
    """Some report over an association of their own."""

    def script(association: Association) -> None:
        message, _ = take(association)
        respond(association, message)
        association.receive()

    with acceptor(script, open_policy()) as peer:
        result = commit(requestor_of(peer), [ONE], patience=0.2)
    error = refusal(result)
    assert isinstance(error, DIMSETimeout)
    assert "did not report within 0.2 s" in error.message
    assert error.hints
    assert result.unanswered == [ONE]


@pytest.mark.parametrize("what", ["release", "echo", "nonsense", "no transaction"])
def test_nonsense_in_place_of_the_report_is_told(what: str) -> None:
    """Each by its diagnosis; nothing counts as committed."""

    def script(association: Association) -> None:
        message, _ = take(association)
        respond(association, message)
        if what == "release":
            association.release()
        elif what == "echo":
            association.send(message.context.context_id, Command(command_field=CommandField.C_ECHO_RQ, message_id=1))
            association.receive()
        else:
            report(association, message, b"\1\2\3\4" if what == "nonsense" else b"")

    result = committed(script)
    assert isinstance(refusal(result), AssociationAborted if what == "release" else RemoteProtocolError)
    assert (result.committed, result.unanswered) == ([], [ONE, TWO])
