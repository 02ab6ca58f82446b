"""dicomtls.diagnosis.negotiation: messages and hints for each role."""

from typing import Any

import pytest

from dicomtls.diagnosis import Diagnosis, diagnose
from dicomtls.errors import HandshakeError
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.tls.hello import SSL_2, TLS_1_0, TLS_1_2, TLS_1_3, ClientHello

ECDSA_GCM, RSA_GCM, RSA_CBC, RSA_CBC_256, RSA_NULL = 0xC02B, 0xC02F, 0x002F, 0x0035, 0x0002


def diagnosed(role: str, **facts: Any) -> Diagnosis:
    """What one side says."""
    return diagnose(HandshakeError("x", HandshakeFacts(role=role, **facts)))


@pytest.mark.parametrize(
    "facts",
    [
        {"first_bytes": b"HTTP/1.1 400"},
        {"first_bytes": b"\x07\0\0\0\0\4"},
        {"first_bytes": b"SSH-2.0"},
        {"timed_out": True},
        {"closed": "eof"},
        {"closed": "reset"},
        {"reason": "NO_SHARED_CIPHER"},
        {"reason": "UNSUPPORTED_PROTOCOL"},
    ],
    ids=repr,
)
def test_each_side_is_spoken_to_about_the_other(facts: dict[str, Any]) -> None:
    """A server hears of its client, a client of the peer; neither is told to set an option of the other."""
    client, server = diagnosed("client", **facts), diagnosed("server", **facts)
    assert client.code == server.code
    assert "client" not in client.message
    assert "client" in server.message
    assert "peer" not in server.message
    assert client.hints != server.hints
    assert not any("--connect-timeout" in hint or "try --no-tls" in hint for hint in server.hints)


@pytest.mark.parametrize("role", ["client", "server"])
def test_end_after_the_handshake_is_another_than_during_it(role: str) -> None:
    """What ended right after it may be about a certificate."""
    during, after = (diagnosed(role, closed="eof", after_handshake=flag) for flag in (False, True))
    assert "during the TLS handshake" in during.message
    assert "right after the TLS handshake" in after.message


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        (ClientHello(version=TLS_1_0), "set the device to TLS 1.2 or 1.3"),
        (ClientHello(version=SSL_2), "set the device to TLS 1.2 or 1.3"),
        (ClientHello(version=TLS_1_2), "start serve with limits that take it"),
        (ClientHello(versions=(TLS_1_3,)), "start serve with limits that take it"),
    ],
    ids=str,
)
def test_version_that_nobody_takes_is_the_devices_or_ours_to_change(offered: ClientHello, words: str) -> None:
    """A device that has TLS 1.2 needs no newer one."""
    server = diagnosed("server", reason="UNSUPPORTED_PROTOCOL", client_hello=offered.encode()[4:])
    assert server.hints[0].startswith(words)
    assert diagnosed("server", reason="UNSUPPORTED_PROTOCOL").hints[0] == "set the device to TLS 1.2 or 1.3"


@pytest.mark.parametrize(
    ("suites", "words"),
    [
        ((ECDSA_GCM,), "the device wants a server with an EC key"),
        ((RSA_GCM, RSA_CBC), "the device wants a server with an RSA key"),
        ((RSA_GCM, ECDSA_GCM), "the device wants a server with the other type of key"),
        ((RSA_CBC,), "the device needs serve started with --profile bcp195-2015"),
        ((RSA_NULL,), "the device offers suites without encryption only"),
        ((RSA_CBC_256,), "set the device to better cipher suites"),
        ((), "set the device to better cipher suites"),
    ],
)
def test_suites_of_today_that_nobody_takes_are_about_the_type_of_our_key(suites: tuple[int, ...], words: str) -> None:
    """Old ones are about the profile."""
    hello = ClientHello(suites=suites).encode()[4:]
    server = diagnosed("server", reason="NO_SHARED_CIPHER", client_hello=hello)
    assert server.hints[0].startswith(words)
    assert len(server.hints) == 2
