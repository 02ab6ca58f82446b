"""dicomtls.certificates.escaping: values of distinguished names."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.certificates.escaping import escaped


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Klinik, Süd", r"Klinik\, Süd"),
        (" a b ", r"\ a b\ "),
        ("#1", r"\#1"),
        ("a#", "a#"),
        ("x\n\x1b[1m", r"x\0A\1B[1m"),
        ("", ""),
    ],
)
def test_value_is_written_as_rfc_4514_says(value: str, expected: str) -> None:
    """What a name is made with is escaped, and what a terminal would obey."""
    assert escaped(value) == expected


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20))
def test_others_read_the_same_value_back(value: str) -> None:
    """Every character that is printed; of others the oldest cryptography takes each escaped byte for a character."""
    (attribute,) = x509.Name.from_rfc4514_string(f"CN={escaped(value)}").get_attributes_for_oid(NameOID.COMMON_NAME)
    assert attribute.value == value
