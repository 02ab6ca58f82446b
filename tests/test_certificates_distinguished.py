"""dicomtls.certificates.distinguished: names as `cryptography` writes those of certificates, and no surprises."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from dicomtls.certificates.describe import readable_name
from dicomtls.certificates.distinguished import distinguished_name
from dicomtls.certificates.fields import UNREADABLE
from tests.support.mutations import mutations

KINDS = [
    NameOID.COMMON_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.ORGANIZATIONAL_UNIT_NAME,
    NameOID.LOCALITY_NAME,
    NameOID.DOMAIN_COMPONENT,
    NameOID.USER_ID,
    NameOID.TITLE,
    NameOID.SERIAL_NUMBER,
]
ATTRIBUTES = st.builds(
    x509.NameAttribute, st.sampled_from(KINDS), st.text(st.characters(codec="ascii"), min_size=1, max_size=20)
)
TEXTS = st.builds(x509.NameAttribute, st.just(NameOID.COMMON_NAME), st.text(min_size=1, max_size=15))
NAMES = st.lists(
    st.lists(ATTRIBUTES | TEXTS, min_size=1, max_size=2, unique_by=lambda one: one.oid).map(
        x509.RelativeDistinguishedName
    ),
    max_size=5,
).map(x509.Name)
NAME = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"), x509.NameAttribute(NameOID.COMMON_NAME, "Clinic CA")])


@example(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "0#")]))
@example(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "# ")]))
@given(NAMES)
def test_names_are_written_as_those_of_certificates(name: x509.Name) -> None:
    """Every kind of attribute, of text and of escape; a set's members have no order of their own."""
    written = distinguished_name(name.public_bytes())
    if all(len(list(relative)) == 1 for relative in name.rdns):
        assert written == readable_name(name)
    else:
        assert len(written) == len(readable_name(name))
    assert written.isprintable()


@given(st.binary(max_size=100) | mutations(NAME.public_bytes()))
def test_what_is_no_name_is_said_to_be_none(data: bytes) -> None:
    """And raises nothing."""
    assert distinguished_name(data).isprintable()


@pytest.mark.parametrize("data", [b"\x31\x00", b"\x30\x02\x31\x05", b"", b"\x30\x04\x31\x02\x30\x00"])
def test_broken_name_is_unreadable(data: bytes) -> None:
    """Another type, a length too long, nothing, an attribute without a value."""
    assert distinguished_name(data) == UNREADABLE
