"""Makes certificates: a small PKI in one go, or one self-signed identity.

All of it happens in memory; `dicomtls.files` writes what comes out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from dicomtls.certificates.building import (
    BACKDATED,
    KeyType,
    PrivateKey,
    Purpose,
    common_name,
    issued_by,
    new_builder,
    organization_subject,
    signed,
    signer_identifier,
    with_ca_extensions,
    with_leaf_extensions,
)
from dicomtls.certificates.names import general_names, requested_names
from dicomtls.certificates.record import RECORD_NAME, Record
from dicomtls.errors import UsageError

__all__ = [
    "BACKDATED",
    "CA_DAYS",
    "LEAF_DAYS",
    "PKI",
    "SELF_SIGNED_DAYS",
    "CredentialFiles",
    "Issued",
    "KeyType",
    "PrivateKey",
    "certificate_files",
    "der_of",
    "encryption",
    "identity_files",
    "make_authority",
    "make_pki",
    "make_self_signed",
    "pki_files",
]

CA_DAYS = 3652
"""Ten years: replacing a CA means a visit to every device."""
LEAF_DAYS = 730
"""Two years: the most that IHE ATNA recommends, and below the 825 days that Apple allows a private CA."""
SELF_SIGNED_DAYS = 1826
"""Five years: nobody renews it, and each renewal would break the pins."""
_LONGEST_PASSPHRASE = 1023  # OpenSSL's readers take no longer one


@dataclass(frozen=True)
class Issued:
    """A certificate, its key, and the intermediates between it and its root (none for a self-signed one)."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    intermediates: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """The certificate as DER."""
        return der_of(self.certificate)

    @property
    def fingerprint_sha256(self) -> str:
        """SHA-256 of the certificate, in lower-case hexadecimal, ready for a pin."""
        return sha256(self.der).hexdigest()


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
    ca = make_authority(name, kind=kind, days=max(ca_days, days))
    server = _make_leaf(ca, organization_subject(name, "server"), names, Purpose.BOTH, kind, days)
    client = _make_leaf(ca, organization_subject(name, "client"), [], Purpose.CLIENT, kind, days)
    return PKI(ca, server, client)


def make_authority(name: str, *, kind: KeyType, days: int = CA_DAYS, path_length: int | None = 0) -> Issued:
    """Make a root with at most so many levels of CAs below it (None: any number); raises `UsageError`."""
    key = kind.generate()
    subject = organization_subject(name, "CA")
    builder = with_ca_extensions(new_builder(subject, subject, key.public_key(), days), path_length)
    return Issued(signed(builder.add_extension(signer_identifier(key), critical=False), key), key)


def make_self_signed(
    name: str,
    hosts: Sequence[str],
    *,
    uris: Sequence[str] = (),
    days: int = SELF_SIGNED_DAYS,
    key_type: KeyType | str = KeyType.RSA_2048,
) -> Issued:
    """Make an identity for both roles that peers trust by its pin, or by taking it as a trust anchor.

    It is no CA, so whoever trusts it trusts nothing else. Raises `UsageError`.
    """
    kind, subject, names = KeyType.parse(key_type), common_name(name), requested_names(hosts, uris)
    key = kind.generate()
    builder = new_builder(subject, subject, key.public_key(), days)
    builder = with_leaf_extensions(builder, key.public_key(), names, Purpose.BOTH.extended_key_usage)
    return Issued(signed(builder, key), key)


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
    contents = {
        **certificate_files(issued.certificate, issued.intermediates, name).contents,
        f"{name}.key": issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption(passphrase)),
    }
    if pkcs12:
        others = (*issued.intermediates, *((ca,) if ca is not None else ()))
        contents[f"{name}.p12"] = _archive(issued, name, others, passphrase)
    return CredentialFiles(contents, frozenset(contents) - {f"{name}.pem"})


def certificate_files(
    certificate: x509.Certificate, intermediates: Sequence[x509.Certificate], name: str
) -> CredentialFiles:
    """Lay out a certificate whose key is elsewhere, and the intermediates that are to be sent with it."""
    chain = (certificate, *intermediates)
    return CredentialFiles({f"{name}.pem": b"".join(one.public_bytes(Encoding.PEM) for one in chain)}, frozenset())


def der_of(certificate: x509.Certificate) -> bytes:
    """A certificate as DER."""
    return certificate.public_bytes(Encoding.DER)


def pki_files(pki: PKI, *, passphrase: bytes | None = None, pkcs12: bool = False) -> CredentialFiles:
    """Lay out `ca.pem ca.key server.pem server.key client.pem client.key`, and archives of the latter two if wanted.

    With the record of what the CA has issued it is a folder that `authority.Authority` goes on with.
    Raises `UsageError` at a passphrase that other software could not use.
    """
    root = pki.ca.certificate
    record = Record().with_issued(pki.server.certificate).with_issued(pki.client.certificate)
    return (
        identity_files(pki.ca, "ca", passphrase=passphrase)
        | identity_files(pki.server, "server", passphrase=passphrase, pkcs12=pkcs12, ca=root)
        | identity_files(pki.client, "client", passphrase=passphrase, pkcs12=pkcs12, ca=root)
        | CredentialFiles({RECORD_NAME: record.encode()}, frozenset())
    )


def _make_leaf(
    ca: Issued, subject: x509.Name, names: Sequence[x509.GeneralName], purpose: Purpose, kind: KeyType, days: int
) -> Issued:
    key = kind.generate()
    builder = issued_by(new_builder(subject, ca.certificate.subject, key.public_key(), days), ca.certificate)
    builder = with_leaf_extensions(builder, key.public_key(), names, purpose.extended_key_usage)
    return Issued(signed(builder, ca.key), key)


def _archive(issued: Issued, name: str, others: Sequence[x509.Certificate], passphrase: bytes | None) -> bytes:
    if passphrase is not None:
        _check_text(passphrase)
    return pkcs12.serialize_key_and_certificates(
        name.encode(), issued.key, issued.certificate, others, encryption(passphrase)
    )


def _check_text(passphrase: bytes) -> None:
    try:
        passphrase.decode()
    except UnicodeDecodeError:
        msg = "the passphrase of a PKCS#12 archive must be text in UTF-8"
        raise UsageError(msg) from None


def encryption(passphrase: bytes | None) -> KeySerializationEncryption:
    """How a key is written under a passphrase, or without one; raises `UsageError` at one that is no use."""
    if passphrase is None:
        return NoEncryption()
    if not 0 < len(passphrase) <= _LONGEST_PASSPHRASE:
        msg = f"the passphrase has {len(passphrase)} bytes"
        raise UsageError(msg, hints=(f"a passphrase has 1 to {_LONGEST_PASSPHRASE} bytes",))
    return BestAvailableEncryption(passphrase)
