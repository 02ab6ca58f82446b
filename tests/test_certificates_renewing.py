"""Certificates issued again: a device's, a root's by itself, an intermediate's by the CA above."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from dicomtls.certificates.authority import Authority, authority_files
from dicomtls.certificates.building import KeyType, Purpose, common_name, extension_of, signed
from dicomtls.certificates.bundle import bundle_chain, load_leaf
from dicomtls.certificates.issue import CA_DAYS, CredentialFiles, certificate_files, identity_files
from dicomtls.certificates.names import general_names
from dicomtls.certificates.renewing import Renewal, renewed
from dicomtls.errors import CredentialError, UsageError
from tests.support.asn1 import element, oid, sequence
from tests.support.openssl import openssl, verify
from tests.test_certificates_authority import KIND, deliver, leaf_of, new_ca


def in_place(authority: Authority, made: Renewal, old: x509.Certificate, folder: Path) -> None:
    """Put a CA's renewed certificate into its folder."""
    files = made.files("ca", passphrase=None, pkcs12=False, root=authority.root)
    authority.deliver_again(old, made.certificate, files, folder, force=True)


def below(authority: Authority, directory: Path, *, days: int = 20) -> Authority:
    """An intermediate in a folder."""
    made = authority.issue_authority("Radiology", kind=KIND, days=days, path_length=0)
    authority_files(made, directory, authority, passphrase=None, force=False)
    return Authority.load(directory, None)


def ended(authority: Authority, directory: Path) -> Authority:
    """The same CA, whose certificate is no longer valid."""
    now, old = datetime.now(UTC), authority.certificate
    builder = x509.CertificateBuilder(
        old.issuer,
        old.subject,
        old.public_key(),
        old.serial_number,
        now - timedelta(days=9),
        now - timedelta(days=2),
        list(old.extensions),
    )
    expired = signed(builder, authority.key)
    (directory / "ca.pem").write_bytes(expired.public_bytes(Encoding.PEM))
    return replace(authority, certificate=expired)


@pytest.mark.parametrize("kind", [None, KeyType.EC_P384])
def test_renewed_certificate_is_the_same_but_for_its_dates(tmp_path: Path, kind: KeyType | None) -> None:
    """Subject, names and purposes; the key too, unless a new one is asked for."""
    authority = new_ca(tmp_path)
    old = leaf_of(authority, days=5).certificate
    made = renewed(authority, old, kind=kind, days=50)
    new, key = made.certificate, made.key
    assert (key is None) is (kind is None)
    assert (new.public_key() == old.public_key()) is (kind is None)
    assert new.subject == old.subject
    for wanted in (x509.SubjectAlternativeName, x509.ExtendedKeyUsage):
        assert new.extensions.get_extension_for_class(wanted) == old.extensions.get_extension_for_class(wanted)
    assert (new.not_valid_after_utc - old.not_valid_after_utc).days in (44, 45)
    assert new.serial_number != old.serial_number


def test_certificate_that_is_not_ours_or_was_revoked_is_not_renewed(tmp_path: Path) -> None:
    """A compromised key must not come back; with a new key it may."""
    authority, other = new_ca(tmp_path / "ca"), new_ca(tmp_path / "other")
    old = deliver(authority, "ct", tmp_path).certificate
    with pytest.raises(UsageError, match="has not issued that certificate"):
        renewed(other, old, kind=None, days=5)
    authority.revoke(old.serial_number, "keyCompromise")
    for kind in (None, KIND):
        new = renewed(authority, old, kind=kind, days=5).certificate
        files = certificate_files(new, (), "new")
        if kind is None:
            with pytest.raises(UsageError, match="not to be used again"):
                authority.deliver_again(old, new, files, tmp_path, force=False)
        else:
            authority.deliver_again(old, new, files, tmp_path, force=False)
    assert len(authority.record().entries) == 2


def test_root_is_renewed_by_itself_and_what_it_issued_stays_valid(tmp_path: Path) -> None:
    """Under the old one and the new one; its key file is the same to the byte."""
    authority = new_ca(tmp_path / "ca", days=100, path_length=1)
    deliver(authority, "ct", tmp_path)
    key, old = (tmp_path / "ca" / "ca.key").read_bytes(), authority.certificate
    (tmp_path / "old.pem").write_bytes(old.public_bytes(Encoding.PEM))
    made = renewed(authority, old, kind=None, days=None)
    in_place(authority, made, old, tmp_path / "ca")
    again = Authority.load(tmp_path / "ca", None)
    assert again.certificate == made.certificate != old
    assert (again.certificate.subject, again.certificate.public_key()) == (old.subject, old.public_key())
    for kept in (x509.SubjectKeyIdentifier, x509.BasicConstraints, x509.KeyUsage, x509.AuthorityKeyIdentifier):
        assert extension_of(again.certificate, kept) == extension_of(old, kept)
    assert (again.end - datetime.now(UTC)).days == CA_DAYS - 1
    assert (made.is_authority, made.is_root, made.has_cas_below, made.chain) == (True, True, True, ())
    assert (tmp_path / "ca" / "ca.key").read_bytes() == key
    assert [entry.subject for entry in again.record().entries] == ["CN=ct", "CN=Clinic CA,O=Clinic"]
    for anchor in (tmp_path / "old.pem", tmp_path / "ca" / "ca.pem"):
        assert verify(tmp_path / "ct.pem", "-CAfile", anchor, "-verify_hostname", "ct.example").endswith("OK\n")


def test_intermediate_is_renewed_by_the_ca_above_it(tmp_path: Path) -> None:
    """No longer than that lives; a leaf is good with either in its chain, and its chain takes the new one."""
    root = new_ca(tmp_path / "root", days=100, path_length=1)
    authority = below(root, tmp_path / "below")
    deliver(authority, "ct", tmp_path)
    old = authority.certificate
    made = renewed(root, old, kind=None, days=None)
    assert (made.is_authority, made.is_root, made.has_cas_below) == (True, False, False)
    in_place(root, made, old, tmp_path / "below")
    again = Authority.load(tmp_path / "below", None)
    assert (again.certificate, again.above) == (made.certificate, (root.certificate,))
    assert old.not_valid_after_utc < again.end <= root.end
    assert len(root.record().entries) == 2
    anchors = ("-CAfile", tmp_path / "root" / "ca.pem")
    for chain in (tmp_path / "ct.pem", tmp_path / "below" / "ca.pem"):
        assert verify(tmp_path / "ct.pem", *anchors, "-untrusted", chain).endswith("OK\n")
    bundled = bundle_chain([tmp_path / "ct.pem", tmp_path / "below" / "ca.pem"], "ct", der=False, passphrase=None)
    ct = load_leaf(tmp_path / "ct.pem")
    assert x509.load_pem_x509_certificates(bundled.contents["ct.pem"]) == [ct, made.certificate, root.certificate]


def test_ca_that_has_ended_is_renewed_but_issues_nothing_else(tmp_path: Path) -> None:
    """A root by itself, an intermediate by a root that is valid."""
    root = new_ca(tmp_path / "the root", days=100, path_length=1)
    authority = below(root, tmp_path / "below")
    leaf = deliver(root, "ct", tmp_path).certificate
    stale = ended(authority, tmp_path / "below")
    assert renewed(root, authority.certificate, kind=None, days=5).certificate.not_valid_after_utc > datetime.now(UTC)
    expired = ended(root, tmp_path / "the root")
    with pytest.raises(UsageError, match="the CA was valid until") as caught:
        Authority.load(tmp_path / "the root", None)
    folder = f"{tmp_path}/the root"
    assert caught.value.hints == (f"renew it: dicomtls certgen renew '{folder}/ca.pem' --force --ca-dir '{folder}'",)
    for old in (leaf, authority.certificate):
        with pytest.raises(UsageError, match="the CA was valid until"):
            renewed(expired, old, kind=None, days=5)
    with pytest.raises(UsageError, match="the CA was valid until") as caught:
        stale.check_dates()
    assert "--ca-dir DIR, the folder of the CA above it" in caught.value.hints[0]
    in_place(
        expired, renewed(expired, expired.certificate, kind=None, days=None), expired.certificate, tmp_path / "the root"
    )
    assert Authority.load(tmp_path / "the root", None).has_issued(leaf)


def test_ca_gets_no_new_key_and_an_intermediate_does_not_renew_itself(tmp_path: Path) -> None:
    """The hints say what to do instead."""
    root = new_ca(tmp_path / "root", path_length=1)
    authority = below(root, tmp_path / "below")
    with pytest.raises(UsageError, match="a new CA, which nobody trusts yet") as caught:
        renewed(root, root.certificate, kind=KIND, days=5)
    assert "dicomtls certgen ca" in caught.value.hints[0]
    with pytest.raises(UsageError, match="the CA's own certificate") as caught:
        renewed(authority, authority.certificate, kind=None, days=5)
    assert caught.value.hints == ("name the folder of the CA above it with --ca-dir",)
    with pytest.raises(UsageError, match="would outlive its CA"):
        renewed(root, authority.certificate, kind=None, days=2000)


def test_revoked_ca_is_not_renewed(tmp_path: Path) -> None:
    """Its key must not come back."""
    root = new_ca(tmp_path / "root", path_length=1)
    old = below(root, tmp_path / "below").certificate
    root.revoke(old.serial_number, "cACompromise")
    with pytest.raises(UsageError, match="not to be used again") as caught:
        in_place(root, renewed(root, old, kind=None, days=5), old, tmp_path / "below")
    assert caught.value.hints == ("make a new CA: dicomtls certgen ca",)


def test_ca_file_is_replaced_by_the_certificate_of_that_ca_only(tmp_path: Path) -> None:
    """Not by that of another, nor by anything that would take its key."""
    root, other = (new_ca(tmp_path / name, path_length=1) for name in ("root", "other"))
    authority = below(root, tmp_path / "below")
    made = renewed(root, authority.certificate, kind=None, days=5)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for folder in (root.directory, other.directory):
        with pytest.raises(UsageError, match="a CA's own"):
            in_place(root, made, authority.certificate, folder)
    taking = CredentialFiles({"ca.key": b"x"}, frozenset({"ca.key"}))
    with pytest.raises(UsageError, match=r"ca\.key is a CA's own"):
        root.deliver_again(authority.certificate, made.certificate, taking, authority.directory, force=True)
    with pytest.raises(UsageError, match=r"ca\.pem exists already"):
        root.deliver_again(
            authority.certificate,
            made.certificate,
            certificate_files(made.certificate, (), "ca"),
            tmp_path / "below",
            force=False,
        )
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_ca_of_another_tool_keeps_what_it_had_and_gets_what_it_lacked(tmp_path: Path) -> None:
    """Name constraints stay; key usage, and that it is a CA as critical, are added where they were left out."""
    openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", tmp_path / "ca.key")
    (tmp_path / "cnf").write_text(
        "[req]\nprompt=no\ndistinguished_name=dn\nx509_extensions=x\n[dn]\nCN=Other\n"
        "[x]\nbasicConstraints=CA:TRUE,pathlen:3\nnameConstraints=critical,permitted;DNS:example\n1.2.3.4=ASN1:NULL\n"
    )
    base = ("req", "-x509", "-key", tmp_path / "ca.key", "-config", tmp_path / "cnf", "-out", tmp_path / "ca.pem")
    openssl(*base)
    authority = Authority.load(tmp_path, None)
    old = authority.certificate
    in_place(authority, renewed(authority, old, kind=None, days=None), old, tmp_path)
    text = openssl("x509", "-in", tmp_path / "ca.pem", "-noout", "-text").stdout
    for wanted in ("Basic Constraints: critical", "pathlen:3", "Permitted:", "Certificate Sign, CRL Sign", "1.2.3.4:"):
        assert wanted in text
    new = load_leaf(tmp_path / "ca.pem")
    assert new.subject.public_bytes() == old.subject.public_bytes()
    assert verify(tmp_path / "ca.pem", "-CAfile", tmp_path / "ca.pem").endswith("OK\n")


def test_damaged_extensions_are_an_error_of_ours(tmp_path: Path) -> None:
    """Two of a kind, under a signature that is right."""
    key = KeyType.EC_P256.generate()
    authority = new_ca(tmp_path)
    body = leaf_of(authority).certificate
    twice = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    other = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.5"), b"\x05\x00")
    builder = x509.CertificateBuilder(
        body.issuer, body.subject, key.public_key(), 1, body.not_valid_before_utc, body.not_valid_after_utc
    )
    for one in (twice, other):
        builder = builder.add_extension(one, critical=False)
    der = signed(builder, key).public_bytes(Encoding.DER)
    damaged = x509.load_der_x509_certificate(der.replace(bytes.fromhex("06032a0305"), bytes.fromhex("06032a0304")))
    with pytest.raises(CredentialError, match="extensions are damaged"):
        extension_of(damaged, x509.KeyUsage)
    assert identity_files(leaf_of(authority), "ct").private


def test_weak_key_of_a_device_is_not_certified_again(tmp_path: Path) -> None:
    """RSA 1024, from before this CA came to dicomtls: no peer would take it, and a new one is made when asked for."""
    authority = new_ca(tmp_path)
    weak = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 -- the point of it
    purposes = Purpose.BOTH.extended_key_usage
    old = authority.issue(common_name("ct"), general_names(["ct.example"]), purposes=purposes, key=weak, days=10)
    with pytest.raises(UsageError, match="the key of that certificate has 1024 bits") as caught:
        renewed(authority, old, kind=None, days=None)
    assert caught.value.hints == ("give --new-key",)
    assert renewed(authority, old, kind=KIND, days=None).key is not None


def test_intermediate_with_a_key_that_nobody_knows_is_not_renewed(tmp_path: Path) -> None:
    """A curve of another tool: an error of ours, and no traceback."""
    authority = new_ca(tmp_path, path_length=1)
    made = authority.issue_authority("Radiology", kind=KIND, days=20, path_length=0).certificate
    p256 = bytes.fromhex("06082a8648ce3d030107")
    body = made.tbs_certificate_bytes.replace(p256, p256[:-1] + b"\x7f")
    assert isinstance(authority.key, ec.EllipticCurvePrivateKey)
    signature = authority.key.sign(body, ec.ECDSA(hashes.SHA256()))
    algorithm = sequence(oid(bytes.fromhex("2a8648ce3d040302")))
    old = x509.load_der_x509_certificate(sequence(body, algorithm, element(0x03, b"\0" + signature)))
    with pytest.raises(CredentialError, match="a key or an extension that cannot be written again"):
        renewed(authority, old, kind=None, days=None)
