"""Storage commitment as SCU: what is asked, and what peers make of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from dicomtls.association.association import Association, Message
from dicomtls.association.commitment import SOP_CLASS, SOP_INSTANCE, Failed, Reference, Transaction, read_transaction
from dicomtls.association.dimse import Command, CommandField, encode_command
from dicomtls.association.outbox import pack
from dicomtls.dataset.identifier import decode, encode
from dicomtls.errors import (
    AssociationAborted,
    DicomTLSError,
    DIMSETimeout,
    Interrupted,
    RemoteProtocolError,
    StatusFailure,
)
from dicomtls.scu import commit as module
from dicomtls.scu.commit import CommitResult, commit
from dicomtls.scu.reports import Reports
from dicomtls.waiting import Interrupt
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


REPORT = Command(
    command_field=CommandField.N_EVENT_REPORT_RQ,
    message_id=77,
    affected_sop_class_uid=SOP_CLASS,
    affected_sop_instance_uid=SOP_INSTANCE,
    event_type_id=1,
    has_dataset=True,
)


def report(association: Association, message: Message, dataset: bytes, event: int = 1) -> int | None:
    """Send an N-EVENT-REPORT; the status of its response."""
    association.send(message.context.context_id, replace(REPORT, event_type_id=event), dataset)
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


def committed(
    script: Callable[[Association], None],
    references: Sequence[Reference] = (ONE, TWO),
    reports: Reports | None = None,
    patience: float = 20.0,
) -> CommitResult:
    """What becomes of a commitment with a peer that follows a script."""
    with acceptor(script, open_policy()) as peer:
        return commit(requestor_of(peer), references, patience=patience, reports=reports)


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

    result = committed(script, [ONE], patience=0.2)
    error = refusal(result)
    assert isinstance(error, DIMSETimeout)
    assert "did not report within 0.2 s" in error.message
    assert "to where they know DICOMTLS to be: receive it with --listen PORT" in error.hints[0]
    assert result.unanswered == [ONE]


def test_reports_on_something_else_do_not_prolong_the_wait() -> None:
    """However many of them come, and though there is always one to read."""

    def script(association: Association) -> None:
        message, asked = take(association)
        context_id = message.context.context_id
        answer = Command(command_field=CommandField.N_ACTION_RSP, message_id_being_responded_to=1, status=0)
        pdus = pack(context_id, encode_command(answer), is_command=True, fragment=4096)
        for uid in (*(f"1.2.{number}" for number in range(20)), asked.uid):
            dataset = encoded(message, replace(asked, uid=uid))
            pdus += pack(context_id, encode_command(REPORT), is_command=True, fragment=4096)
            pdus += pack(context_id, dataset, is_command=False, fragment=4096)
        association.write(pdus)
        while association.receive() is not None:
            pass

    result = committed(script, [ONE], patience=0.0)
    assert isinstance(refusal(result), DIMSETimeout)
    assert result.unanswered == [ONE]


@pytest.mark.parametrize("how", ["release", "abort", "close"])
def test_archive_that_ends_the_association_may_report_over_its_own(how: str) -> None:
    """As most do: the hint says how to hear it."""

    def script(association: Association) -> None:
        message, _ = take(association)
        respond(association, message)
        getattr(association, how)()

    error = refusal(committed(script))
    assert isinstance(error, AssociationAborted)
    assert "--listen PORT" in error.hints[0]


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


def test_what_is_said_to_be_both_has_failed() -> None:
    """An archive that contradicts itself stands for nothing."""
    both = (Failed(ONE, 0x0110), Failed(ONE, 0x0112), Failed(TWO, 0x0110))
    result = committed(committing(lambda asked: Transaction(asked.uid, (ONE, ONE, TWO), both)))
    assert (result.committed, result.unanswered) == ([], [])
    assert [one.reference for one in result.failed] == [ONE, TWO]


@pytest.mark.parametrize("how", ["release", "abort", "silence", "close"])
@pytest.mark.parametrize("is_early", [True, False])
def test_report_over_another_association_counts(how: str, is_early: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """Before the response to the request or after, and however ours ends meanwhile."""
    reports = Reports()

    def script(association: Association) -> None:
        message, asked = take(association)
        if is_early:
            assert reports.put(asked)
        respond(association, message)
        if how in ("release", "abort", "close"):
            getattr(association, how)()
        if not is_early:
            assert reports.put(asked)
        if how == "silence":
            association.receive()

    result = committed(script, reports=reports)
    result.check()
    assert result.committed == [ONE, TWO]


def test_who_listens_still_hears_on_the_association_of_the_request() -> None:
    """Also a report that comes in one PDU with the response, as peers with asynchronous windows send."""

    def script(association: Association) -> None:
        message, asked = take(association)
        response = Command(
            command_field=CommandField.N_ACTION_RSP,
            message_id_being_responded_to=message.command.message_id,
            status=0,
        )
        event = Command(
            command_field=CommandField.N_EVENT_REPORT_RQ,
            message_id=1,
            affected_sop_class_uid=message.context.abstract_syntax,
            affected_sop_instance_uid=SOP_INSTANCE,
            event_type_id=1,
            has_dataset=True,
        )
        parts = [(encode_command(response), True), (encode_command(event), True), (encoded(message, asked), False)]
        values = [_value(message.context.context_id, data, is_command) for data, is_command in parts]
        body = b"".join(values)
        association.write(b"\x04\0" + len(body).to_bytes(4, "big") + body)
        assert association.receive() is not None
        association.receive()

    result = committed(script, reports=Reports())
    result.check()
    assert result.committed == [ONE, TWO]


def _value(context_id: int, data: bytes, is_command: bool) -> bytes:  # noqa: FBT001 -- a flag of the header
    return (len(data) + 2).to_bytes(4, "big") + bytes([context_id, 2 | is_command]) + data


def test_next_transaction_gets_another_association_where_the_first_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As archives end one that nothing happens on while they are about to report over their own."""
    monkeypatch.setattr(module, "MOST_AT_ONCE", 1)
    reports, associations = Reports(), []

    def script(association: Association) -> None:
        associations.append(association)
        message, asked = take(association)
        respond(association, message)
        association.release()
        assert reports.put(asked)

    result = committed(script, reports=reports)
    result.check()
    assert (result.committed, len(associations)) == ([ONE, TWO], 2)


def test_silence_on_both_is_told_with_where_we_are() -> None:
    """What the archive must know."""

    def script(association: Association) -> None:
        message, _ = take(association)
        respond(association, message)
        association.receive()

    result = committed(script, reports=Reports("port 11112, over TLS"), patience=0.2)
    error = refusal(result)
    assert isinstance(error, DIMSETimeout)
    assert error.hints[0] == "the archive must know DICOMTLS as this host, and port 11112, over TLS"


def test_interrupt_ends_the_wait_for_a_report_elsewhere() -> None:
    """At once, with an A-ABORT to the archive."""
    interrupt = Interrupt()

    def script(association: Association) -> None:
        message, _ = take(association)
        respond(association, message)
        interrupt.set()
        association.receive()

    with acceptor(script, open_policy()) as peer:
        result = commit(requestor_of(peer, interrupt), [ONE], reports=Reports())
    assert isinstance(refusal(result), Interrupted)
    assert isinstance(peer.ends[0], AssociationAborted)
    interrupt.close()
