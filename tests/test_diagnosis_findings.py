"""dicomtls.diagnosis.findings: all that is wrong with a chain that was refused."""

from dicomtls.certificates.fields import CertificateFields
from dicomtls.diagnosis import Diagnosis, diagnose
from dicomtls.diagnosis.findings import findings_about, with_all_findings
from dicomtls.errors import By, HandshakeError, Stage
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.tls import TLSSettings
from tests.support.certificates import make_certificate
from tests.support.chains import issue
from tests.support.pki import PKI, Identity

REFUSED = Diagnosis("unknown-issuer", Stage.TLS, By.US, "no", evidence={"reason": "x"})


def chain_of(identity: Identity) -> tuple[bytes, ...]:
    """What it sends."""
    return (identity.cert_der.read_bytes(),)


def test_other_faults_are_added_and_all_stand_in_the_evidence(pki: PKI) -> None:
    """The first is told already; what was in the evidence stays."""
    settings = TLSSettings(ca=(pki.ca,), crl=(pki.crl,))
    found = with_all_findings(REFUSED, chain_of(pki.other_client), settings, purpose="client")
    assert found.message.startswith("no; besides: the certificate was issued by CN=another test CA, whose revocation")
    assert [finding["code"] for finding in found.evidence["findings"]] == ["unknown-issuer", "crl-missing"]  # type: ignore[attr-defined]  # a list of dicts
    assert found.evidence["reason"] == "x"


def test_single_fault_leaves_the_message_alone(pki: PKI) -> None:
    """Nothing comes besides."""
    settings = TLSSettings(ca=(pki.ca,))
    found = with_all_findings(REFUSED, chain_of(pki.other_client), settings, purpose="client")
    assert found.message == "no"


def test_chain_that_cannot_be_read_or_compared_leaves_all_alone(pki: PKI) -> None:
    """What OpenSSL said of it stands."""
    good = issue("good")
    for chain, settings in (((b"junk",), TLSSettings(ca=(pki.ca,))), ((good.der,), TLSSettings(ca=(pki.ca / "no",)))):
        assert with_all_findings(REFUSED, chain, settings, purpose="client") == REFUSED


def test_purpose_and_name_are_looked_at_where_they_are_given(pki: PKI) -> None:
    """A client's certificate as a server's, and for another name."""
    settings = TLSSettings(ca=(pki.ca,))
    errors = {
        finding.code
        for finding in findings_about(chain_of(pki.client), settings, purpose="server", host="pacs.example")
        if finding.severity == "error"
    }
    assert errors == {"wrong-purpose", "name-mismatch"}


def test_long_names_do_not_fill_the_terminal(pki: PKI) -> None:
    """A certificate may be 100 KiB long, and most of that a name; who it is can be told from its beginning."""
    long = make_certificate(subject="x" * 30_000)
    facts = HandshakeFacts(verify_code=18, chain_der=(long,), authorities=(CertificateFields.parse(long).issuer,))
    refused = diagnose(HandshakeError("x", facts))
    demanded = diagnose(HandshakeError("x", facts, code="client-certificate-required"))
    assert "self-signed (CN=xxx" in refused.message
    found = with_all_findings(refused, (long,), TLSSettings(ca=(pki.ca,)), purpose="server", host="pacs.example")
    for text in (refused.message, found.message, *demanded.hints):
        assert len(text) < 1300
