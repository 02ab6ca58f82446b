"""What every certificate of ours has, whoever it is for (RFC 5280 as `openssl verify -x509_strict` reads it).

Key identifiers, critical basicConstraints and keyUsage, a random serial number, SHA-256.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar, cast, get_args

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dicomtls.certificates.checks import SMALLEST_EC, SMALLEST_RSA
from dicomtls.certificates.content import REFUSALS
from dicomtls.certificates.describe import key_and_size
from dicomtls.errors import CredentialError, UsageError

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
"""What is certified here, as `PrivateKey` is what signs: the kinds of which TLS peers take at least some."""

BACKDATED = timedelta(days=1)
"""Certificates begin a day early: clocks of modalities without NTP run late, or in another time zone."""
LONGEST_ATTRIBUTE = 64
"""ub-common-name and ub-organization-name, RFC 5280 appendix A.1."""

_LONGEST_DAYS = 36525


_Choice = TypeVar("_Choice", bound=StrEnum)


def _parsed(kind: type[_Choice], text: str, what: str) -> _Choice:
    """The member that a user has named, in any case; raises `UsageError` with all that there are."""
    try:
        return kind(text.lower())
    except ValueError:
        msg = f"not {what}: {text!r}"
        raise UsageError(msg, hints=(f"one of {', '.join(kind)}",)) from None


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
        return _parsed(cls, text, "a key type")

    def generate(self) -> PrivateKey:
        """Make a new private key."""
        if self is KeyType.ED25519:
            return ed25519.Ed25519PrivateKey.generate()
        if self is KeyType.EC_P256:
            return ec.generate_private_key(ec.SECP256R1())
        if self is KeyType.EC_P384:
            return ec.generate_private_key(ec.SECP384R1())
        return rsa.generate_private_key(public_exponent=65537, key_size=int(self.removeprefix("rsa:")))


class Purpose(StrEnum):
    """What a leaf is for: a DICOM node mostly calls and is called."""

    BOTH = "both"
    SERVER = "server"
    CLIENT = "client"

    @classmethod
    def parse(cls, text: str) -> "Purpose":
        """Read a purpose as the command line has it; raises `UsageError`."""
        return _parsed(cls, text, "a purpose")

    @property
    def extended_key_usage(self) -> x509.ExtendedKeyUsage:
        """The extension that says so (RFC 5280 section 4.2.1.12)."""
        server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
        return x509.ExtendedKeyUsage({"server": [server], "client": [client]}.get(self, [server, client]))


def new_builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PublicKey,
    days: int,
    *,
    not_after: datetime | None = None,
) -> x509.CertificateBuilder:
    """Begin a certificate as `dated_builder` does, and give its key an identifier."""
    builder = dated_builder(subject, issuer, key, days, not_after=not_after)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def dated_builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PublicKey,
    days: int,
    *,
    not_after: datetime | None = None,
) -> x509.CertificateBuilder:
    """Begin a certificate that is valid for `days` from now; raises `UsageError` where that makes no sense.

    `not_after` is where its issuer ends: what outlives that is worth nothing from then on.
    """
    if not 0 < days <= _LONGEST_DAYS:
        msg = f"a certificate cannot be valid for {days} days"
        raise UsageError(msg, hints=(f"1 to {_LONGEST_DAYS} days (a hundred years)",))
    now = datetime.now(UTC).replace(microsecond=0)
    end = now + timedelta(days=days)
    if not_after is not None and end > not_after:
        left = (not_after - now).days
        msg = f"the certificate would outlive its CA, which has {left} days left"
        raise UsageError(
            msg, hints=(f"give --days {left}" if left > 0 else "renew the CA first: dicomtls certgen renew",)
        )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(end)
    )


def with_ca_extensions(builder: x509.CertificateBuilder, path_length: int | None) -> x509.CertificateBuilder:
    """Make it a CA with at most so many CAs below it (None: any number)."""
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True).add_extension(
        ca_key_usage(), critical=True
    )


def ca_key_usage() -> x509.KeyUsage:
    """What a CA's key is for (RFC 5280 section 4.2.1.3)."""
    return key_usage("key_cert_sign", "crl_sign")


def with_leaf_extensions(
    builder: x509.CertificateBuilder,
    key: PublicKey,
    names: Sequence[x509.GeneralName],
    purposes: x509.ExtendedKeyUsage,
    *,
    has_subject: bool = True,
) -> x509.CertificateBuilder:
    """Make it a leaf with these alternative names, none where there are none.

    Without a subject they alone say whose it is, and are critical (RFC 5280 section 4.2.1.6).
    """
    # Only RSA keys can encipher: a TLS 1.2 suite without forward secrecy, which old devices still choose, needs it.
    usages = ("digital_signature", "key_encipherment") if isinstance(key, rsa.RSAPublicKey) else ("digital_signature",)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(*usages), critical=True)
        .add_extension(purposes, critical=False)
    )
    return builder.add_extension(x509.SubjectAlternativeName(names), critical=not has_subject) if names else builder


def issued_by(builder: x509.CertificateBuilder, issuer: x509.Certificate) -> x509.CertificateBuilder:
    """Name the key that is to sign it; raises as `extensions_of` does."""
    return builder.add_extension(authority_identifier(issuer), critical=False)


def authority_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Name an issuer's key by the identifier that its certificate gives it (RFC 5280 section 4.2.1.1).

    Raises as `extensions_of` does.
    """
    identifier = extension_of(issuer, x509.SubjectKeyIdentifier)
    if identifier is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]  # DH keys sign nothing
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def signer_identifier(key: PrivateKey) -> x509.AuthorityKeyIdentifier:
    """Name the key that signs by itself, where there is no certificate yet (RFC 5280 section 4.2.1.1)."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def usable_key(key: object, what: str, hint: str) -> PublicKey:
    """Return a public key that TLS peers take; `what` names it in the message.

    Raises `UsageError` for a key of another kind, and for one that is smaller than `checks` has it.
    """
    if not isinstance(key, get_args(PublicKey)):
        msg = f"{what} is of a kind that TLS peers do not take"
        raise UsageError(msg, hints=(hint,))
    kind, bits = key_and_size(key)
    smallest = SMALLEST_RSA if kind == "RSA" else SMALLEST_EC
    if bits is not None and bits < smallest:
        msg = f"{what} has {bits} bits, fewer than {smallest}"
        raise UsageError(msg, hints=(hint,))
    return cast("PublicKey", key)


def signature_hash(key: PrivateKey) -> hashes.SHA256 | None:
    """SHA-256; Ed25519 has a hash of its own."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def signed(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    """Sign it."""
    return builder.sign(key, signature_hash(key))


def key_usage(*usages: str) -> x509.KeyUsage:
    """The extension with these usages, by the names that `cryptography` has for them, and no others."""
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


def organization_subject(name: str, role: str) -> x509.Name:
    """An organization, and in the common name its role too; raises `UsageError`."""
    organization = checked_name(name, LONGEST_ATTRIBUTE - len(f" {role}"))
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{organization} {role}"),
        ]
    )


def common_name(name: str) -> x509.Name:
    """A subject of a common name alone; raises `UsageError`."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, checked_name(name, LONGEST_ATTRIBUTE))])


def checked_name(name: str, longest: int) -> str:
    """Return a name that fits into a certificate, without white space around it; raises `UsageError`."""
    text = name.strip()
    # Counted in UTF-8, as `cryptography` does; a lone surrogate, which is not printable, has no encoding.
    if not text.isprintable() or not 0 < len(text.encode()) <= longest:
        msg = f"not a name for a certificate: {name!r}"
        raise UsageError(msg, hints=(f"a name has 1 to {longest} printable characters; other than ASCII count more",))
    return text


_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def extension_of(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """One extension, None where it is not there; raises as `extensions_of` does."""
    return next((one.value for one in extensions_of(certificate) if isinstance(one.value, kind)), None)


def extensions_of(certificate: x509.Certificate) -> x509.Extensions:
    """All extensions; raises `CredentialError` (`unreadable-file`) where they are damaged."""
    try:
        return certificate.extensions
    except REFUSALS:
        msg = "the certificate's extensions are damaged, or there are two of a kind"
        raise CredentialError(msg, code="unreadable-file") from None


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it says that it is a CA's; raises as `extensions_of` does."""
    constraints = extension_of(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca
