"""Our C-MOVE, C-GET and commitment services over an index in memory: an archive in a thread of the test."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom

from dicomtls.association.association import Association
from dicomtls.association.channel import Channel
from dicomtls.association.dimse import CommandField
from dicomtls.association.establish import accept
from dicomtls.association.negotiation import ContextProposal, answer
from dicomtls.association.query import GET_SOP_CLASSES, MOVE_SOP_CLASSES, UNIQUE_KEYS, Model
from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.dataset.identifier import Element
from dicomtls.errors import DicomTLSError, MachineError
from dicomtls.peer import Peer
from dicomtls.scp.commitment import CommitmentOutcome, CommitmentService
from dicomtls.scp.destinations import Destination, Destinations
from dicomtls.scp.index import KeptInstance, Query
from dicomtls.scp.operation import RetrieveOutcome
from dicomtls.scp.requests import Requests
from dicomtls.scp.retrieving import GetService, MoveService
from dicomtls.scp.services import Services
from dicomtls.scp.storage import FolderStorage
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from dicomtls.tls import TLSSettings, server_context, server_handshake
from dicomtls.waiting import Interrupt, deadline_in
from tests.support.instances import Instance, make_instances
from tests.support.pki import PKI
from tests.support.raw import raw_server
from tests.support.servers import CT, DEADLINE, RunningServer, client_tls, open_policy, our_server, server_tls

GET, MOVE = GET_SOP_CLASSES[Model.STUDY_ROOT], MOVE_SOP_CLASSES[Model.STUDY_ROOT]
MOVE_PROPOSAL = ContextProposal(MOVE, (IMPLICIT_VR_LE,))
GET_PROPOSALS = [
    ContextProposal(GET, (IMPLICIT_VR_LE,)),
    ContextProposal(CT, (EXPLICIT_VR_LE,), scu_role=False, scp_role=True),
]


def paths_of(made: Sequence[Instance]) -> list[Path]:
    """The files of instances."""
    return [instance.path for instance in made]


def study_uid(made: Sequence[Instance]) -> str:
    """The UID of the study that they are of."""
    return str(pydicom.dcmread(made[0].path, stop_before_pixels=True).StudyInstanceUID)


def study_key(made: Sequence[Instance]) -> tuple[str, str]:
    """The options that ask for it."""
    return "-k", f"StudyInstanceUID={study_uid(made)}"


RAW_DATA = "1.2.840.10008.5.1.4.1.1.66"
"""A storage SOP class that a C-GET does not propose at first."""


def rare_instances(directory: Path, made: Sequence[Instance], count: int = 3) -> list[Instance]:
    """Raw data of the same study, in a series of its own."""
    rare = make_instances(directory, count, pixel_bytes=1024, sop_class_uid=RAW_DATA)
    for instance in rare:
        dataset = pydicom.dcmread(instance.path)
        dataset.StudyInstanceUID = study_uid(made)
        dataset.save_as(instance.path)
    return rare


def destination_at(peer: Peer | RunningServer, title: str = "DEST", *, in_clear: bool = True) -> Destination:
    """A peer as a move destination."""
    return (
        Destination(Peer(peer.host, peer.port, title), in_clear)
        if isinstance(peer, Peer)
        else destination_at(peer.peer, title, in_clear=in_clear)
    )


class MemoryIndex:
    """Instances and their unique keys, matched as UIDs are: one of a list, or anything where there is none."""

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        self.rows: list[tuple[KeptInstance, dict[int, str]]] = []
        self.broken = False
        for path in paths:
            self.put(path)

    def put(self, path: Path) -> None:
        """Take a file in."""
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        meta = dataset.file_meta
        kept = KeptInstance(str(path), dataset.SOPClassUID, dataset.SOPInstanceUID, str(meta.TransferSyntaxUID))
        self.rows.append((kept, {tag: str(dataset[tag].value) for tag in UNIQUE_KEYS.values()}))

    def add(self, stored: Any) -> None:
        """Take note of an instance."""
        if stored is not None and stored.is_new:
            self.put(stored.path)

    def find(self, query: Query) -> Iterator[dict[int, Element]]:
        """No test of retrieval asks for that."""
        raise NotImplementedError

    def instances(self, query: Query) -> Iterator[KeptInstance]:
        """In the order in which they came."""
        if self.broken:
            msg = "the index is damaged"
            raise MachineError(msg)
        wanted = {tag: set(element.values) for tag, element in query.keys.items() if tag in UNIQUE_KEYS.values()}
        for kept, keys in list(self.rows):
            if all(keys[tag] in values for tag, values in wanted.items()):
                yield kept

    def look_up(self, sop_instance_uids: Sequence[str]) -> Iterator[KeptInstance]:
        """Those that are there."""
        return (kept for kept, _ in list(self.rows) if kept.sop_instance_uid in sop_instance_uids)

    def drop_removed(self, sop_instance_uids: Sequence[str]) -> int:
        """Without those whose files are gone."""
        gone = {uid for uid in sop_instance_uids if not any(Path(one.path).exists() for one in self.look_up([uid]))}
        before = len(self.rows)
        self.rows = [(kept, keys) for kept, keys in self.rows if kept.sop_instance_uid not in gone]
        return before - len(self.rows)


@dataclass
class Archive:
    """A running archive: what it has, how its retrievals and its associations ended."""

    peer: Peer
    index: MemoryIndex
    storage: FolderStorage
    outcomes: list[RetrieveOutcome] = field(default_factory=list)
    commitments: list[CommitmentOutcome] = field(default_factory=list)
    ends: list[DicomTLSError] = field(default_factory=list)
    interrupt: Interrupt = field(default_factory=Interrupt)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return str(self.peer)

    def requestor(self, tls: TLSSettings | None = None, **settings: Any) -> Requestor:
        """Somebody who associates with it; in clear unless there are TLS settings."""
        interrupt: Interrupt | None = settings.pop("interrupt", None)
        return Requestor(self.peer, tls, AssociationSettings(**settings), interrupt=interrupt)

    def outcome(self, number: int = 1) -> RetrieveOutcome:
        """How its `number`-th retrieval ended, as soon as it has."""
        self.wait(lambda: len(self.outcomes) >= number)
        return self.outcomes[number - 1]

    def wait(self, ready: Callable[[], bool]) -> None:
        """Wait until something has changed so that `ready`."""
        with self.changed:
            assert self.changed.wait_for(ready, DEADLINE)

    def hear(self, outcome: RetrieveOutcome) -> None:
        """A retrieval has ended."""
        with self.changed:
            self.outcomes.append(outcome)
            self.changed.notify_all()

    def committed(self, outcome: CommitmentOutcome) -> None:
        """A commitment was reported, or not."""
        with self.changed:
            self.commitments.append(outcome)
            self.changed.notify_all()

    def ended(self, error: DicomTLSError) -> None:
        """An association has."""
        with self.changed:
            self.ends.append(error)
            self.changed.notify_all()


@contextmanager
def our_archive(
    directory: Path,
    paths: Sequence[Path] = (),
    tls: TLSSettings | None = None,
    *,
    destinations: Sequence[Destination] = (),
    destination_tls: TLSSettings | None = None,
    max_operations: int = 128,
    association_settings: AssociationSettings | None = None,
) -> Iterator[Archive]:
    """An archive that has the files `paths`, and whatever is stored to it, in `directory`; in clear without `tls`."""
    context = server_context(tls) if tls is not None else None
    policy = open_policy(max_operations=max_operations, scp_role_allowed=lambda _uid: True)
    known = Destinations(destinations, destination_tls or tls, association_settings)

    def serve(connection: Any) -> None:
        connection.setblocking(False)  # noqa: FBT003 -- the standard library's own signature
        try:
            stream, negotiated = connection, None
            if context is not None:
                stream, negotiated = server_handshake(connection, context, deadline=deadline_in(DEADLINE))
            channel = Channel(stream, negotiated=negotiated, interrupt=archive.interrupt)
            association = accept(
                channel, lambda proposal: answer(proposal, policy), timeout=DEADLINE, dimse_timeout=DEADLINE
            )
            answer_all(archive, association, known)
        except DicomTLSError as error:
            archive.ended(error)

    with closing(FolderStorage(directory)) as storage, raw_server(serve) as server:
        archive = Archive(Peer(server.host, server.port), MemoryIndex(paths), storage)
        try:
            yield archive
        finally:
            archive.interrupt.set()
    archive.interrupt.close()


@contextmanager
def moving(
    tmp_path: Path, made: Sequence[Instance], pki: PKI | None = None, **settings: object
) -> Iterator[tuple[Archive, RunningServer]]:
    """An archive that has these, and a server of ours as its destination DEST; over TLS with a PKI."""
    served = server_tls(pki) if pki else None
    with our_server(tmp_path / "there", served) as there:
        where = destination_at(there, in_clear=pki is None)
        tls = client_tls(pki) if pki else None
        with our_archive(
            tmp_path / "archive",
            paths_of(made),
            served,
            destinations=[where],
            destination_tls=tls,
            **settings,  # type: ignore[arg-type]  # those of the archive
        ) as archive:
            yield archive, there


def answer_all(archive: Archive, association: Association, destinations: Destinations) -> None:
    """Serve one association to its end."""
    services = Services(association, archive.storage, on_outcome=lambda outcome: archive.index.add(outcome.stored))
    commitment = CommitmentService(
        association, archive.index, destinations, on_outcome=archive.committed, interrupt=archive.interrupt
    )
    requests = Requests(association)
    get = GetService(association, archive.index, on_outcome=archive.hear, requests=requests)
    move = MoveService(
        association,
        archive.index,
        destinations,
        on_outcome=archive.hear,
        interrupt=archive.interrupt,
        requests=requests,
    )
    runs = {
        CommandField.C_STORE_RQ: services.store,
        CommandField.C_GET_RQ: get.run,
        CommandField.C_MOVE_RQ: move.run,
        CommandField.N_ACTION_RQ: commitment.run,
        CommandField.N_EVENT_REPORT_RSP: commitment.run,
    }
    try:
        while (message := requests.next(DEADLINE)) is not None:
            if message.command.command_field in runs:
                runs[message.command.command_field](message)
    finally:
        association.abort()
        commitment.finish()
