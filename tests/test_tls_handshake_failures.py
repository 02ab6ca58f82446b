"""dicomtls.tls.handshake: peers that are silent, slow, gone or hostile, in both roles, at every point."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from dicomtls.association.channel import Channel
from dicomtls.diagnosis import diagnose
from dicomtls.errors import HandshakeError, Interrupted
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.tls import (
    Negotiated,
    TLSSettings,
    TLSStream,
    client_context,
    client_handshake,
    server_context,
    server_handshake,
    transcript,
)
from dicomtls.waiting import Interrupt, Waiter, deadline_in
from tests.support.chains import issue
from tests.support.handshakes import DEADLINE, client_settings, connected_sockets, server_settings
from tests.support.peers import RawServer, raw_server, receive_exactly, receive_until_end, reset
from tests.support.pki import PKI

SOON = 0.1
PLAIN_ABORT = b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x01"
both_versions = pytest.mark.parametrize("version", ["1.2", "1.3"])

Callback = Callable[[socket.socket], object]


def only(version: str) -> dict[str, Any]:
    """The settings that allow one version of TLS."""
    return {"tls_min": version, "tls_max": version}


def call(
    pki: PKI,
    server: RawServer,
    *,
    seconds: float = DEADLINE,
    interrupt: Interrupt | None = None,
    settings: TLSSettings | None = None,
) -> tuple[TLSStream, Negotiated]:
    """Our client's handshake with a server that is not as it should be."""
    settings = settings or client_settings(pki, pki.client)
    sock = socket.create_connection((server.host, server.port), timeout=DEADLINE)
    sock.settimeout(0)
    ssl_context = client_context(settings)
    deadline = deadline_in(seconds)
    return client_handshake(sock, ssl_context, settings, host="localhost", deadline=deadline, interrupt=interrupt)


def client_failure(pki: PKI, callback: Callback, *, seconds: float = DEADLINE, **options: Any) -> HandshakeFacts:
    """What our client knows after a handshake with `callback` failed."""
    with raw_server(callback) as server, pytest.raises(HandshakeError) as caught:
        call(pki, server, seconds=seconds, **options)
    return caught.value.facts


def server_failure(pki: PKI, callback: Callback, *, seconds: float = DEADLINE) -> HandshakeFacts:
    """What our server knows after a handshake with a client failed; `callback` has the client's socket."""
    ssl_context = server_context(server_settings(pki))
    with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
        near.settimeout(DEADLINE)
        client = thread.submit(callback, near)
        with pytest.raises(HandshakeError) as caught:
            server_handshake(far, ssl_context, deadline=deadline_in(seconds))
        assert far.fileno() == -1
        with suppress(OSError):
            client.result()
    return caught.value.facts


def after_hello(*data: bytes, end: Callback = receive_until_end) -> Callback:
    """A server that waits for the client's hello, sends `data`, and then does `end`."""

    def answer(connection: socket.socket) -> None:
        header = receive_exactly(connection, 5)
        receive_exactly(connection, int.from_bytes(header[3:]))
        connection.sendall(b"".join(data))
        end(connection)

    return answer


def close(_connection: socket.socket) -> None:
    """Do nothing more: the connection is then closed."""


def flight(pki: PKI, connection: socket.socket, version: str) -> bytes:
    """What an honest server answers to the client's hello on this connection."""
    header = receive_exactly(connection, 5)
    hello = header + receive_exactly(connection, int.from_bytes(header[3:]))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    honest = server_context(server_settings(pki, **only(version))).wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello)
    with suppress(ssl.SSLWantReadError):
        honest.do_handshake()
    return outgoing.read()


def client_hello() -> bytes:
    """What a client says first."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


# -- silence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [receive_until_end, after_hello(b"\x16\x03\x03"), after_hello(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + bytes(9))],
    ids=["says nothing", "stops in a header", "stops in a record"],
)
def test_client_gives_up_at_the_deadline(pki: PKI, answer: Callback) -> None:
    """A server that says nothing, or not all."""
    start = monotonic()
    facts = client_failure(pki, answer, seconds=SOON)
    assert SOON <= monotonic() - start < DEADLINE / 2
    assert (facts.timed_out, facts.role, facts.reference_name) == (True, "client", "localhost")


@pytest.mark.parametrize("length", [0, 1, 5, 100])
def test_server_gives_up_at_the_deadline(pki: PKI, length: int) -> None:
    """A client that connects and says nothing, or not all of its hello."""

    def say_a_little(near: socket.socket) -> None:
        near.sendall(client_hello()[:length])
        receive_until_end(near)

    facts = server_failure(pki, say_a_little, seconds=SOON)
    assert (facts.timed_out, facts.role, facts.reference_name) == (True, "server", None)


def test_server_gives_up_on_a_client_that_reads_nothing(pki: PKI, tmp_path: Path) -> None:
    """A chain longer than the buffers, and nobody who takes it: the wait to write has its deadline too."""
    parts = [issue(f"part {number}", is_ca=True) for number in range(60)]
    identity = parts[0].write_as(tmp_path, *parts[1:])
    ssl_context = server_context(server_settings(pki, identity))
    with connected_sockets() as (near, far):
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        near.sendall(client_hello())
        with pytest.raises(HandshakeError) as caught:
            server_handshake(far, ssl_context, deadline=deadline_in(SOON))
    assert caught.value.facts.timed_out


def test_deadline_holds_against_a_server_that_trickles(pki: PKI) -> None:
    """One more byte every millisecond is not an answer."""
    over = threading.Event()

    def trickle(connection: socket.socket) -> None:
        after_hello(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", end=close)(connection)
        with suppress(OSError):
            while not over.wait(0.001):
                connection.send(b"x")

    start = monotonic()
    facts = client_failure(pki, trickle, seconds=SOON)
    over.set()
    assert facts.timed_out
    assert monotonic() - start < DEADLINE / 2


def test_flood_of_empty_messages_is_cut_off(pki: PKI) -> None:
    """OpenSSL skips HelloRequests without end and within one call, which no deadline reaches."""

    def flood(connection: socket.socket) -> None:
        after_hello(end=close)(connection)
        with suppress(OSError):
            while True:
                connection.sendall(b"\x16\x03\x03\x00\x04\x00\x00\x00\x00" * 5000)

    start = monotonic()
    facts = client_failure(pki, flood)
    assert monotonic() - start < DEADLINE / 2
    assert (facts.reason, facts.closed) == ("TOO_MANY_RECORDS", None)
    assert diagnose(HandshakeError("flooded", facts)).code == "tls-error"


# -- gone ---------------------------------------------------------------------------------------------------------


@both_versions
@pytest.mark.parametrize(("end", "closed"), [(close, "eof"), (reset, "reset")], ids=["closes", "resets"])
def test_client_knows_that_the_server_went_away(pki: PKI, version: str, end: Callback, closed: str) -> None:
    """Wherever in its answer the server stops: no alert is invented, and the part that came harms nothing."""
    lengths: list[int] = []

    def measure(connection: socket.socket) -> None:
        lengths.append(len(flight(pki, connection, version)))

    client_failure(pki, measure)
    [whole] = lengths
    for length in (0, 1, 4, 5, 6, whole // 4, whole // 2, whole - 1):

        def cut(connection: socket.socket, length: int = length) -> None:
            connection.sendall(flight(pki, connection, version)[:length])
            end(connection)

        facts = client_failure(pki, cut)
        assert (facts.closed, facts.alert_received, facts.timed_out) == (closed, None, False), length
        assert facts.first_bytes == b""


@pytest.mark.parametrize(("end", "closed"), [(close, "eof"), (reset, "reset")], ids=["closes", "resets"])
def test_client_knows_that_the_server_went_away_after_the_handshake(pki: PKI, end: Callback, closed: str) -> None:
    """At TLS 1.3 that may be how a peer refuses a client certificate; the first read says so."""
    ssl_context = server_context(server_settings(pki))

    def serve(connection: socket.socket) -> None:
        tls, _ = server_handshake(connection, ssl_context, deadline=deadline_in(DEADLINE))
        end(tls.sock)
        tls.close()

    with raw_server(serve) as server:
        sock, negotiated = call(pki, server)
        channel = Channel(sock, negotiated=negotiated)
        try:
            with pytest.raises(HandshakeError) as caught:
                channel.read_header(deadline_in(DEADLINE))
        finally:
            channel.close()
    facts = caught.value.facts
    assert (facts.after_handshake, facts.protocol) == (True, "TLSv1.3")
    assert facts.closed == closed
    assert facts.client_certificate == "sent"
    assert facts.chain_der == negotiated.chain_der


@pytest.mark.parametrize(("end", "closed"), [(close, "eof"), (reset, "reset")], ids=["closes", "resets"])
@pytest.mark.parametrize("length", [0, 1, 5, 6, 100, None])
def test_server_knows_that_the_client_went_away(pki: PKI, length: int | None, end: Callback, closed: str) -> None:
    """Before, in or after its hello: port checks and clients that give up."""

    def go(near: socket.socket) -> None:
        near.sendall(client_hello()[:length])
        if length is None:
            receive_exactly(near, 5)  # the server has answered, and waits
        end(near)
        near.close()

    facts = server_failure(pki, go)
    # A close over unread bytes is a reset; so are bytes that were there before a reset.
    assert facts.closed == closed or (facts.closed == "reset" and length is None)
    assert (facts.role, facts.alert_received) == ("server", None)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 500 Sorry\r\n\r\n", PLAIN_ABORT])
@pytest.mark.parametrize("role", ["client", "server"])
def test_peer_that_reset_before_the_handshake_is_a_reset(pki: PKI, said: bytes, role: str) -> None:
    """What it left unread makes Python say other things; the socket is closed either way."""
    settings, deadline = client_settings(pki), deadline_in(DEADLINE)
    begin: dict[str, Callback] = {
        "client": lambda sock: client_handshake(
            sock, client_context(settings), settings, host="localhost", deadline=deadline
        ),
        "server": lambda sock: server_handshake(sock, server_context(server_settings(pki)), deadline=deadline),
    }
    with connected_sockets() as (near, far):
        far.sendall(said)
        reset(far)
        with pytest.raises(HandshakeError) as caught:
            begin[role](near)
        assert near.fileno() == -1
    assert (caught.value.facts.closed, caught.value.facts.role) == ("reset", role)


def test_socket_closed_by_another_thread_is_a_failed_handshake(pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stops closes sockets under its threads."""
    real = TLSStream.do_handshake

    def closed(stream: TLSStream) -> bool:
        stream.sock.close()
        return real(stream)

    monkeypatch.setattr(TLSStream, "do_handshake", closed)
    assert client_failure(pki, receive_until_end).closed == "eof"


# -- other protocols ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", PLAIN_ABORT, b"220 mail\r\n", bytes(10)],
    ids=["HTTP", "SSH", "A-ABORT", "SMTP", "zeros"],
)
@pytest.mark.parametrize("role", ["client", "server"])
def test_first_bytes_of_another_protocol_are_facts(pki: PKI, said: bytes, role: str) -> None:
    """What came instead of TLS says what the peer is."""
    if role == "client":
        facts = client_failure(pki, after_hello(said))
    else:
        facts = server_failure(pki, lambda near: near.sendall(said))
    assert facts.first_bytes
    assert said.startswith(facts.first_bytes)


def test_first_bytes_are_no_fact_of_a_peer_that_speaks_tls(pki: PKI) -> None:
    """A broken hello is still TLS."""
    for answer in (b"\x16\x03\x03\x00\x05hello", b"\x17\x03\x03\x00\x05hello", b"\x15\x03\x03\x00\x02\x02\x28"):
        assert client_failure(pki, after_hello(answer)).first_bytes == b""


# -- the end ------------------------------------------------------------------------------------------------------


@contextmanager
def interrupted_when_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Interrupt]:
    """An interrupt that is set as soon as somebody waits."""
    interrupt = Interrupt()
    real = Waiter.readable

    def readable(waiter: Waiter, deadline: float | None) -> None:
        interrupt.set()
        real(waiter, deadline)

    monkeypatch.setattr(Waiter, "readable", readable)
    yield interrupt
    interrupt.close()


def test_interrupt_ends_the_handshake_of_a_client(pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and the connection is closed: the server sees its end."""
    with interrupted_when_waiting(monkeypatch) as interrupt, raw_server(receive_until_end) as server:
        with pytest.raises(Interrupted):
            call(pki, server, interrupt=interrupt)
        server.wait_for_connections(1)


def test_interrupt_ends_the_handshake_of_a_server(pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stops does not wait for silent clients."""
    with interrupted_when_waiting(monkeypatch) as interrupt, connected_sockets() as (near, far):
        with pytest.raises(Interrupted):
            server_handshake(
                far, server_context(server_settings(pki)), deadline=deadline_in(DEADLINE), interrupt=interrupt
            )
        near.settimeout(DEADLINE)
        assert near.recv(1) == b""


def test_failed_handshake_closes_the_socket(pki: PKI) -> None:
    """Also where we refused after the handshake itself was done: no byte of ours follows."""
    client = client_settings(pki, pki.client, pins=("ab" * 32,))
    server_ssl = server_context(server_settings(pki))
    with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
        serving = thread.submit(server_handshake, far, server_ssl, deadline=deadline_in(DEADLINE))
        with pytest.raises(HandshakeError, match="not the pinned one"):
            client_handshake(near, client_context(client), client, host="localhost", deadline=deadline_in(DEADLINE))
        sock, _ = serving.result()
        with sock:
            sock.sock.settimeout(DEADLINE)
            assert sock.read(1, memoryview(bytearray(1))) == 0


# -- what the transcript costs, and what is left without it --------------------------------------------------------


def test_nobody_listens_to_bulk_data(pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The callback would be called for every record: after the handshake it is off, at both ends."""
    seen: list[str] = []
    real = transcript.Transcript.record

    def record(self: transcript.Transcript, direction: str, *args: Any) -> None:
        seen.append(direction)
        real(self, direction, *args)

    monkeypatch.setattr(transcript.Transcript, "record", record)
    client, server_ssl = client_settings(pki, pki.client), server_context(server_settings(pki))
    with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
        serving = thread.submit(server_handshake, far, server_ssl, deadline=deadline_in(DEADLINE))
        sock, _ = client_handshake(
            near, client_context(client), client, host="localhost", deadline=deadline_in(DEADLINE)
        )
        other, _ = serving.result()
        with sock, other:
            assert seen
            seen.clear()
            other.sock.settimeout(DEADLINE)
            received = memoryview(bytearray(4))
            for _ in range(10):
                sock.put(memoryview(b"data"))
                sock.push()
                assert other.read(4, received) == 4
                assert bytes(received) == b"data"
            assert seen == []


def test_python_without_the_callback_still_shakes_hands(pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only the messages tell is None, which means not known."""
    monkeypatch.setattr(transcript, "SUPPORTED", False)
    client, server_ssl = client_settings(pki, pki.client, tls_max="1.2"), server_context(server_settings(pki))
    with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
        serving = thread.submit(server_handshake, far, server_ssl, deadline=deadline_in(DEADLINE))
        sock, negotiated = client_handshake(
            near, client_context(client), client, host="localhost", deadline=deadline_in(DEADLINE)
        )
        other, others = serving.result()
        with sock, other:
            for end in (negotiated, others):
                assert (end.client_certificate, end.protocol, end.verified) == (None, "TLSv1.2", True)
                assert end.peer is not None
                assert end.chain_der == (end.peer.der,)


def test_many_handshakes_of_one_context_do_not_mix(pki: PKI) -> None:
    """A server's context serves its threads at once; each has a transcript of its own."""
    server_ssl = server_context(server_settings(pki))
    clients = [pki.client, pki.client_ec, pki.server, pki.server_ec] * 4

    def both_ends(number: int) -> tuple[Negotiated, Negotiated]:
        client = client_settings(pki, clients[number])
        with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
            serving = thread.submit(server_handshake, far, server_ssl, deadline=deadline_in(DEADLINE))
            sock, negotiated = client_handshake(
                near, client_context(client), client, host="localhost", deadline=deadline_in(DEADLINE)
            )
            other, others = serving.result()
            with sock, other:
                return negotiated, others

    with ThreadPoolExecutor(8) as threads:
        for identity, (_, others) in zip(clients, threads.map(both_ends, range(len(clients))), strict=True):
            assert others.chain_der[0] == identity.cert_der.read_bytes()
            assert others.client_certificate == "sent"
