"""C-MOVE and C-GET as SCU: what is asked, what is counted, how it is cancelled, and what peers do wrong."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dicomtls.association.association import Association
from dicomtls.association.dimse import CommandField
from dicomtls.association.query import QUERY_RETRIEVE_LEVEL, Level, Model
from dicomtls.dataset import EXPLICIT_VR_LE
from dicomtls.dataset.identifier import Element
from dicomtls.errors import (
    AssociationAborted,
    DicomTLSError,
    DIMSETimeout,
    Interrupted,
    NoPresentationContext,
    RemoteProtocolError,
    StatusFailure,
    UsageError,
)
from dicomtls.scp.services import Services, StoreOutcome
from dicomtls.scp.storage import FolderStorage
from dicomtls.scu import retrieve as module
from dicomtls.scu.retrieve import RetrieveRequest, RetrieveResult, get, move
from dicomtls.scu.suboperations import Counts
from dicomtls.waiting import Interrupt
from tests.support.archives import our_archive
from tests.support.instances import make_instances
from tests.support.kept import DATASET, dataset_of
from tests.support.receivers import requestor_of
from tests.support.retrieving import (
    STUDY,
    answering,
    failed_list,
    retrieve_response,
    send_instance,
    take_request,
)
from tests.support.servers import CT, Acceptor, acceptor, context_of, open_policy, store_request, stored_files

Script = Callable[[Association], None]


@contextmanager
def archive(script: Script, *, accepts: Callable[[str], bool] = lambda _uid: True) -> Iterator[Acceptor]:
    """A peer that lets us be the SCP of what it accepts."""
    with acceptor(script, open_policy(supports=accepts, scp_role_allowed=lambda _uid: True)) as peer:
        yield peer


class Watcher:
    """Hears of the progress, and calls `then` when so many instances have come or been counted."""

    def __init__(self, after: int = -1, then: Callable[[], None] | None = None) -> None:
        self.told: list[tuple[Counts, int]] = []
        self._after = after
        self._then = then

    def progress(self, counts: Counts, received: int) -> None:
        """Something has changed."""
        self.told.append((counts, received))
        if self._then is not None and max(received, counts.done) == self._after:
            self._then()


def moved(
    script: Script, *, watcher: Watcher | None = None, interrupt: Interrupt | None = None, timeout: float = 20.0
) -> RetrieveResult:
    """What became of a C-MOVE to a peer that follows a script."""
    with archive(script) as peer:
        return move(requestor_of(peer, interrupt, dimse_timeout=timeout), STUDY, "DEST", observer=watcher)


def got(
    script: Script, directory: Path, *, watcher: Watcher | None = None, interrupt: Interrupt | None = None
) -> tuple[RetrieveResult, list[StoreOutcome]]:
    """What became of a C-GET, and of each instance that came."""
    outcomes: list[StoreOutcome] = []
    with archive(script) as peer, closing(FolderStorage(directory)) as storage:
        result = get(
            requestor_of(peer, interrupt),
            STUDY,
            lambda association: Services(association, storage, on_outcome=outcomes.append),
            observer=watcher,
        )
    return result, outcomes


def refusal(result: RetrieveResult) -> DicomTLSError:
    """What the result raises."""
    with pytest.raises(DicomTLSError) as caught:
        result.check()
    return caught.value


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


# C-GET


def test_get_keeps_what_comes(tmp_path: Path) -> None:
    """Each is answered, and counted as it comes."""
    statuses: list[int] = []

    def script(association: Association) -> None:
        request, _ = take_request(association)
        statuses.extend(send_instance(association, f"1.2.3.{number}", DATASET, message_id=number) for number in (1, 2))
        association.send(request.context.context_id, retrieve_response(request, 0))
        association.receive()

    watcher = Watcher()
    result, outcomes = got(script, tmp_path, watcher=watcher)
    result.check()
    assert statuses == [0, 0]
    assert (result.received, len(outcomes), len(stored_files(tmp_path))) == (2, 2, 2)
    assert [received for _, received in watcher.told] == [1, 2, 2]


def test_get_that_claims_more_than_came_is_no_success(tmp_path: Path) -> None:
    """Something is missing here, whatever the peer says."""

    def script(association: Association) -> None:
        request, _ = take_request(association)
        send_instance(association, "1.2.3.4", DATASET)
        association.send(request.context.context_id, retrieve_response(request, 0, Counts(None, 7, 0, 0)))
        association.receive()

    result, _ = got(script, tmp_path)
    error = refusal(result)
    assert isinstance(error, RemoteProtocolError)
    assert "counts 7 instances that it has sent, and 1 have come" in error.message


def test_instance_in_the_context_of_the_get_is_refused(tmp_path: Path) -> None:
    """Which is for none; nothing is kept."""

    def script(association: Association) -> None:
        request, _ = take_request(association)
        association.send(request.context.context_id, store_request("1.2.3"), DATASET)
        association.receive()

    result, outcomes = got(script, tmp_path)
    assert "presentation context of the C-GET" in refusal(result).message
    assert (outcomes, stored_files(tmp_path)) == ([], [])


def test_response_in_another_context_is_refused(tmp_path: Path) -> None:
    """That of CT."""

    def script(association: Association) -> None:
        request, _ = take_request(association)
        association.send(context_of(association), retrieve_response(request, 0))
        association.receive()

    result, _ = got(script, tmp_path)
    assert "in another presentation context than that of the request" in refusal(result).message


@pytest.mark.parametrize(
    ("accepts", "said"),
    [
        (lambda uid: uid == CT, "accepts no C-GET"),
        (lambda uid: not uid.startswith("1.2.840.10008.5.1.4.1.1."), "no instance of any SOP class"),
    ],
)
def test_get_needs_its_contexts(tmp_path: Path, accepts: Callable[[str], bool], said: str) -> None:
    """One for itself, and one for what comes; each is told apart."""

    def script(association: Association) -> None:
        assert association.receive() is None

    with archive(script, accepts=accepts) as peer, pytest.raises(NoPresentationContext) as caught:
        get(requestor_of(peer), STUDY, lambda _association: pytest.fail("nothing is to be received"))
    assert said in caught.value.message
    assert stored_files(tmp_path) == []


# Cancelling


def test_interrupt_cancels_the_get(tmp_path: Path) -> None:
    """What is under way still comes; the peer ends it, and the association is released."""
    interrupt = Interrupt()
    heard = []

    def script(association: Association) -> None:
        request, _ = take_request(association)
        send_instance(association, "1.2.3.1", DATASET)
        message = association.receive()
        assert message is not None
        heard.append(message.command)
        send_instance(association, "1.2.3.2", DATASET)
        response = retrieve_response(request, 0xFE00, Counts(5, 2, 0, 0))
        association.send(request.context.context_id, response)
        assert association.receive() is None

    result, _ = got(script, tmp_path, watcher=Watcher(1, interrupt.set), interrupt=interrupt)
    interrupt.close()
    assert heard[0].command_field is CommandField.C_CANCEL_RQ
    assert heard[0].message_id_being_responded_to == 1
    assert (result.status, result.received, result.counts.remaining) == (0xFE00, 2, 5)
    assert isinstance(refusal(result), Interrupted)


def test_peer_that_does_not_cancel_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while; it is aborted then."""
    monkeypatch.setattr(module, "_CANCEL_SECONDS", 0.2)
    interrupt = Interrupt()

    def script(association: Association) -> None:
        request, _ = take_request(association)
        association.send(request.context.context_id, retrieve_response(request, 0xFF00, Counts(1, 1, 0, 0)))
        while association.receive() is not None:
            pass

    with archive(script) as peer:
        result = move(requestor_of(peer, interrupt), STUDY, "DEST", observer=Watcher(1, interrupt.set))
        peer.server.wait_for_connections(1)
    interrupt.close()
    assert isinstance(refusal(result), Interrupted)
    assert isinstance(peer.ends[0], AssociationAborted)


def test_interrupt_cancels_our_own_archive_between_instances(tmp_path: Path) -> None:
    """FE00 with what remains; what came is whole."""
    made = make_instances(tmp_path / "made", 50, pixel_bytes=100_000)
    interrupt = Interrupt()
    with our_archive(tmp_path / "archive", [one.path for one in made]) as peer:
        with closing(FolderStorage(tmp_path / "got")) as storage:
            requestor = peer.requestor(interrupt=interrupt)
            keys = {0x00080018: Element("UI", tuple(one.sop_instance_uid for one in made))}
            result = get(
                requestor,
                RetrieveRequest(model=Model.STUDY_ROOT, level=Level.IMAGE, keys=keys),
                lambda association: Services(association, storage, on_outcome=lambda _outcome: None),
                observer=Watcher(1, interrupt.set),
            )
        outcome = peer.outcome()
    interrupt.close()
    originals = {one.sop_instance_uid: dataset_of(one.path) for one in made}
    kept = stored_files(tmp_path / "got")
    assert outcome.status in (0xFE00, 0x0000)
    assert len(kept) == result.received == outcome.completed
    assert all(dataset_of(path) == originals[path.stem] for path in kept)
    assert isinstance(refusal(result), Interrupted)


def test_get_over_explicit_and_compressed_contexts_proposes_the_usual(tmp_path: Path) -> None:
    """What is proposed is what `storage_contexts` says, and a SOP class that was named comes first."""
    seen: list[Any] = []

    def script(association: Association) -> None:
        request, _ = take_request(association)
        seen.extend(association.parameters.contexts.values())
        association.send(request.context.context_id, retrieve_response(request, 0, Counts(None, 0, 0, 0)))
        association.receive()

    with archive(script) as peer, closing(FolderStorage(tmp_path)) as storage:
        get(
            requestor_of(peer),
            STUDY,
            lambda association: Services(association, storage, on_outcome=lambda _outcome: None),
            sop_classes=["1.2.3.4"],
        ).check()
    assert seen[1][1:3] == ("1.2.3.4", EXPLICIT_VR_LE)
    assert len(seen) == 128
    assert all(context.scp_role and not context.scu_role for context in seen[1:])
