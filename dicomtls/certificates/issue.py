"""Makes certificates: a small PKI in one go, or one self-signed identity.

All of it happens in memory; `dicomtls.files` writes what comes out. Every certificate has what strict verifiers want
(RFC 5280 as `openssl verify -x509_strict` reads it): key identifiers, critical basicConstraints and keyUsage, a random
serial number, SHA-256.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dicomtls.certificates.names import general_names
from dicomtls.errors import UsageError

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

CA_DAYS = 3652
"""Ten years: replacing a CA means a visit to every device."""
LEAF_DAYS = 730
"""Two years: the most that IHE ATNA recommends, and below the 825 days that Apple allows a private CA."""
SELF_SIGNED_DAYS = 1826
"""Five years: nobody renews it, and each renewal would break the pins."""
BACKDATED = timedelta(days=1)
"""Certificates begin a day early: clocks of modalities without NTP run late, or in another time zone."""

_LONGEST_DAYS = 36525
_LONGEST_ATTRIBUTE = 64  # ub-common-name and ub-organization-name, RFC 5280 appendix A.1
_LONGEST_PASSPHRASE = 1023  # OpenSSL's readers take no longer one
_SERVER, _CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


class KeyType(StrEnum):
    """The kinds of key that can be made; every DICOM product takes RSA 2048."""

    RSA_2048 = "rsa:2048"
    RSA_3072 = "rsa:3072"
    RSA_4096 = "rsa:4096"
    EC_P256 = "ec:p256"
    EC_P384 = "ec:p384"
    ED25519 = "ed25519"

    @classmethod
    def parse(cls, text: str) -> "KeyType":
        """Read a key type as the command line has it; raises `UsageError`."""
        try:
            return cls(text.lower())
        except ValueError:
            msg = f"not a key type: {text!r}"
            raise UsageError(msg, hints=(f"one of {', '.join(cls)}",)) from None

    def generate(self) -> PrivateKey:
        """Make a new private key."""
        if self is KeyType.ED25519:
            return ed25519.Ed25519PrivateKey.generate()
        if self is KeyType.EC_P256:
            return ec.generate_private_key(ec.SECP256R1())
        if self is KeyType.EC_P384:
            return ec.generate_private_key(ec.SECP384R1())
        return rsa.generate_private_key(public_exponent=65537, key_size=int(self.removeprefix("rsa:")))


@dataclass(frozen=True)
class Issued:
    """A certificate, its key, and the intermediates between it and its root (none for a self-signed one)."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    intermediates: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True)
class PKI:
    """A root CA with a server's identity (both purposes, with the hosts) and a client's (client purpose only)."""

    ca: Issued
    server: Issued
    client: Issued


@dataclass(frozen=True)
class CredentialFiles:
    """Contents by file name; those in `private` hold keys and must be readable by their owner only."""

    contents: Mapping[str, bytes] = field(repr=False)
    private: frozenset[str]

    def below(self, directory: Path) -> tuple[dict[Path, bytes], frozenset[Path]]:
        """Give the same with paths, as `files.write_files` takes them."""
        contents = {directory / name: content for name, content in self.contents.items()}
        return contents, frozenset(directory / name for name in self.private)

    def __or__(self, other: "CredentialFiles") -> "CredentialFiles":
        return CredentialFiles({**self.contents, **other.contents}, self.private | other.private)


def make_pki(
    name: str,
    hosts: Sequence[str],
    *,
    key_type: KeyType | str = KeyType.RSA_2048,
    days: int = LEAF_DAYS,
    ca_days: int = CA_DAYS,
) -> PKI:
    """Make a CA that signs leaves only (path length 0), a server's and a client's identity.

    `name` becomes the organization and part of the common names; `hosts` are DNS names and IP addresses as people type
    them. The CA lives at least as long as its leaves. Raises `UsageError`.
    """
    kind = KeyType.parse(key_type)
    names = general_names(hosts)
    if not names:
        msg = "a server's certificate needs the names or addresses that its peers connect to"
        raise UsageError(msg, hints=("give each with --host",))
    ca = _make_ca(name, kind, max(ca_days, days))
    server = _make_leaf(ca, _subject(name, "server"), names, (_SERVER, _CLIENT), kind, days)
    client = _make_leaf(ca, _subject(name, "client"), [], (_CLIENT,), kind, days)
    return PKI(ca, server, client)


def make_self_signed(
    name: str, hosts: Sequence[str], *, days: int = SELF_SIGNED_DAYS, key_type: KeyType | str = KeyType.RSA_2048
) -> Issued:
    """Make an identity for both roles that peers trust by its pin, or by taking it as a trust anchor.

    It is no CA, so whoever trusts it trusts nothing else. Raises `UsageError`.
    """
    kind = KeyType.parse(key_type)
    key = kind.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _checked_name(name, _LONGEST_ATTRIBUTE))])
    builder = _builder(subject, subject, key, days)
    builder = _with_leaf_extensions(builder, key, general_names(hosts), (_SERVER, _CLIENT))
    return Issued(_signed(builder, key), key)


def identity_files(
    issued: Issued,
    name: str,
    *,
    passphrase: bytes | None = None,
    pkcs12: bool = False,
    ca: x509.Certificate | None = None,
) -> CredentialFiles:
    """Lay out an identity as `NAME.pem` (leaf, then intermediates), `NAME.key` and, if wanted, `NAME.p12`.

    With a passphrase, the key and the archive are encrypted under it; `ca` goes into the archive, for the systems that
    take their trust anchors from there. Raises `UsageError` at a passphrase that other software could not use.
    """
    chain = (issued.certificate, *issued.intermediates)
    contents = {
        f"{name}.pem": b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain),
        f"{name}.key": issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase)),
    }
    if pkcs12:
        others = (*issued.intermediates, *((ca,) if ca is not None else ()))
        contents[f"{name}.p12"] = _archive(issued, name, others, passphrase)
    return CredentialFiles(contents, frozenset(contents) - {f"{name}.pem"})


def pki_files(pki: PKI, *, passphrase: bytes | None = None, pkcs12: bool = False) -> CredentialFiles:
    """Lay out `ca.pem ca.key server.pem server.key client.pem client.key`, and archives of the latter two if wanted.

    Raises `UsageError` at a passphrase that other software could not use.
    """
    root = pki.ca.certificate
    return (
        identity_files(pki.ca, "ca", passphrase=passphrase)
        | identity_files(pki.server, "server", passphrase=passphrase, pkcs12=pkcs12, ca=root)
        | identity_files(pki.client, "client", passphrase=passphrase, pkcs12=pkcs12, ca=root)
    )


def _make_ca(name: str, kind: KeyType, days: int) -> Issued:
    key = kind.generate()
    subject = _subject(name, "CA")
    builder = (
        _builder(subject, subject, key, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(_authority(key), critical=False)
    )
    return Issued(_signed(builder, key), key)


def _make_leaf(
    ca: Issued,
    subject: x509.Name,
    names: Sequence[x509.GeneralName],
    purposes: Sequence[x509.ObjectIdentifier],
    kind: KeyType,
    days: int,
) -> Issued:
    key = kind.generate()
    builder = _builder(subject, ca.certificate.subject, key, days).add_extension(_authority(ca.key), critical=False)
    return Issued(_signed(_with_leaf_extensions(builder, key, names, purposes), ca.key), key)


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey, days: int) -> x509.CertificateBuilder:
    if not 0 < days <= _LONGEST_DAYS:
        msg = f"a certificate cannot be valid for {days} days"
        raise UsageError(msg, hints=(f"1 to {_LONGEST_DAYS} days (a hundred years)",))
    now = datetime.now(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _with_leaf_extensions(
    builder: x509.CertificateBuilder,
    key: PrivateKey,
    names: Sequence[x509.GeneralName],
    purposes: Sequence[x509.ObjectIdentifier],
) -> x509.CertificateBuilder:
    # Only RSA keys can encipher: a TLS 1.2 suite without forward secrecy, which old devices still choose, needs it.
    usages = ("digital_signature", "key_encipherment") if isinstance(key, rsa.RSAPrivateKey) else ("digital_signature",)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(*usages), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    )
    return builder.add_extension(x509.SubjectAlternativeName(names), critical=False) if names else builder


def _signed(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def _key_usage(*usages: str) -> x509.KeyUsage:
    known = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{usage: usage in usages for usage in known})


def _authority(key: PrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _subject(name: str, role: str) -> x509.Name:
    organization = _checked_name(name, _LONGEST_ATTRIBUTE - len(f" {role}"))
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{organization} {role}"),
        ]
    )


def _checked_name(name: str, longest: int) -> str:
    text = name.strip()
    # Counted in UTF-8, as `cryptography` does; a lone surrogate, which is not printable, has no encoding.
    if not text.isprintable() or not 0 < len(text.encode()) <= longest:
        msg = f"not a name for a certificate: {name!r}"
        raise UsageError(msg, hints=(f"a name has 1 to {longest} printable characters; other than ASCII count more",))
    return text


def _archive(issued: Issued, name: str, others: Sequence[x509.Certificate], passphrase: bytes | None) -> bytes:
    if passphrase is not None:
        _check_text(passphrase)
    return pkcs12.serialize_key_and_certificates(
        name.encode(), issued.key, issued.certificate, others, _encryption(passphrase)
    )


def _check_text(passphrase: bytes) -> None:
    try:
        passphrase.decode()
    except UnicodeDecodeError:
        msg = "the passphrase of a PKCS#12 archive must be text in UTF-8"
        raise UsageError(msg) from None


def _encryption(passphrase: bytes | None) -> KeySerializationEncryption:
    if passphrase is None:
        return NoEncryption()
    if not 0 < len(passphrase) <= _LONGEST_PASSPHRASE:
        msg = f"the passphrase has {len(passphrase)} bytes"
        raise UsageError(msg, hints=(f"a passphrase has 1 to {_LONGEST_PASSPHRASE} bytes",))
    return BestAvailableEncryption(passphrase)
