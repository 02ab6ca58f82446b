"""`dicomtls certgen bundle`."""

import pytest

from tests.support.authority import Certgen
from tests.support.openssl import openssl


def test_chain_is_put_in_order(certgen: Certgen) -> None:
    """The CA's file first, and the leaf comes out first; DER where it is wanted."""
    cert, out = certgen.issue("ct"), certgen.directory / "out"
    document = certgen.document("bundle", certgen.ca / "ca.pem", cert, "--name", "x", "--der", "--out", out)
    assert document["certificates"]["x"]["subject"] == "CN=ct"
    assert certgen.files(out) == {"x.pem", "x.der"}
    assert (out / "x.pem").read_bytes() == cert.read_bytes() + (certgen.ca / "ca.pem").read_bytes()


def test_archive_is_opened_by_openssl_with_its_passphrase(certgen: Certgen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key and chain are in it; the key that is given has to be the right one."""
    monkeypatch.setenv("KEY_SECRET", "secret")
    cert, out = certgen.issue("ct"), certgen.directory / "out"
    options = ("--pkcs12", "--name", "x", "--out", out, "--passphrase-env", "KEY_SECRET")
    base = ("bundle", cert, certgen.ca / "ca.pem", *options)
    wrong = certgen.issue("other").with_suffix(".key")
    assert "belongs to no certificate" in certgen.run(*base, "--key", wrong, status=2)
    assert not out.exists()
    certgen.run(*base, "--key", cert.with_suffix(".key"))
    said = openssl("pkcs12", "-in", out / "x.p12", "-passin", "pass:secret", "-nodes", "-info").stdout
    assert said.count("BEGIN CERTIFICATE") == 2
    assert "BEGIN PRIVATE KEY" in said
    again = ("bundle", out / "x.p12", "--pkcs12", "--name", "y", "--out", out, "--old-passphrase-env", "KEY_SECRET")
    assert "Java reads nothing" in certgen.run(*again)
    assert certgen.files(out) == {f"{name}.{kind}" for name in "xy" for kind in ("pem", "key", "p12")}


def test_leaves_of_two_devices_make_no_bundle(certgen: Certgen) -> None:
    """One line, nothing written."""
    base = ("bundle", certgen.issue("a"), certgen.issue("b"), "--name", "x", "--out", certgen.directory)
    assert "2 certificates that issued none of the others" in certgen.run(*base, status=2)
    assert "x.pem" not in certgen.files()
