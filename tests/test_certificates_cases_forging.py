"""dicomtls.certificates.cases.forging: certificates that `cryptography` would not sign."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from dicomtls.certificates.cases.forging import as_version_1, with_bad_signature, with_sha1
from dicomtls.certificates.cases.workshop import Workshop
from tests.support.openssl import openssl, verify


@pytest.fixture(scope="module")
def shop() -> Workshop:
    """One workshop for all."""
    return Workshop()


def text(der: bytes, directory: Path) -> str:
    """What OpenSSL reads there."""
    path = directory / "certificate.der"
    path.write_bytes(der)
    return openssl("x509", "-inform", "DER", "-in", path, "-noout", "-text").stdout


def test_sha1_is_the_only_difference(shop: Workshop, tmp_path: Path) -> None:
    """Everything but the algorithm and the signature stays, and the signature is right."""
    good = shop.leaf(shop.root)
    forged = with_sha1(good, shop.root)
    read = text(forged, tmp_path)
    assert read.count("Signature Algorithm: sha1WithRSAEncryption") == 2
    before, _, _ = text(good, tmp_path).replace("sha256With", "sha1With").rpartition("    Signature Algorithm")
    assert read.startswith(before)
    (tmp_path / "leaf.pem").write_text(ssl.DER_cert_to_PEM_cert(forged))
    (tmp_path / "root.pem").write_text(ssl.DER_cert_to_PEM_cert(shop.root.der))
    said = verify(tmp_path / "leaf.pem", "-auth_level", "0", "-CAfile", tmp_path / "root.pem")
    assert said.strip().endswith(": OK")


def test_version_1_has_no_extensions(shop: Workshop, tmp_path: Path) -> None:
    """The names and the key stay, and the signature is right."""
    good = shop.leaf(shop.root)
    forged = as_version_1(good, shop.root)
    read = text(forged, tmp_path)
    assert "Version: 1 (0x0)" in read
    assert "X509v3" not in read
    certificate = x509.load_der_x509_certificate(forged)
    assert certificate.public_key() == shop.key("rsa-2048").public_key()
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(shop.root.der))


def test_bad_signature_is_one_bit(shop: Workshop) -> None:
    """What was signed stays as it was."""
    good = shop.leaf(shop.root)
    forged = with_bad_signature(good)
    assert int.from_bytes(good) ^ int.from_bytes(forged) == 1
    root, certificate = map(x509.load_der_x509_certificate, (shop.root.der, forged))
    with pytest.raises(InvalidSignature):
        certificate.verify_directly_issued_by(root)


def test_other_keys_than_rsa_sign_none_of_these(shop: Workshop) -> None:
    """A mistake of whoever adds a case, found at once."""
    with pytest.raises(TypeError, match="RSA"):
        with_sha1(shop.leaf(shop.other_root), shop.other_root)
