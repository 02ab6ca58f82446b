"""Two ends of one loopback connection: ours is a `Channel`, the other one is played by a function in a thread.

    def peer(sock: socket.socket) -> bytes:
        receive_pdu(sock)
        sock.sendall(ACCEPT)
        return receive_until_end(sock)

    with facing(peer) as opposite:
        association = request(opposite.channel, REQUEST, ...)
        ...
    assert opposite.outcome() == ...

What the function returns, or raises, is the `outcome`. The names of `raw` that such functions need are here as well.
"""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Generic, TypeVar

import pytest

from dicomtls.association.association import Association
from dicomtls.association.channel import Channel
from dicomtls.association.dimse import Command
from dicomtls.association.establish import accept, request
from dicomtls.association.pdu import (
    PDU,
    AssociateAccept,
    AssociateRequest,
    encode,
)
from dicomtls.errors import AssociationAborted, HandshakeError
from dicomtls.tls import ClientAuth, TLSSettings, client_context, client_handshake, server_context, server_handshake
from dicomtls.waiting import Interrupt, deadline_in
from tests.support import pki as foreign
from tests.support.messages import ACCEPT, REQUEST, grant, pdus
from tests.support.pki import PKI
from tests.support.processes import LOOPBACK
from tests.support.raw import receive_exactly, receive_pdu, receive_until_end, reset

__all__ = [
    "receive_exactly",
    "receive_pdu",
    "receive_until_end",
    "reset",
]

SECONDS = 20.0
"""No test waits that long: whoever does hangs."""

_T = TypeVar("_T")


class Opposite(Generic[_T]):
    """The other end, and our channel to it."""

    def __init__(self, play: Callable[[socket.socket], _T], sock: socket.socket) -> None:
        self.channel: Channel
        self._play = play
        self._sock = sock
        self._result: list[_T] = []
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Let the function play."""
        self._thread.start()

    def outcome(self) -> _T:
        """What the function returned; raises what it raised."""
        self._thread.join(SECONDS)
        if self._fault is not None:
            raise self._fault
        assert self._result, "the peer's function did not end"
        return self._result[0]

    def _run(self) -> None:
        try:
            self._result.append(self._play(self._sock))
        except BaseException as error:  # noqa: BLE001  raised again by `outcome`, in the test's own thread
            self._fault = error
        finally:
            self._sock.close()

    def break_off(self) -> None:
        """Let the function come to its end, now that our channel is closed; end it where it does not."""
        self._thread.join(SECONDS)
        with suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
        self._thread.join(SECONDS)


def connected_sockets(*, small_buffers: bool = False) -> tuple[socket.socket, socket.socket]:
    """Our end, non-blocking, and the other one; small buffers make a peer that stops reading felt at once."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        if small_buffers:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        near = socket.socket()
        if small_buffers:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        near.connect(listener.getsockname())
        far, _ = listener.accept()
    near.setblocking(False)  # noqa: FBT003 -- the standard library's own signature
    for sock in (near, far):
        # A reset throws away what Nagle's algorithm still holds back.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    far.settimeout(SECONDS)
    return near, far


@contextmanager
def facing(
    play: Callable[[socket.socket], _T], *, interrupt: Interrupt | None = None, small_buffers: bool = False
) -> Iterator[Opposite[_T]]:
    """A channel in clear whose peer is `play`; the peer's socket is closed when it returns."""
    near, far = connected_sockets(small_buffers=small_buffers)
    with _started(Opposite(play, far), near) as (opposite, ending):
        opposite.channel = Channel(near, interrupt=interrupt)
        ending.callback(opposite.channel.close)
        yield opposite


@contextmanager
def _started(opposite: Opposite[_T], near: socket.socket) -> Iterator[tuple[Opposite[_T], ExitStack]]:
    """Let the peer play; what the stack gets is done at the end, before our socket is closed."""
    with ExitStack() as ending:
        ending.callback(opposite.break_off)
        ending.callback(near.close)
        opposite.start()
        yield opposite, ending


@contextmanager
def facing_tls_server(
    pki: PKI,
    play: Callable[[ssl.SSLSocket], _T],
    *,
    settings: TLSSettings | None = None,
    server: ssl.SSLContext | None = None,
    interrupt: Interrupt | None = None,
) -> Iterator[Opposite[_T]]:
    """A channel over TLS in the client's role; `play` begins after the peer's handshake."""
    context = server or foreign.server_context(pki)
    settings = settings or TLSSettings(ca=(pki.ca,), cert=(pki.client.cert,), key=(pki.client.key,))
    near, far = connected_sockets()

    def serve(sock: socket.socket) -> _T:
        with context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False) as tls:
            return play(tls)

    with _started(Opposite(serve, far), near) as (opposite, ending):
        sock, negotiated = client_handshake(
            near, client_context(settings), settings, host="localhost", deadline=deadline_in(SECONDS)
        )
        opposite.channel = Channel(sock, negotiated=negotiated, interrupt=interrupt)
        ending.callback(opposite.channel.close)
        yield opposite


@contextmanager
def facing_tls_client(
    pki: PKI, play: Callable[[ssl.SSLSocket], _T], *, client: ssl.SSLContext | None = None
) -> Iterator[Opposite[_T]]:
    """A channel over TLS in the server's role; `play` begins after the peer's handshake."""
    context = client or foreign.client_context(pki)
    settings = TLSSettings(
        ca=(pki.ca,), cert=(pki.server.cert,), key=(pki.server.key,), client_auth=ClientAuth.REQUIRED
    )
    near, far = connected_sockets()

    def connect(sock: socket.socket) -> _T:
        with context.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False) as tls:
            return play(tls)

    with _started(Opposite(connect, far), near) as (opposite, ending):
        sock, negotiated = server_handshake(near, server_context(settings), deadline=deadline_in(SECONDS))
        opposite.channel = Channel(sock, negotiated=negotiated)
        ending.callback(opposite.channel.close)
        yield opposite


@contextmanager
def interrupted_after(seconds: float, then: Callable[[], object] = bool) -> Iterator[Interrupt]:
    """A flag that the user sets after so many seconds, at once where there are none; `then` follows."""
    with closing(Interrupt()) as interrupt, interrupting(interrupt, seconds, then):
        yield interrupt


@contextmanager
def interrupting(interrupt: Interrupt, seconds: float, then: Callable[[], object] = bool) -> Iterator[None]:
    """The same with a flag that is there already: what came before has had all its time."""

    def act() -> None:
        interrupt.set()
        then()

    timer = threading.Timer(seconds, act)
    try:
        if seconds:
            timer.start()
        else:
            act()
        yield
        if seconds:
            timer.join()
    finally:
        timer.cancel()


def send(*parts: bytes) -> Callable[[socket.socket], None]:
    """A peer that sends the parts one by one and closes."""

    def play(sock: socket.socket) -> None:
        for part in parts:
            sock.sendall(part)

    return play


def send_and_wait(*parts: bytes) -> Callable[[socket.socket], bytes]:
    """A peer that sends the parts and then keeps silent until we close; returns what we sent."""

    def play(sock: socket.socket) -> bytes:
        send(*parts)(sock)
        return receive_until_end(sock)

    return play


def saying(*parts: bytes) -> Callable[[socket.socket], list[PDU | bytes]]:
    """A peer that sends this and listens until we close; returns what came, PDU by PDU."""

    def play(sock: socket.socket) -> list[PDU | bytes]:
        for part in parts:
            sock.sendall(part)
        return pdus(receive_until_end(sock))

    return play


def answering(*parts: bytes) -> Callable[[socket.socket], list[PDU | bytes]]:
    """A peer that takes our request, sends this and listens; returns what came after the request."""

    def play(sock: socket.socket) -> list[PDU | bytes]:
        receive_pdu(sock)
        for part in parts:
            sock.sendall(part)
        return pdus(receive_until_end(sock))

    return play


def as_requestor(
    channel: Channel, asked: AssociateRequest = REQUEST, *, timeout: float = SECONDS, dimse_timeout: float = SECONDS
) -> Association:
    """Ask for an association."""
    return request(channel, asked, timeout=timeout, dimse_timeout=dimse_timeout)


def as_acceptor(
    channel: Channel, *, max_operations: int = 1, timeout: float = SECONDS, dimse_timeout: float = SECONDS
) -> Association:
    """Accept whatever is supported."""
    return accept(
        channel,
        lambda asked: grant(asked, max_operations=max_operations),
        timeout=timeout,
        dimse_timeout=dimse_timeout,
    )


Established = tuple[Association, Opposite[_T]]


@contextmanager
def associated(
    play: Callable[[socket.socket], _T],
    *,
    asked: AssociateRequest = REQUEST,
    granted: AssociateAccept = ACCEPT,
    interrupt: Interrupt | None = None,
    timeout: float = SECONDS,
    small_buffers: bool = False,
) -> Iterator[Established[_T]]:
    """Our requestor; `play` begins when the peer has accepted."""

    def peer(sock: socket.socket) -> _T:
        receive_pdu(sock)
        sock.sendall(encode(granted))
        return play(sock)

    with facing(peer, interrupt=interrupt, small_buffers=small_buffers) as opposite:
        yield as_requestor(opposite.channel, asked, dimse_timeout=timeout), opposite


@contextmanager
def interrupted(
    play: Callable[[socket.socket], _T],
    seconds: float,
    then: Callable[[], object] = bool,
    *,
    small_buffers: bool = False,
) -> Iterator[Established[_T]]:
    """Our requestor, whose user interrupts so many seconds after the association has come about."""
    with (
        closing(Interrupt()) as interrupt,
        associated(play, interrupt=interrupt, small_buffers=small_buffers) as established,
        interrupting(interrupt, seconds, then),
    ):
        yield established


@contextmanager
def accepted(
    play: Callable[[socket.socket], _T],
    *,
    asked: AssociateRequest = REQUEST,
    max_operations: int = 1,
    timeout: float = SECONDS,
) -> Iterator[Established[_T]]:
    """Our acceptor; `play` begins when the peer has been accepted."""

    def peer(sock: socket.socket) -> _T:
        sock.sendall(encode(asked))
        receive_pdu(sock)
        return play(sock)

    with facing(peer) as opposite:
        yield as_acceptor(opposite.channel, max_operations=max_operations, dimse_timeout=timeout), opposite


def _our_client(sock: socket.socket, pki: PKI | None, tls_max: str | None = None) -> Channel:
    if pki is None:
        return Channel(sock)
    settings = TLSSettings(ca=(pki.ca,), cert=(pki.client.cert,), key=(pki.client.key,), tls_max=tls_max)
    deadline = deadline_in(SECONDS)
    tls, negotiated = client_handshake(sock, client_context(settings), settings, host="localhost", deadline=deadline)
    return Channel(tls, negotiated=negotiated)


def _our_server(sock: socket.socket, pki: PKI | None, tls_max: str | None = None) -> Channel:
    sock.setblocking(False)  # noqa: FBT003 -- the standard library's own signature
    if pki is None:
        return Channel(sock)
    settings = TLSSettings(ca=(pki.ca,), cert=(pki.server.cert,), key=(pki.server.key,), tls_max=tls_max)
    tls, negotiated = server_handshake(sock, server_context(settings), deadline=deadline_in(SECONDS))
    return Channel(tls, negotiated=negotiated)


@contextmanager
def both_ours(
    serve: Callable[[Association], _T],
    *,
    pki: PKI | None = None,
    tls_max: str | None = None,
    asked: AssociateRequest = REQUEST,
    max_operations: int = 1,
) -> Iterator[Established[_T]]:
    """Our requestor and our acceptor, in clear or over mutual TLS; `serve` has the acceptor's association."""
    near, far = connected_sockets()

    def peer(sock: socket.socket) -> _T:
        with closing(_our_server(sock, pki, tls_max)) as channel:
            return serve(as_acceptor(channel, max_operations=max_operations))

    with _started(Opposite(peer, far), near) as (opposite, ending):
        opposite.channel = _our_client(near, pki, tls_max)
        ending.callback(opposite.channel.close)
        yield as_requestor(opposite.channel, asked), opposite


@contextmanager
def requestor_to(port: int, asked: AssociateRequest = REQUEST, *, pki: PKI | None = None) -> Iterator[Association]:
    """Our requestor to a server on loopback, in clear or over mutual TLS."""
    with socket.create_connection((LOOPBACK, port), SECONDS) as sock:
        sock.setblocking(False)  # noqa: FBT003 -- the standard library's own signature
        with closing(_our_client(sock, pki)) as channel:
            yield as_requestor(channel, asked)


@contextmanager
def acceptor(
    serve: Callable[[Association], _T], *, pki: PKI | None = None, max_operations: int = 1
) -> Iterator[tuple[int, Opposite[_T]]]:
    """Our acceptor for one connection, at the port that is yielded; `serve` has its association."""

    def listen(listener: socket.socket) -> _T:
        sock, _ = listener.accept()
        with sock, closing(_our_server(sock, pki)) as channel:
            return serve(as_acceptor(channel, max_operations=max_operations))

    listener = socket.create_server((LOOPBACK, 0))
    listener.settimeout(SECONDS)
    opposite = Opposite(listen, listener)
    opposite.start()
    try:
        yield listener.getsockname()[1], opposite
    finally:
        opposite.break_off()


def read_pdu(channel: Channel, deadline: float | None = None) -> tuple[int, bytes]:
    """Type and body of the next PDU."""
    deadline = deadline_in(SECONDS) if deadline is None else deadline
    pdu_type, length = struct.unpack(">BxI", channel.read_header(deadline))
    return pdu_type, bytes(channel.read_body(length, deadline))


def read_until_refused(channel: Channel) -> HandshakeError | AssociationAborted:
    """The error that ends the first read."""
    try:
        channel.read_header(deadline_in(SECONDS))
    except (HandshakeError, AssociationAborted) as error:
        return error
    pytest.fail("something came")


def received(association: Association) -> Command:
    """The next command, which must be there."""
    message = association.receive()
    assert message is not None
    return message.command


def read_everything(association: Association) -> None:
    """Read messages and their datasets until the peer releases, or something is wrong."""
    while association.receive() is not None:
        for _ in association.fragments():
            pass
