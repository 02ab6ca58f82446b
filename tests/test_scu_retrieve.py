"""C-MOVE as SCU: what is asked, what is counted, and what peers do wrong; C-GET and cancelling are beside it."""

from typing import Any

import pytest

from dicomtls.association.association import Association
from dicomtls.association.dimse import CommandField
from dicomtls.association.query import QUERY_RETRIEVE_LEVEL, Level, Model
from dicomtls.dataset.identifier import Element
from dicomtls.errors import (
    AssociationAborted,
    DIMSETimeout,
    RemoteProtocolError,
    StatusFailure,
    UsageError,
)
from dicomtls.scu import retrieve as module
from dicomtls.scu.retrieve import RetrieveRequest, move
from dicomtls.scu.suboperations import Counts
from tests.support.receivers import requestor_of
from tests.support.retrieving import (
    STUDY,
    Watcher,
    answering,
    archive,
    failed_list,
    moved,
    refusal,
    retrieve_response,
    take_request,
)

# What is asked


def test_move_asks_for_the_level_and_the_destination() -> None:
    """In the context of its information model."""
    seen: list[Any] = []

    def script(association: Association) -> None:
        request, identifier = take_request(association)
        seen.append((request.command, request.context.abstract_syntax, identifier))
        association.send(request.context.context_id, retrieve_response(request, 0))
        association.receive()

    moved(script).check()
    [(command, sop_class, identifier)] = seen
    assert command.command_field is CommandField.C_MOVE_RQ
    assert (command.move_destination, command.affected_sop_class_uid) == ("DEST", sop_class)
    assert identifier[QUERY_RETRIEVE_LEVEL].values == ("STUDY",)


def test_text_beyond_ascii_goes_out_in_utf_8() -> None:
    """Where the key has such text at all."""
    seen: list[Any] = []

    def script(association: Association) -> None:
        request, identifier = take_request(association)
        seen.append(identifier)
        association.send(request.context.context_id, retrieve_response(request, 0))
        association.receive()

    keys = {0x00100020: Element("LO", ("Jürgen",))}
    request = RetrieveRequest(model=Model.PATIENT_ROOT, level=Level.PATIENT, keys=keys)
    with archive(script) as peer:
        move(requestor_of(peer), request, "DEST").check()
    assert seen[0][0x00080005].values == ("ISO_IR 192",)
    assert seen[0][0x00100020].values == ("Jürgen",)


def test_worklist_is_nothing_to_retrieve_by() -> None:
    """It is a model of things that are still to come."""
    request = RetrieveRequest(model=Model.WORKLIST, level=Level.STUDY, keys={})
    with archive(answering(0)) as peer, pytest.raises(UsageError, match="nothing can be retrieved"):
        move(requestor_of(peer), request, "DEST")


# What is counted


def test_counts_are_told_as_they_come() -> None:
    """From the pending responses, and from the last."""
    watcher = Watcher()
    steps = [Counts(2, 0, 0, 0), Counts(1, 1, 0, 0)]
    result = moved(answering(0, pending=steps), watcher=watcher)
    result.check()
    assert [counts for counts, _ in watcher.told] == [*steps, Counts(None, 2, 0, 0)]
    assert (result.status, result.counts, result.remarks) == (0, Counts(None, 2, 0, 0), ())


def test_failed_instances_are_named() -> None:
    """B000 with a list is a failure of some; the list is by UID."""

    def script(association: Association) -> None:
        request, _ = take_request(association)
        response = retrieve_response(request, 0xB000, Counts(None, 1, 2, 0), has_dataset=True)
        association.send(request.context.context_id, response, failed_list(request, ["1.2.3.4", "1.2.3.5"]))
        association.receive()

    result = moved(script)
    assert result.failed_instances == ("1.2.3.4", "1.2.3.5")
    error = refusal(result)
    assert isinstance(error, StatusFailure)
    assert "2 of 3 sub-operations failed" in error.message


def test_warnings_alone_are_no_failure() -> None:
    """The instances are there."""
    result = moved(answering(0xB000, Counts(None, 1, 0, 1)))
    result.check()
    assert result.counts.warning == 1


@pytest.mark.parametrize(
    ("status", "counts", "said", "hint"),
    [
        (0xA801, Counts(), "move destination unknown (0xA801)", "told of the move destination DEST"),
        (0xA702, Counts(None, 0, 2, 0), "cannot perform the sub-operations", "may not reach DEST"),
        (0xA900, Counts(), "does not match SOP class", "unique key"),
        (0xC001, Counts(), "unable to process (0xC001)", "may not have what was asked for"),
        (0xC000, Counts(), "unable to process (0xC000)", "may not know the move destination DEST"),
        (0xB000, Counts(None, 2, 0, 0), "one or more failures", ""),
        (0xFE00, Counts(2, 0, 0, 0), "cancelled the retrieval by itself", ""),
        (0x0000, Counts(None, 1, 1, 0), "1 of 2 sub-operations failed: the peer answered success", ""),
    ],
)
def test_status_that_says_no_is_a_failure(status: int, counts: Counts, said: str, hint: str) -> None:
    """Each with its meaning, and what to do; success beside failed sub-operations too."""
    result = moved(answering(status, counts))
    error = refusal(result)
    assert isinstance(error, StatusFailure)
    assert (error.status, result.status) == (status, status)
    assert said in error.message
    assert hint in " ".join(error.hints)


@pytest.mark.parametrize("pending", [[], [Counts(1, 1, 0, 0)]])
def test_archive_that_aborts_at_once_may_not_know_our_title(pending: list[Counts]) -> None:
    """Once it has begun it does."""

    def script(association: Association) -> None:
        request, _ = take_request(association)
        for counts in pending:
            association.send(request.context.context_id, retrieve_response(request, 0xFF00, counts))
        association.abort()

    error = refusal(moved(script))
    assert isinstance(error, AssociationAborted)
    assert ("--calling-aet" in " ".join(error.hints)) is (not pending)


# Counts that lie, pending without end, nonsense


@pytest.mark.parametrize(
    ("pending", "final", "remark"),
    [
        ([Counts(1, 1, 0, 0), Counts(2, 0, 0, 0)], Counts(None, 2, 0, 0), "and then 0"),
        ([Counts(1, 1, 0, 0), Counts(9, 2, 0, 0)], Counts(None, 2, 0, 0), "counted 2 sub-operations, and then 11"),
        ([Counts(1, 1, 0, 0)], Counts(None, 1, 0, 0), "leave out 1 of 2"),
    ],
)
def test_counts_that_cannot_be_true_are_remarked(pending: list[Counts], final: Counts, remark: str) -> None:
    """They are shown as the peer says them, and do not change the outcome."""
    result = moved(answering(0, final, pending=pending))
    result.check()
    assert remark in " ".join(result.remarks)
    assert result.counts == final


def test_pending_for_ever_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts that stay where they are are no progress."""
    monkeypatch.setattr(module, "_MOST_IDLE_RESPONSES", 50)
    count = 0

    def script(association: Association) -> None:
        nonlocal count
        request, _ = take_request(association)
        while True:
            association.send(request.context.context_id, retrieve_response(request, 0xFF00, Counts(2, 0, 0, 0)))
            count += 1

    error = refusal(moved(script))
    assert isinstance(error, DIMSETimeout)
    assert "without any progress" in error.message
    assert count >= 50


def test_pending_now_and_then_for_ever_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten times the silence that would be too long."""
    monkeypatch.setattr(module, "_STALLED", 0)
    steps = [Counts(2, 0, 0, 0)] * 10
    error = refusal(moved(answering(0, pending=steps)))
    assert isinstance(error, DIMSETimeout)


def test_progress_resets_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative twin: as many responses, each a step further."""
    monkeypatch.setattr(module, "_MOST_IDLE_RESPONSES", 5)
    steps = [Counts(50 - number, number, 0, 0) for number in range(50)]
    moved(answering(0, Counts(None, 50, 0, 0), pending=steps)).check()


def test_silence_is_too_long() -> None:
    """And the peer is told that we are gone."""

    def script(association: Association) -> None:
        take_request(association)
        association.receive()

    error = refusal(moved(script, timeout=0.2))
    assert isinstance(error, DIMSETimeout)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"message_id_being_responded_to": 9}, "never made"),
        ({"command_field": CommandField.C_FIND_RSP}, "a C-FIND-RSP where a C-MOVE-RSP was due"),
        ({"command_field": CommandField.C_ECHO_RQ, "message_id": 1, "status": None}, "a C-ECHO-RQ where"),
        ({"command_field": CommandField.C_STORE_RQ, "message_id": 1, "status": None}, "a C-STORE-RQ where"),
    ],
)
def test_what_is_no_response_breaks_it_off(changed: dict[str, object], said: str) -> None:
    """With an A-ABORT, and the diagnosis of what came."""

    def script(association: Association) -> None:
        request, _ = take_request(association)
        association.send(request.context.context_id, retrieve_response(request, 0, changed=changed))
        association.receive()

    with archive(script) as peer:
        result = move(requestor_of(peer), STUDY, "DEST")
        peer.server.wait_for_connections(1)
    error = refusal(result)
    assert isinstance(error, RemoteProtocolError)
    assert said in error.message
    assert isinstance(peer.ends[0], AssociationAborted)


def test_release_in_place_of_an_answer_is_a_failure() -> None:
    """Nobody knows what became of it."""

    def script(association: Association) -> None:
        take_request(association)
        association.release()

    assert "released the association before it answered" in refusal(moved(script)).message


@pytest.mark.parametrize("failed", [b"nonsense", b"\x08\0\x58\0UI\xff\xff", b"\x08\0\x58\0UI\x06\0..\\x\\1"])
def test_list_that_cannot_be_read_is_a_remark(failed: bytes) -> None:
    """The status is what counts; hostile text is no UID."""
    result = moved(answering(0xA702, Counts(None, 0, 1, 0), failed=failed))
    assert result.status == 0xA702
    assert all(uid == "1" for uid in result.failed_instances)
    assert len(result.remarks) == 1
