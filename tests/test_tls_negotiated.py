"""dicomtls.tls.negotiated: the facts of a connection, and of a certificate as far as one line needs them."""

import dataclasses
import hashlib
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.certificates.describe import describe
from dicomtls.tls import PeerCertificate, client_context, client_handshake, negotiated, server_context, server_handshake
from dicomtls.waiting import deadline_in
from tests.support.chains import issue
from tests.support.handshakes import DEADLINE, client_settings, connected_sockets, server_settings, shake_hands
from tests.support.pki import PKI, Identity

SUBJECT_ALTERNATIVE_NAME = x509.ObjectIdentifier("2.5.29.17")
LETTERS = "abcxyz"  # few, so that neighbours are often alike; no digits, which could make an address
LABELS = st.text(LETTERS, min_size=1, max_size=3)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


def certificate(**others: Any) -> PeerCertificate:
    """A peer's certificate with these facts, and nothing else."""
    known: dict[str, Any] = {
        "subject": "",
        "issuer": "",
        "not_before": None,
        "not_after": None,
        "dns_names": (),
        "ip_addresses": (),
        "der": b"",
    }
    return PeerCertificate(**{**known, **others})


def seen_by_client(pki: PKI, identity: Identity, **options: Any) -> PeerCertificate:
    """What a client reads off the socket of a server with that certificate."""
    peer = shake_hands(client_settings(pki, pki.client, **options), server_settings(pki, identity)).client.agreed.peer
    assert peer is not None
    return peer


@pytest.mark.parametrize("role", ["server", "server_ec", "chained", "expiring"])
def test_certificate_is_read_alike_whether_it_was_verified_or_not(pki: PKI, role: str) -> None:
    """Python decodes only verified ones; the others are decoded all the same, and both as `--json` describes them."""
    identity = getattr(pki, role)
    verified, unverified = seen_by_client(pki, identity), seen_by_client(pki, identity, insecure=True)
    assert verified == unverified
    description = describe(identity.cert_der.read_bytes())
    for fact in ("subject", "issuer", "not_before", "not_after", "dns_names", "ip_addresses", "fingerprint_sha256"):
        assert getattr(verified, fact) == getattr(description, fact), fact


def test_fingerprint_is_that_of_openssl(pki: PKI) -> None:
    """SHA-256 of the DER, in lower-case hexadecimal."""
    der = pki.server.cert_der.read_bytes()
    assert certificate(der=der).fingerprint_sha256 == hashlib.sha256(der).hexdigest()


def test_negotiated_outlives_the_connection(pki: PKI) -> None:
    """Nothing has to be asked of a connection that is gone, and the facts cannot be changed."""
    client, server_ssl = client_settings(pki, pki.client), server_context(server_settings(pki))
    with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
        serving = thread.submit(server_handshake, far, server_ssl, deadline=deadline_in(DEADLINE))
        sock, agreed = client_handshake(
            near, client_context(client), client, host="localhost", deadline=deadline_in(DEADLINE)
        )
        serving.result()[0].close()
        sock.close()
    assert agreed.protocol == "TLSv1.3"
    assert agreed.peer is not None
    with pytest.raises(dataclasses.FrozenInstanceError):
        agreed.verified = False  # type: ignore[misc]  # the point of the test
    assert "der" not in repr(agreed).replace("order", "")


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"dns_names": ("pacs", "other"), "ip_addresses": ("::1",), "subject": "CN=x"}, "pacs"),
        ({"ip_addresses": ("192.0.2.1",), "subject": "CN=x"}, "192.0.2.1"),
        ({"subject": "CN=x"}, "CN=x"),
        ({}, "(no name)"),
    ],
)
def test_certificate_is_called_by_the_name_that_counts(facts: dict[str, Any], name: str) -> None:
    """A DNS name, an address, the subject, in this order."""
    assert certificate(**facts).name == name


def test_days_left_are_whole_days() -> None:
    """Zero on the last day, negative afterwards, None where there is no date."""
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    for left, days in ((timedelta(days=2, hours=1), 2), (timedelta(hours=1), 0), (timedelta(seconds=-1), -1)):
        assert certificate(not_after=now + left).days_left(now) == days
    assert certificate().days_left() is None
    assert certificate(not_after=datetime.now(UTC) + timedelta(days=10, hours=1)).days_left() == 10


@given(name=NAMES)
def test_name_matches_itself_in_any_case(name: str) -> None:
    """DNS names know no case, and a final dot changes nothing on either side."""
    for presented in (name, name.upper(), f"{name}."):
        for wanted in (name, name.title(), f"{name}."):
            assert certificate(dns_names=("x.y", presented)).matches(wanted)


@given(name=NAMES, label=LABELS)
def test_name_does_not_match_another(name: str, label: str) -> None:
    """Neither a longer nor a shorter one, nor an address of the same text."""
    peer = certificate(dns_names=(name,))
    assert not peer.matches(f"{label}.{name}")
    assert not peer.matches(f"{name}{label}")
    assert not certificate(ip_addresses=(name,)).matches(name)


@given(rest=NAMES, label=LABELS, other=LABELS)
def test_wildcard_stands_for_one_label(rest: str, label: str, other: str) -> None:
    """The leftmost, whole, never below a top-level domain (RFC 9525 section 6.3)."""
    peer = certificate(dns_names=(f"*.{rest}",))
    assert peer.matches(f"{label}.{rest}") is ("." in rest)
    assert not peer.matches(rest)
    assert not peer.matches(f"{other}.{label}.{rest}")
    assert not certificate(dns_names=(f"{label}.*.{rest}", f"{label}*.{rest}", "*")).matches(f"{label}.{rest}")


@pytest.mark.parametrize(
    ("presented", "wanted", "matches"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("fe80::1", "fe80::1%eth0", True),
        ("192.0.2.7", "192.0.2.7%eth0", False),
        ("2001:db8::a", "2001:DB8::A", True),
        ("::ffff:127.0.0.1", "127.0.0.1", False),
        ("nonsense", "127.0.0.1", False),
    ],
)
def test_address_is_compared_as_a_number(presented: str, wanted: str, *, matches: bool) -> None:
    """Not as text, and never with a DNS name that looks like one."""
    assert certificate(ip_addresses=(presented,)).matches(wanted) is matches
    assert not certificate(dns_names=(presented,)).matches(wanted)


@given(presented=st.text(max_size=30), wanted=st.text(max_size=30))
def test_any_text_can_be_compared(presented: str, wanted: str) -> None:
    """Both come from strangers."""
    peer = certificate(dns_names=(presented,), ip_addresses=(presented,))
    assert isinstance(peer.matches(wanted), bool)


@given(moment=st.datetimes(datetime(1950, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001 -- hypothesis wants it naive
def test_time_is_read_as_openssl_prints_it(moment: datetime) -> None:
    """As `ssl.cert_time_to_seconds` reads it too, for every date that a certificate can have."""
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    month = negotiated._MONTHS[moment.month - 1]
    text = f"{month} {moment.day:2d} {moment:%H:%M:%S} {moment.year} GMT"
    assert negotiated._time(text) == moment
    assert ssl.cert_time_to_seconds(text) == int(moment.timestamp())


@pytest.mark.parametrize(
    ("presented", "wanted"), [("pac\u017f.example", "pacs.example"), ("*.clinic.\u212aa", "pacs.clinic.ka")]
)
def test_name_that_only_folds_into_another_does_not_match(presented: str, wanted: str) -> None:
    """A long s and the sign of Kelvin: names in certificates are ASCII (RFC 5280 section 4.2.1.6)."""
    assert presented.casefold().endswith(wanted[-9:])
    assert not certificate(dns_names=(presented,)).matches(wanted)


@pytest.mark.parametrize(
    "text",
    [None, "", "Bad time value", "Feb 30 00:00:00 2026 GMT", "Jan  1 00:00:00 0 GMT", f"Jan  1 00:00:00 {10**30} GMT"],
)
def test_time_that_is_none_is_unknown(text: str | None) -> None:
    """What OpenSSL cannot print, and what Python cannot compute with."""
    assert negotiated._time(text) is None


@given(text=st.text(max_size=30) | st.from_regex(r"[A-Z][a-z]{2} .{1,2} ..:..:.. .{1,6} GMT", fullmatch=True))
def test_any_time_can_be_read(text: str) -> None:
    """No text raises."""
    assert isinstance(negotiated._time(text), datetime | None)


def test_broken_address_of_a_certificate_is_shown_as_it_is(pki: PKI, tmp_path: Path) -> None:
    """An address of five bytes: OpenSSL says that it is invalid, and nothing matches it."""
    broken = x509.UnrecognizedExtension(SUBJECT_ALTERNATIVE_NAME, bytes.fromhex("300d 8705 0102030405 8204 70616373"))
    identity = issue("broken", hosts=(), extensions=[(broken, False)]).write_as(tmp_path)
    peer = seen_by_client(pki, identity, insecure=True)
    assert peer.dns_names == ("pacs",)
    assert len(peer.ip_addresses) == 1
    assert not peer.matches("1.2.3.4")


@pytest.mark.parametrize("options", [{}, {"insecure": True}])
def test_name_that_is_no_text_spoils_nothing(pki: PKI, tmp_path: Path, options: dict[str, Any]) -> None:
    """Python's ssl raises UnicodeDecodeError at whatever a stranger sends: the rest is read all the same."""
    names = bytes.fromhex("3012 8205 ff616373fe 8209") + b"localhost"
    broken = x509.UnrecognizedExtension(SUBJECT_ALTERNATIVE_NAME, names)
    identity = issue("broken", hosts=(), extensions=[(broken, False)]).write_as(tmp_path)
    pair = shake_hands(
        client_settings(pki, pki.client, **{"ca": (identity.cert,), **options}), server_settings(pki, identity)
    )
    agreed = pair.client.agreed
    assert agreed.peer is not None
    assert agreed.peer.dns_names == (r"\xffacs\xfe", "localhost")
    assert agreed.peer.subject == "CN=broken"
    assert agreed.peer.not_after is not None
    assert agreed.name_matched is True


def test_certificate_that_nobody_can_read_is_known_by_its_fingerprint() -> None:
    """A name that is no text for Python, and bytes that are cut short for us: no facts, and no error."""
    broken = x509.UnrecognizedExtension(SUBJECT_ALTERNATIVE_NAME, bytes.fromhex("3004 8202 fffe"))
    der = issue("broken", hosts=(), extensions=[(broken, False)]).der

    class Spoiled:
        """An SSLObject that has decoded nothing."""

        def getpeercert(self, *, binary_form: bool = False) -> bytes:
            """The bytes; what they say is no text."""
            if binary_form:
                return der[:-1]
            return str(b"\xff", "utf-8").encode()

    peer = negotiated.peer_certificate(Spoiled())  # type: ignore[arg-type]  # all that is used of it
    assert peer == certificate(der=der[:-1])
    assert peer is not None
    assert peer.name == "(no name)"


def test_names_of_many_kinds_are_written_short(pki: PKI, tmp_path: Path) -> None:
    """Known attributes by their letters, others by OpenSSL's names, as in what inspect-cert says."""
    named = issue("named")
    attributes = (
        (NameOID.COUNTRY_NAME, "DE"),
        (NameOID.STATE_OR_PROVINCE_NAME, "Hessen"),
        (NameOID.ORGANIZATION_NAME, "Klinik, Süd"),
        (NameOID.EMAIL_ADDRESS, "it@klinik.example"),
        (NameOID.COMMON_NAME, "pacs"),
    )
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
    builder = x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=named.key.public_key())
    now = datetime.now(UTC)
    builder = builder.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    identity = dataclasses.replace(named, cert=builder.sign(named.key, hashes.SHA256())).write_as(tmp_path, name="many")
    peer = seen_by_client(pki, identity, insecure=True)
    assert peer.subject == describe(peer.der).subject == r"CN=pacs,E=it@klinik.example,O=Klinik\, Süd,ST=Hessen,C=DE"
    assert peer.name == peer.subject


class SocketOfTomorrow:
    """A socket that knows the group by itself, as from Python 3.15 on."""

    def __init__(self, answer: str | type[Exception] | None) -> None:
        self.answer = answer

    def group(self) -> str | None:
        """The group's name, None where no group was needed."""
        if isinstance(self.answer, type):
            raise self.answer
        return self.answer


def test_group_is_asked_of_pythons_that_know_it() -> None:
    """Where the messages do not tell; older Pythons answer with None, newer ones over an old OpenSSL raise."""
    for answer, group in (("x25519", "x25519"), (None, None), (NotImplementedError, None)):
        assert negotiated._public_group(SocketOfTomorrow(answer)) == group  # type: ignore[arg-type]  # all that is used
    assert negotiated._public_group(object()) is None  # type: ignore[arg-type]  # a socket of today
