"""The channel's other direction: writes that wait, fail or are interrupted, and how a connection ends."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic

import pytest

from dicomtls.association import channel as channel_module
from dicomtls.association.channel import Channel, WriteFailed
from dicomtls.errors import AssociationAborted, HandshakeError, Interrupted
from dicomtls.tls import TLSSettings
from dicomtls.waiting import deadline_in
from tests.support.messages import header
from tests.support.pairs import (
    SECONDS,
    connected_sockets,
    facing,
    facing_tls_server,
    interrupted_after,
    read_pdu,
    read_until_refused,
    receive_exactly,
    receive_until_end,
    reset,
    send,
    send_and_wait,
)
from tests.support.pki import PKI

DATA = 0x04
SHORT = 0.05
BODY = b"0123456789"
PDU = header(DATA, len(BODY)) + BODY
LONG = header(DATA, 500_000) + bytes(500_000)


# Writing


def write_without_end(channel: Channel) -> None:
    """Write until that fails."""
    while True:
        channel.write(bytes(1 << 16), SECONDS)


def test_everything_is_written_when_the_peer_reads_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a wait without any progress is too long: each of them has the whole time anew."""
    sent = bytes(range(256)) * 1024
    pace = threading.Event()
    waits: list[float] = []

    def noted(seconds: float) -> float:
        waits.append(seconds)
        return deadline_in(seconds)

    monkeypatch.setattr(channel_module, "deadline_in", noted)

    def peer(sock: socket.socket) -> bytes:
        received = bytearray()
        while len(received) < len(sent):
            pace.wait(0.005)
            received += sock.recv(8192)
        return bytes(received)

    with facing(peer, small_buffers=True) as opposite:
        opposite.channel.write(sent, SECONDS)
        assert opposite.outcome() == sent
        assert not opposite.channel.is_broken
    # Counted and not measured: on a busy machine the peer may stand still for longer than any short time.
    assert waits == [SECONDS] * len(waits)
    assert len(waits) > 1


def test_everything_is_written_over_tls_when_the_peer_reads_late(pki: PKI) -> None:
    """What OpenSSL could not send at once goes out later, without a byte lost or doubled."""
    sent = bytes(range(256)) * 65536
    with facing_tls_server(pki, partial(receive_exactly, count=len(sent))) as opposite:
        opposite.channel.write(memoryview(sent), SECONDS)
        assert opposite.outcome() == sent


def test_a_write_times_out_when_the_peer_reads_nothing() -> None:
    """Half a PDU is out then: nothing can follow it."""
    done = threading.Event()

    def peer(_sock: socket.socket) -> None:
        done.wait(SECONDS)

    with facing(peer, small_buffers=True) as opposite:
        with pytest.raises(TimeoutError, match=r"took nothing for 0\.05 s"):
            opposite.channel.write(bytes(1 << 20), SHORT)
        assert opposite.channel.is_broken
        done.set()


def test_a_write_fails_when_the_peer_has_reset_the_connection() -> None:
    """The reason is not in the failed write: the next read has it."""
    with facing(reset) as opposite:
        opposite.outcome()
        with pytest.raises(WriteFailed):
            opposite.channel.write(bytes(1 << 20), SECONDS)
        assert opposite.channel.is_broken
        assert isinstance(read_until_refused(opposite.channel), AssociationAborted)


def test_the_alert_is_still_there_when_a_write_failed_after_it(pki: PKI) -> None:
    """At TLS 1.3 the first write may fail already: the read that follows says why."""
    settings = TLSSettings(ca=(pki.ca,), cert=(pki.other_client.cert,), key=(pki.other_client.key,))
    with facing_tls_server(pki, receive_until_end, settings=settings) as opposite:
        with pytest.raises(ssl.SSLError):
            opposite.outcome()
        with pytest.raises(WriteFailed):
            write_without_end(opposite.channel)
        error = read_until_refused(opposite.channel)
    assert isinstance(error, HandshakeError)
    assert error.facts.reason == "TLSV1_ALERT_UNKNOWN_CA"


# Written ahead


def test_what_is_written_ahead_arrives_before_the_next_write(pki: PKI) -> None:
    """Encrypted at once, sent with the write after it; what the peer gets is in the order of the calls."""
    with facing_tls_server(pki, partial(receive_exactly, count=3 * len(PDU))) as opposite:
        assert opposite.channel.write_ahead(memoryview(PDU)) == len(PDU)
        assert opposite.channel.write_ahead(memoryview(PDU)) == len(PDU)
        opposite.channel.write(PDU, SECONDS)
        assert opposite.outcome() == 3 * PDU


def test_what_is_written_ahead_is_kept_until_it_is_sent(pki: PKI) -> None:
    """The peer answers to the first PDU only; nothing of the second is on the wire before that."""

    def peer(sock: ssl.SSLSocket) -> tuple[bytes, bytes]:
        first = receive_exactly(sock, len(PDU))
        sock.sendall(PDU)
        return first, receive_exactly(sock, len(LONG))

    with facing_tls_server(pki, peer) as opposite:
        channel = opposite.channel
        channel.write(PDU, SECONDS)
        channel.write_ahead(memoryview(LONG))
        tls = channel._tls
        assert tls is not None
        assert tls._unsent
        assert read_pdu(channel) == (DATA, BODY)
        assert tls._unsent
        channel.send_ahead(SECONDS)
        assert not tls._unsent
        assert opposite.outcome() == (PDU, LONG)


def test_nothing_is_written_ahead_in_clear_or_for_a_trace(pki: PKI) -> None:
    """In clear nothing is to be done, and a trace shows what is sent when it is sent."""
    with facing(receive_until_end) as opposite:
        assert opposite.channel.write_ahead(memoryview(PDU)) == 0
        opposite.channel.send_ahead(SECONDS)
        opposite.channel.close()
        assert opposite.outcome() == b""
    lines: list[str] = []
    with facing_tls_server(pki, receive_until_end) as opposite:
        opposite.channel._trace = lines.append
        assert opposite.channel.write_ahead(memoryview(PDU)) == 0
        assert lines == []
        opposite.channel.close()
        assert opposite.outcome() == b""


def test_writing_ahead_fails_as_a_write_does_when_tls_has_ended(pki: PKI) -> None:
    """What OpenSSL refuses to encrypt, no write will send."""
    with facing_tls_server(pki, receive_until_end) as opposite:
        tls = opposite.channel._tls
        assert tls is not None
        tls.close_notify()
        with pytest.raises(WriteFailed):
            opposite.channel.write_ahead(memoryview(PDU))
        assert opposite.channel.is_broken


# Interrupted writes


def interrupted_write(
    peer: Callable[[socket.socket], bytes],
    sent: bytes,
    written: threading.Event | None = None,
    then: Callable[[], object] = bool,
) -> tuple[Channel, float, bytes]:
    """Write `sent` and interrupt it on the way; the channel, the seconds that it took, what the peer returned."""
    with (
        interrupted_after(SHORT, then) as interrupt,
        facing(peer, interrupt=interrupt, small_buffers=True) as opposite,
    ):
        start = monotonic()
        with pytest.raises(Interrupted):
            opposite.channel.write(sent, SECONDS)
        seconds = monotonic() - start
        if written is not None:
            written.set()
        opposite.channel.close()
    return opposite.channel, seconds, opposite.outcome()


def test_an_interrupted_write_is_completed_when_the_peer_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """An A-ABORT cannot follow half a PDU, so the PDU goes out whole first."""
    monkeypatch.setattr(channel_module, "_FINISH_SECONDS", SECONDS)
    sent = bytes(range(256)) * 256
    is_interrupted = threading.Event()

    def peer(sock: socket.socket) -> bytes:
        is_interrupted.wait(SECONDS)
        return receive_until_end(sock)

    channel, _, received = interrupted_write(peer, sent, then=is_interrupted.set)
    assert (len(received), received) == (len(sent), sent)
    assert not channel.is_broken


def test_an_interrupted_write_gives_up_when_the_peer_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds, here shortened, are all that the peer gets."""
    monkeypatch.setattr(channel_module, "_FINISH_SECONDS", 0.2)

    written = threading.Event()

    def peer(_sock: socket.socket) -> bytes:
        written.wait(SECONDS)
        return b""

    channel, seconds, _ = interrupted_write(peer, bytes(1 << 20), written)
    assert seconds < SECONDS / 2
    assert channel.is_broken


def test_an_interrupted_write_gives_up_when_the_peer_reads_too_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two seconds are for the whole rest, not for each bit of it."""
    monkeypatch.setattr(channel_module, "_FINISH_SECONDS", 0.2)
    pace = threading.Event()

    def peer(sock: socket.socket) -> bytes:
        while sock.recv(4096):
            pace.wait(0.02)
        return b""

    channel, seconds, _ = interrupted_write(peer, bytes(1 << 20))
    assert seconds < SECONDS / 8  # were each bit given its time, it would take five seconds
    assert channel.is_broken


def test_a_write_is_interrupted_after_its_end_when_it_never_had_to_wait() -> None:
    """The flag was set before: what is begun is whole, and the interrupt is not lost."""
    with interrupted_after(0) as interrupt, facing(receive_until_end, interrupt=interrupt) as opposite:
        with pytest.raises(Interrupted):
            opposite.channel.write(PDU, SECONDS)
        opposite.channel.close()
    assert opposite.outcome() == PDU


def test_an_interrupt_ends_no_wait_when_the_farewell_is_under_way() -> None:
    """Once told to ignore it, the channel reads and writes on."""
    with interrupted_after(0) as interrupt, facing(send_and_wait(PDU), interrupt=interrupt) as opposite:
        opposite.channel.ignore_interrupt()
        opposite.channel.write(PDU, SECONDS)
        assert read_pdu(opposite.channel) == (DATA, BODY)


# The end


def test_close_notify_is_sent_when_a_tls_channel_is_closed(pki: PKI) -> None:
    """The peer can tell the end from a connection that was cut: its read returns instead of raising."""
    with facing_tls_server(pki, receive_until_end) as opposite:
        opposite.channel.write(PDU, SECONDS)
        opposite.channel.close()
        assert opposite.outcome() == PDU


def test_no_close_notify_is_missed_when_the_peer_sends_none(pki: PKI) -> None:
    """Closing after a peer that just went away raises nothing."""
    with facing_tls_server(pki, send(PDU)) as opposite:
        read_pdu(opposite.channel)
        opposite.outcome()
        opposite.channel.close()
        opposite.channel.close()


def test_the_last_word_arrives_when_the_peer_still_sends() -> None:
    """Closing over unread bytes would reset the connection; lingering takes them in."""

    def peer(sock: socket.socket) -> bytes:
        sock.sendall(bytes(500_000))
        return receive_until_end(sock)

    with facing(peer) as opposite:
        opposite.channel.write(PDU, SECONDS)
        opposite.channel.close(SECONDS)
        assert opposite.outcome() == PDU


def test_the_last_word_arrives_over_tls_when_the_peer_still_sends(pki: PKI) -> None:
    """The same with bytes that nobody decrypts any more."""

    def peer(sock: ssl.SSLSocket) -> bytes:
        sock.sendall(bytes(100_000))
        return receive_until_end(sock)

    with facing_tls_server(pki, peer) as opposite:
        opposite.channel.write(PDU, SECONDS)
        opposite.channel.close(SECONDS)
        assert opposite.outcome() == PDU


def test_lingering_ends_when_its_time_is_over() -> None:
    """A peer that never closes does not keep us."""
    done = threading.Event()
    with facing(lambda _sock: done.wait(SECONDS)) as opposite:
        start = monotonic()
        opposite.channel.close(SHORT)
        assert monotonic() - start < SECONDS / 2
        done.set()


def test_lingering_ends_when_the_peer_sends_without_end() -> None:
    """A mebibyte is enough; the connection is reset then."""

    def peer(sock: socket.socket) -> None:
        with suppress(ConnectionError):
            while True:
                sock.sendall(bytes(1 << 16))

    with facing(peer) as opposite:
        start = monotonic()
        opposite.channel.close(SECONDS)
        assert monotonic() - start < SECONDS / 2
        opposite.outcome()


def test_lingering_does_not_wait_when_there_is_no_connection_any_more() -> None:
    """A reset connection has nobody to wait for."""
    near, far = connected_sockets()
    reset(far)
    start = monotonic()
    Channel(near).close(SECONDS)
    assert monotonic() - start < SECONDS / 2
