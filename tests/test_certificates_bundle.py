"""Chains put together again, whatever files they were in."""

import random
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from dicomtls.certificates.bundle import bundle_chain, bundle_identity, load_leaf
from dicomtls.errors import CredentialError
from tests.support.pki import PASSPHRASE, PKI


def pem(*paths: Path) -> list[x509.Certificate]:
    """All certificates of these files."""
    return [one for path in paths for one in x509.load_pem_x509_certificates(path.read_bytes())]


@pytest.mark.parametrize("seed", range(6))
def test_chain_comes_out_in_order_whatever_the_files(pki: PKI, seed: int) -> None:
    """Leaf, intermediate, root, from one file each in any order, and each once."""
    paths = [pki.chained.leaf, pki.intermediate, pki.ca, pki.chained.cert]
    random.Random(seed).shuffle(paths)
    files = bundle_chain(paths, "x", der=True, passphrase=None)
    chain = x509.load_pem_x509_certificates(files.contents["x.pem"])
    assert chain == pem(pki.chained.leaf, pki.intermediate, pki.ca)
    assert files.contents["x.der"] == pki.chained.cert_der.read_bytes()
    assert not files.private


def test_archive_has_the_key_and_the_chain(pki: PKI) -> None:
    """From PEM files with the key beside them, and from an archive under another passphrase."""
    for paths, key in (([pki.chained.leaf, pki.intermediate], pki.chained.key), ([pki.chained.pkcs12], None)):
        files = bundle_identity(paths, key, "x", der=False, passphrase=lambda _: PASSPHRASE, secret=b"new")
        assert files.private == {"x.key", "x.p12"}
        archive = pkcs12.load_pkcs12(files.contents["x.p12"], b"new")
        assert archive.cert is not None
        assert archive.cert.certificate == pem(pki.chained.leaf)[0]
        assert [one.certificate for one in archive.additional_certs] == pem(pki.intermediate)
        assert archive.key is not None


def test_certificates_that_make_no_chain_are_refused(pki: PKI) -> None:
    """Two leaves have no order."""
    with pytest.raises(CredentialError, match="2 certificates that issued none of the others"):
        bundle_chain([pki.server.cert, pki.client.cert], "x", der=False, passphrase=None)


def test_leaf_is_found_in_a_chain(pki: PKI) -> None:
    """Also where it is alone, or its own issuer."""
    assert load_leaf(pki.chained.cert) == pem(pki.chained.leaf)[0]
    assert load_leaf(pki.self_signed.cert).public_bytes(Encoding.DER) == pki.self_signed.cert_der.read_bytes()
