"""Establishing an association with peers that break the protocol, speak another one, fall silent or go away."""

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from dicomtls.association import establish as establish_module
from dicomtls.association.channel import BUFFER_SIZE
from dicomtls.association.contexts import AnsweredContext, ContextResult
from dicomtls.association.pdu import (
    MAXIMUM_ASSOCIATE_LENGTH,
    PDU,
    Abort,
    AssociateReject,
    PDUType,
    ReleaseRequest,
    ReleaseResponse,
    encode,
)
from dicomtls.errors import (
    AssociationAborted,
    AssociationRejected,
    AssociationTimeout,
    DicomTLSError,
    HandshakeError,
    PeerExpectsTLS,
    RemoteProtocolError,
)
from dicomtls.tls import TLSSettings
from tests.support import pki as foreign
from tests.support.messages import (
    ACCEPT,
    BY_USER,
    ECHO,
    EXPLICIT,
    IMPLICIT,
    INVALID,
    REQUEST,
    UNEXPECTED,
    UNRECOGNIZED,
    VERIFICATION_ID,
    header,
    proposal,
)
from tests.support.pairs import (
    SECONDS,
    answering,
    as_acceptor,
    as_requestor,
    facing,
    facing_tls_client,
    facing_tls_server,
    receive_pdu,
    receive_until_end,
    reset,
    saying,
)
from tests.support.pki import PKI

FOUR_GIGABYTES = 0xFFFF_FFFF
SHORT = 0.05
ACCEPT_BYTES = encode(ACCEPT)
REQUEST_BYTES = encode(REQUEST)


# The state machine: what is not due


@pytest.mark.parametrize(
    ("unexpected", "answer"),
    [
        (REQUEST_BYTES, UNEXPECTED),
        (ECHO, UNEXPECTED),
        (encode(ReleaseRequest()), UNEXPECTED),
        (encode(ReleaseResponse()), UNEXPECTED),
        (header(0x00, 4) + bytes(4), UNRECOGNIZED),
        (header(0x08, 4) + bytes(4), UNRECOGNIZED),
        (header(0xFF, FOUR_GIGABYTES), UNRECOGNIZED),
        (header(PDUType.A_ASSOCIATE_AC, MAXIMUM_ASSOCIATE_LENGTH + 1), INVALID),
        (header(PDUType.A_ASSOCIATE_AC, FOUR_GIGABYTES), INVALID),
        (header(PDUType.A_ASSOCIATE_AC, 0), INVALID),
        (header(PDUType.A_ASSOCIATE_RJ, 3) + bytes(3), INVALID),
        (header(PDUType.A_ASSOCIATE_RJ, FOUR_GIGABYTES), INVALID),
        (header(PDUType.A_ABORT, 5) + bytes(5), INVALID),
        (header(PDUType.A_RELEASE_RQ, 0), INVALID),
    ],
)
def test_a_requestor_aborts_when_the_answer_is_not_what_is_due(unexpected: bytes, answer: Abort) -> None:
    """State 5: the service-provider aborts with the reason, without waiting for what a length promises."""
    with facing(answering(unexpected)) as opposite:
        with pytest.raises(RemoteProtocolError) as caught:
            as_requestor(opposite.channel)
        assert opposite.outcome() == [answer]
        assert len(opposite.channel._buffer) == BUFFER_SIZE
    assert caught.value.abort_reason == answer.reason


@pytest.mark.parametrize(
    "unexpected",
    [
        ACCEPT_BYTES,
        encode(AssociateReject(1, 1, 1)),
        ECHO,
        header(PDUType.P_DATA_TF, FOUR_GIGABYTES),
        encode(ReleaseRequest()),
        encode(ReleaseResponse()),
        header(0x00, 4) + bytes(4),
        header(0xFF, FOUR_GIGABYTES),
        header(PDUType.A_ASSOCIATE_RQ, MAXIMUM_ASSOCIATE_LENGTH + 1),
        header(PDUType.A_ASSOCIATE_RQ, FOUR_GIGABYTES),
        header(PDUType.A_ASSOCIATE_RQ, 68) + bytes(68),
        header(PDUType.A_ABORT, FOUR_GIGABYTES),
    ],
)
def test_an_acceptor_aborts_when_the_request_is_not_what_is_due(unexpected: bytes) -> None:
    """State 2: the source is the service-user, which gives no reason (AA-1)."""
    with facing(saying(unexpected)) as opposite:
        with pytest.raises(RemoteProtocolError):
            as_acceptor(opposite.channel)
        assert opposite.outcome() == [BY_USER]
        assert len(opposite.channel._buffer) == BUFFER_SIZE


def lengths_that_lie(pdu: bytes) -> Iterator[bytes]:
    """The PDU with each length of an item in it too long or too short, one at a time, and cut or padded as a whole."""
    position = 6 + 68
    while position < len(pdu):
        length = int.from_bytes(pdu[position + 2 : position + 4])
        for lie in (0, length - 1, length + 1, length + 3, 0xFFFF):
            yield pdu[: position + 2] + lie.to_bytes(2) + pdu[position + 4 :]
        position += 4 + length
    for body in (pdu[6:-1], pdu[6:70], pdu[6:] + b"\0"):
        yield pdu[:2] + len(body).to_bytes(4) + body


LYING_ACCEPTS = list(lengths_that_lie(ACCEPT_BYTES))
LYING_REQUESTS = list(lengths_that_lie(REQUEST_BYTES))


@pytest.mark.parametrize("lying", LYING_ACCEPTS, ids=range(len(LYING_ACCEPTS)))
def test_a_requestor_aborts_when_lengths_in_the_accept_lie(lying: bytes) -> None:
    """Items that overlap, reach beyond the end or leave a rest: which parameter, or that its value is invalid."""
    with facing(answering(lying)) as opposite:
        with pytest.raises(RemoteProtocolError) as caught:
            as_requestor(opposite.channel)
        assert opposite.outcome() == [Abort(2, caught.value.abort_reason)]
    assert caught.value.abort_reason in {4, 5, 6}


@pytest.mark.parametrize("lying", LYING_REQUESTS, ids=range(len(LYING_REQUESTS)))
def test_an_acceptor_aborts_when_lengths_in_the_request_lie(lying: bytes) -> None:
    """The same in the other role."""
    with facing(saying(lying)) as opposite:
        with pytest.raises(RemoteProtocolError):
            as_acceptor(opposite.channel)
        assert opposite.outcome() == [BY_USER]


@pytest.mark.parametrize(
    "context",
    [
        AnsweredContext(99, ContextResult.ACCEPTANCE, IMPLICIT),
        AnsweredContext(VERIFICATION_ID, ContextResult.ACCEPTANCE, EXPLICIT),
    ],
    ids=["identifier", "transfer syntax"],
)
def test_a_requestor_aborts_when_the_peer_accepts_what_was_never_proposed(context: AnsweredContext) -> None:
    """Neither another presentation context nor another transfer syntax."""
    with facing(answering(encode(ACCEPT._replace(contexts=(context,))))) as opposite:
        with pytest.raises(RemoteProtocolError, match="never proposed"):
            as_requestor(opposite.channel)
        assert opposite.outcome() == [INVALID]


@pytest.mark.parametrize("maximum_length", [1, 7])
def test_a_peer_is_refused_when_its_maximum_length_leaves_no_room(maximum_length: int) -> None:
    """Nothing could ever be sent to it, in either role."""
    granted = replace(ACCEPT.user_information, maximum_length=maximum_length)
    with facing(answering(encode(ACCEPT._replace(user_information=granted)))) as opposite:
        with pytest.raises(RemoteProtocolError, match="no room"):
            as_requestor(opposite.channel)
        assert opposite.outcome() == [INVALID]
    with facing(saying(encode(proposal(maximum_length=maximum_length)))) as opposite:
        with pytest.raises(RemoteProtocolError, match="no room"):
            as_acceptor(opposite.channel)
        assert opposite.outcome() == [BY_USER]


# Peers that speak something else


@pytest.mark.parametrize(
    "first_bytes",
    [
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76",
    ],
)
def test_a_requestor_in_clear_knows_the_peer_for_a_tls_server(first_bytes: bytes) -> None:
    """An alert or a handshake instead of a PDU; nothing in clear follows."""
    with facing(answering(first_bytes)) as opposite:
        with pytest.raises(PeerExpectsTLS) as caught:
            as_requestor(opposite.channel)
        assert opposite.outcome() == []
    assert caught.value.evidence["first_bytes"] == first_bytes[:6].hex()


def test_a_requestor_in_clear_knows_a_real_tls_server(pki: PKI) -> None:
    """OpenSSL answers an A-ASSOCIATE-RQ with an alert, or just hangs up."""

    def peer(sock: socket.socket) -> None:
        with pytest.raises(ssl.SSLError):
            foreign.server_context(pki).wrap_socket(sock, server_side=True)

    with facing(peer) as opposite, pytest.raises((PeerExpectsTLS, AssociationAborted)) as caught:
        as_requestor(opposite.channel)
    assert isinstance(caught.value, PeerExpectsTLS) or "TLS" in caught.value.hints[0]


def test_an_acceptor_in_clear_knows_a_tls_client(pki: PKI) -> None:
    """A ClientHello is no PDU, and is not answered by one."""

    def peer(sock: socket.socket) -> None:
        with pytest.raises(OSError, match=r".*"):
            foreign.client_context(pki).wrap_socket(sock, server_hostname="localhost")

    with facing(peer) as opposite, pytest.raises(PeerExpectsTLS):
        as_acceptor(opposite.channel)


@pytest.mark.parametrize("first_bytes", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"<html><body>no", b"<!DOCTYPE html>"])
def test_a_requestor_in_clear_knows_the_peer_for_a_web_server(first_bytes: bytes) -> None:
    """Said as such, with the code that the contract has for it."""
    with facing(answering(first_bytes)) as opposite:
        with pytest.raises(HandshakeError) as caught:
            as_requestor(opposite.channel)
        assert opposite.outcome() == []
    assert caught.value.code == "peer-speaks-http"
    assert caught.value.facts.first_bytes == first_bytes[:6]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "DELETE"])
def test_an_acceptor_in_clear_knows_a_browser(method: str) -> None:
    """A request is HTTP as well."""
    with facing(saying(f"{method} / HTTP/1.1\r\nHost: pacs\r\n\r\n".encode())) as opposite:
        with pytest.raises(HandshakeError) as caught:
            as_acceptor(opposite.channel)
        assert opposite.outcome() == []
    assert caught.value.code == "peer-speaks-http"


def test_a_requestor_over_tls_knows_the_peer_for_a_web_server(pki: PKI) -> None:
    """HTTPS is TLS too: the port of a web interface, or of a proxy in front of it."""
    with facing_tls_server(pki, answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as opposite:
        with pytest.raises(HandshakeError) as caught:
            as_requestor(opposite.channel)
        assert opposite.outcome() == []
    assert caught.value.code == "peer-speaks-http"


def test_bytes_that_look_like_tls_are_a_broken_pdu_when_they_come_over_tls(pki: PKI) -> None:
    """Under TLS there is no second TLS to suspect."""

    def peer(sock: ssl.SSLSocket) -> list[PDU | bytes]:
        return answering(b"\x16\x03\x03\x00\x7a\x02")(sock)

    with facing_tls_server(pki, peer) as opposite:
        with pytest.raises(RemoteProtocolError):
            as_requestor(opposite.channel)
        assert opposite.outcome() == [UNRECOGNIZED]


# Silence


@pytest.mark.parametrize("sent", [0, 1, 6, 7, len(ACCEPT_BYTES) - 1])
def test_a_requestor_aborts_when_the_answer_does_not_come_in_time(sent: int) -> None:
    """Nothing, half a header, half a body: the same error, and the peer is told."""
    with facing(answering(ACCEPT_BYTES[:sent])) as opposite:
        with pytest.raises(AssociationTimeout, match=r"0\.05 s"):
            as_requestor(opposite.channel, timeout=SHORT)
        assert opposite.outcome() == [BY_USER]


@pytest.mark.parametrize("sent", [0, 1, 6, 7, len(REQUEST_BYTES) - 1])
def test_an_acceptor_closes_when_the_request_does_not_come_in_time(sent: int) -> None:
    """The ARTIM timer expires: the connection is closed without a word (AA-2)."""
    with facing(saying(REQUEST_BYTES[:sent])) as opposite:
        with pytest.raises(AssociationTimeout):
            as_acceptor(opposite.channel, timeout=SHORT)
        assert opposite.outcome() == []


def trickle(data: bytes, *, is_asking: bool) -> Callable[[socket.socket], None]:
    """A peer that sends a byte now and then, until we close."""

    def play(sock: socket.socket) -> None:
        if not is_asking:
            receive_pdu(sock)
        for byte in data:
            sock.sendall(bytes((byte,)))
            if select.select([sock], [], [], 0.01)[0]:
                return

    return play


def test_an_acceptor_closes_when_the_request_trickles() -> None:
    """The deadline is for the whole PDU."""
    with facing(trickle(REQUEST_BYTES, is_asking=True)) as opposite, pytest.raises(AssociationTimeout):
        as_acceptor(opposite.channel, timeout=0.1)


def test_a_requestor_aborts_when_the_answer_trickles() -> None:
    """The same in the other role."""
    with facing(trickle(ACCEPT_BYTES, is_asking=False)) as opposite, pytest.raises(AssociationTimeout):
        as_requestor(opposite.channel, timeout=0.1)


# Peers that go away


@pytest.mark.parametrize("sent", [0, 3, 6, len(ACCEPT_BYTES) - 1])
@pytest.mark.parametrize(("end", "closed"), [(socket.socket.close, "eof"), (reset, "reset")])
def test_a_requestor_suspects_tls_when_the_peer_goes_away(
    sent: int, end: Callable[[socket.socket], None], closed: str
) -> None:
    """A TLS server that is asked in clear often just hangs up."""

    def peer(sock: socket.socket) -> None:
        receive_pdu(sock)
        sock.sendall(ACCEPT_BYTES[:sent])
        end(sock)

    with facing(peer) as opposite, pytest.raises(AssociationAborted) as caught:
        as_requestor(opposite.channel)
    assert caught.value.evidence["closed"] == closed
    assert "--no-tls" in caught.value.hints[0]


@pytest.mark.parametrize("sent", [0, 3, 6, len(REQUEST_BYTES) - 1])
@pytest.mark.parametrize(("end", "closed"), [(socket.socket.close, "eof"), (reset, "reset")])
def test_an_acceptor_suspects_nothing_when_the_peer_goes_away(
    sent: int, end: Callable[[socket.socket], None], closed: str
) -> None:
    """A port check, or a client that gave up."""

    def peer(sock: socket.socket) -> None:
        sock.sendall(REQUEST_BYTES[:sent])
        end(sock)

    with facing(peer) as opposite, pytest.raises(AssociationAborted) as caught:
        as_acceptor(opposite.channel)
    assert caught.value.evidence["closed"] == closed
    assert caught.value.hints == ()


@pytest.mark.parametrize(
    ("last_words", "expected"),
    [
        (encode(Abort(2, 1)), AssociationAborted),
        (encode(AssociateReject(2, 3, 2)), AssociationRejected),
        (ACCEPT_BYTES, AssociationAborted),
        (b"\x15\x03\x01\x00\x02\x02\x46", PeerExpectsTLS),
        (b"", AssociationAborted),
    ],
)
def test_the_last_words_are_raised_when_the_request_cannot_be_written(
    last_words: bytes, expected: type[DicomTLSError]
) -> None:
    """What the peer said before it reset the connection says more than the failed write."""

    def peer(sock: socket.socket) -> None:
        sock.sendall(last_words)
        reset(sock)

    with facing(peer) as opposite:
        opposite.outcome()
        with pytest.raises(expected):
            as_requestor(opposite.channel)


def test_the_write_itself_is_raised_when_the_peer_left_no_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that takes no bytes and says nothing is not waited for longer than half a second."""
    monkeypatch.setattr(establish_module, "_LAST_WORDS_SECONDS", SHORT)
    done = threading.Event()
    with facing(lambda _sock: done.wait(SECONDS)) as opposite:
        opposite.channel._stream.sock.shutdown(socket.SHUT_WR)
        with pytest.raises(AssociationAborted, match="without an answer"):
            as_requestor(opposite.channel)
        done.set()


@pytest.mark.parametrize(("last_words", "source"), [(encode(Abort(0, 0)), 0), (b"", None)])
def test_the_last_words_are_raised_when_the_answer_cannot_be_written(last_words: bytes, source: int | None) -> None:
    """A peer that changed its mind while we decided."""

    def peer(sock: socket.socket) -> None:
        sock.sendall(REQUEST_BYTES + last_words)
        reset(sock)

    with facing(peer) as opposite:
        opposite.outcome()
        with pytest.raises(AssociationAborted) as caught:
            as_acceptor(opposite.channel)
        assert caught.value.source == source


# Client certificates, at TLS 1.3 refused after the handshake


@pytest.mark.parametrize("is_anonymous", [False, True])
def test_a_requestor_says_handshake_when_its_certificate_is_refused(pki: PKI, is_anonymous: bool) -> None:  # noqa: FBT001 -- a parameter
    """The alert comes where the A-ASSOCIATE-AC is due, or breaks our write: never "aborted"."""
    identity = pki.other_client
    settings = TLSSettings(ca=(pki.ca,), cert=(identity.cert,), key=(identity.key,))
    if is_anonymous:
        settings = TLSSettings(ca=(pki.ca,))
    for waits in (False, True):
        with facing_tls_server(pki, receive_until_end, settings=settings) as opposite:
            if waits:
                with pytest.raises(ssl.SSLError):
                    opposite.outcome()
            with pytest.raises(HandshakeError) as caught:
                as_requestor(opposite.channel)
            with pytest.raises(ssl.SSLError):
                opposite.outcome()
        assert caught.value.facts.after_handshake
        assert "ALERT" in str(caught.value.facts.reason)


def test_an_acceptor_says_aborted_when_a_client_leaves_after_the_handshake(pki: PKI) -> None:
    """Over TLS too, a client that gives up has refused nothing."""
    with facing_tls_client(pki, ssl.SSLSocket.close) as opposite, pytest.raises(AssociationAborted):
        as_acceptor(opposite.channel)
