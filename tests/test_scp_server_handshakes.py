"""A server and those who never come as far as an association: one event each, and nobody waits for them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from dicomtls.association.association import Association
from dicomtls.association.dimse import Command, CommandField
from dicomtls.errors import HandshakeError
from dicomtls.tls import ClientAuth
from tests.support.pki import PKI
from tests.support.servers import (
    DEADLINE,
    ECHO_CONTEXT,
    VERIFICATION,
    RunningServer,
    ask,
    client_tls,
    context_of,
    hello,
    our_server,
    response_of,
    server_tls,
)

MANY = 300
SERVED = ("handshake-done", "association-accepted", "association-released")
ASSOCIATE_REQUEST = bytes.fromhex("0100000000cd0001000050414353202020202020202020202020")


@pytest.fixture
def tls_server(pki: PKI, tmp_path: Path) -> Iterator[RunningServer]:
    """A server that demands a client certificate."""
    with our_server(tmp_path / "kept", server_tls(pki), handshake_timeout=DEADLINE) as running:
        yield running


# Those who say nothing, or not enough


def test_silent_clients_keep_nobody_from_being_served(pki: PKI, tmp_path: Path) -> None:
    """Hundreds connect and say nothing: whoever speaks is served, and each of them is one event in the end."""
    with (
        our_server(tmp_path, server_tls(pki), handshake_timeout=3.0, silent_connections=100) as server,
        ExitStack() as clients,
    ):
        for _ in range(MANY):
            clients.enter_context(socket.create_connection(server.address))
        ask(server, client_tls(pki))
        server.wait_for("dropped", MANY - 100)  # there were too many of them
        event = server.wait_for("dropped", MANY)  # and the time of the others is up
        assert len(server.named("dropped")) == MANY
        assert len({event.peer for event in server.named("dropped")}) == MANY
    assert event.message == "connected and said nothing"
    assert {key: event.facts[key] for key in ("code", "stage", "by")} == {
        "code": "handshake-timeout",
        "stage": "tls",
        "by": "neither",
    }
    assert event.facts["hints"]
    assert len(server.events) == MANY + len(SERVED)


@pytest.mark.parametrize("is_tls", [True, False])
def test_only_so_many_greet_at_once(pki: PKI, tmp_path: Path, *, is_tls: bool) -> None:
    """Each has a thread: the one that came first goes, and whoever has associated stays."""
    tls = client_tls(pki) if is_tls else None
    with (
        our_server(
            tmp_path, server_tls(pki) if is_tls else None, greeting_connections=10, max_associations=10
        ) as server,
        ExitStack() as clients,
    ):
        requestor = server.requestor(tls)
        association = requestor.associate(requestor.attempt(), [ECHO_CONTEXT])
        strangers = [clients.enter_context(socket.create_connection(server.address)) for _ in range(MANY)]
        for stranger in strangers:
            stranger.send(b"\x16" if is_tls else b"\x01")
        event = server.wait_for("dropped", MANY - 10)
        ask(server, tls)
        assert response_to_echo(association) == 0
        association.release()
    assert event.message == "dropped for those who came later: too many connections at once have no association"
    assert event.facts["code"] == ("handshake-timeout" if is_tls else "association-timeout")
    assert event.peer


def response_to_echo(association: Association) -> int | None:
    """The status of an answer to a C-ECHO."""
    echo = Command(command_field=CommandField.C_ECHO_RQ, message_id=1, affected_sop_class_uid=VERIFICATION)
    association.send(context_of(association, VERIFICATION), echo)
    return response_of(association).status


def test_clients_that_stop_in_the_handshake_keep_nobody_from_being_served(pki: PKI, tmp_path: Path) -> None:
    """Each has its own time, and is one event when that is up."""
    with our_server(tmp_path, server_tls(pki), handshake_timeout=3.0) as server, ExitStack() as clients:
        for _ in range(100):
            client = clients.enter_context(socket.create_connection(server.address))
            client.send(b"\x16\x03\x01")
        ask(server, client_tls(pki))
        event = server.wait_for("handshake-failed", 100)
        assert event.facts["code"] == "handshake-timeout"
        assert len(server.events) == 100 + len(SERVED)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (ASSOCIATE_REQUEST, "peer-speaks-plain-dicom"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "peer-speaks-http"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "peer-is-not-tls"),
        (bytes(range(200, 256)) * 10, "peer-is-not-tls"),
    ],
    ids=["plain DICOM", "HTTP", "SSH", "garbage"],
)
def test_client_that_speaks_something_else_is_one_event(
    pki: PKI, tls_server: RunningServer, sent: bytes, code: str
) -> None:
    """The event names what it speaks, and the next client is served."""
    hello(tls_server, sent)
    event = tls_server.wait_for("handshake-failed")
    assert (event.facts["code"], event.facts["stage"]) == (code, "tls")
    assert event.peer
    assert len(tls_server.events) == 1
    ask(tls_server, client_tls(pki))


@pytest.mark.parametrize("how", ["close", "reset"])
def test_client_that_leaves_in_the_handshake_is_one_event(pki: PKI, tls_server: RunningServer, how: str) -> None:
    """Whether it closes or resets."""
    with socket.create_connection(tls_server.address) as client:
        client.sendall(b"\x16\x03\x01\x02\x00")
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    event = tls_server.wait_for("handshake-failed")
    assert event.facts["code"] in {"peer-closed", "connection-reset"}
    assert len(tls_server.events) == 1
    ask(tls_server, client_tls(pki))


@pytest.mark.parametrize("protocol", ["1.2", "1.3"])
@pytest.mark.parametrize(
    ("fault", "code", "by"),
    [
        ("no certificate", "client-certificate-required", "us"),
        ("another authority", "unknown-issuer", "us"),
        ("expired", "expired", "us"),
        ("wrong purpose", "wrong-purpose", "us"),
        ("refuses ours", "alert-unknown_ca", "peer"),
    ],
)
def test_handshake_that_fails_is_one_event(
    pki: PKI, tls_server: RunningServer, protocol: str, fault: str, code: str, by: str
) -> None:
    """With the code of the contract, seen from the server's side; the next client is served."""
    good = client_tls(pki, tls_min=protocol, tls_max=protocol)
    settings = {
        "no certificate": replace(good, cert=(), key=()),
        "another authority": replace(good, cert=(pki.other_client.cert,), key=(pki.other_client.key,)),
        "expired": replace(good, cert=(pki.expired.cert,), key=(pki.expired.key,)),
        "wrong purpose": replace(good, cert=(pki.server_purpose.cert,), key=(pki.server_purpose.key,)),
        "refuses ours": replace(good, ca=(pki.other_ca,)),
    }[fault]
    with pytest.raises(HandshakeError):
        ask(tls_server, settings)
    event = tls_server.wait_for("handshake-failed")
    assert (event.facts["code"], event.facts["by"]) == (code, by)
    assert len(tls_server.events) == 1
    ask(tls_server, good)


def test_client_certificate_is_optional_when_it_is_said_so(pki: PKI, tmp_path: Path) -> None:
    """With and without one; a wrong one is refused all the same."""
    with our_server(tmp_path, server_tls(pki, client_auth=ClientAuth.OPTIONAL)) as server:
        ask(server, client_tls(pki))
        ask(server, replace(client_tls(pki), cert=(), key=()))
        with pytest.raises(HandshakeError):
            ask(server, client_tls(pki, pki.other_client))
        assert server.wait_for("handshake-failed").facts["code"] == "unknown-issuer"


def test_tls_on_a_plain_port_is_one_event(pki: PKI, tmp_path: Path) -> None:
    """The other way round: we serve in clear, and a client speaks TLS."""
    with our_server(tmp_path) as server:
        with pytest.raises(HandshakeError):
            ask(server, client_tls(pki))
        assert server.wait_for("association-aborted").facts["code"] == "peer-expects-tls"
        ask(server)
