"""`dicomtls certgen renew`."""

import pytest

from tests.support.authority import EC, Certgen


def test_certificate_is_issued_again_beside_the_old_one(certgen: Certgen) -> None:
    """In place only by force; the key stays as it is."""
    cert = certgen.issue("ct")
    old, key = cert.read_bytes(), cert.with_suffix(".key").read_bytes()
    assert "ct.pem exists already" in certgen.run("renew", cert, "--ca-dir", certgen.ca, status=2)
    assert cert.read_bytes() == old
    document = certgen.document("renew", cert, "--ca-dir", certgen.ca, "--force", "--days", "50")
    assert document["certificates"]["ct"]["dns_names"] == ["ct.example"]
    assert document["certificates"]["ct"]["days_left"] == 49
    assert cert.read_bytes() != old
    assert cert.with_suffix(".key").read_bytes() == key
    assert len(certgen.authority().record().entries) == 2


def test_new_key_comes_with_its_archive(certgen: Certgen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into another folder, encrypted where that is asked for."""
    monkeypatch.setenv("KEY_SECRET", "secret")
    cert, out = certgen.issue("ct"), certgen.directory / "new"
    base = ("renew", cert, "--ca-dir", certgen.ca, "--out", out)
    certgen.run(*base, "--new-key", EC, "--pkcs12", "--passphrase-env", "KEY_SECRET")
    assert certgen.files(out) == {"ct.pem", "ct.key", "ct.p12"}
    assert b"ENCRYPTED" in (out / "ct.key").read_bytes()
    said = certgen.run(*base, "--pkcs12", "--force", status=2)
    assert "holds the key, which stays where it is" in said


def test_certificate_of_somebody_else_is_not_renewed(certgen: Certgen) -> None:
    """Nothing is written."""
    certgen.run("self-signed", "--name", "x", "--host", "x", "--out", certgen.directory, "--key-type", EC)
    before = (certgen.directory / "x.pem").read_bytes()
    said = certgen.run("renew", certgen.directory / "x.pem", "--ca-dir", certgen.ca, "--force", status=2)
    assert "this CA has not issued that certificate" in said
    assert (certgen.directory / "x.pem").read_bytes() == before
