"""dicomtls.certificates.der: the bounded ASN.1 reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.certificates.der import (
    MAXIMUM_ITERATIONS,
    DERError,
    check_derivation_cost,
    children,
    first_element,
    tokens,
)
from tests.support.asn1 import PBKDF2, SCRYPT, encrypted_key, integer, octets, oid, pfx, sequence


def test_children_are_read_in_order_with_their_raw_bytes() -> None:
    """Every element side by side is found, content and whole."""
    first, second = children(integer(5) + octets(b"ab"))
    assert (first.tag, first.content) == (0x02, b"\x05")
    assert (second.content, second.raw) == (b"ab", b"\x04\x02ab")


@pytest.mark.parametrize(
    "data",
    [
        b"\x30",
        b"\x30\x05\x02",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x85\x00\x00\x00\x00\x00",
        b"\x30\x80\x00\x00",
        b"\x1f\x81\x01\x00",
        b"\x04\x80\x00\x00",
    ],
    ids=["half header", "short", "4 GB", "5 length bytes", "indefinite", "high tag", "primitive indefinite"],
)
def test_children_refuse_what_is_not_der(data: bytes) -> None:
    """A length that does not fit, and every form that DER forbids, is an error before memory is taken."""
    with pytest.raises(DERError):
        children(data)


def test_first_element_drops_what_follows() -> None:
    """A line feed after a DER file is not part of it."""
    assert first_element(sequence(integer(1)) + b"\n") == sequence(integer(1))


def test_tokens_step_into_indefinite_lengths() -> None:
    """BER as NSS writes it is read flat, ends of contents included."""
    assert list(tokens(b"\x30\x80" + integer(1) + b"\x00\x00")) == [(0x30, b""), (0x02, b"\x01"), (0x00, b"")]


def test_tokens_end_after_a_limit() -> None:
    """Megabytes of tiny elements are refused, not walked."""
    with pytest.raises(DERError, match="too many"):
        list(tokens(b"\x05\x00" * 300_000))


@pytest.mark.parametrize("iterations", [2048, 600_000, MAXIMUM_ITERATIONS // 2 - 3])
def test_derivation_cost_passes_for_honest_counts(iterations: int) -> None:
    """What real archives ask for is no reason to refuse them."""
    check_derivation_cost(pfx(mac_iterations=iterations, bag_iterations=iterations))


@pytest.mark.parametrize(
    "data",
    [
        pfx(mac_iterations=1_000_000_000),
        pfx(bag_iterations=1_000_000_000),
        pfx(bag_iterations=1_000_000_000, chunk=7),
        pfx(mac_iterations=MAXIMUM_ITERATIONS // 2 + 1, bag_iterations=MAXIMUM_ITERATIONS // 2 + 1),
        pfx(mac_iterations=256**5000),
        encrypted_key(PBKDF2, integer(1_000_000_000)),
        encrypted_key(PBKDF2, integer(1) + integer(1_000_000_000)),
        encrypted_key(PBKDF2, b"\x02\x04\xff\xff\xff\xff"),
        encrypted_key(SCRYPT, integer(2**20) + integer(8) + integer(1)),
        encrypted_key(SCRYPT, integer(2) + integer(8) + integer(2**30)),
    ],
    ids=[
        "mac",
        "bag",
        "bag in chunks that cut elements",
        "sum",
        "5 kB of digits",
        "PBKDF2",
        "PBKDF2 key length",
        "negative",
        "scrypt memory",
        "scrypt lanes",
    ],
)
def test_derivation_cost_is_refused_when_it_would_take_minutes(data: bytes) -> None:
    """The counts are found wherever they stand, and added up."""
    with pytest.raises(DERError, match="asks for"):
        check_derivation_cost(data)


def test_derivation_cost_adds_up_over_several_parts() -> None:
    """A hundred keys of a million iterations each are as bad as one of a hundred million."""
    part = encrypted_key(PBKDF2, integer(1_000_000))
    check_derivation_cost(part)
    with pytest.raises(DERError):
        check_derivation_cost(*[part] * 100)


def test_derivation_cost_passes_for_recommended_scrypt() -> None:
    """N = 2^17, r = 8, p = 1, the strongest of OWASP's list, is let through."""
    check_derivation_cost(encrypted_key(SCRYPT, integer(2**17) + integer(8) + integer(1) + integer(32)))


def test_derivation_cost_is_refused_when_structures_nest_without_end() -> None:
    """Data within data within data ends in an error, not in a recursion."""
    data = integer(1)
    for _ in range(30):
        data = sequence(oid(bytes.fromhex("2a864886f70d010701")), octets(data))
    with pytest.raises(DERError, match="nested"):
        check_derivation_cost(data)


@given(st.binary(max_size=200))
def test_nothing_but_der_errors_come_out_of_any_bytes(data: bytes) -> None:
    """Whatever the bytes, reading them ends, with values or with `DERError`."""
    for read in (children, first_element, check_derivation_cost, lambda data: list(tokens(data))):
        try:
            read(data)
        except DERError as error:
            assert str(error)  # noqa: PT017 - either way is right, but never another exception
