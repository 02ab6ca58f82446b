"""C-MOVE and C-GET as SCP, with our own SCU as requestor: over TLS, side by side, cancelled, broken off."""

import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pydicom
import pytest

from dicomtls.association import pdu
from dicomtls.association.association import Association
from dicomtls.association.dimse import Command, CommandField, encode_command
from dicomtls.association.negotiation import ContextProposal
from dicomtls.association.outbox import FileShrank, Outbox, pack
from dicomtls.association.query import Level, Model
from dicomtls.dataset import IMPLICIT_VR_LE, tags
from dicomtls.dataset.identifier import Element
from dicomtls.errors import AssociationAborted, Interrupted
from dicomtls.peer import Peer
from dicomtls.scp import operation
from dicomtls.scp.destinations import Destination
from dicomtls.scp.index import KeptInstance, Query
from dicomtls.scp.services import Services
from dicomtls.scp.storage import FolderStorage
from dicomtls.scu.retrieve import RetrieveRequest, RetrieveResult, get, move
from tests.support.archives import (
    GET,
    GET_PROPOSALS,
    MOVE,
    MOVE_PROPOSAL,
    Archive,
    destination_at,
    moving,
    our_archive,
    paths_of,
)
from tests.support.instances import Instance, make_instances
from tests.support.kept import dataset_of
from tests.support.pki import PKI
from tests.support.receivers import Receiver, receiving
from tests.support.retrieving import STUDY, send_request, study_of
from tests.support.servers import (
    CT,
    acceptor,
    client_tls,
    context_of,
    open_policy,
    our_server,
    response_of,
    server_tls,
    stored_files,
)


def get_into(archive: Archive, request: RetrieveRequest, directory: Path, **options: object) -> RetrieveResult:
    """Get something into a folder, in clear."""
    with closing(FolderStorage(directory)) as storage:
        return get(
            archive.requestor(),
            request,
            lambda association: Services(association, storage, on_outcome=lambda _outcome: None),
            **options,  # type: ignore[arg-type]  # what `get` takes
        )


def assert_kept(directory: Path, made: Sequence[Instance]) -> None:
    """All of them, dataset for dataset."""
    kept = {path.stem: dataset_of(path) for path in stored_files(directory)}
    assert kept == {instance.sop_instance_uid: dataset_of(instance.path) for instance in made}


# C-GET


@pytest.mark.parametrize("window", [1, 4, 128])
def test_get_brings_all_whatever_the_window(tmp_path: Path, window: int) -> None:
    """Large ones, which do not fit into the buffer, between small ones."""
    made = make_instances(tmp_path / "small", 5, pixel_bytes=1024)
    large = make_instances(tmp_path / "large", 2, pixel_bytes=3_000_000)
    files = [*made[:2], large[0], *made[2:], large[1]]
    keys = {tags.SOP_INSTANCE_UID: Element("UI", tuple(one.sop_instance_uid for one in files))}
    request = RetrieveRequest(model=Model.STUDY_ROOT, level=Level.IMAGE, keys=keys)
    with our_archive(tmp_path / "archive", paths_of(files), max_operations=window) as archive:
        result = get_into(archive, request, tmp_path / "got")
    result.check()
    assert (result.counts.completed, result.received) == (7, 7)
    assert_kept(tmp_path / "got", files)


def test_pending_responses_come_between_the_instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never in the middle of one, with however little time between them."""
    monkeypatch.setattr(operation, "_PENDING_EVERY", -1.0)
    made = make_instances(tmp_path / "made", 5, pixel_bytes=1_500_000)
    told: list[int | None] = []

    class Watcher:
        """Notes what remains."""

        def progress(self, counts: object, received: int) -> None:  # noqa: ARG002 -- what an observer is told
            """Something has changed."""
            told.append(getattr(counts, "remaining", None))

    with our_archive(tmp_path / "archive", paths_of(made)) as archive:
        get_into(archive, study_of(made), tmp_path / "got", observer=Watcher()).check()
    assert_kept(tmp_path / "got", made)
    assert len(set(told)) > 1


def test_get_of_a_compressed_instance_finds_its_context(tmp_path: Path) -> None:
    """JPEG 2000 has one of its own for CT; deflated has none unless the SOP class is named."""
    made = make_instances(tmp_path / "made", 2, pixel_bytes=1024)
    for one, syntax in zip(made, (b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.1.99"), strict=True):
        raw = one.path.read_bytes()
        meta = pydicom.filereader.read_file_meta_info(one.path)
        meta.TransferSyntaxUID = pydicom.uid.UID(syntax.decode())
        body = raw[144 + int.from_bytes(raw[140:144], "little") :]
        if syntax.endswith(b"99"):
            compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            body = compressor.compress(body) + compressor.flush()
            body += b"\0" * (len(body) % 2)
        with one.path.open("wb") as file:
            file.write(bytes(128) + b"DICM")
            pydicom.filewriter.write_file_meta_info(file, meta)  # type: ignore[arg-type]  # it takes any file
            file.write(body)
    with our_archive(tmp_path / "archive", paths_of(made)) as archive:
        usual = get_into(archive, study_of(made), tmp_path / "usual")
        named = get_into(archive, study_of(made), tmp_path / "named", sop_classes=[CT])
    assert (usual.status, usual.counts.completed, usual.failed_instances) == (0xB000, 1, (made[1].sop_instance_uid,))
    assert (named.status, named.counts.completed) == (0x0000, 2)


def test_nothing_that_matches_is_a_success(tmp_path: Path) -> None:
    """Without a sub-operation."""
    with our_archive(tmp_path / "archive") as archive:
        result = get_into(archive, STUDY, tmp_path / "got")
    result.check()
    assert result.counts.completed == 0


def test_files_that_are_gone_are_failed_sub_operations(tmp_path: Path) -> None:
    """The others come."""
    made = make_instances(tmp_path / "made", 3, pixel_bytes=1024)
    with our_archive(tmp_path / "archive", paths_of(made)) as archive:
        made[1].path.unlink()
        result = get_into(archive, study_of(made), tmp_path / "got")
        outcome = archive.outcome()
        again = get_into(archive, study_of(made), tmp_path / "again")
    assert (result.status, result.failed_instances) == (0xB000, (made[1].sop_instance_uid,))
    assert "no such file" in (outcome.reason or "")
    assert outcome.missing == 1
    assert (again.status, again.counts.completed) == (0x0000, 2)
    assert_kept(tmp_path / "got", [made[0], made[2]])


def test_index_that_fails_is_told(tmp_path: Path) -> None:
    """A701: it cannot even be counted; the paths in it are none of the peer's business."""
    with our_archive(tmp_path / "archive") as archive:
        archive.index.broken = True
        result = get_into(archive, STUDY, tmp_path / "got")
    assert (result.status, result.comment) == (0xA701, None)


@pytest.mark.parametrize("how", ["release", "abort", "nonsense"])
def test_requestor_that_goes_away_ends_the_get(tmp_path: Path, how: str) -> None:
    """With the association, and nothing else of the server."""
    made = make_instances(tmp_path / "made", 3, pixel_bytes=1024)
    with our_archive(tmp_path / "archive", paths_of(made)) as archive:
        requestor = archive.requestor()
        association = requestor.associate(requestor.attempt(), GET_PROPOSALS)
        send_request(association, GET, study_of(made))
        assert response_of(association).status == 0xFF00
        if how == "release":
            association.release()
        elif how == "abort":
            association.abort()
        else:
            command = Command(command_field=CommandField.C_STORE_RSP, message_id_being_responded_to=99, status=0)
            association.send(context_of(association), command)
            with pytest.raises(AssociationAborted):
                receive_all(association)
        archive.wait(lambda: bool(archive.ends))
        get_into(archive, study_of(made), tmp_path / "got").check()
    assert archive.outcomes[0].status == 0


def receive_all(association: Association) -> None:
    """Take what comes until something is wrong."""
    while True:
        association.receive()


def test_file_that_shrinks_while_it_is_sent_ends_the_association(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an instance is out: only an abort can tell that the rest will not come."""
    made = make_instances(tmp_path / "made", 1, pixel_bytes=1024)

    def shrunk(*_arguments: object) -> None:
        raise FileShrank

    monkeypatch.setattr(Outbox, "put_file", shrunk)
    with our_archive(tmp_path / "archive", paths_of(made)) as archive:
        result = get_into(archive, study_of(made), tmp_path / "got")
        archive.wait(lambda: bool(archive.ends))
    assert isinstance(result.error, AssociationAborted)
    assert archive.ends[0].code == "unreadable-file"
    assert stored_files(tmp_path / "got") == []


# C-MOVE


def test_move_goes_over_tls_with_our_certificate(pki: PKI, tmp_path: Path) -> None:
    """The destination demands one, and gets it."""
    made = make_instances(tmp_path / "made", 20, pixel_bytes=10_000)
    with moving(tmp_path, made, pki) as (archive, there):
        result = move(archive.requestor(client_tls(pki)), study_of(made), "DEST")
        there.wait_for("association-released")
        accepted = there.wait_for("association-accepted")
    result.check()
    assert result.counts.completed == 20
    assert accepted.facts["client"] is not None
    assert_kept(tmp_path / "there", made)


@pytest.mark.parametrize("title", ["                ", "R\xf6ntgen", "A\\B"])
def test_move_goes_for_who_has_no_ae_title(tmp_path: Path, title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such devices are let in; the originator of a C-STORE may be left out (PS3.7 table 9.3-1), and is."""
    made = make_instances(tmp_path / "made", 3, pixel_bytes=1024)
    monkeypatch.setattr(pdu, "encode_ae_title", lambda text, _name: text.encode("latin-1").ljust(16))
    with moving(tmp_path, made) as (archive, _):
        result = move(archive.requestor(calling_ae_title=title), study_of(made), "DEST")
    result.check()
    assert_kept(tmp_path / "there", made)


def test_unknown_destination_is_refused(tmp_path: Path) -> None:
    """A801, before anything is looked up."""
    with our_archive(tmp_path / "archive") as archive:
        archive.index.broken = True
        result = move(archive.requestor(), STUDY, "NOBODY")
    assert result.status == 0xA801


def test_destination_out_of_reach_fails_all_with_their_list(tmp_path: Path) -> None:
    """A702, and the log has the reason."""
    made = make_instances(tmp_path / "made", 3, pixel_bytes=1024)
    with our_server(tmp_path / "there") as there:
        gone = destination_at(there)
    with our_archive(tmp_path / "archive", paths_of(made), destinations=[gone]) as archive:
        result = move(archive.requestor(), study_of(made), "DEST")
        outcome = archive.outcome()
    assert (result.status, result.counts.failed) == (0xA702, 3)
    assert sorted(result.failed_instances) == sorted(one.sop_instance_uid for one in made)
    assert outcome.reason == f"DEST: nothing listens at {gone.peer}"
    assert result.comment == "DEST: connection-refused"


FAULTS = {"wrong_name": "name-mismatch", "other_server": "unknown-issuer", "client": "wrong-purpose", "": "peer-closed"}


@pytest.mark.parametrize("destination", FAULTS)
def test_destination_whose_tls_is_not_right_gets_nothing(pki: PKI, tmp_path: Path, destination: str) -> None:
    """A certificate for another name, of another authority, for a client alone, or no TLS at all: each is told."""
    made = make_instances(tmp_path / "made", 2, pixel_bytes=1024)
    served = server_tls(pki, getattr(pki, destination)) if destination else None
    with our_server(tmp_path / "there", served) as there:
        where = destination_at(there, in_clear=False)
        with our_archive(
            tmp_path / "archive", paths_of(made), destinations=[where], destination_tls=client_tls(pki)
        ) as archive:
            result = move(archive.requestor(), study_of(made), "DEST")
            outcome = archive.outcome()
    assert (result.status, result.counts.failed) == (0xA702, 2)
    assert stored_files(tmp_path / "there") == []
    assert result.comment == f"DEST: {FAULTS[destination]}"
    assert "handshake failed" not in str(outcome.reason)


def test_several_moves_at_once(pki: PKI, tmp_path: Path) -> None:
    """Each over an association of its own, none waits for another."""
    made = [make_instances(tmp_path / str(number), 10, pixel_bytes=20_000) for number in range(4)]
    results: list[RetrieveResult] = []
    with moving(tmp_path, [one for some in made for one in some], pki) as (archive, _):
        threads = [
            threading.Thread(
                target=lambda some=some: results.append(
                    move(archive.requestor(client_tls(pki)), study_of(some), "DEST")
                )
            )
            for some in made
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [(result.status, result.counts.completed) for result in results] == [(0, 10)] * 4
    assert_kept(tmp_path / "there", [one for some in made for one in some])


def test_move_is_cancelled_between_instances(tmp_path: Path) -> None:
    """FE00: what was sent is there, what was not remains, and nothing is half there."""
    made = make_instances(tmp_path / "made", 10, pixel_bytes=1024)
    came, cancelled = threading.Semaphore(0), threading.Event()
    receiver = Receiver(status=lambda _message: (came.release(), cancelled.wait(20), 0x0000)[2])  # type: ignore[func-returns-value]  # in this order
    with receiving(receiver, open_policy(max_operations=1)) as there:
        where = destination_at(there.peer)
        with our_archive(tmp_path / "archive", paths_of(made), destinations=[where]) as archive:
            requestor = archive.requestor()
            association = requestor.associate(requestor.attempt(), [MOVE_PROPOSAL])
            send_request(association, MOVE, study_of(made))
            assert response_of(association).number_of_remaining_suboperations == 10
            assert came.acquire(timeout=20)
            cancel = Command(command_field=CommandField.C_CANCEL_RQ, message_id_being_responded_to=1)
            association.send(1, cancel)
            cancelled.set()
            while (response := response_of(association)).status == 0xFF00:
                pass
            association.release()
    assert response.status == 0xFE00
    assert (response.number_of_remaining_suboperations or 0) + len(receiver.received) == 10
    assert response.number_of_completed_suboperations == len(receiver.received)


def test_what_was_never_sent_has_not_failed_after_a_cancel(tmp_path: Path) -> None:
    """The cancel came while nobody listened: it is heard before the first instance is given up."""
    made = make_instances(tmp_path / "made", 3, pixel_bytes=1024)
    with acceptor(lambda _association: None) as gone:
        nowhere = destination_at(gone.peer)
    with our_archive(tmp_path / "archive", paths_of(made), destinations=[nowhere]) as archive:
        requestor = archive.requestor()
        association = requestor.associate(requestor.attempt(), [MOVE_PROPOSAL])
        cancel = Command(command_field=CommandField.C_CANCEL_RQ, message_id_being_responded_to=1)
        send_request(
            association, MOVE, study_of(made), after=pack(1, encode_command(cancel), is_command=True, fragment=4096)
        )
        while (response := response_of(association)).status == 0xFF00:
            pass
        association.release()
    assert response.status == 0xFE00
    assert (response.number_of_remaining_suboperations, response.number_of_failed_suboperations) == (3, 0)


def test_requestor_that_goes_away_ends_the_move(tmp_path: Path) -> None:
    """Nobody is told of the rest, so nobody is sent it; the association to the destination is released."""
    made = make_instances(tmp_path / "made", 50, pixel_bytes=1024)
    came, gone = threading.Semaphore(0), threading.Event()
    receiver = Receiver(status=lambda _message: (came.release(), gone.wait(20), 0x0000)[2])  # type: ignore[func-returns-value]  # in this order
    with receiving(receiver) as there:
        where = destination_at(there.peer)
        with our_archive(tmp_path / "archive", paths_of(made), destinations=[where]) as archive:
            requestor = archive.requestor()
            association = requestor.associate(requestor.attempt(), [MOVE_PROPOSAL])
            send_request(association, MOVE, study_of(made))
            assert came.acquire(timeout=20)
            association.abort()
            gone.set()
            archive.wait(lambda: bool(archive.ends))
    assert isinstance(archive.ends[0], AssociationAborted)
    assert archive.outcomes == []
    assert there.ends == []


def test_server_that_stops_breaks_the_move_off(tmp_path: Path) -> None:
    """The interrupt reaches both of its associations."""
    made = make_instances(tmp_path / "made", 3, pixel_bytes=1024)
    came = threading.Event()

    def silent(association: Association) -> None:
        association.receive()
        came.set()
        association.receive()
        association.receive()

    with acceptor(silent) as there:
        where = destination_at(there.peer)
        with our_archive(tmp_path / "archive", paths_of(made), destinations=[where]) as archive:
            requestor = archive.requestor()
            association = requestor.associate(requestor.attempt(), [MOVE_PROPOSAL])
            send_request(association, MOVE, study_of(made))
            assert came.wait(20)
            archive.interrupt.set()
            archive.wait(lambda: bool(archive.ends))
            association.abort()
    assert isinstance(archive.ends[0], Interrupted)


@pytest.mark.parametrize("sop_class", [GET, MOVE])
def test_search_for_what_to_send_is_cancelled(tmp_path: Path, sop_class: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is counted: FE00, and nothing goes out."""
    looking = threading.Event()

    def endless(query: Query) -> Iterator[KeptInstance]:
        assert query.unwanted is not None
        while not query.unwanted():
            looking.set()
        return iter(())

    where = Destination(Peer("127.0.0.1", 9, "DEST"), in_clear=True)
    with our_archive(tmp_path / "archive", destinations=[where]) as archive:
        monkeypatch.setattr(archive.index, "instances", endless)
        requestor = archive.requestor()
        association = requestor.associate(requestor.attempt(), [ContextProposal(sop_class, (IMPLICIT_VR_LE,))])
        send_request(association, sop_class, STUDY)
        assert looking.wait(20)
        association.send(1, Command(command_field=CommandField.C_CANCEL_RQ, message_id_being_responded_to=1))
        response = response_of(association)
        association.release()
    assert (response.status, response.number_of_remaining_suboperations) == (0xFE00, 0)
    assert response.number_of_completed_suboperations == 0


def test_files_that_are_gone_leave_the_index_after_a_move(tmp_path: Path) -> None:
    """A failed sub-operation each, by its UID, and not found any more when that has been said."""
    made = make_instances(tmp_path / "made", 4, pixel_bytes=1024)
    with receiving(Receiver()) as there:
        where = destination_at(there.peer)
        with our_archive(tmp_path / "archive", paths_of(made), destinations=[where]) as archive:
            request = study_of(made)
            for one in made[:2]:
                one.path.unlink()
            result = move(archive.requestor(), request, "DEST")
            assert [kept.sop_instance_uid for kept, _ in archive.index.rows] == [
                one.sop_instance_uid for one in made[2:]
            ]
            assert archive.outcome().missing == 2
    assert (result.status, result.counts.completed, result.counts.failed) == (0xB000, 2, 2)
    assert result.failed_instances == tuple(one.sop_instance_uid for one in made[:2])
