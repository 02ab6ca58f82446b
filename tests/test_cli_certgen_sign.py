"""`dicomtls certgen sign`."""

from pathlib import Path

import pytest

from tests.support.authority import EC, Certgen
from tests.support.openssl import openssl, verify


@pytest.fixture
def requested(certgen: Certgen) -> Certgen:
    """With `dev.csr` beside the CA's folder."""
    certgen.run("request", "--name", "dev", "--host", "dev.example", "--out", certgen.directory, "--key-type", EC)
    return certgen


def public_key(kind: str, path: Path) -> str:
    """The key in a certificate (x509) or a request (req)."""
    return openssl(kind, "-in", path, "-noout", "-pubkey").stdout


def test_request_becomes_a_certificate_of_that_key(requested: Certgen) -> None:
    """Signed, recorded, and good for the names that were asked for."""
    folder = requested.directory
    document = requested.document("sign", folder / "dev.csr", "--ca-dir", requested.ca, "--out", folder)
    assert (document["taken_over"], document["not_taken_over"]) == (["subject", "key", "names"], [])
    checks = ("-CAfile", requested.ca / "ca.pem", "-verify_hostname", "dev.example")
    assert verify(folder / "dev.pem", *checks).endswith("OK\n")
    assert public_key("x509", folder / "dev.pem") == public_key("req", folder / "dev.csr")
    assert "CN=dev" in (requested.ca / "issued.txt").read_text()


def test_names_can_be_given_instead_of_the_requested_ones(requested: Certgen) -> None:
    """The output says that those were not taken over."""
    folder = requested.directory
    base = ("sign", folder / "dev.csr", "--ca-dir", requested.ca, "--out", folder, "--name", "other")
    said = requested.run(*base, "--host", "other.example", "--purpose", "client")
    assert "taken over      subject, key\n" in said
    assert "not taken over  names" in said
    text = openssl("x509", "-in", folder / "other.pem", "-noout", "-text").stdout
    assert "DNS:other.example" in text
    assert "dev.example" not in text
    assert "Server Authentication" not in text


def test_request_without_names_is_signed_with_a_word_of_warning(certgen: Certgen) -> None:
    """A client's needs none."""
    certgen.run("request", "--name", "dev", "--out", certgen.directory, "--key-type", EC)
    base = ("sign", certgen.directory / "dev.csr", "--ca-dir", certgen.ca, "--out", certgen.directory)
    assert "it has no DNS name and no address" in certgen.run(*base)
    assert "no DNS name" not in certgen.run(*base, "--purpose", "client", "--force")


def test_uri_is_put_in_too(requested: Certgen) -> None:
    """As at issue; alone it takes the place of the requested names, and a server without any is warned of."""
    folder = requested.directory
    base = ("sign", folder / "dev.csr", "--ca-dir", requested.ca, "--out", folder, "--uri", "urn:oid:1.2.3")
    assert "it has no DNS name and no address" in requested.run(*base)
    requested.run(*base, "--host", "dev.example", "--force")
    text = openssl("x509", "-in", folder / "dev.pem", "-noout", "-text").stdout
    assert "DNS:dev.example, URI:urn:oid:1.2.3" in text
    assert "not a URI" in requested.run(*base[:-1], "nothing", "--force", status=2)


def test_lines_to_type_have_a_word_for_the_key_that_only_the_device_has(requested: Certgen) -> None:
    """For a server and a client."""
    folder = requested.directory
    base = ("sign", folder / "dev.csr", "--ca-dir", requested.ca, "--out", folder)
    said = requested.run(*base)
    assert "in a file that is called KEY here" in said
    assert f"storescp +tls KEY {folder}/dev.pem +cf {requested.ca}/ca.pem +cs" in said
    assert "dicomtls echo PEER" in requested.run(*base, "--purpose", "client", "--force")


def test_request_with_two_extensions_of_a_kind_is_damaged(certgen: Certgen) -> None:
    """No traceback."""
    path = certgen.directory / "twice.csr"
    key = certgen.directory / "k.pem"
    openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key)
    (certgen.directory / "cnf").write_text(
        "[req]\nprompt=no\ndistinguished_name=dn\nreq_extensions=x\n[dn]\nCN=x\n"
        "[x]\n1.2.3.4=ASN1:NULL\n1.2.3.5=ASN1:NULL\n"
    )
    openssl("req", "-new", "-key", key, "-config", certgen.directory / "cnf", "-outform", "DER", "-out", path)
    path.write_bytes(path.read_bytes().replace(bytes.fromhex("06032a0305"), bytes.fromhex("06032a0304")))
    openssl("req", "-in", path, "-inform", "DER", "-noout", "-text")
    said = certgen.run("sign", path, "--ca-dir", certgen.ca, status=2)
    assert "cannot be read" in said or "signature" in said


def test_what_is_no_request_is_refused(certgen: Certgen) -> None:
    """One line, and nothing in the record."""
    record = (certgen.ca / "issued.txt").read_bytes()
    said = certgen.run("sign", certgen.ca / "ca.pem", "--ca-dir", certgen.ca, status=2)
    assert "ca.pem is a certificate, not a certificate signing request" in said
    assert "cannot read" in certgen.run("sign", "/nowhere.csr", "--ca-dir", certgen.ca, status=2)
    assert (certgen.ca / "issued.txt").read_bytes() == record
