"""dicomtls.probe.certificates: all that is wrong with the peer's certificate, and what it may have against ours."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dicomtls.errors import By
from dicomtls.probe.certificates import fits
from tests.support.chains import issue
from tests.support.inquiries import attempts, explained, target
from tests.support.peers import openssl_s_server, pynetdicom_scp
from tests.support.pki import PKI, Identity, server_context
from tests.support.servers import client_tls


@pytest.fixture
def strict(pki: PKI) -> Iterator[int]:
    """A peer that names the authorities that it takes, and demands a certificate."""
    with openssl_s_server(pki, client_auth=True) as server:
        yield server.port


@pytest.mark.parametrize(
    ("client", "fault"),
    [
        ("expired", "expired on"),
        ("server_purpose", "not made for a TLS client"),
        ("other_client", "none of those that the peer names"),
    ],
)
def test_fault_of_our_own_certificate_is_named(pki: PKI, strict: int, client: str, fault: str) -> None:
    """The alert says little; the certificate says what is wrong with it."""
    diagnosis = explained(target(strict, client_tls(pki, getattr(pki, client))))
    assert (diagnosis.code, diagnosis.by) == ("client-certificate-refused", By.PEER)
    assert "; our own: " in diagnosis.message
    assert fault in diagnosis.message
    assert "CN=dicomtls test CA" in diagnosis.hints[0]


def test_missing_certificate_is_asked_for_with_the_names(pki: PKI, strict: int) -> None:
    """Which authorities the peer takes."""
    tls = client_tls(pki)
    diagnosis = explained(target(strict, type(tls)(ca=tls.ca)))
    assert diagnosis.code == "client-certificate-required"
    assert "CN=dicomtls test CA" in diagnosis.hints[0]
    assert diagnosis.evidence["certificate_authorities"] == ["CN=dicomtls test CA"]


def test_peer_that_needs_no_certificate_is_better_sent_none(pki: PKI) -> None:
    """It verifies what it gets, and asks for nothing more."""
    import ssl

    with pynetdicom_scp(server_context(pki, client_auth=ssl.CERT_OPTIONAL)) as scp:
        diagnosis = explained(target(scp.port, client_tls(pki, pki.other_client)))
    assert diagnosis.code == "client-certificate-refused"
    assert diagnosis.hints[0] == "it connects without our certificate: leave out --cert and --key"


def test_all_findings_are_told(pki: PKI) -> None:
    """OpenSSL stops at the first."""
    with openssl_s_server(pki, identity=pki.expired) as server:
        who = target(server.port, client_tls(pki, server_name="pacs.example"))
        diagnosis = explained(who)
    assert diagnosis.code == "name-mismatch"
    assert "; besides: the certificate expired on " in diagnosis.message
    codes = [finding["code"] for finding in diagnosis.evidence["findings"]]  # type: ignore[attr-defined]  # a list
    assert codes == ["name-mismatch", "expired"]


def test_authority_that_was_made_anew_is_told_from_an_unknown_one(pki: PKI, tmp_path: Path) -> None:
    """Its name is among the anchors, and its key is not: as after a second `certgen pki` in another folder."""
    with openssl_s_server(pki) as server:
        for authority, is_namesake in (("dicomtls test CA", True), ("another CA", False)):
            path = tmp_path / "ca.pem"
            path.write_bytes(issue(authority, is_ca=True).pem)
            diagnosis = explained(target(server.port, replace(client_tls(pki), ca=(path,))))
            assert diagnosis.code == "unknown-issuer"
            assert ("with another key" in diagnosis.hints[0]) is is_namesake
            assert any("--ca" in hint for hint in diagnosis.hints)


def test_name_that_works_is_tried(pki: PKI) -> None:
    """And proposed only for the peer that is meant."""
    with openssl_s_server(pki, identity=pki.wrong_name) as server:
        diagnosis = explained(target(server.port, client_tls(pki)))
    assert diagnosis.code == "name-mismatch"
    assert diagnosis.hints[0].endswith("it connects with --server-name pacs.hospital.example")


def test_self_signed_certificate_comes_with_its_pin(pki: PKI) -> None:
    """Ready to be compared, and no name is tried in vain more than once."""
    with openssl_s_server(pki, identity=pki.self_signed) as server:
        diagnosis = explained(target(server.port, client_tls(pki)))
    assert diagnosis.code == "self-signed"
    assert "--pin sha256:" in diagnosis.hints[1]
    assert attempts(diagnosis) == ["without the server's name (SNI)"]


def test_name_may_change_the_answer(pki: PKI) -> None:
    """A server with two certificates, as proxies have: without a name it shows the good one."""
    context, other = server_context(pki), server_context(pki, pki.self_signed)
    context.sni_callback = lambda tls, name, _context: setattr(tls, "context", other) if name else None
    with pynetdicom_scp(context) as scp:
        diagnosis = explained(target(scp.port, client_tls(pki)))
    assert diagnosis.code == "self-signed"
    assert diagnosis.hints[0] == "it shows another certificate without the server's name: --no-sni"


def chain(identity: Identity) -> tuple[bytes, ...]:
    """What a client with this identity sends."""
    return (identity.cert_der.read_bytes(),)


def test_certificate_fits_the_authorities_or_not(pki: PKI) -> None:
    """By the name of whoever issued it; without names nothing is known."""
    from cryptography import x509

    names = (x509.load_der_x509_certificate(pki.ca_der.read_bytes()).subject.public_bytes(),)
    assert fits(chain(pki.client), names) is True
    assert fits(chain(pki.other_client), names) is False
    assert fits(chain(pki.client), ()) is fits((), names) is fits((b"junk",), names) is None
