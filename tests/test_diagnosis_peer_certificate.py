"""dicomtls.diagnosis.peer_certificate: reading the certificates in the facts, whatever a stranger put there."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.diagnosis.peer_certificate import (
    describe_or_none,
    first_expired,
    first_not_yet_valid,
    has_address_as_name,
    issuer_key_identifier,
    leaf,
    leaf_permits_role,
    names,
    names_issuer_address,
    our_clock,
    server_name_to_give,
    strings,
)
from dicomtls.handshake_facts import HandshakeFacts
from tests.support.chains import Issued, issue
from tests.support.mutations import mutations

ACCESS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.1")
GOOD = issue("good", hosts=["pacs.example", "192.0.2.7"])
OLD = issue("old", ends=timedelta(days=-1))
EARLY = issue("early", starts=timedelta(days=1))


def facts(*chain: Issued | bytes) -> HandshakeFacts:
    """Facts with this chain."""
    return HandshakeFacts(chain_der=tuple(one if isinstance(one, bytes) else one.der for one in chain))


def test_leaf_is_described_as_json_has_it() -> None:
    """The first certificate; nothing where there is none, or none that can be read."""
    assert leaf(facts(GOOD, OLD))["subject"] == "CN=good"
    assert leaf(facts()) == {}
    assert leaf(facts(b"junk", GOOD)) == {}
    assert describe_or_none(b"") is None


def test_names_are_those_that_count() -> None:
    """DNS names, then addresses; else the subject, and (unknown) where there is no certificate."""
    assert names(facts(GOOD)) == "pacs.example, 192.0.2.7"
    assert names(facts(issue("bare", hosts=()))) == "no name at all, only the subject CN=bare"
    assert names(facts()) == "no name at all, only the subject (unknown)"
    many = names(facts(issue("many", hosts=[f"h{number}" for number in range(20)])))
    assert many.count(",") == 9
    assert many.endswith("h9 and 10 more")


def test_name_to_give_is_one_that_can_be_asked_for() -> None:
    """No wildcard, and no address among the DNS names, which are told apart in the list."""
    odd = x509.SubjectAlternativeName([x509.DNSName(name) for name in ("*.example", "192.0.2.9", "pacs.example")])
    leaf_with_odd_names = issue("odd", hosts=(), extensions=[(odd, False)])
    assert names(facts(leaf_with_odd_names)) == "*.example, the DNS name 192.0.2.9, pacs.example"
    assert server_name_to_give(facts(leaf_with_odd_names)) == "pacs.example"
    assert server_name_to_give(facts(issue("addresses", hosts=["192.0.2.7"]))) == "192.0.2.7"
    assert server_name_to_give(facts(issue("wild", hosts=["*.example"]))) is None
    assert server_name_to_give(facts()) is None
    for wanted, expected in (("192.0.2.9", True), ("192.0.2.8", False), ("pacs.example", False), (None, False)):
        asked = HandshakeFacts(reference_name=wanted, chain_der=(leaf_with_odd_names.der,))
        assert has_address_as_name(asked) is expected


@pytest.mark.parametrize(
    "name",
    ["pacs --insecure", "--insecure", "$(reboot)", "a;reboot", "a|b", "a`b`", "a\nb", "a'b", 'a"b', "x" * 254, "a&b"],
)
def test_name_that_a_shell_would_take_for_more_is_not_given(name: str) -> None:
    """A stranger's certificate could put it into a command line of ours; the next name is given instead."""
    for others, expected in (((), None), (("pacs_1.example",), "pacs_1.example")):
        every = x509.SubjectAlternativeName([x509.DNSName(one) for one in (name, *others)])
        assert server_name_to_give(facts(issue("odd", hosts=(), extensions=[(every, False)]))) == expected


@pytest.mark.parametrize("octets", [b"", b"abc", bytes(5)])
def test_address_that_is_none_is_not_given(octets: bytes) -> None:
    """Four bytes or sixteen make one."""
    entry = b"\x87" + bytes([len(octets)]) + octets
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), b"\x30" + bytes([len(entry)]) + entry)
    assert server_name_to_give(facts(issue("odd", hosts=(), extensions=[(broken, False)]))) is None


def test_leaf_is_asked_whether_its_role_is_permitted() -> None:
    """The server's as a client sees it, the client's as a server does."""
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    server = issue("server", extensions=[(usage, False)])
    for role, expected in (("client", True), ("server", False)):
        assert leaf_permits_role(HandshakeFacts(role=role, chain_der=(server.der, OLD.der))) is expected
    assert not leaf_permits_role(facts())
    assert not leaf_permits_role(facts(b"junk"))


def test_first_certificate_out_of_its_time_is_found() -> None:
    """Wherever it stands in the chain; unreadable ones are passed over."""
    for chain, expired, early in (
        ((GOOD,), None, None),
        ((GOOD, OLD, EARLY), "CN=old", "CN=early"),
        ((b"junk", EARLY, OLD), "CN=old", "CN=early"),
        ((OLD,), "CN=old", None),
        ((EARLY,), None, "CN=early"),
        ((), None, None),
    ):
        found = first_expired(facts(*chain)), first_not_yet_valid(facts(*chain))
        assert tuple(one and one["subject"] for one in found) == (expired, early)


def test_unreadable_dates_are_neither_past_nor_future() -> None:
    """A date that is none is shown as unknown rather than as a reason."""
    broken = GOOD.der.replace(b"Z\x17\x0d", b"X\x17\x0d", 1)  # the end of not before
    description = describe_or_none(broken)
    assert description is not None
    assert description["not_before"] is None
    assert first_not_yet_valid(facts(broken)) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # SEQUENCE of AccessDescription: method and location.
        ("3010 300e 06082b06010505073002 8602783a", True),
        ("3010 300e 06082b06010505073001 8602783a", False),
        ("3020 300e 06082b06010505073001 8602783a 300e 06082b06010505073002 8602783a", True),
        ("3000", False),
        ("3002 3000", False),
        ("3004 3002 0500", False),
        ("0500", False),
        ("", False),
    ],
    ids=["issuer", "responder", "both", "empty", "empty description", "no method", "no list", "nothing"],
)
def test_address_of_the_issuer_is_found(value: str, *, expected: bool) -> None:
    """In the extension that is for it, and broken ones harm nothing."""
    extension = x509.UnrecognizedExtension(ACCESS, bytes.fromhex(value))
    assert names_issuer_address(issue("leaf", extensions=[(extension, False)]).der) is expected
    assert not names_issuer_address(GOOD.der)
    assert not names_issuer_address(b"junk")


@given(data=mutations(GOOD.der))
def test_damaged_certificate_is_read_as_far_as_it_goes(data: bytes) -> None:
    """Nothing that a peer sends raises."""
    damaged = facts(data)
    assert isinstance(names(damaged), str)
    assert isinstance(names_issuer_address(data), bool)
    server_name_to_give(damaged)
    leaf_permits_role(damaged)
    first_expired(damaged)
    first_not_yet_valid(damaged)


@given(value=st.none() | st.integers() | st.text() | st.lists(st.text()))
def test_only_lists_are_lists(value: object) -> None:
    """What a description has under a name may be anything."""
    assert strings(value) == (value if isinstance(value, list) else [])


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        (timedelta(days=-24, minutes=-5), "(24 days ago;"),
        (timedelta(hours=3, minutes=5), "(3 hours from now;"),
        (timedelta(minutes=-50, seconds=-30), "(50 minutes ago;"),
        (timedelta(hours=47, minutes=59), "(47 hours from now;"),
    ],
)
def test_date_is_said_with_our_clock(offset: timedelta, text: str) -> None:
    """A reader sees which of the two is wrong."""
    moment = (datetime.now(UTC) + offset).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = our_clock({"not_after": moment}, "not_after")
    assert text in said
    assert f"our clock says {datetime.now(UTC):%Y-%m-%d}" in said


@pytest.mark.parametrize("culprit", [None, {}, {"not_after": None}, {"not_after": "soon"}])
def test_unknown_date_has_no_distance(culprit: dict[str, object] | None) -> None:
    """Nothing is computed from nothing."""
    assert our_clock(culprit, "not_after") == ""


def test_key_of_the_missing_issuer_is_named() -> None:
    """As `openssl x509 -ext authorityKeyIdentifier` writes it; a certificate without one has none."""
    identifier = issuer_key_identifier(facts(GOOD))
    assert identifier is None or set(identifier) <= set("0123456789ABCDEF:")
    named = x509.AuthorityKeyIdentifier(bytes.fromhex("aa01ff"), None, None)
    assert issuer_key_identifier(facts(issue("leaf", extensions=[(named, False)]))) == "AA:01:FF"
    by_name = x509.AuthorityKeyIdentifier(None, [x509.DNSName("a")], 1)
    assert issuer_key_identifier(facts(issue("leaf", extensions=[(by_name, False)]))) is None
    assert issuer_key_identifier(facts()) is issuer_key_identifier(facts(b"junk")) is None
