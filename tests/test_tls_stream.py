"""dicomtls.tls.stream: TLS in memory over a real socket, with `ssl.SSLSocket` as the other end."""

import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

import pytest

from dicomtls.tls import TLSStream, stream
from dicomtls.waiting import Waiter, deadline_in
from tests.support.pairs import SECONDS, connected_sockets, receive_exactly, reset
from tests.support.pki import PKI, client_context, server_context

_T = TypeVar("_T")
DATA = bytes(range(256)) * 4096
both_versions = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


def shaken(ours: TLSStream) -> TLSStream:
    """Shake hands, waiting where that is needed."""
    waiter = Waiter(ours.sock)
    while True:
        try:
            if ours.do_handshake():
                return ours
        except BlockingIOError:
            waiter.readable(deadline_in(SECONDS))


@contextmanager
def facing(
    pki: PKI,
    play: Callable[[ssl.SSLSocket], _T],
    *,
    version: ssl.TLSVersion | None = None,
    small_buffers: bool = False,
) -> Iterator[tuple[TLSStream, Future[_T]]]:
    """Our client's end, its handshake done; the server is played by a function in a thread."""
    near, far = connected_sockets(small_buffers=small_buffers)
    theirs = server_context(pki, protocol=version)
    theirs.num_tickets = 0
    theirs.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # the first of Python 3.11 set it

    def serve() -> _T:
        with theirs.wrap_socket(far, server_side=True, suppress_ragged_eofs=False) as tls:
            return play(tls)

    with ThreadPoolExecutor(1) as thread, near, far:
        playing = thread.submit(serve)
        ours = TLSStream(near, client_context(pki, protocol=version), server_hostname="localhost")
        yield shaken(ours), playing
        near.close()


def read_once(ours: TLSStream, room: memoryview) -> int:
    """Read what comes next, waiting for it."""
    while True:
        try:
            return ours.read(len(room), room)
        except BlockingIOError:
            Waiter(ours.sock).readable(deadline_in(SECONDS))


def read_exactly(ours: TLSStream, count: int) -> bytes:
    """Read so many bytes, waiting for them."""
    received = bytearray(count)
    view = memoryview(received)
    while view:
        length = read_once(ours, view)
        assert length, "the peer has closed"
        view = view[length:]
    return bytes(received)


def write(ours: TLSStream, data: bytes) -> None:
    """Put and push until everything is out."""
    view, waiter = memoryview(data), Waiter(ours.sock)
    while view:
        view = view[ours.put(view) :]
        while True:
            try:
                ours.push()
                break
            except ssl.SSLWantWriteError:
                waiter.writable(deadline_in(SECONDS))


@both_versions
@pytest.mark.parametrize("small_buffers", [False, True])
def test_data_arrive_whole_in_both_directions(pki: PKI, version: ssl.TLSVersion, *, small_buffers: bool) -> None:
    """A mebibyte each way, through buffers that take it and through some that do not."""

    def echo(sock: ssl.SSLSocket) -> None:
        sock.sendall(receive_exactly(sock, len(DATA)))

    with facing(pki, echo, version=version, small_buffers=small_buffers) as (ours, _):
        write(ours, DATA)
        assert read_exactly(ours, len(DATA)) == DATA


@both_versions
def test_end_of_the_peer_is_told_by_how_it_went(pki: PKI, version: ssl.TLSVersion) -> None:
    """A reset is told from an end of file on every Python; whether that was announced is not."""
    room = memoryview(bytearray(1))

    def in_order(sock: ssl.SSLSocket) -> None:
        sock.unwrap()

    with facing(pki, in_order, version=version) as (ours, playing):
        assert read_once(ours, room) == 0
        ours.close_notify()
        playing.result()

    def without_a_word(sock: ssl.SSLSocket) -> None:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)

    with facing(pki, without_a_word, version=version) as (ours, playing):
        playing.result()
        for _ in range(2):
            assert read_once(ours, room) == 0
    with facing(pki, reset, version=version) as (ours, playing):
        playing.result()
        with pytest.raises(ConnectionResetError):
            read_exactly(ours, 1)


def test_held_data_stay_in_memory_until_they_are_pushed(pki: PKI) -> None:
    """What is read in between, and what comes after, does not change their order."""

    def peer(sock: ssl.SSLSocket) -> bytes:
        sock.sendall(b"answer")
        return receive_exactly(sock, len(DATA) + 4)

    with facing(pki, peer) as (ours, playing):
        ours.hold(memoryview(DATA))
        assert read_exactly(ours, 6) == b"answer"
        assert not playing.done()
        write(ours, b"tail")
        assert playing.result() == DATA + b"tail"


def test_alert_is_read_when_the_peer_went_away_before_we_wrote(pki: PKI) -> None:
    """The reason is in what came, not in the write that fails."""
    near, far = connected_sockets()
    with near, far:
        ours = TLSStream(near, client_context(pki), server_hostname="localhost")
        with pytest.raises(BlockingIOError):
            ours.do_handshake()
        far.recv(1 << 16)
        far.sendall(b"\x15\x03\x03\0\x02\x02\x28")
        far.close()
        Waiter(near).readable(deadline_in(SECONDS))
        with pytest.raises(ssl.SSLError) as caught:
            shaken(ours)
    assert caught.value.reason == "SSLV3_ALERT_HANDSHAKE_FAILURE"


@pytest.mark.parametrize("error", [BrokenPipeError, ConnectionResetError])
def test_broken_write_of_a_handshake_is_no_reason_not_to_read(
    pki: PKI, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    """At TLS 1.2 a server may refuse and go while our certificate is still on its way."""
    near, far = connected_sockets()
    with near, far:
        ours = TLSStream(near, client_context(pki), server_hostname="localhost")

        def broken() -> None:
            raise error

        monkeypatch.setattr(ours, "push", broken)
        far.sendall(b"\x15\x03\x03\0\x02\x02\x28")
        Waiter(near).readable(deadline_in(SECONDS))
        with pytest.raises(ssl.SSLError) as caught:
            shaken(ours)
    assert caught.value.reason == "SSLV3_ALERT_HANDSHAKE_FAILURE"


def key_update(count: int) -> Callable[[TLSStream], None]:
    """Pretend that OpenSSL has so many answers to send, as it has after KeyUpdate requests of the peer."""

    def demand(ours: TLSStream) -> None:
        ours._outgoing.write(bytes(count))
        ours._may_hold = True

    return demand


def test_answers_that_tls_demands_go_out_by_themselves(pki: PKI) -> None:
    """A KeyUpdate asks for one of ours: it is sent without waiting for data of ours (RFC 8446 section 4.6.3)."""
    with facing(pki, lambda sock: socket.socket.recv(sock, 100)) as (ours, playing):
        key_update(5)(ours)
        with suppress(BlockingIOError):
            ours.read(1, memoryview(bytearray(1)))
        assert not ours._unsent
        assert playing.result() == bytes(5)


def test_answers_wait_behind_what_is_held(pki: PKI) -> None:
    """The records of a connection are numbered: none may overtake another."""
    with facing(pki, lambda sock: receive_exactly(sock, 1)) as (ours, _):
        ours.hold(memoryview(b"held"))
        key_update(5)(ours)
        with pytest.raises(BlockingIOError):
            ours.read(1, memoryview(bytearray(1)))
        assert len(ours._unsent) == 2


def test_peer_that_demands_answers_without_end_is_left(pki: PKI) -> None:
    """What it does not take must not fill our memory."""
    with facing(pki, lambda sock: receive_exactly(sock, 1)) as (ours, _):
        ours.hold(memoryview(b"held"))
        key_update(stream._MOST_ANSWERS + 1)(ours)
        with pytest.raises(ConnectionAbortedError):
            ours.read(1, memoryview(bytearray(1)))


def test_nothing_is_said_behind_half_a_record(pki: PKI) -> None:
    """A close_notify that overtook what waits to be sent would break what it is to end."""
    with facing(pki, lambda sock: sock.recv(1)) as (ours, playing):
        ours.hold(memoryview(b"held"))
        ours.close_notify()
        assert len(ours._unsent) == 1
        ours.close()
        with pytest.raises((ssl.SSLError, ConnectionResetError), match=r"(?i)eof|reset"):
            playing.result()


def test_stream_closes_its_socket_when_its_block_ends(pki: PKI) -> None:
    """It owns it."""
    near, far = connected_sockets()
    with far:
        with TLSStream(near, client_context(pki), server_hostname="localhost") as ours:
            assert ours.sock is near
        assert near.fileno() == -1


def test_reset_that_the_first_write_met_is_a_reset(pki: PKI) -> None:
    """The system tells of it once, here to the write of the hello; the read after that sees an end of file."""
    near, far = connected_sockets()
    with near:
        reset(far)
        Waiter(near).readable(deadline_in(SECONDS))  # the reset has arrived
        ours = TLSStream(near, client_context(pki), server_hostname="localhost")
        with pytest.raises(ConnectionResetError):
            ours.do_handshake()
