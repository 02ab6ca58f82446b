"""dicomtls.diagnosis.offers: what was offered, in the message and in the evidence."""

import pytest

from dicomtls.diagnosis import Diagnosis, diagnose
from dicomtls.diagnosis.offers import offer, suites_offered, versions_offered
from dicomtls.errors import HandshakeError
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.tls.hello import TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3, ClientHello

OLD = ClientHello(version=TLS_1_1, suites=(0x000A, 0x002F))
NEW = ClientHello(versions=(TLS_1_3, TLS_1_2), suites=(0x1301, 0xC02F), server_name="pacs.example", alpn=("dicom",))


def facts(hello: ClientHello, role: str = "server", alert: str | None = None) -> HandshakeFacts:
    """A handshake that failed after this hello."""
    reason = None if alert else "NO_SHARED_CIPHER"
    return HandshakeFacts(role=role, reason=reason, alert_received=alert, client_hello=hello.encode()[4:])


def diagnosed(hello: ClientHello, role: str = "server", alert: str | None = None) -> Diagnosis:
    """What is said of it."""
    return diagnose(HandshakeError("x", facts(hello, role, alert)))


def test_versions_are_said_as_they_were_offered() -> None:
    """An old hello names the highest only."""
    assert versions_offered(facts(NEW)) == "TLSv1.3 and TLSv1.2"
    assert versions_offered(facts(OLD)) == "TLSv1.1 at most"
    assert versions_offered(facts(ClientHello(version=TLS_1_0))) == "TLSv1 at most"


def test_suites_are_those_that_can_be_chosen() -> None:
    """Nobody chooses the suites of TLS 1.3, so they are named only where there are no others."""
    assert suites_offered(facts(NEW)) == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    assert suites_offered(facts(ClientHello(suites=(0x1301,)))) == "TLS_AES_128_GCM_SHA256"


def test_message_and_evidence_have_the_offer() -> None:
    """Both roles."""
    for role in ("client", "server"):
        diagnosis = diagnosed(OLD, role)
        assert diagnosis.code == "no-shared-cipher"
        assert "TLS_RSA_WITH_3DES_EDE_CBC_SHA, TLS_RSA_WITH_AES_128_CBC_SHA" in diagnosis.message
        assert diagnosis.evidence["offered_versions"] == ["TLSv1.1"]
    assert diagnosed(NEW, "client", "protocol_version").message.endswith("that we offer: TLSv1.3 and TLSv1.2")
    evidence = diagnosed(NEW).evidence
    assert evidence["server_name_sent"] == "pacs.example"
    assert evidence["alpn_offered"] == ["dicom"]


@pytest.mark.parametrize("hello", [b"", b"\x03\x03", bytes(40)])
def test_unreadable_offer_is_left_out(hello: bytes) -> None:
    """Nothing is said rather than something wrong."""
    unknown = HandshakeFacts(role="server", reason="NO_SHARED_CIPHER", client_hello=hello)
    assert (offer(unknown) is None) or not suites_offered(unknown).startswith("TLS_")
    diagnosis = diagnose(HandshakeError("x", unknown))
    assert diagnosis.code == "no-shared-cipher"
