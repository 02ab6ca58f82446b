"""dicomtls.diagnosis.causes: what is said of each failure, by real certificates that have it, from both sides."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from dicomtls.diagnosis import Diagnosis, diagnose
from dicomtls.diagnosis.causes import _CAUSES, cause_of
from dicomtls.errors import By, ExitStatus, HandshakeError
from dicomtls.handshake_facts import HandshakeFacts
from tests.support.chains import Issued, issue
from tests.support.handshakes import TLS_CODES, client_settings, server_settings, shake_hands
from tests.support.openssl import openssl
from tests.support.pki import PKI, Identity

YESTERDAY, TOMORROW = timedelta(days=-1), timedelta(days=1)
ROOT = issue("the root", is_ca=True)
MIDDLE = issue("the middle", ROOT, is_ca=True)


@dataclass(frozen=True)
class Chain:
    """What a peer sends, and the anchor of whoever judges it."""

    sent: Sequence[Issued]
    anchor: Issued = ROOT


def described(leaf: Issued, *others: Issued, anchor: Issued = ROOT) -> Chain:
    """A chain, leaf first."""
    return Chain((leaf, *others), anchor)


def where_to_fetch() -> x509.AuthorityInformationAccess:
    """The extension that says where the issuer's certificate is."""
    location = x509.UniformResourceIdentifier("http://pki.example/ca.cer")
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, location)])


def where_to_ask() -> x509.AuthorityInformationAccess:
    """The same extension with the address of an OCSP responder only."""
    location = x509.UniformResourceIdentifier("http://ocsp.example/")
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location)])


def date_of(issued: Issued, which: str) -> str:
    """A date as messages have it."""
    moment = issued.cert.not_valid_after_utc if which == "after" else issued.cert.not_valid_before_utc
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def purpose(*oids: x509.ObjectIdentifier) -> tuple[x509.ExtensionType, bool]:
    """An extended key usage."""
    return x509.ExtendedKeyUsage(oids), False


EXPIRED = issue("old", ROOT, ends=YESTERDAY)
EXPIRED_MIDDLE = issue("the old middle", ROOT, is_ca=True, ends=YESTERDAY)
EXPIRED_ROOT = issue("the old root", is_ca=True, ends=YESTERDAY)
EARLY = issue("early", ROOT, starts=TOMORROW)
EARLY_MIDDLE = issue("the early middle", ROOT, is_ca=True, starts=TOMORROW)
EARLY_ROOT = issue("the early root", is_ca=True, starts=TOMORROW)
NO_AUTHORITY = issue("no authority", ROOT)
SHORT = issue("short", ROOT, is_ca=True, path_length=0)
BELOW_SHORT = issue("below short", SHORT, is_ca=True)
CONSTRAINED = issue(
    "constrained",
    ROOT,
    is_ca=True,
    extensions=[(x509.NameConstraints([x509.DNSName("hospital.example")], None), True)],
)
FOR_CODE = issue("for code", ROOT, is_ca=True, extensions=[purpose(ExtendedKeyUsageOID.CODE_SIGNING)])
SELF_SIGNED = issue("alone")
NAMESAKE = issue("the root", is_ca=True)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")

# Code, what is sent, what the message must have; `{whose}` is the peer's or the client's.
CERTIFICATES: dict[str, tuple[str, Chain, list[str]]] = {
    "expired leaf": ("expired", described(EXPIRED), [f"{{whose}} certificate expired on {date_of(EXPIRED, 'after')}"]),
    "expired intermediate": (
        "expired",
        described(issue("leaf", EXPIRED_MIDDLE), EXPIRED_MIDDLE),
        ["the certificate of CN=the old middle", "{whose} certificate", date_of(EXPIRED_MIDDLE, "after")],
    ),
    "expired anchor": (
        "expired",
        described(issue("leaf", EXPIRED_ROOT), anchor=EXPIRED_ROOT),
        ["{whose} certificate", "an authority among our trust anchors that has expired"],
    ),
    "early leaf": ("not-yet-valid", described(EARLY), [f"not valid before {date_of(EARLY, 'before')}", "{whose}"]),
    "early intermediate": (
        "not-yet-valid",
        described(issue("leaf", EARLY_MIDDLE), EARLY_MIDDLE),
        ["the certificate of CN=the early middle", date_of(EARLY_MIDDLE, "before")],
    ),
    "early anchor": (
        "not-yet-valid",
        described(issue("leaf", EARLY_ROOT), anchor=EARLY_ROOT),
        ["an authority among our trust anchors that is not valid yet"],
    ),
    "unknown issuer": (
        "unknown-issuer",
        described(issue("leaf", issue("stranger", is_ca=True))),
        ["{whose} certificate was issued by CN=stranger, whom we do not trust"],
    ),
    "unknown root that is sent": (
        "unknown-issuer",
        described(issue("leaf", stranger := issue("stranger", is_ca=True)), stranger),
        ["{whose} certificate was issued by CN=stranger"],
    ),
    "missing intermediate": (
        "unknown-issuer",
        described(issue("leaf", MIDDLE)),
        ["{whose} certificate was issued by CN=the middle"],
    ),
    "missing intermediate, with its address": (
        "incomplete-chain",
        described(issue("leaf", MIDDLE, extensions=[(where_to_fetch(), False)])),
        ["{whose} certificate", "CN=the middle is missing"],
    ),
    "missing intermediate, with another address": (
        "unknown-issuer",
        described(issue("leaf", MIDDLE, extensions=[(where_to_ask(), False)])),
        ["CN=the middle"],
    ),
    "missing upper intermediate": (
        "incomplete-chain",
        described(issue("leaf", lower := issue("lower", MIDDLE, is_ca=True)), lower),
        ["{whose} certificate", "CN=the middle is missing"],
    ),
    "self-signed": ("self-signed", described(SELF_SIGNED), ["{whose} certificate is self-signed (CN=alone)"]),
    "namesake of the anchor": (
        "bad-signature",
        described(issue("leaf", NAMESAKE)),
        ["{whose} certificate or one of its issuers bears a signature that is not right"],
    ),
    "issued by a leaf": (
        "invalid-ca",
        described(issue("leaf", NO_AUTHORITY), NO_AUTHORITY),
        ["{whose} certificate was issued by a certificate that is no authority's"],
    ),
    "too long": (
        "path-length-exceeded",
        described(issue("leaf", BELOW_SHORT), BELOW_SHORT, SHORT),
        ["{whose} certificate comes with a longer chain"],
    ),
    "outside the constraints": (
        "name-not-permitted",
        described(issue("leaf", CONSTRAINED), CONSTRAINED),
        ["{whose} certificate has a name that its authority may not give"],
    ),
    "critical extension": (
        "unknown-critical-extension",
        described(issue("leaf", ROOT, extensions=[(UNKNOWN, True)])),
        ["{whose} certificate has a critical extension"],
    ),
    "wrong purpose": (
        "wrong-purpose",
        described(issue("leaf", ROOT, extensions=[purpose(ExtendedKeyUsageOID.CODE_SIGNING)])),
        ["{whose} certificate is not made for a TLS {role}"],
    ),
    "authority of the wrong purpose": (
        "wrong-purpose",
        described(issue("leaf", FOR_CODE), FOR_CODE),
        ["an authority of the {whose} certificate may not issue for a TLS {role}"],
    ),
}


def judged(pki: PKI, directory: Path, chain: Chain, role: str) -> tuple[Diagnosis, Diagnosis]:
    """What is said by who judges `chain`, as `role`, and by who has it."""
    leaf, *others = chain.sent
    identity = leaf.write_as(directory, *others)
    anchor = directory / "anchor.pem"
    anchor.write_bytes(chain.anchor.pem)
    if role == "client":
        pair = shake_hands(client_settings(pki, pki.client, ca=(anchor,)), server_settings(pki, identity))
        return pair.client.diagnosis, pair.server.diagnosis
    pair = shake_hands(client_settings(pki, identity), server_settings(pki, ca=(anchor,)))
    return pair.server.diagnosis, pair.client.diagnosis


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("case", CERTIFICATES)
def test_faulty_certificate_is_explained_with_its_facts(pki: PKI, tmp_path: Path, case: str, role: str) -> None:
    """Whoever judges names the fault and the certificate that has it; the other end learns that it was refused."""
    code, chain, texts = CERTIFICATES[case]
    ours, theirs = judged(pki, tmp_path, chain, role)
    whose, what = ("peer's", "server") if role == "client" else ("client's", "client")
    assert (ours.code, ours.stage, ours.by, ours.exit_status) == (code, "tls", By.US, ExitStatus.TLS)
    for text in texts:
        assert text.format(whose=whose, role=what) in ours.message
    assert ours.hints
    assert ours.evidence["reason"] == "CERTIFICATE_VERIFY_FAILED"
    assert theirs.by is By.PEER
    assert theirs.code == "client-certificate-refused" if role == "server" else theirs.code.startswith("alert-")


@pytest.mark.parametrize("role", ["client", "server"])
def test_good_chain_is_no_failure(pki: PKI, tmp_path: Path, role: str) -> None:
    """The positive twin: the same kind of chain without a fault."""
    leaf = issue("leaf", MIDDLE, extensions=[purpose(ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)])
    with pytest.raises(AssertionError, match="no error"):
        judged(pki, tmp_path, described(leaf, MIDDLE), role)


@pytest.mark.parametrize(
    ("case", "client", "server"),
    [
        ("self-signed", ["--ca", "--pin"], ["--ca"]),
        ("unknown issuer", ["--ca", "inspect-cert"], ["--ca", "whole chain"]),
    ],
)
def test_hints_are_those_of_the_role(pki: PKI, tmp_path: Path, case: str, client: list[str], server: list[str]) -> None:
    """Pins, and looking at a peer, are a client's; a server has its devices' certificates as anchors."""
    _, chain, _ = CERTIFICATES[case]
    for role, words in (("client", client), ("server", server)):
        directory = tmp_path / role
        directory.mkdir()
        hints = " ".join(judged(pki, directory, chain, role)[0].hints)
        assert all(word in hints for word in words)
        assert role == "client" or not re.search("--pin|s_client", hints)


# -- names --------------------------------------------------------------------------------------------------------


def name_diagnosis(pki: PKI, directory: Path, hosts: Sequence[str], host: str) -> Diagnosis:
    """What is said of a certificate with these names by who wanted another."""
    identity = issue("the subject", hosts=hosts).write_as(directory)
    client = client_settings(pki, pki.client, ca=(identity.cert,))
    return shake_hands(client, server_settings(pki, identity), host=host).client.diagnosis


def test_wrong_name_lists_those_that_there_are(pki: PKI, tmp_path: Path) -> None:
    """The name wanted, the names there, and both ways on, ready to be pasted."""
    diagnosis = name_diagnosis(pki, tmp_path, ["pacs.example", "192.0.2.7"], "somebody.else")
    assert diagnosis.code == "name-mismatch"
    assert "not made out to somebody.else: it has pacs.example, 192.0.2.7" in diagnosis.message
    assert any("--server-name pacs.example" in hint for hint in diagnosis.hints)
    assert any("--no-verify-name" in hint for hint in diagnosis.hints)


def test_certificate_with_addresses_only_proposes_one(pki: PKI, tmp_path: Path) -> None:
    """An address is a server name too."""
    diagnosis = name_diagnosis(pki, tmp_path, ["192.0.2.7"], "192.0.2.8")
    assert "it has 192.0.2.7" in diagnosis.message
    assert any("--server-name 192.0.2.7" in hint for hint in diagnosis.hints)


def test_certificate_without_a_name_says_where_it_has_one(pki: PKI, tmp_path: Path) -> None:
    """Most devices have their name in the subject only, which does not count."""
    diagnosis = name_diagnosis(pki, tmp_path, [], "the subject")
    assert "no name at all, only the subject CN=the subject" in diagnosis.message
    assert any("RFC 9525" in hint for hint in diagnosis.hints)
    assert not any("--server-name" in hint for hint in diagnosis.hints)


def test_address_that_stands_as_a_name_is_said_to_stand_there(pki: PKI, tmp_path: Path) -> None:
    """Many tools write it so, and it looks right to whoever reads the list."""
    names = x509.SubjectAlternativeName([x509.DNSName("192.0.2.7")])
    identity = issue("the subject", hosts=(), extensions=[(names, False)]).write_as(tmp_path)
    client = client_settings(pki, pki.client, ca=(identity.cert,))
    diagnosis = shake_hands(client, server_settings(pki, identity), host="192.0.2.7").client.diagnosis
    assert "not made out to 192.0.2.7: it has the DNS name 192.0.2.7" in diagnosis.message
    assert "among the IP addresses only" in diagnosis.hints[0]
    assert not any("--server-name" in hint for hint in diagnosis.hints)


def test_wildcard_is_no_name_to_give(pki: PKI, tmp_path: Path) -> None:
    """It is listed, but cannot be asked for; the next name can."""
    diagnosis = name_diagnosis(pki, tmp_path, ["*.pacs.example"], "a.b.pacs.example")
    assert "it has *.pacs.example" in diagnosis.message
    assert not any("--server-name" in hint or "subject alone" in hint for hint in diagnosis.hints)
    diagnosis = name_diagnosis(pki, tmp_path, ["*.pacs.example", "pacs.example"], "a.b.pacs.example")
    assert any("--server-name pacs.example" in hint for hint in diagnosis.hints)


def test_many_names_are_cut_short(pki: PKI, tmp_path: Path) -> None:
    """A certificate of a thousand hosts does not fill the terminal."""
    diagnosis = name_diagnosis(pki, tmp_path, [f"host{number}.example" for number in range(300)], "localhost")
    assert "host9.example" in diagnosis.message
    assert len(diagnosis.message) < 500


# -- what openssl has to make -------------------------------------------------------------------------------------


def test_weak_hash_is_explained(pki: PKI, tmp_path: Path) -> None:
    """A certificate signed with SHA-1, which OpenSSL still signs with and no longer takes."""
    identity = Identity(tmp_path, "sha1")
    request, extensions = tmp_path / "request.pem", tmp_path / "extensions"
    extensions.write_text("subjectAltName=DNS:localhost\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", identity.key, "-out", request, "-subj", "/CN=old hash")
    signing = ("-CA", pki.ca, "-CAkey", pki.ca_key, "-set_serial", "1", "-extfile", extensions)
    openssl("x509", "-req", "-sha1", "-in", request, *signing, "-out", identity.cert)
    diagnosis = shake_hands(
        client_settings(pki, pki.client), server_settings(pki, identity, profile="bcp195-2015")
    ).client.diagnosis
    assert (diagnosis.code, diagnosis.by) == ("weak-signature", By.US)
    assert "hash that is too weak" in diagnosis.message
    assert any("SHA-256" in hint for hint in diagnosis.hints)


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize(
    ("fault", "crl", "code", "text"),
    [
        ("revoked", "crl", "revoked", "{whose} certificate has been revoked"),
        ("chained", "crl", "crl-missing", "issued by CN=dicomtls test intermediate, whose revocation list we lack"),
        ("server", "expired_crl", "crl-expired", "the revocation list given with --crl is not current"),
    ],
)
def test_revocation_is_explained(pki: PKI, fault: str, crl: str, code: str, text: str, role: str) -> None:
    """The certificate is revoked, or nobody can tell."""
    lists: dict[str, Any] = {"crl": (getattr(pki, crl),)}
    if role == "client":
        pair = shake_hands(client_settings(pki, pki.client, **lists), server_settings(pki, getattr(pki, fault)))
        diagnosis = pair.client.diagnosis
    else:
        pair = shake_hands(client_settings(pki, getattr(pki, fault)), server_settings(pki, **lists))
        diagnosis = pair.server.diagnosis
    assert (diagnosis.code, diagnosis.by) == (code, By.US)
    assert text.format(whose="peer's" if role == "client" else "client's") in diagnosis.message
    assert diagnosis.hints


# -- the rest of the table ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alert", "meaning"),
    [
        ("unknown_ca", "it does not know who issued it"),
        ("certificate_expired", "expired"),
        ("certificate_revoked", "revoked"),
        ("unsupported_certificate", "not made for this role"),
        ("bad_certificate", "broken"),
        ("certificate_unknown", "does not say why"),
        ("access_denied", "does not let it in"),
        ("handshake_failure", "does not say why"),
        ("decrypt_error", "could not verify a signature"),
    ],
)
def test_refusal_of_our_certificate_says_what_the_alert_means(alert: str, meaning: str) -> None:
    """In words beside its name."""
    diagnosis = diagnose(HandshakeError("x", HandshakeFacts(alert_received=alert, client_certificate="sent")))
    assert diagnosis.code == "client-certificate-refused"
    assert f"the alert {alert}" in diagnosis.message
    assert meaning in diagnosis.message
    assert diagnosis.evidence["alert_received"] == alert


@pytest.mark.parametrize("code", ["client-certificate-required", "peer-closed", "connection-reset", "wrong-purpose"])
def test_message_is_written_for_the_role(code: str) -> None:
    """A server's log speaks of clients, and proposes what a server can do."""
    client = diagnose(HandshakeError("x", HandshakeFacts(), code=code))
    server = diagnose(HandshakeError("x", HandshakeFacts(role="server"), code=code))
    assert (client.message, client.hints) != (server.message, server.hints)
    assert not any("--cert" in hint or "--no-tls" in hint for hint in server.hints)


def test_end_after_the_handshake_is_told_apart() -> None:
    """There a missing or unwelcome client certificate is the likeliest reason."""
    before = diagnose(HandshakeError("x", HandshakeFacts(closed="eof")))
    afterwards = diagnose(HandshakeError("x", HandshakeFacts(closed="eof", after_handshake=True)))
    assert "during the TLS handshake" in before.message
    assert "right after the TLS handshake" in afterwards.message
    assert any("client certificate" in hint for hint in afterwards.hints)
    assert not any("client certificate" in hint for hint in before.hints)


def test_dates_of_a_certificate_that_nobody_saw_are_unknown() -> None:
    """Where this Python does not show the messages of a handshake that failed."""
    for code, text in ((10, "expired on an unknown date"), (9, "not valid before an unknown date")):
        assert text in diagnose(HandshakeError("x", HandshakeFacts(verify_code=code))).message
    unseen = HandshakeFacts()
    assert "(unknown) is missing" in cause_of("incomplete-chain").message(unseen)
    assert "(none)" in cause_of("pin-mismatch").message(unseen)


def test_unusual_refusal_shows_openssls_words() -> None:
    """A verify code that has no row."""
    facts = HandshakeFacts(verify_code=42, verify_message="something rare")
    assert "something rare" in diagnose(HandshakeError("x", facts)).message


def test_small_diffie_hellman_key_is_not_blamed_on_the_certificate() -> None:
    """OpenSSL's reason for it comes without a verify code."""
    assert "Diffie-Hellman" in diagnose(HandshakeError("x", HandshakeFacts(reason="DH_KEY_TOO_SMALL"))).message


def test_table_has_the_codes_of_the_contract_and_no_other() -> None:
    """`TLS_CODES` is what the tests go through: a code that is not there would escape them."""
    assert set(_CAUSES) == TLS_CODES


def test_every_hint_is_written_as_messages_are() -> None:
    """Lower case, no full stop; messages too."""
    for code in TLS_CODES:
        for facts in (HandshakeFacts(), HandshakeFacts(role="server"), HandshakeFacts(after_handshake=True)):
            diagnosis = diagnose(HandshakeError("x", facts, code=code))
            assert diagnosis.hints
            for text in (diagnosis.message, *diagnosis.hints):
                assert re.fullmatch(r"[^A-Z\s].*[^.\s]", text), text
