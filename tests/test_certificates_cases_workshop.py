"""dicomtls.certificates.cases.workshop: the tools that the cases are made with."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from dicomtls.certificates.cases.workshop import Workshop


@pytest.fixture(scope="module")
def shop() -> Workshop:
    """One workshop for all."""
    return Workshop()


def test_key_is_made_once_under_its_name(shop: Workshop) -> None:
    """The last word says its kind; another name is another key."""
    first = shop.key("somebody ec-p384")
    assert isinstance(first, ec.EllipticCurvePrivateKey)
    assert first.curve.name == "secp384r1"
    assert shop.key("somebody ec-p384") is first
    assert shop.key("ec-p384") is not first
    assert isinstance(shop.key("ed25519"), ed25519.Ed25519PrivateKey)
    weak = shop.key("rsa-1024")
    assert isinstance(weak, rsa.RSAPrivateKey)
    assert weak.key_size == 1024


def test_leaf_was_issued_by_its_issuer(shop: Workshop) -> None:
    """Its signature is right, and both key identifiers lead from one to the other."""
    issuer = x509.load_der_x509_certificate(shop.intermediate.der)
    leaf = x509.load_der_x509_certificate(shop.leaf(shop.intermediate))
    leaf.verify_directly_issued_by(issuer)
    authority = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert authority.key_identifier == issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False


def test_dates_count_from_the_opening_of_the_workshop(shop: Workshop) -> None:
    """To the second."""
    der = shop.leaf(None, begins=timedelta(days=3), ends=timedelta(days=5))
    leaf = x509.load_der_x509_certificate(der)
    assert leaf.not_valid_before_utc == shop.now + timedelta(days=3)
    assert leaf.not_valid_after_utc == shop.now + timedelta(days=5)


@pytest.mark.parametrize(("subject", "is_critical"), [("", True), ("somebody", False)])
def test_name_is_critical_where_there_is_no_subject(shop: Workshop, subject: str, *, is_critical: bool) -> None:
    """RFC 5280 section 4.2.1.6."""
    leaf = x509.load_der_x509_certificate(shop.leaf(shop.root, subject=subject))
    assert leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical is is_critical


@pytest.mark.parametrize(("key", "enciphers"), [("rsa-2048", True), ("ec-p256", False)])
def test_only_rsa_keys_may_encipher(shop: Workshop, key: str, *, enciphers: bool) -> None:
    """Others cannot."""
    leaf = x509.load_der_x509_certificate(shop.leaf(shop.root, key=key))
    assert leaf.extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment is enciphers


def test_revocation_list_has_what_was_revoked_and_nothing_else(shop: Workshop) -> None:
    """By serial number, signed by the authority whose list it is."""
    revoked, other = shop.leaf(shop.root), shop.leaf(shop.root)
    made = x509.load_der_x509_crl(shop.revocation_list("list", shop.root, [revoked]).der)
    numbers = [x509.load_der_x509_certificate(der).serial_number for der in (revoked, other)]
    found = [made.get_revoked_certificate_by_serial_number(number) is not None for number in numbers]
    assert found == [True, False]
    assert made.is_signature_valid(shop.root.key.public_key())


def test_private_keys_are_in_no_representation(shop: Workshop) -> None:
    """Of an authority, for one."""
    assert "key" not in repr(shop.root)
