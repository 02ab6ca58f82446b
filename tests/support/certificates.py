"""Certificates with whatever content a test is about, made with `cryptography` around one EC key."""

import warnings
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

KEY = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())
NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2036, 1, 1, 12, 30, 5, tzinfo=UTC)


def make_certificate(
    *extensions: x509.ExtensionType,
    subject: str = "leaf",
    issuer: str | None = None,
    not_before: datetime = NOT_BEFORE,
    not_after: datetime = NOT_AFTER,
    serial: int = 0x0A1B,
) -> bytes:
    """DER of a certificate signed with `KEY`, self-signed unless there is an `issuer`; no extension is critical."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(subject if issuer is None else issuer))
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def raw_extension(dotted: str, value: bytes) -> x509.UnrecognizedExtension:
    """Build an extension with any bytes as its value."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(dotted), value)


def _name(common_name: str) -> x509.Name:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names that are too long, which is what some tests want
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name, _validate=False)])
