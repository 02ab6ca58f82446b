"""`dicomtls certgen revoke`, and what a handshake says afterwards."""

from dicomtls.tls import TLSSettings
from tests.support.authority import Certgen
from tests.support.handshakes import shake_hands


def test_revoked_certificate_is_refused_in_both_roles(certgen: Certgen) -> None:
    """By whoever has the list; the other certificate goes on."""
    bad = certgen.issue("bad", "--host", "localhost")
    certgen.issue("good", "--host", "localhost")
    said = certgen.run("revoke", bad, "--ca-dir", certgen.ca, "--reason", "keyCompromise")
    assert "revoked CN=bad" in said
    assert f"certgen crl --ca-dir {certgen.ca}" in said
    certgen.run("crl", "--ca-dir", certgen.ca)

    def end(name: str, *, checks: bool) -> TLSSettings:
        path = certgen.directory / f"{name}.pem"
        crl = (certgen.ca / "crl.pem",) if checks else ()
        return TLSSettings(ca=(certgen.ca / "ca.pem",), cert=(path,), key=(path.with_suffix(".key"),), crl=crl)

    assert shake_hands(end("good", checks=True), end("good", checks=True)).codes == (None, None)
    assert shake_hands(end("good", checks=False), end("bad", checks=False)).codes == (None, None)
    assert shake_hands(end("good", checks=True), end("bad", checks=False)).codes[0] == "revoked"
    assert shake_hands(end("bad", checks=False), end("good", checks=True)).codes[1] == "revoked"


def test_certificate_is_revoked_once_and_by_its_own_ca(certgen: Certgen) -> None:
    """By its serial number too; each mistake is one line."""
    cert = certgen.issue("ct")
    serial = certgen.authority().record().entries[0].serial_hex
    document = certgen.document("revoke", serial, "--ca-dir", certgen.ca)
    assert (document["serial"], document["subject"], document["reason"]) == (serial, "CN=ct", "unspecified")
    assert "was revoked on" in certgen.run("revoke", cert, "--ca-dir", certgen.ca, status=2)
    assert "no record of a certificate" in certgen.run("revoke", "0a", "--ca-dir", certgen.ca, status=2)
    assert "neither a file" in certgen.run("revoke", "nothing", "--ca-dir", certgen.ca, status=2)
    assert "not a reason" in certgen.run("revoke", "0a", "--ca-dir", certgen.ca, "--reason", "x", status=2)
