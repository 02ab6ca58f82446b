"""`dicomtls certgen renew`."""

import pytest

from tests.support.authority import EC, Certgen
from tests.support.openssl import verify


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


def test_ca_is_renewed_in_place_by_force(certgen: Certgen) -> None:
    """It says who has to get the new file; its key and what it issued stay, and it goes on issuing."""
    cert = certgen.issue("ct")
    key, old = (certgen.ca / "ca.key").read_bytes(), (certgen.ca / "ca.pem").read_bytes()
    base = ("renew", certgen.ca / "ca.pem", "--ca-dir", certgen.ca)
    assert "exists already" in certgen.run(*base, status=2)
    assert "give --new-key" not in certgen.run(*base, "--force", "--new-key", EC, status=2)
    assert (certgen.ca / "ca.pem").read_bytes() == old
    said = certgen.run(*base, "--force")
    assert "for all sides   ca.pem: every system that trusts the old one needs this one before" in said
    assert "for devices     nothing" in said
    assert "for CAs below" not in said
    assert "for the CA " not in said
    assert (certgen.ca / "ca.key").read_bytes() == key
    assert (certgen.ca / "ca.pem").read_bytes() != old
    assert verify(cert, "-CAfile", certgen.ca / "ca.pem").endswith("OK\n")
    certgen.issue("mr")
    assert len(certgen.authority().record().entries) == 3


def test_ca_renewed_elsewhere_says_where_its_file_belongs(certgen: Certgen) -> None:
    """The CA would go on with the old one."""
    said = certgen.run("renew", certgen.ca / "ca.pem", "--ca-dir", certgen.ca, "--out", certgen.directory / "new")
    assert "put ca.pem in the place of the ca.pem beside its ca.key" in said


def test_intermediate_is_renewed_and_its_devices_get_the_new_chain(certgen: Certgen) -> None:
    """By the lines that it prints."""
    root, rad = certgen.directory / "root", certgen.directory / "rad"
    certgen.run("ca", "--name", "Top", "--out", root, "--path-length", "1", "--key-type", EC, "--days", "300")
    certgen.run("ca", "--name", "Rad", "--ca-dir", root, "--out", rad, "--key-type", EC, "--days", "30")
    document = certgen.document("renew", rad / "ca.pem", "--ca-dir", root, "--force")
    assert document["certificates"]["ca"]["is_ca"]
    assert document["certificates"]["ca"]["days_left"] in (298, 299)
    said = certgen.run("renew", rad / "ca.pem", "--ca-dir", root, "--force")
    assert f"dicomtls certgen bundle NAME.pem {rad}/ca.pem --name NAME --force" in said
    assert "where the old one is among the anchors" in said
    wrong = certgen.run("renew", rad / "ca.pem", "--ca-dir", rad, "--force", status=2)
    assert "name the folder of the CA above it" in wrong
    above = certgen.run("renew", root / "ca.pem", "--ca-dir", root, "--force")
    assert "for CAs below" in above


def test_file_that_holds_the_key_too_is_not_replaced_by_a_certificate(certgen: Certgen) -> None:
    """The key would be lost, and it has no copy."""
    cert = certgen.issue("ct")
    both = cert.read_bytes() + cert.with_suffix(".key").read_bytes()
    cert.write_bytes(both)
    said = certgen.run("renew", cert, "--ca-dir", certgen.ca, "--force", status=2)
    assert "holds a private key, which would be lost" in said
    assert cert.read_bytes() == both


def test_lines_to_type_name_the_key_that_is_there(certgen: Certgen) -> None:
    """Beside the old certificate, or nowhere that we know; a new one beside the new certificate."""
    cert, out = certgen.issue("ct"), certgen.directory / "new"
    base = ("renew", cert, "--ca-dir", certgen.ca, "--out", out, "--force")
    said = certgen.run(*base)
    assert f"--cert {out}/ct.pem --key {certgen.directory}/ct.key" in said
    cert.with_suffix(".key").unlink()
    said = certgen.run(*base)
    assert f"--cert {out}/ct.pem --key KEY" in said
    assert "KEY stands for the file with its key" in said
    assert f"--cert {out}/ct.pem --key {out}/ct.key" in certgen.run(*base, "--new-key", EC)
