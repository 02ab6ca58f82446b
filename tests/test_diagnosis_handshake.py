"""dicomtls.diagnosis.handshake: facts to codes, by OpenSSL's own names and by alerts that a peer really sends."""

import json
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.diagnosis import classify, diagnose
from dicomtls.diagnosis.handshake import _REASONS, alert_of_reason, evidence_of
from dicomtls.errors import By, ExitStatus, HandshakeError
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.tls import server_context, server_handshake
from dicomtls.tls.transcript import ALERTS
from dicomtls.waiting import deadline_in
from tests.support.chains import issue
from tests.support.handshakes import DEADLINE, TLS_CODES, client_settings, connected_sockets, reach, server_settings
from tests.support.peers import raw_server, receive_exactly, receive_until_end
from tests.support.pki import PKI

# What an alert means to a client before anything else came, where it has a code of its own.
OF_A_SERVER = {
    40: "no-shared-cipher",
    71: "no-shared-cipher",
    70: "no-shared-protocol",
    116: "client-certificate-required",
}
NUMBERS = [*ALERTS, 5, 199, 255]
# OpenSSL numbers the reasons of alerts by this.
REASON_OF_ALERTS = 1000
# The only register of them that Python shows; from 3.13 on it does not.
OPENSSL_REASONS: dict[tuple[int, int], str] = getattr(ssl._ssl, "err_codes_to_names", {})  # type: ignore[attr-defined]  # a private module
PLAIN_DICOM = b"\x07\0\0\0\0"


def alert_record(number: int, *, level: int = 2, version: bytes = b"\x03\x03") -> bytes:
    """An alert in clear, as it stands on the wire."""
    return b"\x15" + version + b"\x00\x02" + bytes([level, number])


def receive_record(connection: socket.socket) -> bytes:
    """One TLS record."""
    header = receive_exactly(connection, 5)
    return header + receive_exactly(connection, int.from_bytes(header[3:]))


def answering(data: bytes) -> Callable[[socket.socket], object]:
    """A server that answers the client's hello with `data`."""

    def answer(connection: socket.socket) -> None:
        receive_record(connection)
        connection.sendall(data)
        receive_until_end(connection)

    return answer


# -- alerts by hand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
def test_alert_of_a_server_is_called_by_its_name(pki: PKI, number: int) -> None:
    """Each that there is, and numbers that nobody has given out: fatal, in answer to our hello."""
    with raw_server(answering(alert_record(number))) as server:
        diagnosis = reach(server.port, client_settings(pki, pki.client)).diagnosis
    name = ALERTS.get(number, str(number))
    assert diagnosis.code == OF_A_SERVER.get(number, f"alert-{name}")
    assert (diagnosis.stage, diagnosis.by, diagnosis.exit_status) == ("tls", By.PEER, ExitStatus.TLS)
    assert diagnosis.evidence["alert_received"] == name
    assert diagnosis.hints
    assert name in diagnosis.message or number in OF_A_SERVER


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("version", [b"\x03\x00", b"\x03\x01", b"\x03\x03", b"\x03\x04"])
def test_alert_is_known_whatever_its_level_and_version(pki: PKI, level: int, version: bytes) -> None:
    """Old devices put odd versions on their alerts, and some close after a warning."""
    with raw_server(lambda sock: answering_once(sock, alert_record(112, level=level, version=version))) as server:
        diagnosis = reach(server.port, client_settings(pki, pki.client)).diagnosis
    assert (diagnosis.code, diagnosis.by) == ("alert-unrecognized_name", By.PEER)


def answering_once(connection: socket.socket, data: bytes) -> None:
    """Answer the hello and close."""
    receive_record(connection)
    connection.sendall(data)


@pytest.mark.parametrize("number", NUMBERS)
def test_alert_of_a_client_is_called_by_its_name(pki: PKI, number: int) -> None:
    """In answer to our server's first messages at TLS 1.2; none of them says something of a client certificate."""
    outgoing = ssl.MemoryBIO()
    theirs = ssl.create_default_context()
    theirs.maximum_version = ssl.TLSVersion.TLSv1_2
    hello = theirs.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        hello.do_handshake()

    def talk(near: socket.socket) -> None:
        near.settimeout(DEADLINE)
        near.sendall(outgoing.read())
        receive_record(near)
        near.sendall(alert_record(number))
        receive_until_end(near)

    ssl_context = server_context(server_settings(pki))
    with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
        client = thread.submit(talk, near)
        with pytest.raises(HandshakeError) as caught:
            server_handshake(far, ssl_context, deadline=deadline_in(DEADLINE))
        with suppress(OSError):
            client.result()
    diagnosis = diagnose(caught.value)
    name = ALERTS.get(number, str(number))
    assert diagnosis.code == ("no-shared-protocol" if name == "protocol_version" else f"alert-{name}")
    assert (diagnosis.by, diagnosis.evidence["alert_received"]) == (By.PEER, name)


def reasons_of_alerts() -> dict[int, str]:
    """OpenSSL's reason for each alert that it has one for."""
    library = next((key[0] for key, name in OPENSSL_REASONS.items() if name == "NO_SHARED_CIPHER"), None)
    numbered = {number: OPENSSL_REASONS.get((library or 0, REASON_OF_ALERTS + number)) for number in ALERTS}
    return {number: reason for number, reason in numbered.items() if reason}


@pytest.mark.parametrize(("number", "reason"), reasons_of_alerts().items())
def test_alert_is_known_by_openssls_reason_alone(number: int, reason: str) -> None:
    """After the handshake that is all that there is of an alert; OpenSSL has its own spelling of one."""
    assert alert_of_reason(reason) == ALERTS[number]


@pytest.mark.parametrize("reason", [None, "", "NO_SHARED_CIPHER", "TLSV1", "XTLSV1_ALERT_UNKNOWN_CA", "SSL_"])
def test_other_reasons_are_no_alerts(reason: str | None) -> None:
    """Only those that OpenSSL makes of alerts."""
    assert alert_of_reason(reason) is None


# -- what a refused client certificate looks like -----------------------------------------------------------------

REFUSALS = (
    "bad_certificate",
    "unsupported_certificate",
    "certificate_revoked",
    "certificate_expired",
    "certificate_unknown",
    "unknown_ca",
    "access_denied",
    "decrypt_error",
)


@pytest.mark.parametrize("alert", REFUSALS)
@pytest.mark.parametrize(
    ("certificate", "code"),
    [
        ("sent", "client-certificate-refused"),
        ("requested", "client-certificate-required"),
        ("not requested", None),
        (None, None),
    ],
)
def test_alert_about_a_certificate_is_about_ours(alert: str, certificate: str | None, code: str | None) -> None:
    """To a client, once it was asked for one; to a server it is about its own, and has no code but its name."""
    facts = HandshakeFacts(alert_received=alert, client_certificate=certificate)
    assert classify(facts) == (code or f"alert-{alert}")
    facts.role = "server"
    assert classify(facts) == f"alert-{alert}"


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({}, "no-shared-cipher"),
        ({"client_certificate": "not requested"}, "no-shared-cipher"),
        ({"client_certificate": "requested"}, "client-certificate-required"),
        ({"client_certificate": "sent"}, "client-certificate-refused"),
        ({"chain_der": (b"leaf",)}, "alert-handshake_failure"),
        ({"chain_der": (b"leaf",), "client_certificate": "requested"}, "client-certificate-required"),
    ],
    ids=str,
)
def test_alert_40_is_told_apart_by_what_came_before_it(facts: dict[str, Any], code: str) -> None:
    """At TLS 1.2 it means no shared suite, or no certificate: a request in the flight decides."""
    assert classify(HandshakeFacts(alert_received="handshake_failure", **facts)) == code


# -- verify codes and reasons -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verify_code", "code"),
    [
        (3, "crl-missing"),
        (7, "bad-signature"),
        (9, "not-yet-valid"),
        (10, "expired"),
        (11, "crl-expired"),
        (12, "crl-expired"),
        (18, "self-signed"),
        (19, "unknown-issuer"),
        (20, "unknown-issuer"),
        (21, "unknown-issuer"),
        (23, "revoked"),
        (24, "invalid-ca"),
        (25, "path-length-exceeded"),
        (26, "wrong-purpose"),
        (34, "unknown-critical-extension"),
        (47, "name-not-permitted"),
        (48, "name-not-permitted"),
        (62, "name-mismatch"),
        (64, "name-mismatch"),
        (66, "weak-key"),
        (67, "weak-key"),
        (68, "weak-signature"),
        (79, "invalid-ca"),
        (1, "certificate-refused"),
        (92, "certificate-refused"),
    ],
)
@pytest.mark.parametrize("role", ["client", "server"])
def test_verify_code_has_its_code(verify_code: int, code: str, role: str) -> None:
    """In both roles it is we who refuse; the alert that we sent, or got, changes nothing."""
    facts = HandshakeFacts(role=role, verify_code=verify_code, alert_received="unknown_ca", reason="X")
    diagnosis = diagnose(HandshakeError("x", facts))
    assert (diagnosis.code, diagnosis.by) == (code, By.US)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("WRONG_VERSION_NUMBER", "peer-is-not-tls"),
        ("HTTP_REQUEST", "peer-speaks-http"),
        ("HTTPS_PROXY_REQUEST", "peer-speaks-http"),
        ("PACKET_LENGTH_TOO_LONG", "peer-is-not-tls"),
        ("NO_SHARED_CIPHER", "no-shared-cipher"),
        ("NO_CIPHERS_AVAILABLE", "no-shared-cipher"),
        ("UNSUPPORTED_PROTOCOL", "no-shared-protocol"),
        ("UNKNOWN_PROTOCOL", "no-shared-protocol"),
        ("NO_PROTOCOLS_AVAILABLE", "no-shared-protocol"),
        ("WRONG_SSL_VERSION", "no-shared-protocol"),
        ("VERSION_TOO_LOW", "no-shared-protocol"),
        ("UNSAFE_LEGACY_RENEGOTIATION_DISABLED", "unsafe-renegotiation"),
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "client-certificate-required"),
        ("EE_KEY_TOO_SMALL", "weak-key"),
        ("DH_KEY_TOO_SMALL", "weak-key"),
        ("CA_MD_TOO_WEAK", "weak-signature"),
        ("BAD_SIGNATURE", "bad-signature"),
        ("SOMETHING_NEW", "tls-error"),
        (None, "tls-error"),
    ],
)
def test_reason_has_its_code(reason: str | None, code: str) -> None:
    """One that is in no table stays visible as it is."""
    facts = HandshakeFacts(reason=reason)
    assert classify(facts) == code
    if code == "tls-error":
        assert (reason or "no reason") in diagnose(HandshakeError("x", facts)).message


@pytest.mark.skipif(not OPENSSL_REASONS, reason="this Python has no register of OpenSSL's reasons")
def test_reasons_are_openssls_own_names() -> None:
    """A typing error in the table would never be found out otherwise."""
    newer = {"UNSAFE_LEGACY_RENEGOTIATION_DISABLED"}  # Pythons made for OpenSSL 1.1 have no name for it
    assert set(_REASONS) <= set(OPENSSL_REASONS.values()) | newer


@pytest.mark.parametrize(
    ("first_bytes", "code"),
    [
        (b"HTTP/", "peer-speaks-http"),
        (b"GET /", "peer-speaks-http"),
        (b"POST ", "peer-speaks-http"),
        (b"HEAD ", "peer-speaks-http"),
        (b"PUT /", "peer-speaks-http"),
        (b"OPTIO", "peer-speaks-http"),
        (b"CONNE", "peer-speaks-http"),
        (b"DELET", "peer-speaks-http"),
        (b"<!DOC", "peer-speaks-http"),
        (b"<html", "peer-speaks-http"),
        *((bytes([kind]) + b"\0\0\0\0", "peer-speaks-plain-dicom") for kind in range(1, 8)),
        (b"\x00\0\0\0\0", "peer-is-not-tls"),
        (b"\x08\0\0\0\0", "peer-is-not-tls"),
        (b"\x07\x01\0\0\0", "peer-is-not-tls"),
        (b"\x07", "peer-is-not-tls"),
        (b"SSH-2", "peer-is-not-tls"),
        (b"220 m", "peer-is-not-tls"),
    ],
)
def test_first_bytes_say_what_the_peer_is(first_bytes: bytes, code: str) -> None:
    """PDUs of types 1 to 7 with their reserved zero, the words of HTTP, anything else; nobody refused."""
    diagnosis = diagnose(HandshakeError("x", HandshakeFacts(first_bytes=first_bytes, reason="WRONG_VERSION_NUMBER")))
    assert (diagnosis.code, diagnosis.by) == (code, By.NEITHER)
    assert diagnosis.evidence["first_bytes"] == first_bytes.hex()


@pytest.mark.parametrize(
    ("facts", "code", "by"),
    [
        ({"timed_out": True}, "handshake-timeout", By.NEITHER),
        ({"closed": "eof"}, "peer-closed", By.PEER),
        ({"closed": "reset"}, "connection-reset", By.PEER),
        ({"closed": "eof", "alert_received": "unknown_ca"}, "alert-unknown_ca", By.PEER),
        ({"closed": "reset", "first_bytes": PLAIN_DICOM}, "peer-speaks-plain-dicom", By.NEITHER),
        ({"timed_out": True, "first_bytes": PLAIN_DICOM}, "peer-speaks-plain-dicom", By.NEITHER),
        ({"reason": "NO_SHARED_CIPHER"}, "no-shared-cipher", By.US),
        ({"alert_received": "insufficient_security"}, "no-shared-cipher", By.PEER),
        ({"reason": "UNSUPPORTED_PROTOCOL"}, "no-shared-protocol", By.US),
        ({"alert_received": "protocol_version"}, "no-shared-protocol", By.PEER),
        ({"alert_received": "protocol_version", "role": "server"}, "no-shared-protocol", By.PEER),
        ({"reason": "UNSAFE_LEGACY_RENEGOTIATION_DISABLED"}, "unsafe-renegotiation", By.US),
        ({"reason": "PEER_DID_NOT_RETURN_A_CERTIFICATE", "role": "server"}, "client-certificate-required", By.US),
        (
            {"reason": "TLSV13_ALERT_CERTIFICATE_REQUIRED", "after_handshake": True},
            "client-certificate-required",
            By.PEER,
        ),
        (
            {"reason": "TLSV1_ALERT_UNKNOWN_CA", "after_handshake": True, "client_certificate": "sent"},
            "client-certificate-refused",
            By.PEER,
        ),
        ({"reason": "TLSV1_ALERT_PROTOCOL_VERSION", "after_handshake": True}, "no-shared-protocol", By.PEER),
    ],
    ids=str,
)
def test_facts_say_who_refused(facts: dict[str, Any], code: str, by: By) -> None:
    """What weighs more when several are known, and whose refusal it was."""
    diagnosis = diagnose(HandshakeError("x", HandshakeFacts(**facts)))
    assert (diagnosis.code, diagnosis.by) == (code, by)


# -- chains that end too early ------------------------------------------------------------------------------------


def test_chain_that_ends_in_an_authority_is_incomplete() -> None:
    """Only there is the peer's set-up at fault rather than our list of anchors."""
    root = issue("root", is_ca=True)
    middle = issue("middle", root, is_ca=True)
    leaf, stranger = issue("leaf", middle), issue("stranger")
    for chain, code in (
        ((leaf, middle), "incomplete-chain"),
        ((leaf,), "unknown-issuer"),
        ((leaf, middle, root), "unknown-issuer"),
        ((leaf, stranger), "unknown-issuer"),
        ((), "unknown-issuer"),
    ):
        facts = HandshakeFacts(verify_code=20, chain_der=tuple(issued.der for issued in chain))
        assert classify(facts) == code
        facts.verify_code = 19  # the chain was whole: its root is nobody whom we trust
        assert classify(facts) == "unknown-issuer"


@pytest.mark.parametrize("chain", [(b"",), (b"\x30\x03abc",), (b"junk", b"junk"), (b"\x30\x80" * 50,)], ids=repr)
def test_chain_that_is_none_is_no_obstacle(chain: tuple[bytes, ...]) -> None:
    """A stranger sent it."""
    diagnosis = diagnose(HandshakeError("x", HandshakeFacts(verify_code=20, chain_der=chain)))
    assert diagnosis.code == "unknown-issuer"
    assert "(unknown)" in diagnosis.message


# -- everything ---------------------------------------------------------------------------------------------------

ANY_FACTS = st.builds(
    HandshakeFacts,
    role=st.sampled_from(["client", "server"]),
    reason=st.none() | st.sampled_from(["NO_SHARED_CIPHER", "TLSV1_ALERT_UNKNOWN_CA", "X"]) | st.text(max_size=30),
    verify_code=st.none() | st.integers(-5, 120),
    verify_message=st.none() | st.text(max_size=20),
    alert_received=st.none() | st.sampled_from(sorted(ALERTS.values())) | st.text(max_size=5),
    alert_sent=st.none() | st.sampled_from(sorted(ALERTS.values())),
    first_bytes=st.binary(max_size=5),
    closed=st.sampled_from([None, "eof", "reset"]),
    timed_out=st.booleans(),
    after_handshake=st.booleans(),
    protocol=st.none() | st.just("TLSv1.3"),
    client_certificate=st.sampled_from([None, "sent", "requested", "not requested"]),
    reference_name=st.none() | st.text(max_size=10),
    chain_der=st.lists(st.binary(max_size=10), max_size=3).map(tuple),
)


@given(facts=ANY_FACTS)
def test_any_facts_have_a_diagnosis(facts: HandshakeFacts) -> None:
    """A code of the contract, a sentence, a hint, evidence that JSON takes."""
    diagnosis = diagnose(HandshakeError("x", facts))
    assert diagnosis.code in TLS_CODES or diagnosis.code.startswith("alert-")
    assert (diagnosis.stage, diagnosis.exit_status) == ("tls", ExitStatus.TLS)
    assert diagnosis.message
    assert diagnosis.hints
    json.dumps(diagnosis.evidence)


def test_evidence_leaves_out_what_is_not_known() -> None:
    """And has the alert under one name, wherever it was seen."""
    assert evidence_of(HandshakeFacts()) == {"after_handshake": False}
    facts = HandshakeFacts(reason="TLSV1_ALERT_UNKNOWN_CA", after_handshake=True, protocol="TLSv1.3")
    assert evidence_of(facts) == {
        "reason": "TLSV1_ALERT_UNKNOWN_CA",
        "alert_received": "unknown_ca",
        "protocol": "TLSv1.3",
        "after_handshake": True,
    }
