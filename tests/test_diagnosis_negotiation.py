"""dicomtls.diagnosis.negotiation: messages and hints for each role."""

from typing import Any

import pytest

from dicomtls.diagnosis import Diagnosis, diagnose
from dicomtls.errors import HandshakeError, HandshakeFacts


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
