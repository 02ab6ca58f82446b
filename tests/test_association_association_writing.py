"""An established association whose writes fail or wait for a peer that does not read, and users who interrupt."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from dicomtls.association import association as association_module
from dicomtls.association import channel as channel_module
from dicomtls.association import short_pdu
from dicomtls.association.association import Association
from dicomtls.association.dimse import encode_command
from dicomtls.association.pdu import PDU, Abort, ReleaseRequest, encode
from dicomtls.association.user_information import OperationsWindow
from dicomtls.errors import (
    AssociationAborted,
    DicomTLSError,
    DIMSETimeout,
    HandshakeError,
    Interrupted,
    RemoteProtocolError,
)
from dicomtls.tls import TLSSettings
from tests.support.messages import (
    ACCEPT,
    BY_USER,
    CT_ID,
    ECHO,
    RELEASE,
    STORE,
    VERIFICATION_ID,
    command,
    data,
    echo_response,
    pdus,
    proposal,
    store_request,
)
from tests.support.pairs import (
    SECONDS,
    accepted,
    as_requestor,
    associated,
    facing_tls_server,
    interrupted,
    read_everything,
    receive_pdu,
    receive_until_end,
    reset,
    saying,
)
from tests.support.pki import PKI

SHORT = 0.05
FIRST = data(CT_ID, b"first!", is_last=False)


# Writes that fail


def write_without_end(association: Association) -> None:
    """Send messages until that fails."""
    while True:
        association.send(CT_ID, store_request(), bytes(100_000))


@pytest.mark.parametrize(
    ("last_words", "expected", "source"),
    [
        (encode(Abort(2, 5)), AssociationAborted, 2),
        (command(echo_response(), VERIFICATION_ID) + encode(Abort(0, 0)), AssociationAborted, 0),
        (STORE + FIRST + encode(Abort(2, 1)), AssociationAborted, 2),
        (RELEASE, RemoteProtocolError, None),
        (b"", AssociationAborted, None),
    ],
)
def test_the_last_words_are_raised_when_a_write_fails(
    last_words: bytes, expected: type[DicomTLSError], source: int | None
) -> None:
    """The A-ABORT that came before the connection broke, also behind other messages."""

    def peer(sock: socket.socket) -> None:
        sock.sendall(last_words)
        reset(sock)

    with associated(peer) as (association, opposite):
        opposite.outcome()
        with pytest.raises(expected) as caught:
            write_without_end(association)
        assert not association.is_established
        assert getattr(caught.value, "source", None) == source


def test_the_last_words_are_raised_when_responses_are_still_held() -> None:
    """Reading on would flush them first, into the connection that has just failed."""

    def peer(sock: socket.socket) -> None:
        sock.sendall(ECHO + encode(Abort(2, 6)))
        reset(sock)

    window = proposal(window=OperationsWindow(4, 1))
    with accepted(peer, asked=window, max_operations=4) as (association, opposite):
        association.receive()
        opposite.outcome()
        association.respond(VERIFICATION_ID, echo_response())
        with pytest.raises(AssociationAborted) as caught:
            write_without_end(association)
    assert caught.value.reason == 6


def test_no_last_words_are_waited_for_when_the_peer_keeps_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that takes nothing more and says nothing."""
    monkeypatch.setattr(association_module, "_LAST_WORDS_SECONDS", SHORT)
    done = threading.Event()
    with associated(lambda _sock: done.wait(SECONDS)) as (association, _):
        association._channel._stream.sock.shutdown(socket.SHUT_WR)
        with pytest.raises(AssociationAborted, match="takes no more"):
            write_without_end(association)
        done.set()


def test_what_broke_tls_is_raised_when_a_write_fails(pki: PKI) -> None:
    """The last words may be no words at all: OpenSSL's reason says what is wrong with them."""

    def peer(sock: ssl.SSLSocket) -> None:
        receive_pdu(sock)
        sock.sendall(encode(ACCEPT))
        socket.socket.sendall(sock, b"\x17\x03\x03\x00\x20" + bytes(32))
        reset(sock)

    with facing_tls_server(pki, peer) as opposite:
        association = as_requestor(opposite.channel)
        opposite.outcome()
        with pytest.raises(AssociationAborted) as caught:
            write_without_end(association)
    # The other one from OpenSSL 3.2 on.
    assert caught.value.evidence["reason"] in {"DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "RECORD_LAYER_FAILURE"}


def test_the_handshake_is_named_when_the_certificate_is_refused_before_the_association(pki: PKI) -> None:
    """The twin: without a single byte from the peer it is a refusal."""
    settings = TLSSettings(ca=(pki.ca,), cert=(pki.other_client.cert,), key=(pki.other_client.key,))
    with facing_tls_server(pki, receive_until_end, settings=settings) as opposite:
        with pytest.raises(HandshakeError):
            as_requestor(opposite.channel)
        with pytest.raises(ssl.SSLError):
            opposite.outcome()


# Peers that do not read, and users who interrupt


def held(done: threading.Event) -> Callable[[socket.socket], bytes]:
    """A peer that reads nothing until the event is set, then everything."""

    def play(sock: socket.socket) -> bytes:
        done.wait(SECONDS)
        try:
            return receive_until_end(sock)
        except OSError:
            return b""

    return play


def test_a_write_times_out_when_the_peer_does_not_read() -> None:
    """No A-ABORT could follow half a PDU, so the connection is just closed."""
    done = threading.Event()
    with associated(held(done), timeout=0.1, small_buffers=True) as (association, opposite):
        start = monotonic()
        with pytest.raises(DIMSETimeout, match="took nothing"):
            write_without_end(association)
        assert monotonic() - start < SECONDS / 2
        assert not association.is_established
        done.set()
        assert not opposite.outcome().endswith(encode(BY_USER))


def test_the_pdu_is_completed_when_the_user_interrupts_a_long_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then an A-ABORT follows; the peer reads from the interrupt on."""
    monkeypatch.setattr(channel_module, "_FINISH_SECONDS", SECONDS)
    done = threading.Event()
    with interrupted(held(done), SHORT, done.set, small_buffers=True) as (association, opposite):
        with pytest.raises(Interrupted):
            association.send(CT_ID, store_request(), bytes(500_000))
        *sent, farewell = pdus(opposite.outcome())
    assert farewell == BY_USER
    assert all(isinstance(pdu, bytes) for pdu in sent)
    assert sum(len(pdu) - 6 for pdu in sent[1:] if isinstance(pdu, bytes)) == 500_000


@pytest.mark.parametrize("seconds", [0.2, pytest.param(2.0, marks=pytest.mark.slow)])
def test_an_interrupt_ends_a_write_within_its_time_when_the_peer_does_not_read(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Two seconds, and shortened; the second interrupt would be harder."""
    assert channel_module._FINISH_SECONDS <= 2.0
    monkeypatch.setattr(channel_module, "_FINISH_SECONDS", seconds)
    done = threading.Event()
    with interrupted(held(done), SHORT, small_buffers=True) as (association, _):
        start = monotonic()
        with pytest.raises(Interrupted):
            write_without_end(association)
        assert monotonic() - start < SECONDS / 2
        done.set()


@pytest.mark.parametrize("before", [b"", STORE, STORE + FIRST])
def test_the_peer_is_told_when_the_user_interrupts_a_wait(before: bytes) -> None:
    """Between messages and in the middle of one."""
    with interrupted(saying(before), SHORT) as (association, opposite):
        with pytest.raises(Interrupted):
            read_everything(association)
        assert opposite.outcome() == [BY_USER]


def test_the_peer_is_told_when_the_user_interrupts_a_release() -> None:
    """The A-RELEASE-RQ is out, and an A-ABORT follows."""
    with interrupted(saying(), SHORT) as (association, opposite):
        with pytest.raises(Interrupted):
            association.release()
        assert opposite.outcome() == [ReleaseRequest(), BY_USER]


def fill(sock: socket.socket) -> None:
    """Send until the system takes no more."""
    with suppress(BlockingIOError):
        while sock.send(bytes(65_536)):
            pass


def test_an_abort_is_given_up_when_the_peer_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The farewell has its own deadline."""
    monkeypatch.setattr(short_pdu, "_FAREWELL_SECONDS", SHORT)
    done = threading.Event()
    with associated(held(done), small_buffers=True) as (association, _):
        fill(association._channel._stream.sock)
        start = monotonic()
        association.abort()
        assert monotonic() - start < SECONDS / 2
        done.set()


# Ahead


@pytest.mark.parametrize("has_begun", [False, True])
def test_no_message_is_complete_when_the_association_is_aborted_before_its_turn(
    pki: PKI, tmp_path: Path, *, has_begun: bool
) -> None:
    """What was prepared, or sent ahead, cannot be taken back: an A-ABORT follows it, and its last PDU never does."""

    def peer(sock: ssl.SSLSocket) -> list[PDU | bytes]:
        receive_pdu(sock)
        sock.sendall(encode(ACCEPT))
        return pdus(receive_until_end(sock))

    path = tmp_path / "dataset"
    path.write_bytes(bytes(400_000))
    with facing_tls_server(pki, peer) as opposite, path.open("rb") as file:
        association = as_requestor(opposite.channel)
        outbox = association.outbox()
        outbox.put_command(CT_ID, encode_command(store_request()))
        outbox.put_file(CT_ID, file.fileno(), 0, 400_000)
        outbox.get_ready()
        if has_begun:
            outbox.begin()
        association.abort()
        *sent, end = opposite.outcome()
    assert end == BY_USER
    assert sent
    whole_command, only_data = 3, 0
    flags = [pdu[5] for pdu in sent if isinstance(pdu, bytes)]
    assert flags[0] == whole_command
    assert set(flags[1:]) == {only_data}


@pytest.mark.parametrize(("answer", "expected"), [(ECHO, True), (RELEASE, False), (encode(Abort(0, 0)), False)])
def test_next_pdu_is_told_by_its_header(answer: bytes, expected: bool) -> None:  # noqa: FBT001 -- a parameter
    """Nothing is taken: whoever receives next meets what was awaited."""
    with associated(saying(answer)) as (association, _):
        assert association.await_data() is expected
        assert association.await_data() is expected
        association.abort()


def test_next_pdu_is_not_waited_for_longer_than_any_other() -> None:
    """A silent peer is told so by an A-ABORT."""
    with associated(saying()) as (association, opposite):
        association.timeout = SHORT
        with pytest.raises(DIMSETimeout):
            association.await_data()
        assert opposite.outcome() == [BY_USER]
