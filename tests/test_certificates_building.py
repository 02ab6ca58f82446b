"""What every certificate of ours has; `test_certificates_issue` holds it against OpenSSL."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from dicomtls.certificates.building import (
    KeyType,
    Purpose,
    common_name,
    issued_by,
    key_usage,
    new_builder,
    signature_hash,
    signed,
    usable_key,
)
from dicomtls.errors import UsageError


@pytest.mark.parametrize(
    ("text", "names"), [("both", {"serverAuth", "clientAuth"}), ("Server", {"serverAuth"}), ("client", {"clientAuth"})]
)
def test_purpose_becomes_an_extended_key_usage(text: str, names: set[str]) -> None:
    """As people write it."""
    usage = Purpose.parse(text).extended_key_usage
    assert {oid._name for oid in usage} == names


def test_unknown_purpose_is_refused_with_the_known_ones() -> None:
    """The hint has them."""
    with pytest.raises(UsageError, match="not a purpose: 'mail'") as caught:
        Purpose.parse("mail")
    assert caught.value.hints == ("one of both, server, client",)


@pytest.mark.parametrize(("left", "hint"), [(10, "give --days 10"), (0, "renew the CA first: dicomtls certgen renew")])
def test_certificate_may_not_outlive_its_issuer(left: int, hint: str) -> None:
    """It would be worth nothing from then on; the hint says how long it may live."""
    key, name = KeyType.EC_P256.generate().public_key(), common_name("x")
    end = datetime.now(UTC) + timedelta(days=left)
    with pytest.raises(UsageError, match="would outlive its CA") as caught:
        new_builder(name, name, key, 20, not_after=end)
    assert caught.value.hints == (hint,)
    if left:
        new_builder(name, name, key, left, not_after=end)


@pytest.mark.parametrize("kind", [KeyType.EC_P256, KeyType.ED25519])
def test_issuer_is_named_by_its_own_identifier(kind: KeyType) -> None:
    """Also where that is no hash of its key, and where it has none."""
    key, name = kind.generate(), common_name("ca")
    plain = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
    )
    own = plain.add_extension(x509.SubjectKeyIdentifier(b"own"), critical=False)
    for builder, expected in (
        (own, b"own"),
        (plain, x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest),
    ):
        issuer = builder.sign(key, signature_hash(key))
        leaf = signed(issued_by(new_builder(name, name, key.public_key(), 1), issuer), key)
        found = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        assert found.key_identifier == expected


def test_key_usage_is_what_was_named() -> None:
    """And nothing else."""
    usage = key_usage("crl_sign", "digital_signature")
    assert (usage.crl_sign, usage.digital_signature, usage.key_cert_sign) == (True, True, False)


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (rsa.generate_private_key(65537, 2048), None),
        (ec.generate_private_key(ec.SECP256R1()), None),
        (ed25519.Ed25519PrivateKey.generate(), None),
        (rsa.generate_private_key(65537, 1024), "has 1024 bits, fewer than 2048"),  # noqa: S505 -- the point of it
        (ec.generate_private_key(ec.SECP192R1()), "has 192 bits, fewer than 224"),
        (x25519.X25519PrivateKey.generate(), "is of a kind that TLS peers do not take"),
    ],
    ids=["RSA 2048", "P-256", "Ed25519", "RSA 1024", "P-192", "X25519"],
)
def test_key_is_taken_where_peers_take_it(key: PrivateKeyTypes, error: str | None) -> None:
    """As `inspect-cert` judges it: what it would call a weak key is not certified."""
    public = key.public_key()
    if error is None:
        assert usable_key(public, "the key", "make another") is public
    else:
        with pytest.raises(UsageError, match=f"^the key {error}$") as caught:
            usable_key(public, "the key", "make another")
        assert caught.value.hints == ("make another",)
