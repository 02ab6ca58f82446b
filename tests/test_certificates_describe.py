"""dicomtls.certificates.describe: what a certificate says, as one record."""

import hashlib
import json
import ssl
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.certificates.building import key_usage
from dicomtls.certificates.describe import describe
from dicomtls.certificates.fields import UNREADABLE
from dicomtls.errors import CredentialError
from tests.support.asn1 import integer
from tests.support.certificates import KEY, NOT_AFTER, NOT_BEFORE, make_certificate, raw_extension
from tests.support.documents import CERTIFICATE
from tests.support.mutations import mutations
from tests.support.openssl import openssl

FULL = make_certificate(
    x509.SubjectAlternativeName([x509.DNSName("pacs.example"), x509.IPAddress(ip_address("2001:db8::7"))]),
    key_usage("digital_signature", "key_encipherment"),
    x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
    x509.BasicConstraints(ca=False, path_length=None),
    issuer="some CA",
)


def test_description_as_json_has_the_contract_s_keys_and_values() -> None:
    """The document has each key of CERT, no other, with plain values."""
    document = describe(FULL, now=NOT_AFTER).as_json()
    assert set(document) == set(CERTIFICATE)
    assert json.loads(json.dumps(document)) == document
    spki = x509.load_der_x509_certificate(FULL).public_key()
    assert spki == KEY.public_key()
    assert {key: value for key, value in document.items() if key != "spki_sha256"} == {
        "subject": "CN=leaf",
        "issuer": "CN=some CA",
        "serial": "0a1b",
        "not_before": "2026-01-01T00:00:00Z",
        "not_after": "2036-01-01T12:30:05Z",
        "days_left": 0,
        "dns_names": ["pacs.example"],
        "ip_addresses": ["2001:db8::7"],
        "key": {"type": "EC", "bits": 256},
        "signature_hash": "sha256",
        "fingerprint_sha256": hashlib.sha256(FULL).hexdigest(),
        "is_ca": False,
        "self_signed": False,
        "key_usage": ["digitalSignature", "keyEncipherment"],
        "extended_key_usage": ["serverAuth", "clientAuth"],
    }


def test_description_agrees_with_openssl(tmp_path: Path) -> None:
    """Serial number, fingerprint and names are those that `openssl x509` prints."""
    path = tmp_path / "cert.pem"
    path.write_text(ssl.DER_cert_to_PEM_cert(FULL))
    said = openssl("x509", "-in", path, "-noout", "-serial", "-subject", "-issuer", "-fingerprint", "-sha256").stdout
    description = describe(FULL)
    lines = dict(line.split("=", 1) for line in said.splitlines())
    assert lines["serial"].lower() == description.serial
    assert lines["sha256 Fingerprint"].replace(":", "").lower() == description.fingerprint_sha256
    assert lines["issuer"].replace(" = ", "=") == description.issuer


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (timedelta(days=10), 10),
        (timedelta(days=10, seconds=-1), 9),
        (timedelta(seconds=1), 0),
        (timedelta(seconds=-1), -1),
        (timedelta(days=-30), -30),
    ],
)
def test_days_left_are_rounded_down(left: timedelta, days: int) -> None:
    """The last day counts 0, the first second after it -1."""
    assert describe(FULL, now=NOT_AFTER - left).days_left == days


@pytest.mark.parametrize(
    "other",
    [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())],
    ids=["a key of another kind", "a key of the same kind"],
)
def test_self_signed_is_told_from_merely_self_issued(
    other: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey,
) -> None:
    """Equal names are not enough: the signature must be the key's own."""
    assert describe(make_certificate()).self_signed
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])
    impostor = (
        x509.CertificateBuilder(name, name, other.public_key(), 1, NOT_BEFORE, NOT_AFTER)
        .sign(KEY, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    assert not describe(impostor).self_signed


def test_ca_is_said_to_be_one() -> None:
    """`is_ca` is what basicConstraints says."""
    der = make_certificate(x509.BasicConstraints(ca=True, path_length=0), key_usage("key_cert_sign", "crl_sign"))
    description = describe(der)
    assert description.is_ca
    assert description.key_usage == ("keyCertSign", "cRLSign")


@pytest.mark.parametrize(
    ("key", "expected", "signature_hash"),
    [
        (rsa.generate_private_key(65537, 2048), {"type": "RSA", "bits": 2048}, "sha384"),
        (ed25519.Ed25519PrivateKey.generate(), {"type": "Ed25519", "bits": 256}, None),
        (ed448.Ed448PrivateKey.generate(), {"type": "Ed448", "bits": 456}, None),
    ],
    ids=["RSA", "Ed25519", "Ed448"],
)
def test_key_and_signature_are_named(
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey,
    expected: dict[str, object],
    signature_hash: str | None,
) -> None:
    """Ed25519 has a size by definition and no signature hash of its own."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOT_BEFORE, NOT_AFTER)
    certificate = builder.sign(key, hashes.SHA384() if signature_hash else None)
    document = describe(certificate.public_bytes(Encoding.DER)).as_json()
    assert document["key"] == expected
    assert document["signature_hash"] == signature_hash


def test_unknown_key_algorithm_is_given_as_its_number() -> None:
    """A key of a kind that nobody here can read leaves the rest of the description as it is."""
    der = FULL.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0299")[:-1] + b"\x19")
    description = describe(der)
    assert (description.key_type, description.key_bits) == ("1.2.840.10045.2.25", None)
    assert description.unreadable == ("key",)
    assert description.dns_names == ("pacs.example",)


def test_unreadable_key_algorithm_is_said_to_be_so() -> None:
    """An algorithm without a readable number does not hide the rest either."""
    description = describe(FULL.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("067f2a8648ce3d0201")))
    assert description.key_type == UNREADABLE
    assert "key" in description.unreadable
    assert description.dns_names == ("pacs.example",)


def test_names_are_made_safe_to_show() -> None:
    """Control characters, also those that turn the writing direction, are escaped as RFC 4514 allows."""
    description = describe(make_certificate(subject="a\x1b[31m\n\u202ex\u00e9"))
    assert description.subject == "CN=a\\1B[31m\\0A\\E2\\80\\AEx\u00e9"


def test_unreadable_name_is_said_to_be_so() -> None:
    """A name whose bytes are no UTF-8 does not hide the rest."""
    der = FULL.replace(b"some CA", b"some \xff\xfe")
    description = describe(der)
    assert description.issuer == UNREADABLE
    assert "issuer" in description.unreadable
    assert description.subject == "CN=leaf"


def test_absurd_dates_are_none() -> None:
    """Month 13 is no date; the description says that it could not read the validity."""
    description = describe(FULL.replace(b"360101123005Z", b"361301123005Z"))
    assert description.as_json()["not_after"] is None
    assert description.days_left is None
    assert "validity" in description.unreadable


def test_early_year_keeps_four_digits() -> None:
    """The year 1 is written as ISO 8601 wants it on every platform."""
    der = FULL.replace(b"\x30\x1e\x17\x0d260101000000Z", b"\x30\x1e\x17\x0d500101000000Z")
    assert describe(der).as_json()["not_before"] == "1950-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("serial", "expected"), [(b"\x02\x02\xff\x01", "-ff"), (b"\x02\x02\x80\x00", "-8000"), (b"\x02\x02\x00\x80", "80")]
)
def test_odd_serial_numbers_are_described(serial: bytes, expected: str) -> None:
    """Negative ones and zero are against the rules, and seen in the field."""
    description = describe(FULL.replace(integer(0x0A1B), serial, 1))
    assert description.serial == expected


@pytest.mark.parametrize(
    ("dotted", "field"),
    [
        ("2.5.29.15", "key_usage"),
        ("2.5.29.17", "subject_alternative_name"),
        ("2.5.29.19", "basic_constraints"),
        ("2.5.29.37", "extended_key_usage"),
    ],
)
def test_malformed_extension_is_noted_and_hides_no_other(dotted: str, field: str) -> None:
    """One bad extension leaves the others readable."""
    intact = key_usage("key_agreement") if field != "key_usage" else x509.BasicConstraints(ca=True, path_length=None)
    description = describe(make_certificate(raw_extension(dotted, b"\x30\x09\x00"), intact))
    assert description.unreadable == (field,)
    assert description.key_usage == ("keyAgreement",) or description.is_ca


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x30\x03\x02\x01\x00", FULL[:-1], FULL + b"\x00"])
def test_describe_refuses_what_is_no_certificate(data: bytes) -> None:
    """Bytes that are no certificate end in one error code."""
    with pytest.raises(CredentialError) as caught:
        describe(data)
    assert caught.value.code == "not-a-certificate"


@given(mutations(FULL))
def test_only_credential_errors_come_out_of_mutated_certificates(data: bytes) -> None:
    """A damaged certificate is described as far as it goes, or refused; nothing else, and the JSON is always whole."""
    try:
        document = describe(data).as_json()
    except CredentialError as error:
        assert error.code == "not-a-certificate"  # noqa: PT017 - either way is right
    else:
        assert json.dumps(document)
        assert set(document) == set(CERTIFICATE)


@given(st.text(min_size=1, max_size=30))
def test_any_subject_is_described_in_printable_characters(subject: str) -> None:
    """Whatever a name holds, the terminal gets nothing but printable characters."""
    try:
        der = make_certificate(subject=subject)
    except (ValueError, UnicodeEncodeError):
        return
    assert describe(der).subject.isprintable()
