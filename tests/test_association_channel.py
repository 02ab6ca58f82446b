"""The channel: one buffer, a deadline for each wait, and what the first read after a handshake says."""

import socket
import ssl
import threading
from collections.abc import Callable
from time import monotonic

import pytest

from dicomtls.association.channel import BUFFER_SIZE, Channel
from dicomtls.errors import AssociationAborted, HandshakeError, Interrupted
from dicomtls.tls import TLSSettings
from dicomtls.waiting import deadline_in
from tests.support import pki as foreign
from tests.support.messages import header
from tests.support.pairs import (
    SECONDS,
    connected_sockets,
    facing,
    facing_tls_client,
    facing_tls_server,
    interrupted_after,
    read_pdu,
    read_until_refused,
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


# Reading


def test_a_pdu_is_read_whole_when_it_comes_byte_by_byte() -> None:
    """What the network cuts apart is put together."""
    with facing(send(*(bytes((byte,)) for byte in PDU))) as opposite:
        assert read_pdu(opposite.channel) == (DATA, BODY)


def test_each_pdu_is_read_when_several_come_at_once() -> None:
    """What comes in one packet is taken apart, an empty body included."""
    with facing(send(PDU + header(DATA, 0) + PDU)) as opposite:
        assert [read_pdu(opposite.channel) for _ in range(3)] == [(DATA, BODY), (DATA, b""), (DATA, BODY)]


def test_a_header_can_be_looked_at_again_when_nothing_was_taken() -> None:
    """Reading the header takes nothing: the body's read takes both."""
    with facing(send(PDU)) as opposite:
        first = bytes(opposite.channel.read_header(deadline_in(SECONDS)))
        assert bytes(opposite.channel.read_header(deadline_in(SECONDS))) == first == PDU[:6]


def test_a_wait_has_no_end_of_its_own_when_there_is_no_deadline() -> None:
    """None waits for as long as it takes."""
    with facing(send(PDU)) as opposite:
        assert bytes(opposite.channel.read_header(None)) == PDU[:6]


def test_a_view_holds_its_bytes_until_the_next_read() -> None:
    """A body may be used until something else is read."""
    with facing(send(PDU)) as opposite:
        opposite.channel.read_header(deadline_in(SECONDS))
        view = opposite.channel.read_body(len(BODY), deadline_in(SECONDS))
        assert isinstance(view, memoryview)
        assert bytes(view) == BODY


def test_the_buffer_stays_as_it_is_when_many_pdus_go_through() -> None:
    """What does not fit behind the last PDU moves to the front; memory does not follow what has passed."""
    bodies = [bytes((number,)) * 100_001 for number in range(20)]
    with facing(send(*(header(DATA, len(body)) + body for body in bodies))) as opposite:
        for body in bodies:
            assert read_pdu(opposite.channel) == (DATA, body)
        assert len(opposite.channel._buffer) == BUFFER_SIZE


def test_the_buffer_grows_no_further_than_the_pdu_when_one_is_longer_than_it() -> None:
    """A PDU of any length that the caller allows is read, and the next one too."""
    body = bytes(range(256)) * 4099
    with facing(send(header(DATA, len(body)) + body + PDU)) as opposite:
        assert read_pdu(opposite.channel) == (DATA, body)
        assert len(opposite.channel._buffer) == len(body) + 6
        assert read_pdu(opposite.channel) == (DATA, BODY)


def test_memory_follows_bytes_and_not_promises_when_a_length_lies() -> None:
    """A caller that believes a length of 4 GB takes twice what came, not 4 GB."""
    with facing(send_and_wait(header(DATA, 0xFFFF_FFFF) + bytes(BUFFER_SIZE))) as opposite:
        with pytest.raises(TimeoutError):
            opposite.channel.read_body(0xFFFF_FFFF, deadline_in(0.2))
        assert len(opposite.channel._buffer) == 2 * BUFFER_SIZE


def test_input_is_there_only_when_something_has_come() -> None:
    """Nothing is waited for, and what was found is not lost."""
    may_send = threading.Event()

    def peer(sock: socket.socket) -> None:
        may_send.wait(SECONDS)
        sock.sendall(PDU)
        receive_until_end(sock)

    with facing(peer) as opposite:
        assert not opposite.channel.has_input()
        may_send.set()
        opposite.channel.read_header(deadline_in(SECONDS))
        assert opposite.channel.has_input()
        assert read_pdu(opposite.channel) == (DATA, BODY)
        assert not opposite.channel.has_input()


def test_input_is_there_when_it_has_come_but_was_not_read_yet() -> None:
    """What waits in the system counts too, and is not lost by looking."""
    near, far = connected_sockets()
    with near, far:
        channel = Channel(near)
        far.sendall(PDU)
        channel._waiter.readable(deadline_in(SECONDS))
        assert channel.has_input()
        assert read_pdu(channel) == (DATA, BODY)


def test_the_end_of_the_connection_is_noticed_when_asked_for_input() -> None:
    """A closed connection is no silence."""
    with facing(send()) as opposite:
        opposite.outcome()
        with pytest.raises(AssociationAborted):
            opposite.channel.has_input()


def test_every_pdu_is_traced_when_somebody_wants_to_see_them() -> None:
    """One line for each PDU in either direction, of several in one write too; an unknown type is a number."""
    lines: list[str] = []
    near, far = connected_sockets()
    with near, far:
        channel = Channel(near, trace=lines.append)
        channel.write(PDU + header(DATA, 0), SECONDS)
        far.sendall(PDU + header(0x55, 2) + b"??")
        for _ in range(2):
            read_pdu(channel)
    assert lines == [
        "sent P-DATA-TF, 10 bytes",
        "sent P-DATA-TF, 0 bytes",
        "received P-DATA-TF, 10 bytes",
        "received PDU of the unknown type 0x55, 2 bytes",
    ]


# Peers that keep silent, trickle or go away


@pytest.mark.parametrize("sent", [b"", PDU[:1], PDU[:5], PDU[:6], PDU[:-1]], ids=len)
def test_a_read_times_out_when_the_peer_falls_silent(sent: bytes) -> None:
    """Before, in the middle of and after the header, and in the body."""
    with facing(send_and_wait(sent)) as opposite, pytest.raises(TimeoutError):
        read_pdu(opposite.channel, deadline_in(SHORT))


def test_a_read_times_out_when_the_peer_trickles_past_the_deadline() -> None:
    """A peer that sends a byte now and then is as late as one that sends none."""
    closed = threading.Event()

    def peer(sock: socket.socket) -> None:
        for byte in header(DATA, 1000) + bytes(1000):
            if closed.wait(0.01):
                return
            sock.sendall(bytes((byte,)))

    with facing(peer) as opposite:
        start = monotonic()
        with pytest.raises(TimeoutError):
            read_pdu(opposite.channel, deadline_in(0.1))
        assert monotonic() - start < SECONDS / 2
        closed.set()


def test_a_read_times_out_when_there_is_always_something_more() -> None:
    """Past the deadline, what is there but not whole is not waited for."""
    with facing(send_and_wait(header(DATA, 4 * BUFFER_SIZE) + bytes(3 * BUFFER_SIZE))) as opposite:
        opposite.channel.read_header(deadline_in(SECONDS))
        with pytest.raises(TimeoutError):
            opposite.channel.read_body(4 * BUFFER_SIZE, monotonic() - 1)


@pytest.mark.parametrize("sent", [b"", PDU[:3], PDU[:6], PDU[:-1]], ids=len)
@pytest.mark.parametrize(("end", "closed"), [(socket.socket.close, "eof"), (reset, "reset")])
def test_a_read_says_how_the_connection_ended_when_the_peer_goes_away(
    sent: bytes, end: Callable[[socket.socket], None], closed: str
) -> None:
    """A peer that closes or resets has not aborted: the evidence says which it was."""

    def peer(sock: socket.socket) -> None:
        sock.sendall(sent)
        end(sock)

    with facing(peer) as opposite:
        opposite.outcome()
        with pytest.raises(AssociationAborted) as caught:
            read_pdu(opposite.channel)
        assert caught.value.evidence["closed"] == closed
        assert caught.value.source is None


def test_a_read_fails_as_a_lost_connection_when_we_have_closed_it(pki: PKI) -> None:
    """A TLS socket without its TLS raises something of its own."""
    with facing_tls_server(pki, receive_until_end) as opposite:
        opposite.channel._proven = True
        opposite.channel._stream.sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(AssociationAborted):
            opposite.channel.read_header(deadline_in(SECONDS))


def test_a_read_ends_when_it_is_interrupted() -> None:
    """Ctrl-C reaches a wait at once."""
    with (
        interrupted_after(SHORT) as interrupt,
        facing(receive_until_end, interrupt=interrupt) as opposite,
        pytest.raises(Interrupted),
    ):
        opposite.channel.read_header(deadline_in(SECONDS))


# The first read after a handshake


def first_read(pki: PKI, peer: Callable[[ssl.SSLSocket], None], **settings: str) -> HandshakeError | AssociationAborted:
    """How the first read ends, with our certificate sent; the peer has gone by then."""
    ours = TLSSettings(ca=(pki.ca,), cert=(pki.client.cert,), key=(pki.client.key,), **settings)  # type: ignore[arg-type]  # only strings are given
    with facing_tls_server(pki, peer, settings=ours) as opposite:
        opposite.outcome()
        return read_until_refused(opposite.channel)


def test_the_first_read_is_a_handshake_failure_when_the_client_certificate_is_refused(pki: PKI) -> None:
    """At TLS 1.3 the alert comes after our handshake has returned."""
    settings = TLSSettings(ca=(pki.ca,), cert=(pki.other_client.cert,), key=(pki.other_client.key,))
    with facing_tls_server(pki, receive_until_end, settings=settings) as opposite:
        error = read_until_refused(opposite.channel)
        with pytest.raises(ssl.SSLError):
            opposite.outcome()
    assert isinstance(error, HandshakeError)
    assert (error.facts.role, error.facts.after_handshake) == ("client", True)
    assert error.facts.reason == "TLSV1_ALERT_UNKNOWN_CA"
    assert error.facts.client_certificate == "sent"


def test_the_first_read_is_a_handshake_failure_when_there_was_no_client_certificate(pki: PKI) -> None:
    """The same for a certificate that was asked for and is not there."""
    with facing_tls_server(pki, receive_until_end, settings=TLSSettings(ca=(pki.ca,))) as opposite:
        error = read_until_refused(opposite.channel)
        with pytest.raises(ssl.SSLError):
            opposite.outcome()
    assert isinstance(error, HandshakeError)
    assert error.facts.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert error.facts.client_certificate == "requested"


@pytest.mark.parametrize(
    ("end", "closed"),
    [
        (socket.socket.close, {"eof"}),
        # CPython before 3.12.3 takes a reset under TLS for an end of file (cpython#115627).
        (reset, {"eof", "reset"}),
    ],
)
def test_the_first_read_is_a_handshake_failure_when_the_peer_hangs_up_on_our_certificate(
    pki: PKI, end: Callable[[socket.socket], None], closed: set[str]
) -> None:
    """At TLS 1.3 silence may be the answer to a certificate."""
    error = first_read(pki, end)
    assert isinstance(error, HandshakeError)
    assert error.facts.closed in closed


def test_the_first_read_is_a_lost_connection_when_the_handshake_was_of_tls_1_2(pki: PKI) -> None:
    """At TLS 1.2 the peer had accepted our certificate before."""
    error = first_read(pki, socket.socket.close, profile="bcp195", tls_max="1.2")
    assert isinstance(error, AssociationAborted)
    assert error.evidence["closed"] == "eof"


def test_the_first_read_is_a_lost_connection_when_no_certificate_was_asked_for(pki: PKI) -> None:
    """There was nothing to refuse."""
    context = foreign.server_context(pki, client_auth=ssl.CERT_NONE)
    with facing_tls_server(pki, ssl.SSLSocket.close, server=context) as opposite:
        assert isinstance(read_until_refused(opposite.channel), AssociationAborted)


def test_a_later_read_is_a_lost_connection_when_the_peer_hangs_up(pki: PKI) -> None:
    """The first byte has proven the handshake."""
    with facing_tls_server(pki, send(PDU)) as opposite:
        assert read_pdu(opposite.channel) == (DATA, BODY)
        assert isinstance(read_until_refused(opposite.channel), AssociationAborted)


@pytest.mark.parametrize("sent", [PDU[:1], PDU[:5], PDU[:-1]], ids=len)
def test_the_first_read_is_a_lost_connection_when_anything_came(pki: PKI, sent: bytes) -> None:
    """A single byte has proven the handshake, also when the end came right behind it."""
    with facing_tls_server(pki, send(sent)) as opposite:
        opposite.outcome()
        with pytest.raises(AssociationAborted):
            read_pdu(opposite.channel)


def test_a_later_read_says_what_broke_when_the_bytes_are_no_tls(pki: PKI) -> None:
    """Neither a close nor a reset: TLS itself is broken, and OpenSSL's reason says how."""

    def peer(sock: ssl.SSLSocket) -> None:
        sock.sendall(PDU)
        socket.socket.sendall(sock, b"\x04\0\0\0\0\0 in clear, in the middle of TLS")
        socket.socket.recv(sock, 1)

    with facing_tls_server(pki, peer) as opposite:
        assert read_pdu(opposite.channel) == (DATA, BODY)
        error = read_until_refused(opposite.channel)
    assert isinstance(error, AssociationAborted)
    assert error.evidence["reason"] in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}  # from OpenSSL 3.2 on
    assert "closed" not in error.evidence
    assert "TLS" in error.message


def test_the_first_read_is_a_lost_connection_when_a_client_hangs_up_on_a_server(pki: PKI) -> None:
    """A port check leaves after its handshake: nobody has refused anything."""
    with facing_tls_client(pki, ssl.SSLSocket.close) as opposite:
        error = read_until_refused(opposite.channel)
    assert isinstance(error, AssociationAborted)


def test_the_first_read_is_a_handshake_failure_when_a_client_sends_an_alert(pki: PKI) -> None:
    """Some clients look at a server's certificate only after their own last message."""

    def peer(sock: ssl.SSLSocket) -> None:
        socket.socket.sendall(sock, b"\x17\x03\x03\x00\x20" + bytes(32))
        socket.socket.recv(sock, 1)

    with facing_tls_client(pki, peer) as opposite:
        error = read_until_refused(opposite.channel)
    assert isinstance(error, HandshakeError)
    assert (error.facts.role, error.facts.after_handshake) == ("server", True)
