"""Our own server in a thread of the test, and ends of an association that do what a test tells them."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from dicomtls.association.association import Association
from dicomtls.association.channel import Channel
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.establish import Rejection, accept
from dicomtls.association.negotiation import IMPLICIT_VR_LITTLE_ENDIAN, AcceptorPolicy, ContextProposal, answer
from dicomtls.association.pdu import AssociateAccept, AssociateRequest, data_header
from dicomtls.errors import DicomTLSError
from dicomtls.peer import Peer
from dicomtls.scp.certificates import CertificateSource
from dicomtls.scp.events import Event
from dicomtls.scp.index import Index
from dicomtls.scp.offers import Offer
from dicomtls.scp.server import Server
from dicomtls.scp.services import StoreOutcome
from dicomtls.scp.settings import ServerSettings
from dicomtls.scp.storage import FolderStorage, Storage
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from dicomtls.scu.echo import echo
from dicomtls.tls import TLSSettings
from dicomtls.waiting import Interrupt
from tests.support.pki import PKI, Identity
from tests.support.processes import LOOPBACK
from tests.support.raw import RawServer, raw_server, receive_until_end

# Nothing waits this long when all is well.
DEADLINE = 20.0

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
CT_CONTEXT = ContextProposal(abstract_syntax=CT, transfer_syntaxes=(IMPLICIT_VR_LITTLE_ENDIAN,))
ECHO_CONTEXT = ContextProposal(abstract_syntax=VERIFICATION, transfer_syntaxes=(IMPLICIT_VR_LITTLE_ENDIAN,))


class RunningServer:
    """A server that runs in a thread; `events` has what it said, oldest first."""

    def __init__(
        self, settings: ServerSettings, certificates: CertificateSource | None, storage: Storage | None, **options: Any
    ) -> None:
        self.events: list[Event] = []
        self.storage = storage
        self._said = threading.Condition()
        self.server = Server(settings, certificates, storage, on_event=self._hear, **options)
        self.peer = Peer(self.server.host, self.server.port)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, as sockets want it."""
        return self.peer.host, self.peer.port

    def named(self, name: str) -> list[Event]:
        """The events of this name so far."""
        return [event for event in list(self.events) if event.name == name]

    def wait_for(self, name: str, count: int = 1, *, deadline: float = DEADLINE) -> Event:
        """The `count`-th event of this name, as soon as it is there; `TimeoutError` where it does not come."""
        with self._said:
            if not self._said.wait_for(lambda: len(self.named(name)) >= count, deadline):
                msg = f"no {count} events {name!r} in {[event.name for event in self.events]}"
                raise TimeoutError(msg)
        return self.named(name)[count - 1]

    def wait_until(self, ready: Callable[[], bool], *, deadline: float = DEADLINE) -> None:
        """Wait until `ready`, which is asked again after each event; `TimeoutError` where that does not come."""
        with self._said:
            if not self._said.wait_for(ready, deadline):
                msg = f"not ready after {[event.name for event in self.events]}"
                raise TimeoutError(msg)

    def requestor(self, tls: TLSSettings | None = None, **settings: Any) -> Requestor:
        """Somebody who associates with it; in clear unless there are TLS settings."""
        interrupt: Interrupt | None = settings.pop("interrupt", None)
        return Requestor(self.peer, tls, AssociationSettings(**settings), interrupt=interrupt)

    def associate(self, *proposals: ContextProposal, max_operations: int = 1, **settings: Any) -> Association:
        """An association in clear, for CT and Verification unless other contexts are given."""
        requestor = self.requestor(**settings)
        wanted = proposals or (CT_CONTEXT, ECHO_CONTEXT)
        return requestor.associate(requestor.attempt(), wanted, max_operations=max_operations)

    def stop(self) -> None:
        """Stop at once, and wait for the end."""
        self.server.stop()
        self.server.stop()
        self.join()

    def join(self) -> None:
        """Wait for the end of a server that has been told to stop."""
        self.thread.join(DEADLINE)
        if self.thread.is_alive():
            msg = "the server did not stop"
            raise TimeoutError(msg)

    def _hear(self, event: Event) -> None:
        with self._said:
            self.events.append(event)
            self._said.notify_all()


@contextmanager
def our_server(
    storage: Path | Storage | None,
    tls: TLSSettings | CertificateSource | None = None,
    *,
    on_stored: Callable[[StoreOutcome], None] | None = None,
    tells_details: bool = True,
    index: Index | None = None,
    offers: Sequence[Offer] = (),
    **settings: Any,
) -> Iterator[RunningServer]:
    """A server on a port of its own on loopback; `settings` are those of `ServerSettings`."""
    certificates = CertificateSource(tls) if isinstance(tls, TLSSettings) else tls
    folder = FolderStorage(storage) if isinstance(storage, Path) else None
    with closing(folder) if folder is not None else _nothing():
        running = RunningServer(
            ServerSettings(**{"host": LOOPBACK, **settings}),
            certificates,
            folder or storage,  # type: ignore[arg-type]  # a path became a folder above
            on_stored=on_stored,
            tells_details=tells_details,
            index=index,
            offers=offers,
        )
        try:
            yield running
        finally:
            running.stop()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def server_tls(pki: PKI, identity: Identity | None = None, **settings: Any) -> TLSSettings:
    """What a server of ours shows, and whom it believes."""
    shown = identity or pki.server
    return TLSSettings(ca=(pki.ca,), cert=(shown.cert,), key=(shown.key,), **settings)


def client_tls(pki: PKI, identity: Identity | None = None, **settings: Any) -> TLSSettings:
    """What a client of ours shows, and whom it believes."""
    shown = identity or pki.client
    return TLSSettings(ca=(pki.ca,), cert=(shown.cert,), key=(shown.key,), **settings)


def open_policy(**values: Any) -> AcceptorPolicy:
    """An acceptor that takes everything."""
    return AcceptorPolicy(
        **{
            "supports": lambda _uid: True,
            "accepts_transfer_syntax": lambda _uid, _syntax: True,
            "maximum_length": 131072,
            "max_operations": 32,
            **values,
        }
    )


Decide: TypeAlias = Callable[[AssociateRequest], AssociateAccept | Rejection]


@dataclass
class Acceptor:
    """A peer whose associations follow a script, one after another or side by side."""

    server: RawServer
    ends: list[DicomTLSError] = field(default_factory=list)

    @property
    def peer(self) -> Peer:
        """Where it listens."""
        return Peer(self.server.host, self.server.port)


@contextmanager
def acceptor(
    script: Callable[[Association], None], policy: AcceptorPolicy | None = None, decide: Decide | None = None
) -> Iterator[Acceptor]:
    """Accept associations in clear and run `script` on each; how they ended, if not by it, is in `ends`.

    What is accepted is decided by a policy, or by `decide`.
    """
    ends: list[DicomTLSError] = []

    def serve(connection: Any) -> None:
        connection.setblocking(False)  # noqa: FBT003 -- the standard library's own signature
        try:
            script(
                accept(
                    Channel(connection),
                    decide or (lambda proposal: answer(proposal, policy or open_policy())),
                    timeout=DEADLINE,
                    dimse_timeout=DEADLINE,
                )
            )
        except DicomTLSError as error:
            ends.append(error)

    with raw_server(serve) as server:
        yield Acceptor(server, ends)


def store_request(uid: str, *, message_id: int = 1, sop_class: str = CT, has_dataset: bool = True) -> Command:
    """A C-STORE-RQ."""
    return Command(
        command_field=CommandField.C_STORE_RQ,
        message_id=message_id,
        affected_sop_class_uid=sop_class,
        affected_sop_instance_uid=uid,
        priority=0,
        has_dataset=has_dataset,
    )


def store_response(request: Command, status: int = 0x0000) -> Command:
    """The C-STORE-RSP to a request."""
    return Command(
        command_field=CommandField.C_STORE_RSP, message_id_being_responded_to=request.message_id, status=status
    )


def echo_request(message_id: int = 1) -> Command:
    """A C-ECHO-RQ."""
    return Command(command_field=CommandField.C_ECHO_RQ, message_id=message_id, affected_sop_class_uid=VERIFICATION)


def context_of(association: Association, sop_class: str = CT) -> int:
    """The identifier of the accepted presentation context for a SOP class."""
    return next(
        context_id
        for context_id, context in association.parameters.contexts.items()
        if context.abstract_syntax == sop_class
    )


def put_store(
    association: Association, uid: str, dataset: bytes, *, message_id: int = 1, sop_class: str = CT
) -> Command:
    """Send a C-STORE-RQ in the context of its SOP class and return the response."""
    request = store_request(uid, message_id=message_id, sop_class=sop_class)
    association.send(context_of(association, sop_class), request, dataset)
    return response_of(association)


def response_of(association: Association) -> Command:
    """The next command, which must be there."""
    message = association.receive(DEADLINE)
    assert message is not None, "the peer released the association"
    return message.command


def data_fragments(context_id: int, pieces: Sequence[bytes]) -> bytes:
    """A dataset in these pieces, one to a PDU; empty ones too."""
    last = len(pieces) - 1
    return b"".join(
        data_header(context_id, len(piece), is_command=False, is_last=number == last) + piece
        for number, piece in enumerate(pieces)
    )


def stored_files(directory: Path) -> list[Path]:
    """The files with a final name."""
    return sorted(directory.rglob("*.dcm"))


def all_files(directory: Path) -> list[Path]:
    """Every file of an instance, temporary ones too; not those of the index and of its journal."""
    found = (path for path in directory.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(_OF_INDEX) for part in path.parts))


_OF_INDEX = (".dicomtls-index", ".dicomtls-journal")


def ask(server: RunningServer, tls: TLSSettings | None = None) -> None:
    """One echo over an association of its own, which must succeed."""
    requestor = server.requestor(tls)
    echo(requestor.peer, tls, requestor.settings).check()


def hello(server: RunningServer, sent: bytes) -> bytes:
    """Say something in clear, and hear the answer to its end."""
    with socket.create_connection(server.address, timeout=DEADLINE) as client:
        client.sendall(sent)
        with suppress(ConnectionError):
            return receive_until_end(client)
    return b""
