"""The fields of a certificate (RFC 5280 section 4.1), each read by itself and without `cryptography`.

Two reasons for a reader of our own: a pin is checked on the way to the first byte, where importing `cryptography`
would cost half of a whole `echo`; and one malformed extension, an iPAddress written as text say, must not hide the
others, while `cryptography` gives all of them or none.

The signature is never checked here.
"""

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from dicomtls.certificates.der import (
    BIT_STRING,
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    UTC_TIME,
    DERError,
    Element,
    children,
)
from dicomtls.errors import CredentialError

UNREADABLE = "(unreadable)"
"""Stands for a name, or an algorithm, that breaks the rules of its encoding."""

# Extensions by their object identifiers (RFC 5280 sections 4.2.1 and 4.2.2).
BASIC_CONSTRAINTS = "2.5.29.19"
KEY_USAGE = "2.5.29.15"
EXTENDED_KEY_USAGE = "2.5.29.37"
SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
AUTHORITY_INFORMATION_ACCESS = "1.3.6.1.5.5.7.1.1"
NETSCAPE_CERTIFICATE_TYPE = "2.16.840.1.113730.1.1"

_CA_ISSUERS = "1.3.6.1.5.5.7.48.2"

_BOOLEAN = 0x01
_VERSION = 0xA0
_EXTENSIONS = 0xA3
_KEY_IDENTIFIER = 0x80
_DNS_NAME = 0x82
_IP_ADDRESS = 0x87
_FIELDS_BEFORE_EXTENSIONS = 6
_LONGEST_OID = 64
_MOST_UNUSED = 7

_KEY_USAGES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
_EXTENDED_KEY_USAGES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "1.3.6.1.4.1.311.10.3.3": "msSGC",
    "1.3.6.1.4.1.311.20.2.2": "msSmartcardLogin",
    "2.16.840.1.113730.4.1": "nsSGC",
    "2.5.29.37.0": "anyExtendedKeyUsage",
}
# What OpenSSL accepts for each role (its X509_PURPOSE_SSL_SERVER and _CLIENT); anyExtendedKeyUsage is not among it.
_SERVER_PURPOSES = frozenset({"serverAuth", "msSGC", "nsSGC"})
_CLIENT_PURPOSES = frozenset({"clientAuth"})
_SERVER_KEY_USAGES = frozenset({"digitalSignature", "keyEncipherment", "keyAgreement"})
_CLIENT_KEY_USAGES = frozenset({"digitalSignature", "keyAgreement"})
_NETSCAPE_CLIENT, _NETSCAPE_SERVER = 0, 1


class CertificateFields(NamedTuple):
    """What the outer structure holds; everything inside is read when it is asked for.

    Names and the key's SubjectPublicKeyInfo are DER, `extensions` the values by object identifier with dots.
    """

    serial_number: int
    issuer: bytes
    validity: tuple[Element, ...]
    subject: bytes
    public_key_info: bytes
    extensions: dict[str, bytes]
    has_repeated_extension: bool

    @classmethod
    def parse(cls, der: bytes) -> "CertificateFields":
        """Split a certificate; raises `CredentialError` (`not-a-certificate`)."""
        try:
            return _split(der)
        except (DERError, ValueError, IndexError) as error:
            msg = "the bytes are not a certificate"
            raise CredentialError(msg, code="not-a-certificate", evidence={"reason": str(error)}) from None


def spki_sha256(der: bytes) -> str:
    """SHA-256 of the SubjectPublicKeyInfo as it stands in the certificate, in hex: what `--pin` compares (RFC 7469).

    Raises `CredentialError` (`not-a-certificate`).
    """
    return hashlib.sha256(CertificateFields.parse(der).public_key_info).hexdigest()


def validity(der: bytes) -> tuple[datetime, datetime]:
    """Not before and not after, in UTC; raises `CredentialError` (`not-a-certificate`), also for absurd dates."""
    not_before, not_after = dates(CertificateFields.parse(der))
    if not_before is None or not_after is None:
        msg = "the certificate has dates that cannot be read"
        raise CredentialError(msg, code="not-a-certificate")
    return not_before, not_after


def days_left(chain: Iterable[bytes]) -> int:
    """Whole days until the first certificate of a chain expires, negative afterwards.

    Raises `CredentialError` (`not-a-certificate`), and `ValueError` where the chain is empty.
    """
    return (min(validity(der)[1] for der in chain) - datetime.now(UTC)).days


def permits_server(der: bytes) -> bool:
    """Whether OpenSSL would take this leaf in the server's role; raises `CredentialError` (`not-a-certificate`)."""
    return _permits(der, _SERVER_PURPOSES, _SERVER_KEY_USAGES, _NETSCAPE_SERVER)


def permits_client(der: bytes) -> bool:
    """Whether OpenSSL would take this leaf in the client's role; raises `CredentialError` (`not-a-certificate`)."""
    return _permits(der, _CLIENT_PURPOSES, _CLIENT_KEY_USAGES, _NETSCAPE_CLIENT)


def permits_issuing_for(der: bytes, role: str) -> bool:
    """Whether OpenSSL would take this authority above a leaf in a role: only its extended key usage counts for that.

    Raises `CredentialError` (`not-a-certificate`).
    """
    fields = CertificateFields.parse(der)
    purposes = _SERVER_PURPOSES if role == "server" else _CLIENT_PURPOSES
    try:
        return EXTENDED_KEY_USAGE not in fields.extensions or bool(purposes & set(extended_key_usage(fields)))
    except DERError:
        return False


def dates(fields: CertificateFields) -> tuple[datetime | None, datetime | None]:
    """Not before and not after, in UTC, None for one that cannot be read."""
    found = [_time(element) for element in fields.validity[:2]]
    found += [None] * (2 - len(found))
    return found[0], found[1]


def key_usage(fields: CertificateFields) -> list[str]:
    """Names of RFC 5280 section 4.2.1.3, empty where there is no such extension; raises `DERError`."""
    value = fields.extensions.get(KEY_USAGE)
    return [] if value is None else [_KEY_USAGES[bit] for bit in _bits(value) if bit < len(_KEY_USAGES)]


def extended_key_usage(fields: CertificateFields) -> list[str]:
    """Purposes by their usual names, else as dotted numbers; raises `DERError`."""
    value = fields.extensions.get(EXTENDED_KEY_USAGE)
    if value is None:
        return []
    dotted = [object_identifier(element.content) for element in _sequence(value) if element.tag == OID]
    return [_EXTENDED_KEY_USAGES.get(purpose, purpose) for purpose in dotted]


def is_ca(fields: CertificateFields) -> bool:
    """Whether basicConstraints says so; raises `DERError`."""
    value = fields.extensions.get(BASIC_CONSTRAINTS)
    if value is None:
        return False
    return any(element.tag == _BOOLEAN and any(element.content) for element in _sequence(value)[:1])


def path_length(fields: CertificateFields) -> int | None:
    """How many authorities may stand below this one, None where basicConstraints sets no limit; raises `DERError`."""
    value = fields.extensions.get(BASIC_CONSTRAINTS)
    numbers = [] if value is None else [element for element in _sequence(value) if element.tag == INTEGER]
    return int.from_bytes(numbers[0].content, "big", signed=True) if numbers else None


def alternative_names(fields: CertificateFields) -> tuple[list[str], list[str]]:
    r"""DNS names and IP addresses of the subject alternative name; raises `DERError`.

    What is not ASCII in a DNS name is written as `\xNN`; an address that is none as its bytes in hex.
    """
    value = fields.extensions.get(SUBJECT_ALTERNATIVE_NAME)
    names = [] if value is None else _sequence(value)
    return (
        [name.content.decode("ascii", "backslashreplace") for name in names if name.tag == _DNS_NAME],
        [_address(name.content) for name in names if name.tag == _IP_ADDRESS],
    )


def issuer_key_identifier(fields: CertificateFields) -> str | None:
    """The identifier of the key that signed it, in hex with colons (RFC 5280 section 4.2.1.1); raises `DERError`."""
    value = fields.extensions.get(AUTHORITY_KEY_IDENTIFIER)
    found = [] if value is None else [part.content for part in _sequence(value) if part.tag == _KEY_IDENTIFIER]
    return found[0].hex(":").upper() if found else None


def names_issuer_address(fields: CertificateFields) -> bool:
    """Whether it says where its issuer's certificate can be fetched (RFC 5280 section 4.2.2.1); raises `DERError`."""
    value = fields.extensions.get(AUTHORITY_INFORMATION_ACCESS)
    descriptions = [] if value is None else _sequence(value)
    methods = [parts[0] for parts in (children(description.content) for description in descriptions) if parts]
    return any(method.tag == OID and object_identifier(method.content) == _CA_ISSUERS for method in methods)


def _split(der: bytes) -> CertificateFields:
    (certificate,) = children(der)
    signed, _algorithm, _signature = children(certificate.content)
    if certificate.tag != SEQUENCE or signed.tag != SEQUENCE:
        msg = "no certificate at the outermost level"
        raise DERError(msg)
    parts = children(signed.content)
    if parts[0].tag == _VERSION:
        del parts[0]
    serial, _, issuer, period, subject, public_key_info = parts[:_FIELDS_BEFORE_EXTENSIONS]
    shape = [part.tag for part in (serial, issuer, period, subject, public_key_info)]
    if shape != [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE]:
        msg = "fields of other types than a certificate has"
        raise DERError(msg)
    extensions, repeated = _extensions(parts[_FIELDS_BEFORE_EXTENSIONS:])
    return CertificateFields(
        serial_number=int.from_bytes(serial.content, "big", signed=True),
        issuer=issuer.raw,
        validity=tuple(children(period.content)),
        subject=subject.raw,
        public_key_info=public_key_info.raw,
        extensions=extensions,
        has_repeated_extension=repeated,
    )


def _extensions(parts: list[Element]) -> tuple[dict[str, bytes], bool]:
    """Read the extension values by OID; of a repeated one, which RFC 5280 forbids, the first."""
    found: dict[str, bytes] = {}
    repeated = False
    wrapped = next((part.content for part in parts if part.tag == _EXTENSIONS), None)
    for extension in [] if wrapped is None else _sequence(wrapped):
        inner = children(extension.content)
        if len(inner) < 2 or inner[0].tag != OID or inner[-1].tag != OCTET_STRING:  # noqa: PLR2004 - OID and value
            msg = "a malformed extension"
            raise DERError(msg)
        oid = object_identifier(inner[0].content)
        repeated |= oid in found
        found.setdefault(oid, inner[-1].content)
    return found, repeated


def _permits(der: bytes, purposes: frozenset[str], usages: frozenset[str], netscape_bit: int) -> bool:
    fields = CertificateFields.parse(der)
    if fields.has_repeated_extension:
        return False
    try:
        return (
            (EXTENDED_KEY_USAGE not in fields.extensions or bool(purposes & set(extended_key_usage(fields))))
            and (KEY_USAGE not in fields.extensions or bool(usages & set(key_usage(fields))))
            and _permits_netscape(fields.extensions.get(NETSCAPE_CERTIFICATE_TYPE), netscape_bit)
        )
    except DERError:
        return False


def _permits_netscape(value: bytes | None, bit: int) -> bool:
    return value is None or bit in _bits(value)


def _sequence(value: bytes) -> list[Element]:
    outer = children(value)
    if len(outer) != 1 or outer[0].tag != SEQUENCE:
        msg = "not one SEQUENCE"
        raise DERError(msg)
    return children(outer[0].content)


def _bits(value: bytes) -> list[int]:
    """Read the numbers of the bits that are set in a BIT STRING, of its first two bytes.

    Its own first byte says how many bits at the end are unused (X.690 section 8.6.2.2); OpenSSL passes over those, too.
    """
    outer = children(value)
    if len(outer) != 1 or outer[0].tag != BIT_STRING or not outer[0].content or outer[0].content[0] > _MOST_UNUSED:
        msg = "not a BIT STRING"
        raise DERError(msg)
    unused, octets = outer[0].content[0], outer[0].content[1:]
    used = range(min(8 * len(octets) - unused, 16))
    return [bit for bit in used if octets[bit // 8] & (0x80 >> bit % 8)]


def object_identifier(content: bytes) -> str:
    """Write the content of an OBJECT IDENTIFIER with dots; raises `DERError`."""
    if not 0 < len(content) <= _LONGEST_OID or content[-1] & 0x80:
        msg = "an object identifier that makes no sense"
        raise DERError(msg)
    arcs: list[int] = []
    arc = 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def _time(element: Element) -> datetime | None:
    """Read a UTCTime or GeneralizedTime in the only forms that RFC 5280 section 4.1.2.5 allows."""
    text = element.content.decode("latin-1")
    if element.tag == UTC_TIME and re.fullmatch(r"[0-9]{12}Z", text):
        text = ("19" if text[:2] >= "50" else "20") + text
    elif element.tag != GENERALIZED_TIME or not re.fullmatch(r"[0-9]{14}Z", text):
        return None
    numbers = [int(text[:4]), *(int(text[start : start + 2]) for start in range(4, 14, 2))]
    try:
        return datetime(numbers[0], *numbers[1:], tzinfo=UTC)  # type: ignore[misc, arg-type] # six numbers
    except ValueError:
        return None


def _address(content: bytes) -> str:
    try:
        return str(ipaddress.ip_address(content))
    except ValueError:
        return content.hex()
