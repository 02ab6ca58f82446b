"""What every certificate of ours has; `test_certificates_issue` holds it against OpenSSL."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from dicomtls.certificates.building import KeyType, Purpose, common_name, issued_by, new_builder, signature_hash, signed
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
