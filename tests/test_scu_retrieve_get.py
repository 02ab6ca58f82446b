"""C-GET as SCU: what comes and where, and how retrievals are cancelled."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dicomtls.association.association import Association
from dicomtls.association.dimse import CommandField, encode_command
from dicomtls.association.outbox import pack
from dicomtls.association.query import Level, Model
from dicomtls.dataset import EXPLICIT_VR_LE
from dicomtls.dataset.identifier import Element
from dicomtls.errors import (
    AssociationAborted,
    DicomTLSError,
    Interrupted,
    NoPresentationContext,
    RemoteProtocolError,
)
from dicomtls.scp.services import Services
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
    Watcher,
    archive,
    got,
    refusal,
    retrieve_response,
    send_instance,
    take_request,
)
from tests.support.servers import CT, context_of, store_request, stored_files

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


def interrupted_move(script: Callable[[Association], None]) -> tuple[RetrieveResult, list[DicomTLSError]]:
    """Move from a peer that follows the script, interrupted at its first response; and how its associations ended."""
    interrupt = Interrupt()
    with archive(script) as peer:
        result = move(requestor_of(peer, interrupt), STUDY, "DEST", observer=Watcher(1, interrupt.set))
        peer.server.wait_for_connections(1)
    interrupt.close()
    return result, peer.ends


def test_peer_that_does_not_cancel_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while; it is aborted then."""
    monkeypatch.setattr(module, "_CANCEL_SECONDS", 0.2)

    def script(association: Association) -> None:
        request, _ = take_request(association)
        association.send(request.context.context_id, retrieve_response(request, 0xFF00, Counts(1, 1, 0, 0)))
        while association.receive() is not None:
            pass

    result, ends = interrupted_move(script)
    assert isinstance(refusal(result), Interrupted)
    assert isinstance(ends[0], AssociationAborted)


def test_peer_that_goes_on_after_the_cancel_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many archives send what they have to its end; that there is always something to read is no reason to wait."""
    monkeypatch.setattr(module, "_CANCEL_SECONDS", 0.0)

    def script(association: Association) -> None:
        request, _ = take_request(association)
        context_id = request.context.context_id
        responses = [
            *(retrieve_response(request, 0xFF00, Counts(50 - done, done, 0, 0)) for done in range(1, 50)),
            retrieve_response(request, 0x0000, Counts(None, 50, 0, 0)),
        ]
        association.write(
            b"".join(pack(context_id, encode_command(one), is_command=True, fragment=4096) for one in responses)
        )
        while association.receive() is not None:
            pass

    result, ends = interrupted_move(script)
    assert (result.status, result.counts.completed) == (None, 1)
    assert isinstance(refusal(result), Interrupted)
    assert isinstance(ends[0], AssociationAborted)


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
