"""What a certificate says, as one record: for the JSON documents, for people, for findings.

Nothing is verified here but that a self-signed certificate is signed with its own key.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from dicomtls.certificates.der import DERError, children
from dicomtls.certificates.fields import (
    UNREADABLE,
    CertificateFields,
    alternative_names,
    dates,
    extended_key_usage,
    is_ca,
    key_usage,
    object_identifier,
    permits_client,
    permits_server,
    spki_sha256,
    validity,
)

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

__all__ = [
    "CertificateDescription",
    "describe",
    "permits_client",
    "permits_server",
    "spki_sha256",
    "validity",
]

_Value = TypeVar("_Value")
_ED25519_BITS, _ED448_BITS = 256, 456


@dataclass(frozen=True, kw_only=True)
class CertificateDescription:
    """One certificate.

    A hostile or merely broken certificate is described as far as it can be read: a date is None, a list empty,
    a name `(unreadable)`, and `unreadable` names the fields concerned. `serial` is in lower-case hex with two
    digits a byte (as `openssl x509 -serial` has it, in lower case), with a minus sign where it is negative.
    `days_left` is rounded down: 0 on the last day, -1 from the second after `not_after`. `signature_hash` is None
    where the signature scheme has none of its own (Ed25519) and where it is unknown; so is `key_bits`.
    """

    der: bytes
    subject: str
    issuer: str
    serial: str
    not_before: datetime | None
    not_after: datetime | None
    days_left: int | None
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    key_type: str
    key_bits: int | None
    signature_hash: str | None
    fingerprint_sha256: str
    spki_sha256: str
    is_ca: bool
    self_signed: bool
    key_usage: tuple[str, ...]
    extended_key_usage: tuple[str, ...]
    unreadable: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return what the JSON documents call CERT; dates in ISO 8601, UTC, to the second."""
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "serial": self.serial,
            "not_before": iso(self.not_before),
            "not_after": iso(self.not_after),
            "days_left": self.days_left,
            "dns_names": list(self.dns_names),
            "ip_addresses": list(self.ip_addresses),
            "key": {"type": self.key_type, "bits": self.key_bits},
            "signature_hash": self.signature_hash,
            "fingerprint_sha256": self.fingerprint_sha256,
            "spki_sha256": self.spki_sha256,
            "is_ca": self.is_ca,
            "self_signed": self.self_signed,
            "key_usage": list(self.key_usage),
            "extended_key_usage": list(self.extended_key_usage),
        }


class _Reader:
    """Reads field after field, and notes those that cannot be read."""

    def __init__(self, certificate: "x509.Certificate | None") -> None:
        self._certificate = certificate
        self.unreadable: list[str] = []

    def read(self, field: str, read: Callable[[], _Value], default: _Value) -> _Value:
        from dicomtls.certificates.content import REFUSALS

        try:
            return read()
        except REFUSALS:
            self.unreadable.append(field)
            return default

    def ask(self, field: str, read: "Callable[[x509.Certificate], _Value]", default: _Value) -> _Value:
        """Read what only `cryptography` can; it refuses some certificates that OpenSSL takes."""
        certificate = self._certificate
        if certificate is None:
            self.unreadable.append(field)
            return default
        return self.read(field, lambda: read(certificate), default)


def describe(der: bytes, *, now: datetime | None = None) -> CertificateDescription:
    """Describe a certificate as of `now` (aware; the present by default).

    Raises `CredentialError` (`not-a-certificate`) where the bytes are none at all.
    """
    from dicomtls.certificates.quiet import quiet

    with quiet():
        return _describe(der, now or datetime.now(UTC))


def _describe(der: bytes, now: datetime) -> CertificateDescription:
    fields = CertificateFields.parse(der)
    reader = _Reader(_load(der))
    not_before, not_after = dates(fields)
    no_names: tuple[list[str], list[str]] = ([], [])
    names, addresses = reader.read("subject_alternative_name", lambda: alternative_names(fields), no_names)
    unknown_key: tuple[str, int | None] = (_key_algorithm(fields), None)
    key_type, key_bits = reader.ask("key", _key, unknown_key)
    is_self_issued = fields.subject == fields.issuer
    return CertificateDescription(
        der=der,
        subject=reader.ask("subject", lambda certificate: readable_name(certificate.subject), UNREADABLE),
        issuer=reader.ask("issuer", lambda certificate: readable_name(certificate.issuer), UNREADABLE),
        serial=serial_hex(fields.serial_number),
        not_before=not_before,
        not_after=not_after,
        days_left=None if not_after is None else (not_after - now) // timedelta(days=1),
        dns_names=tuple(names),
        ip_addresses=tuple(addresses),
        key_type=key_type,
        key_bits=key_bits,
        signature_hash=reader.ask("signature_hash", _signature_hash, None),
        fingerprint_sha256=hashlib.sha256(der).hexdigest(),
        spki_sha256=hashlib.sha256(fields.public_key_info).hexdigest(),
        is_ca=reader.read("basic_constraints", lambda: is_ca(fields), default=False),
        self_signed=is_self_issued and reader.ask("signature", _is_signed_by_itself, default=True),
        key_usage=tuple(reader.read("key_usage", lambda: key_usage(fields), [])),
        extended_key_usage=tuple(reader.read("extended_key_usage", lambda: extended_key_usage(fields), [])),
        unreadable=(*reader.unreadable, *(("validity",) if None in {not_before, not_after} else ())),
    )


def _load(der: bytes) -> "x509.Certificate | None":
    from cryptography import x509

    from dicomtls.certificates.content import REFUSALS

    try:
        return x509.load_der_x509_certificate(der)
    except REFUSALS:
        return None


def readable_name(name: "x509.Name") -> str:
    r"""Write a distinguished name as RFC 4514 has it, with everything that is not printable as `\NN` of its UTF-8.

    Both keep the string valid and safe to show. Raises `ValueError` where the name breaks its encoding's rules.
    """
    from cryptography.x509.oid import NameOID

    text = name.rfc4514_string({NameOID.EMAIL_ADDRESS: "E", NameOID.SERIAL_NUMBER: "serialNumber"})
    return "".join(
        character if character.isprintable() else "".join(f"\\{octet:02X}" for octet in _utf8(character))
        for character in text
    )


def _utf8(character: str) -> bytes:
    return character.encode("utf-8", "surrogatepass")


def serial_hex(number: int) -> str:
    """A serial number as `openssl x509 -serial` has it, in lower case: two digits a byte, a minus sign before it."""
    digits = f"{abs(number):x}"
    return ("-" if number < 0 else "") + digits.zfill(len(digits) + len(digits) % 2)


def iso(moment: datetime | None) -> str | None:
    """Write a date in ISO 8601, UTC, to the second."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def _key(certificate: "x509.Certificate") -> tuple[str, int | None]:
    return key_and_size(certificate.public_key())


def key_and_size(key: "PublicKeyTypes") -> tuple[str, int | None]:
    """Name a public key's algorithm, and its size in bits where it has one."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "EC", key.key_size
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA", key.key_size
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519", _ED25519_BITS
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448", _ED448_BITS
    return type(key).__name__.removesuffix("PublicKey"), None


def _key_algorithm(fields: CertificateFields) -> str:
    """Return the algorithm's object identifier, for a key that `cryptography` cannot read."""
    try:
        (info,) = children(fields.public_key_info)
        return object_identifier(children(children(info.content)[0].content)[0].content)
    except (DERError, IndexError):
        return UNREADABLE


def _signature_hash(certificate: "x509.Certificate") -> str | None:
    algorithm = certificate.signature_hash_algorithm
    return None if algorithm is None else algorithm.name


def _is_signed_by_itself(certificate: "x509.Certificate") -> bool:
    """Check the signature; one that cannot be checked (MD5, an unknown scheme) is taken at its names' word."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, ValueError, TypeError):  # ValueError: a signature of another kind than the key's
        return False
    except UnsupportedAlgorithm:
        return True
    return True
