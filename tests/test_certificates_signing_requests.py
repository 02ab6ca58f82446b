"""Signing requests: made as OpenSSL reads them, read as OpenSSL makes them, and refused where they are wrong."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.certificates.building import KeyType, common_name
from dicomtls.certificates.names import general_names
from dicomtls.certificates.signing_requests import load_request, make_request, request_files
from dicomtls.errors import CredentialError, DicomTLSError, UsageError
from tests.support.openssl import openssl


@pytest.mark.parametrize("kind", [kind for kind in KeyType if kind is not KeyType.RSA_4096])
def test_request_is_good_for_openssl_and_read_back(tmp_path: Path, kind: KeyType) -> None:
    """Subject, key and names come back as they went in."""
    names = general_names(["ct.example", "192.0.2.7"])
    files = request_files(common_name("ct"), names, kind, "ct", None)
    assert files.private == {"ct.key"}
    for name, content in files.contents.items():
        (tmp_path / name).write_bytes(content)
    told = openssl("req", "-in", tmp_path / "ct.csr", "-noout", "-verify")
    assert "verify OK" in told.stderr + told.stdout  # the latter from OpenSSL 3.2 on
    found = load_request(tmp_path / "ct.csr")
    assert (found.subject, list(found.names), found.ignored) == (common_name("ct"), names, ())


def test_what_else_a_request_asks_for_is_named(tmp_path: Path) -> None:
    """OpenSSL's, with a CA's constraints and an e-mail address among the names."""
    openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/O=Vendor/CN=ct"),
        *("-addext", "basicConstraints=CA:TRUE", "-addext", "subjectAltName=DNS:ct.example,email:a@b.example"),
        *("-keyout", tmp_path / "ct.key", "-out", tmp_path / "ct.csr"),
    )
    found = load_request(tmp_path / "ct.csr")
    assert found.names == (x509.DNSName("ct.example"),)
    assert found.ignored == ("basicConstraints", "alternative names that no peer would look for")


def test_request_signed_with_another_key_is_refused(tmp_path: Path) -> None:
    """Whoever made it does not have the key that it is for, or somebody changed it on the way."""
    path = tmp_path / "ct.csr"
    pem = make_request(common_name("aaaaaaaa"), [], KeyType.EC_P256.generate())
    der = bytearray(x509.load_pem_x509_csr(pem).public_bytes(Encoding.DER))
    position = der.index(b"aaaaaaaa")
    der[position : position + 8] = b"bbbbbbbb"
    path.write_bytes(der)
    with pytest.raises(CredentialError, match="the signature of") as caught:
        load_request(path)
    assert caught.value.code == "bad-signature"


def test_weak_key_is_not_signed(tmp_path: Path) -> None:
    """RSA 1024: no peer would take it."""
    path = tmp_path / "ct.csr"
    path.write_bytes(make_request(common_name("ct"), [], rsa.generate_private_key(65537, 1024)))  # noqa: S505 -- the point of it
    with pytest.raises(UsageError, match="has 1024 bits, fewer than 2048"):
        load_request(path)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "is empty, not a certificate signing request"),
        (make_request(common_name("x"), [], KeyType.EC_P256.generate()) * 2, "several certificate signing requests"),
        (
            b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
            "not a certificate",
        ),
    ],
)
def test_other_file_is_named_for_what_it_is(tmp_path: Path, content: bytes, error: str) -> None:
    """One clear line."""
    path = tmp_path / "ct.csr"
    path.write_bytes(content)
    with pytest.raises(CredentialError, match=error):
        load_request(path)


_REQUEST = x509.load_pem_x509_csr(
    make_request(common_name("ct"), general_names(["ct.example"]), KeyType.EC_P256.generate())
).public_bytes(Encoding.DER)


@given(changes=st.lists(st.tuples(st.integers(0, len(_REQUEST) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_request_raises_only_our_errors(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    """And never signs what was changed."""
    data = bytearray(_REQUEST)
    for position, value in changes:
        data[position] = value
    path = tmp_path_factory.getbasetemp() / "mutated.csr"
    path.write_bytes(data)
    try:
        load_request(path)
    except DicomTLSError:
        return
    assert bytes(data) == _REQUEST


def test_names_that_no_peer_would_look_for_are_left_out(tmp_path: Path) -> None:
    """And said to be: what a hostile device asks for is not signed unseen."""
    good = general_names(["ct.example", "*.example", "192.0.2.7", "CT_2"])
    bad = [x509.DNSName(text) for text in ("192.0.2.8", "", "*", "a b", "good.example\0.evil", "x@example", ".example")]
    bad += [x509.UniformResourceIdentifier("nothing"), x509.RFC822Name("ct@example")]  # type: ignore[list-item]  # any name
    path = tmp_path / "ct.csr"
    path.write_bytes(make_request(common_name("ct"), [*good, *bad, *good], KeyType.EC_P256.generate()))
    found = load_request(path)
    assert found.names == tuple(good)
    assert found.ignored == ("alternative names that no peer would look for",)
    path.write_bytes(make_request(common_name("ct"), good, KeyType.EC_P256.generate()))
    assert load_request(path).ignored == ()
