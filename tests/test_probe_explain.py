"""dicomtls.probe.explain: which failures are looked at again, and what never is."""

import errno
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from dicomtls.diagnosis import diagnose
from dicomtls.errors import By, HandshakeError, StatusFailure
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.probe.explain import explain
from dicomtls.probe.inquiry import Inquiry
from dicomtls.waiting import Interrupt
from tests.support.inquiries import attempts, explained, failure, target
from tests.support.peers import dcmtk_storescp, openssl_s_server, pynetdicom_scp, raw_server, receive_until_end
from tests.support.pki import PKI
from tests.support.servers import client_tls


def test_follow_up_can_be_forbidden(pki: PKI) -> None:
    """Then the peer sees one connection."""
    with raw_server(lambda connection: connection.recv(1)) as server:
        diagnosis = explained(target(server.port, client_tls(pki)), follow_up=False)
        server.wait_for_connections(1)
    assert server.connections == 1
    assert "follow_up" not in diagnosis.evidence


@pytest.mark.parametrize("follow_up", [True, False])
def test_commands_of_hints_can_be_typed(pki: PKI, *, follow_up: bool) -> None:
    """With the address of the peer in them."""
    with openssl_s_server(pki) as server:
        who = target(server.port, replace(client_tls(pki), ca=(pki.other_ca,)))
        diagnosis = explained(who, follow_up=follow_up)
    assert f"look at what it sends: dicomtls inspect-cert localhost:{server.port}" in diagnosis.hints


def test_silent_peer_is_left_alone(pki: PKI) -> None:
    """One attempt only."""
    with raw_server(receive_until_end) as server:
        diagnosis = explained(target(server.port, client_tls(pki), connect_timeout=0.2))
    assert diagnosis.code == "handshake-timeout"
    assert server.connections == 1


def test_tls_behind_a_hang_up_in_clear_is_found(pki: PKI, tmp_path: Path) -> None:
    """DCMTK's storescp drops an association in clear without a word."""
    with dcmtk_storescp(pki, tmp_path) as scp:
        diagnosis = explained(target(scp.port, None))
    assert (diagnosis.code, diagnosis.by) == ("peer-expects-tls", By.NEITHER)
    assert diagnosis.hints == ("leave out --no-tls",)


def test_hang_up_that_is_no_tls_stays_one() -> None:
    """The negative twin."""
    with raw_server(lambda connection: connection.recv(1)) as server:
        diagnosis = explained(target(server.port, None))
    assert diagnosis.code == "association-aborted"


@pytest.mark.parametrize(
    ("reason", "called", "hint"),
    [(3, "ANY-SCP", "we called ourselves WARD7"), (7, "PACS", "we called it PACS"), (1, "ANY-SCP", "")],
)
def test_rejection_names_the_titles_that_were_used(reason: int, called: str, hint: str) -> None:
    """Whichever the peer does not know."""
    rejection = b"\x03\0\0\0\0\x04\0\x01\x01" + bytes([reason])

    def reject(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(rejection)

    with raw_server(reject) as server:
        diagnosis = explained(target(server.port, None, calling_ae_title="WARD7", called_ae_title=called))
    assert diagnosis.code == "association-rejected"
    assert diagnosis.hints[0].startswith(hint)


def test_what_is_no_failure_to_reach_is_not_looked_at(pki: PKI) -> None:
    """A status comes from a peer that was reached."""
    with pynetdicom_scp() as scp:
        diagnosis = explain(StatusFailure("no", status=0xA700), target(scp.port, client_tls(pki)))
    assert diagnosis.code == "status-failure"
    assert attempts(diagnosis) == []


def test_interrupt_ends_the_looking_and_keeps_the_diagnosis(pki: PKI) -> None:
    """What is known is said."""
    flag = Interrupt()
    with openssl_s_server(pki, "-tls1_3") as server:
        who = target(server.port, client_tls(pki, tls_max="1.2"))
        error = failure(who)
        flag.set()
        assert explain(error, who, interrupt=flag).code == diagnose(error).code == "no-shared-protocol"
    flag.close()


def test_file_that_has_gone_ends_the_looking_and_keeps_the_diagnosis(pki: PKI, tmp_path: Path) -> None:
    """The settings are read anew to try others; what the first attempt showed stands."""
    anchors = tmp_path / "ca.pem"
    anchors.write_bytes(pki.ca.read_bytes())
    with openssl_s_server(pki, "-tls1_3") as server:
        who = target(server.port, replace(client_tls(pki, tls_max="1.2"), ca=(anchors,)))
        error = failure(who)
        anchors.unlink()
        diagnosis = explain(error, who)
    assert diagnosis.code == diagnose(error).code == "no-shared-protocol"
    assert attempts(diagnosis)


def test_lack_of_descriptors_ends_the_looking_and_keeps_the_diagnosis(
    pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run with many peers may have used them up."""

    def fail(*_arguments: object) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(Inquiry, "in_clear", fail)
    error = HandshakeError("x", HandshakeFacts(closed="eof"))
    assert explain(error, target(1, client_tls(pki))) == diagnose(error)


def test_peer_that_has_gone_meanwhile_is_no_trouble(pki: PKI) -> None:
    """The first failure stands."""
    with raw_server(lambda connection: connection.recv(1)) as server:
        who = target(server.port, client_tls(pki))
        error = failure(who)
    assert explain(error, who).code == diagnose(error).code
    facts = HandshakeFacts(alert_received="handshake_failure")
    assert explain(HandshakeError("x", facts), who).code == "no-shared-cipher"
