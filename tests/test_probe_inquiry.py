"""dicomtls.probe.inquiry: few attempts, one at a time, harmless, and written down."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from dicomtls.association.association import Association
from dicomtls.association.user_information import IdentityKind, UserIdentity
from dicomtls.errors import Interrupted
from dicomtls.probe.inquiry import MOST_CONNECTIONS, Clear, Inquiry
from dicomtls.tls import TLSSettings
from dicomtls.waiting import Interrupt
from tests.support.inquiries import target
from tests.support.peers import dcmtk_storescp, openssl_s_server, pynetdicom_scp, raw_server, receive_until_end
from tests.support.pki import PKI, server_context
from tests.support.servers import acceptor, client_tls

SOON = 0.2
PATIENCE = 5.0


def asking(port: int, tls: TLSSettings | None = None, **settings: Any) -> Inquiry:
    """An inquiry into somebody on loopback."""
    return Inquiry(target(port, tls, **settings))


def test_plain_dicom_answers_in_clear(pki: PKI) -> None:
    """pynetdicom accepts, and the log says what was asked."""
    with pynetdicom_scp() as scp:
        inquiry = asking(scp.port, client_tls(pki))
        assert inquiry.in_clear() is Clear.DICOM
    assert inquiry.log == [
        {"attempt": "an association in clear (Verification only)", "outcome": "it answers in plain DICOM"}
    ]
    assert inquiry.may_ask


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"\x15\x03\x03\0\x02\x02\x28", Clear.TLS),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Clear.HTTP),
        (b"", Clear.CLOSED),
        (b"SSH-2.0-OpenSSH\r\n", Clear.OTHER),
        (b"\x03\0\0\0\0\x04\0\x01\x01\x07", Clear.DICOM),
    ],
    ids=["TLS", "HTTP", "nothing", "SSH", "rejection"],
)
def test_answer_in_clear_is_told_apart(said: bytes, answer: Clear) -> None:
    """By the first bytes."""

    def reply(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(said)

    with raw_server(reply) as server:
        assert asking(server.port, TLSSettings()).in_clear() is answer


def test_silent_peer_is_asked_once_only() -> None:
    """Nothing more is to be learnt from it."""
    with raw_server(receive_until_end) as server:
        inquiry = asking(server.port, TLSSettings(), connect_timeout=SOON, association_timeout=SOON)
        assert inquiry.in_clear() is Clear.SILENT
        assert not inquiry.may_ask


def test_nothing_of_the_user_is_shown_in_clear() -> None:
    """Neither the AE titles nor the identity, and no context but Verification."""
    identity = UserIdentity(IdentityKind.USERNAME, response_requested=False, primary=b"doctor", secondary=b"secret")
    seen: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))

    with raw_server(listen) as server:
        asking(server.port, TLSSettings(), calling_ae_title="WARD7", identity=identity).in_clear()
    assert b"DICOMTLS" in seen[0]
    assert b"ANY-SCP" in seen[0]
    assert not any(secret in seen[0] for secret in (b"doctor", b"secret", b"WARD7"))
    assert seen[0].count(b"1.2.840.10008.1.1") == 1


def test_settings_can_be_changed_behind_tls(pki: PKI) -> None:
    """One that works and one that does not, by the same peer."""
    with pynetdicom_scp(server_context(pki)) as scp:
        inquiry = asking(scp.port, client_tls(pki))
        good = inquiry.behind_tls("as it was")
        bad = inquiry.behind_tls("without our certificate", cert=(), key=())
    assert good.tls_works
    assert not bad.tls_works
    assert [entry["outcome"].partition(":")[0] for entry in inquiry.log] == [
        "it connects",
        "client-certificate-required",
    ]


def test_rejection_of_the_association_proves_tls(pki: PKI) -> None:
    """TLS was what was asked about."""
    with openssl_s_server(pki) as server:
        outcome = asking(server.port, client_tls(pki)).behind_tls("as it was")
    assert outcome.error is not None
    assert outcome.tls_works


def test_attempts_are_counted(pki: PKI) -> None:
    """Twelve with the first."""
    with raw_server(lambda connection: connection.recv(1)) as server:
        inquiry = asking(server.port, client_tls(pki))
        count = 0
        while inquiry.may_ask:
            inquiry.say(b"x", bool)
            count += 1
    assert count == MOST_CONNECTIONS - 1


@pytest.fixture
def interrupt() -> Iterator[Interrupt]:
    """A flag that is set already."""
    flag = Interrupt()
    flag.set()
    yield flag
    flag.close()


def test_interrupt_ends_an_attempt(pki: PKI, interrupt: Interrupt) -> None:
    """At once, whatever is being asked."""
    with raw_server(receive_until_end) as server:
        inquiry = Inquiry(target(server.port, client_tls(pki)), interrupt)
        for ask in (inquiry.in_clear, lambda: inquiry.behind_tls("x"), lambda: inquiry.say(b"x", bool)):
            with pytest.raises(Interrupted):
                ask()


def test_nothing_is_stored_and_the_peer_is_released(pki: PKI) -> None:
    """An acceptor sees a request and a release, and no data."""
    messages: list[object] = []
    done = threading.Event()

    def script(association: Association) -> None:
        messages.append(association.receive(20))
        done.set()

    with acceptor(script) as peer:
        assert asking(peer.server.port, client_tls(pki)).in_clear() is Clear.DICOM
        assert done.wait(20)
    assert messages == [None]


def test_peer_without_a_goodbye_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has answered, and one that holds each of a dozen attempts for as long as an answer may take holds us all."""
    monkeypatch.setattr("dicomtls.probe.inquiry._GOODBYE", 0.05)
    monkeypatch.setattr("dicomtls.association.short_pdu.LINGER_SECONDS", 0.05)  # alone it took most of the time
    over = threading.Event()

    def keep_silent(_association: Association) -> None:
        over.wait(PATIENCE)

    with acceptor(keep_silent) as peer:
        begun = monotonic()
        assert asking(peer.server.port, TLSSettings()).in_clear() is Clear.DICOM
        spent = monotonic() - begun
        over.set()
    assert spent < PATIENCE / 2


def test_refused_connection_is_noted() -> None:
    """The peer may have gone meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    inquiry = asking(port, TLSSettings())
    assert inquiry.in_clear() is Clear.GONE
    assert inquiry.say(b"x", bool) == (b"", "connection-refused")


def test_storescp_in_clear_is_known(pki: PKI, tmp_path: Path) -> None:
    """DCMTK drops our hello without a word, and answers this."""
    with dcmtk_storescp(pki, tmp_path, tls=False) as scp:
        assert asking(scp.port, client_tls(pki)).in_clear() is Clear.DICOM
