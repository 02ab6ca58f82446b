"""dicomtls.certificates.fields: the fields of a certificate, read without `cryptography`."""

import hashlib
import ssl
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomtls.certificates import fields
from dicomtls.certificates.building import key_usage
from dicomtls.certificates.der import DERError
from dicomtls.certificates.fields import (
    CertificateFields,
    days_left,
    object_identifier,
    path_length,
    permits_client,
    permits_issuing_for,
    permits_server,
    spki_sha256,
    validity,
)
from dicomtls.errors import CredentialError
from tests.support.asn1 import element, sequence
from tests.support.certificates import KEY, NOT_AFTER, NOT_BEFORE, make_certificate, raw_extension
from tests.support.mutations import mutations
from tests.support.openssl import verify

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
CERTIFICATE = make_certificate(x509.ExtendedKeyUsage([SERVER]), key_usage("digital_signature"))
PURPOSES = [
    ([], True, True),
    ([x509.ExtendedKeyUsage([SERVER, CLIENT])], True, True),
    ([x509.ExtendedKeyUsage([SERVER])], True, False),
    ([x509.ExtendedKeyUsage([CLIENT])], False, True),
    ([x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])], False, False),
    ([x509.ExtendedKeyUsage([ANY])], False, False),
    ([x509.ExtendedKeyUsage([ObjectIdentifier("2.16.840.1.113730.4.1")])], True, False),
    ([key_usage("digital_signature")], True, True),
    ([key_usage("key_encipherment")], True, False),
    ([key_usage("key_cert_sign", "crl_sign")], False, False),
    ([key_usage("key_encipherment"), x509.ExtendedKeyUsage([CLIENT])], False, False),
    ([raw_extension(fields.KEY_USAGE, b"\x03\x02\x07\xa0")], True, True),
    ([raw_extension(fields.KEY_USAGE, b"\x03\x02\x07\x20")], False, False),
    ([raw_extension(fields.NETSCAPE_CERTIFICATE_TYPE, b"\x03\x02\x07\x80")], False, True),
    ([raw_extension(fields.NETSCAPE_CERTIFICATE_TYPE, b"\x03\x02\x06\x40")], True, False),
]
PURPOSE_IDS = [
    "no extension",
    "both",
    "server",
    "client",
    "code signing",
    "any",
    "netscape step-up",
    "usage signature",
    "usage encipherment",
    "usage CA",
    "usage against purpose",
    "usage with others unused",
    "usage unused",
    "netscape client",
    "netscape server",
]


@pytest.mark.parametrize(("extensions", "server", "client"), PURPOSES, ids=PURPOSE_IDS)
def test_purposes_are_judged_as_openssl_judges_them(
    extensions: list[x509.ExtensionType], *, server: bool, client: bool, tmp_path: Path
) -> None:
    """A pinned certificate is held to the same purposes as one that OpenSSL verifies."""
    der = make_certificate(*extensions)
    path = tmp_path / "leaf.pem"
    path.write_text(ssl.DER_cert_to_PEM_cert(der))
    for permits, purpose in ((permits_server, "sslserver"), (permits_client, "sslclient")):
        arguments = ("-partial_chain", "-trusted", path, "-purpose", purpose, "-attime", "1800000000")
        said = [line for line in verify(path, *arguments).splitlines() if "error 26" in line]
        assert permits(der) == (not said)
    assert (permits_server(der), permits_client(der)) == (server, client)


@pytest.mark.parametrize("value", [b"", b"\x30\x05", b"\x04\x00", b"\x30\x02\x06\x00"])
def test_malformed_purposes_permit_nothing(value: bytes) -> None:
    """An extended key usage that cannot be read is not taken for its absence."""
    der = make_certificate(raw_extension(fields.EXTENDED_KEY_USAGE, value))
    assert not permits_server(der)
    assert not permits_client(der)
    assert not permits_issuing_for(der, "server")


def test_authority_is_held_to_its_extended_key_usage_alone() -> None:
    """Its key usage is for signing certificates, not for a role."""
    der = make_certificate(x509.ExtendedKeyUsage([SERVER]), key_usage("key_cert_sign"))
    assert permits_issuing_for(der, "server")
    assert not permits_issuing_for(der, "client")
    assert permits_issuing_for(make_certificate(), "client")


@pytest.mark.parametrize("length", [None, 0, 3, 200])
def test_path_length_is_read(length: int | None) -> None:
    """Also one that takes a second byte; what is no SEQUENCE has none that could be read."""
    der = make_certificate(x509.BasicConstraints(ca=True, path_length=length))
    assert path_length(CertificateFields.parse(der)) == length
    broken = make_certificate(raw_extension(fields.BASIC_CONSTRAINTS, b"\x04\x00"))
    with pytest.raises(DERError):
        path_length(CertificateFields.parse(broken))


def test_repeated_extension_permits_nothing() -> None:
    """Of two extensions of one kind, which RFC 5280 forbids, none is believed."""
    der = make_certificate(x509.ExtendedKeyUsage([SERVER]), raw_extension("2.5.29.99", b"\x05\x00"))
    assert permits_server(der)
    assert not permits_server(der.replace(bytes.fromhex("551d63"), bytes.fromhex("551d25")))


def test_public_key_digest_is_that_of_its_standard_encoding() -> None:
    """What `--pin` compares is what `openssl pkey -pubout -outform DER | sha256sum` gives."""
    standard = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert spki_sha256(make_certificate()) == hashlib.sha256(standard).hexdigest()


@pytest.mark.parametrize(
    ("not_before", "not_after"),
    [
        (NOT_BEFORE, NOT_AFTER),
        (datetime(1950, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (datetime(2050, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
    ids=["usual", "two-digit years", "four-digit years"],
)
def test_validity_is_read_in_both_forms(not_before: datetime, not_after: datetime) -> None:
    """UTCTime turns the century at 50, GeneralizedTime has four digits."""
    der = make_certificate(not_before=not_before, not_after=not_after)
    assert validity(der) == (not_before, not_after)


def test_days_left_are_those_of_the_first_to_end() -> None:
    """Whole days, negative once it has ended."""
    now = datetime.now(UTC)
    soon, later, over = (make_certificate(not_after=now + timedelta(days=days, hours=1)) for days in (5, 50, -2))
    assert (days_left([later, soon]), days_left([later]), days_left([over, soon])) == (5, 50, -2)
    with pytest.raises(CredentialError):
        days_left([later, b"junk"])


@pytest.mark.parametrize(
    "text", [b"261332010101Z", b"2601010101Z  ", b"2601010101+01", b"\xb2\xb201010101", b"260101010160Z"]
)
def test_validity_is_refused_when_a_date_makes_no_sense(text: bytes) -> None:
    """A 13th month, a missing second, an offset, digits that are none, and second 60 are no dates."""
    text = text.ljust(13)[:13]
    der = make_certificate().replace(b"260101000000Z", text)
    with pytest.raises(CredentialError) as caught:
        validity(der)
    assert caught.value.code == "not-a-certificate"


def test_names_keep_what_is_malformed_beside_what_is_not() -> None:
    """An address written as text, a common mistake, hides neither the DNS names nor the other addresses."""
    names = (element(0x82, b"pacs.example"), element(0x87, b"192.0.2.7"), element(0x87, bytes([192, 0, 2, 8])))
    der = make_certificate(raw_extension(fields.SUBJECT_ALTERNATIVE_NAME, sequence(*names)))
    dns_names, addresses = fields.alternative_names(CertificateFields.parse(der))
    assert dns_names == ["pacs.example"]
    assert addresses == [b"192.0.2.7".hex(), "192.0.2.8"]


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"-----BEGIN", sequence(sequence(), sequence(), sequence())])
def test_bytes_are_refused_when_they_are_no_certificate(data: bytes) -> None:
    """Every question about what is no certificate ends in `not-a-certificate`."""
    asked: tuple[Callable[[bytes], object], ...] = (spki_sha256, validity, permits_server, permits_client)
    for question in asked:
        with pytest.raises(CredentialError) as caught:
            question(data)
        assert caught.value.code == "not-a-certificate"


@pytest.mark.parametrize("dotted", ["1.2.840.113549.1.7.1", "2.5.29.37", "0.9.2342.19200300.100.1.25", "2.999.1"])
def test_object_identifiers_are_written_with_dots(dotted: str) -> None:
    """The first two arcs share one number, which has no upper bound below 2."""
    encoded = x509.UnrecognizedExtension(ObjectIdentifier(dotted), b"")
    assert dotted in CertificateFields.parse(make_certificate(encoded)).extensions


@pytest.mark.parametrize("content", [b"", b"\x81", b"\x81" * 200 + b"\x01"])
def test_object_identifiers_are_refused_when_they_have_no_end(content: bytes) -> None:
    """An identifier that is empty, cut short or endless is an error."""
    with pytest.raises(DERError):
        object_identifier(content)


@settings(max_examples=60)
@given(
    dns=st.lists(st.from_regex(r"[a-z0-9_*-]{1,20}(\.[a-z]{2,5}){0,2}", fullmatch=True), max_size=3),
    addresses=st.lists(st.ip_addresses(), max_size=3),
    usages=st.sets(st.sampled_from(["digital_signature", "key_encipherment", "key_agreement", "crl_sign"]), min_size=1),
    purposes=st.lists(st.sampled_from([SERVER, CLIENT, ANY]), min_size=1, unique=True),
    ca=st.booleans(),
    serial=st.integers(min_value=1, max_value=2**159 - 1),
)
def test_fields_are_those_that_cryptography_reads(
    dns: list[str],
    addresses: list[object],
    usages: set[str],
    purposes: list[ObjectIdentifier],
    ca: bool,  # noqa: FBT001 - hypothesis gives it by name
    serial: int,
) -> None:
    """On every well-formed certificate this reader and `cryptography` agree."""
    names = [x509.DNSName(name) for name in dns] + [x509.IPAddress(ip_address(str(one))) for one in addresses]
    der = make_certificate(
        x509.SubjectAlternativeName(names),
        key_usage(*usages),
        x509.ExtendedKeyUsage(purposes),
        x509.BasicConstraints(ca=ca, path_length=None),
        serial=serial,
    )
    parsed, other = CertificateFields.parse(der), x509.load_der_x509_certificate(der)
    assert parsed.serial_number == other.serial_number
    assert fields.dates(parsed) == (other.not_valid_before_utc, other.not_valid_after_utc)
    assert fields.alternative_names(parsed) == (dns, [str(one) for one in addresses])
    assert len(fields.key_usage(parsed)) == len(usages)
    assert fields.extended_key_usage(parsed) == [
        {SERVER: "serverAuth", CLIENT: "clientAuth", ANY: "anyExtendedKeyUsage"}[purpose] for purpose in purposes
    ]
    assert fields.is_ca(parsed) is ca


@given(st.data())
def test_only_credential_errors_come_out_of_mutated_certificates(data: st.DataObject) -> None:
    """Whatever is changed in a certificate, each question is answered or ends in `CredentialError`."""
    der = data.draw(mutations(CERTIFICATE))
    asked: tuple[Callable[[bytes], object], ...] = (spki_sha256, validity, permits_server, permits_client)
    for question in asked:
        try:
            question(der)
        except CredentialError as error:
            assert error.code == "not-a-certificate"  # noqa: PT017 - either way is right


def test_fields_are_read_without_importing_cryptography() -> None:
    """A pin costs no import of `cryptography`, which is half of a whole echo."""
    script = "import sys, dicomtls.certificates.describe; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
