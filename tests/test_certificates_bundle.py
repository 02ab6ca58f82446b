"""Chains put together again, whatever files they were in."""

import random
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from dicomtls.certificates.authority import Authority
from dicomtls.certificates.building import dated_builder, signed, with_ca_extensions
from dicomtls.certificates.bundle import bundle_chain, bundle_identity, load_leaf
from dicomtls.certificates.quiet import quiet
from dicomtls.certificates.renewing import renewed
from dicomtls.errors import CredentialError
from tests.support.certificates import make_certificate, raw_extension
from tests.support.pki import PASSPHRASE, PKI
from tests.test_certificates_authority import KIND, leaf_of, new_ca


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


def test_renewed_ca_takes_the_place_of_its_old_certificate(tmp_path: Path) -> None:
    """Whichever comes first; one of another issuer, as a cross-certificate is, stays."""
    root, other = (new_ca(tmp_path / name, path_length=1) for name in ("root", "other"))
    old = root.issue_authority("Radiology", kind=KIND, days=10, path_length=0)
    below = Authority(tmp_path, old.certificate, old.key, (root.certificate,))
    leaf = leaf_of(below, days=5)
    new = renewed(root, old.certificate, kind=None, days=20).certificate
    builder = dated_builder(old.certificate.subject, other.certificate.subject, old.key.public_key(), 30)
    cross = signed(with_ca_extensions(builder, 0), other.key)
    every = {"old": old.certificate, "leaf": leaf.certificate, "new": new, "root": root.certificate, "cross": cross}
    for name, certificate in every.items():
        (tmp_path / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    for order in (("old", "leaf", "new", "root"), ("new", "old", "root", "leaf")):
        made = bundle_chain([tmp_path / f"{name}.pem" for name in order], "x", der=False, passphrase=None)
        chain = x509.load_pem_x509_certificates(made.contents["x.pem"])
        assert chain == [leaf.certificate, new, root.certificate]
    made = bundle_chain([tmp_path / f"{name}.pem" for name in every], "x", der=False, passphrase=None)
    assert cross in x509.load_pem_x509_certificates(made.contents["x.pem"])


def test_folder_is_no_leaf(tmp_path: Path) -> None:
    """It is not searched for one."""
    with pytest.raises(CredentialError, match="is a folder"):
        load_leaf(tmp_path)


def test_name_that_cannot_be_read_is_an_error_of_the_file(tmp_path: Path) -> None:
    """And no traceback: `cryptography` finds that out only when it is asked for the name."""
    damaged = tmp_path / "damaged.der"
    damaged.write_bytes(make_certificate(subject="device").replace(b"device", b"devi\xff\xfe"))
    for load in (lambda: load_leaf(damaged), lambda: bundle_chain([damaged], "x", der=False, passphrase=None)):
        with pytest.raises(CredentialError, match=r"damaged\.der has a certificate with a name"):
            load()


def test_odd_serial_number_is_taken_without_a_word(tmp_path: Path) -> None:
    """`cryptography` warns of it on stderr; for that there is `inspect-cert`."""
    with quiet():
        named = x509.load_der_x509_certificate(make_certificate(subject="device"))
        key = ec.generate_private_key(ec.SECP256R1())
        dates = (named.not_valid_before_utc, named.not_valid_after_utc)
        odd = signed(x509.CertificateBuilder(named.subject, named.subject, key.public_key(), 0, *dates, []), key)
    path = tmp_path / "odd.pem"
    path.write_bytes(odd.public_bytes(Encoding.PEM))
    assert list(bundle_chain([path], "x", der=False, passphrase=None).contents) == ["x.pem"]
    assert load_leaf(path) == odd


def test_collection_is_no_chain(pki: PKI, tmp_path: Path) -> None:
    """To put thousands of certificates in order would take hours, and no peer takes a hundred."""
    many = tmp_path / "many.pem"
    ders = [make_certificate(subject="device", issuer="CA", serial=number) for number in range(1, 102)]
    many.write_text("".join(map(ssl.DER_cert_to_PEM_cert, ders)))
    with pytest.raises(CredentialError, match=r"many\.pem holds 101 certificates, more than 100"):
        bundle_chain([pki.server.cert, many], "x", der=False, passphrase=None)
    with pytest.raises(CredentialError, match=r"many\.pem holds 101 certificates, more than 100"):
        bundle_identity([pki.server.cert, many], pki.server.key, "x", der=False, passphrase=None, secret=None)


def test_authority_with_damaged_constraints_is_kept_as_it_is(tmp_path: Path) -> None:
    """What `inspect-cert` is for is no error here, and no traceback."""
    damaged = tmp_path / "damaged.der"
    damaged.write_bytes(make_certificate(raw_extension("2.5.29.19", b"\x30\x05")))
    files = bundle_chain([damaged], "x", der=True, passphrase=None)
    assert files.contents["x.der"] == damaged.read_bytes()
