"""dicomtls.tls.handshake: which name is sent, which is checked, and what a pin stands for."""

import hashlib
import re
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dicomtls.certificates.describe import spki_sha256
from dicomtls.errors import By, HandshakeError, Stage, UsageError
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.tls import (
    ClientAuth,
    TLSSettings,
    client_context,
    client_handshake,
    handshake,
    server_context,
    server_handshake,
)
from dicomtls.waiting import deadline_in
from tests.support.chains import issue
from tests.support.handshakes import DEADLINE, Pair, client_settings, connected_sockets, server_settings, shake_hands
from tests.support.pki import PKI, Identity

GOOD = (None, None)
both_versions = pytest.mark.parametrize("version", ["1.2", "1.3"])


def only(version: str) -> dict[str, Any]:
    """The settings that allow one version of TLS."""
    return {"tls_min": version, "tls_max": version}


def fingerprint(identity: Identity) -> str:
    """The pin of a certificate."""
    return "sha256:" + hashlib.sha256(identity.cert_der.read_bytes()).hexdigest()


NAMES = ("pacs.example", "*.wild.example", "xn--rntgen-bua.example", "192.0.2.7", "2001:db8::7")


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """A certificate, its own anchor, with names of each kind."""
    return issue("named", hosts=NAMES).write_as(tmp_path_factory.mktemp("named"))


@pytest.mark.parametrize("sni", [True, False], ids=["sent", "not sent"])
@pytest.mark.parametrize(
    ("name", "matches"),
    [
        ("pacs.example", True),
        ("PACS.Example", True),
        ("pacs.example.", True),
        ("pacs.example.org", False),
        ("acs.example", False),
        ("example", False),
        ("one.wild.example", True),
        ("ONE.wild.example.", True),
        ("one.two.wild.example", False),
        ("wild.example", False),
        ("räntgen.example", True),
        ("RÄNTGEN.example", True),
        ("xn--rntgen-bua.example", True),
        ("rantgen.example", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("2001:db8::7", True),
        ("2001:DB8:0::0007", True),
        ("2001:db8::7%eth0", True),
        ("2001:db8::8", False),
    ],
)
def test_name_is_checked_alike_whether_it_is_sent_or_not(
    pki: PKI, named: Identity, name: str, *, matches: bool, sni: bool
) -> None:
    """OpenSSL checks a name that is sent, we one that is not: DNS names, wildcards, addresses, other alphabets."""
    client = client_settings(pki, pki.client, ca=(named.cert,), server_name=name, sni=sni)
    pair = shake_hands(client, server_settings(pki, named), host="somebody.else")
    if matches:
        assert pair.client.agreed.name_matched is True
    else:
        assert pair.codes[0] == "name-mismatch"
        assert name in pair.client.diagnosis.message


def test_name_is_the_host_unless_another_is_given(pki: PKI, named: Identity) -> None:
    """`--server-name` goes before HOST."""
    server = server_settings(pki, named)
    client = client_settings(pki, pki.client, ca=(named.cert,))
    assert shake_hands(client, server, host="pacs.example").codes == GOOD
    assert shake_hands(client, server, host="localhost").codes[0] == "name-mismatch"


@pytest.mark.parametrize("options", [{"verify_name": False}, {"insecure": True}, {"verify_name": False, "sni": False}])
def test_name_that_was_not_checked_is_still_compared(pki: PKI, options: dict[str, Any]) -> None:
    """The output says that it did not match, and the chain counts as verified where it was."""
    client = client_settings(pki, pki.client, **options)
    wrong = shake_hands(client, server_settings(pki, pki.wrong_name)).client.agreed
    right = shake_hands(client, server_settings(pki)).client.agreed
    assert (wrong.name_matched, right.name_matched) == (False, True)
    assert wrong.verified is right.verified is ("insecure" not in options)


def sent_name(pki: PKI, host: str, **options: Any) -> str | None:
    """The name that a client sends in its hello; the handshake fails afterwards."""
    names: list[str | None] = []
    server_ssl = server_context(server_settings(pki))
    server_ssl.sni_callback = lambda _sock, name, _context: names.append(name)
    client = client_settings(pki, pki.client, **options)
    with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
        serving = thread.submit(server_handshake, far, server_ssl, deadline=deadline_in(DEADLINE))
        with suppress(HandshakeError):
            client_handshake(near, client_context(client), client, host=host, deadline=deadline_in(DEADLINE))[0].close()
        with suppress(HandshakeError):
            serving.result()[0].close()
    [name] = names
    return name


@pytest.mark.parametrize(
    ("host", "options", "sent"),
    [
        ("localhost", {}, "localhost"),
        ("localhost.", {}, "localhost"),
        ("localhost", {"server_name": "pacs.example"}, "pacs.example"),
        ("localhost", {"verify_name": False}, "localhost"),
        ("localhost", {"insecure": True}, "localhost"),
        ("räntgen.example", {"insecure": True}, "xn--rntgen-bua.example"),
        ("localhost", {"sni": False}, None),
        ("localhost", {"sni": False, "verify_name": False}, None),
        ("127.0.0.1", {}, None),
        ("127.0.0.1", {"insecure": True}, None),
        ("::1", {}, None),
        ("::1", {"verify_name": False}, None),
        (".".join(["a" * 60] * 5), {"insecure": True}, None),
    ],
    ids=str,
)
def test_name_is_sent_where_there_is_one_to_send(
    pki: PKI, host: str, options: dict[str, Any], sent: str | None
) -> None:
    """SNI holds DNS names only (RFC 6066 section 3), in ASCII, without the final dot."""
    assert sent_name(pki, host, **options) == sent


@pytest.mark.parametrize("name", ["a" * 64, "a..b", ".example", "a\0b", "ä" * 64, "ä..b"])
@pytest.mark.parametrize("options", [{}, {"verify_name": False}, {"insecure": True}], ids=str)
def test_name_that_cannot_be_sent_is_a_usage_error(pki: PKI, name: str, options: dict[str, Any]) -> None:
    """Not a traceback from a codec; the connection is closed."""
    client = client_settings(pki, pki.client, server_name=name, **options)
    with connected_sockets() as (near, far):
        with pytest.raises(UsageError, match="not a name") as caught:
            client_handshake(near, client_context(client), client, host="x", deadline=deadline_in(DEADLINE))
        assert caught.value.hints
        assert near.fileno() == -1
        far.settimeout(DEADLINE)
        assert far.recv(1) == b""


# -- pins ---------------------------------------------------------------------------------------------------------


def shake_pinned(pki: PKI, server: Identity, *pins: str, version: str = "1.3", **options: Any) -> Pair:
    """A handshake with a client that has pins and no anchors."""
    client = client_settings(pki, pki.client, ca=(), pins=pins, **only(version), **options)
    return shake_hands(client, server_settings(pki, server))


@both_versions
@pytest.mark.parametrize("server", ["server", "self_signed", "wrong_name", "only_common_name", "other_server"])
def test_pin_stands_for_chain_and_name(pki: PKI, version: str, server: str) -> None:
    """Of the certificate or of its public key: whoever has the pinned one is verified."""
    identity = getattr(pki, server)
    for pin in (fingerprint(identity), spki_sha256(identity.cert_der.read_bytes())):
        agreed = shake_pinned(pki, identity, fingerprint(pki.client), pin, version=version).client.agreed
        assert (agreed.verified, agreed.verified_by) == (True, "pin")
        assert agreed.name_matched is (server in ("server", "self_signed", "other_server"))


@both_versions
@pytest.mark.parametrize("options", [{}, {"insecure": True}, {"verify_name": False}], ids=str)
def test_wrong_pin_is_refused_even_if_the_chain_verifies(pki: PKI, version: str, options: dict[str, Any]) -> None:
    """The diagnosis has the fingerprint that was seen; neither option softens it."""
    client = client_settings(pki, pki.client, pins=(fingerprint(pki.client),), **only(version), **options)
    pair = shake_hands(client, server_settings(pki))
    assert pair.codes[0] == "pin-mismatch"
    assert fingerprint(pki.server) in pair.client.diagnosis.message
    assert pair.client.negotiated is None


def test_peer_without_a_certificate_matches_no_pin() -> None:
    """Should a suite without certificates ever come about, it is refused all the same."""
    settings = TLSSettings(pins=("ab" * 32,))
    with pytest.raises(HandshakeError, match="no certificate") as caught:
        handshake._check_pins(None, settings, HandshakeFacts())
    assert caught.value.code == "pin-mismatch"


@pytest.mark.parametrize("is_first_meeting", [True, False])
def test_certificate_that_cannot_be_read_is_the_peers_fault(
    pki: PKI, tmp_path: Path, *, is_first_meeting: bool
) -> None:
    """Dates that are none: refused at stage tls, not a usage error of ours, and nobody remembers it."""
    issued = issue("device")
    dates = re.search(rb"\x17\x0d(\d{12})Z\x17\x0d(\d{12})Z", issued.der)
    assert dates is not None
    der = issued.der.replace(dates[2], b"9" * 12)
    identity = issued.write_as(tmp_path)
    identity.cert.write_text(ssl.DER_cert_to_PEM_cert(der))
    met: list[str] = []
    pins = () if is_first_meeting else (hashlib.sha256(der).hexdigest(),)
    options: dict[str, Any] = {"remember": lambda *seen: met.extend(seen)} if is_first_meeting else {}
    pair = shake_pinned(pki, identity, *pins, **options)
    diagnosis = pair.client.diagnosis
    assert (diagnosis.code, diagnosis.stage, diagnosis.by) == ("certificate-refused", Stage.TLS, By.US)
    assert "dates that cannot be read" in diagnosis.message
    assert not met


def test_what_was_verified_is_what_the_context_has_done(pki: PKI) -> None:
    """Settings that are not those of the context make nothing verified that was not."""
    lax = client_context(client_settings(pki, insecure=True))
    with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
        open_to_all = server_context(server_settings(pki, pki.self_signed, client_auth=ClientAuth.NONE))
        serving = thread.submit(server_handshake, far, open_to_all, deadline=deadline_in(DEADLINE))
        deadline = deadline_in(DEADLINE)
        stream, agreed = client_handshake(near, lax, client_settings(pki), host="localhost", deadline=deadline)
        stream.close()
        serving.result()[0].close()
    assert (agreed.verified, agreed.verified_by) == (False, None)


@pytest.mark.parametrize(
    ("server", "code"),
    [("expired", "expired"), ("not_yet_valid", "not-yet-valid"), ("client_purpose", "wrong-purpose")],
)
def test_pin_stands_for_neither_dates_nor_purpose(pki: PKI, server: str, code: str) -> None:
    """A pinned certificate has to be renewed like any other."""
    identity = getattr(pki, server)
    assert shake_pinned(pki, identity, fingerprint(identity)).codes[0] == code
