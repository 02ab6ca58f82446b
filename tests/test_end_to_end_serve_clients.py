"""Clients that do not behave towards `dicomtls serve`: each costs one line of its log, and nobody else anything."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from dicomtls.association.pdu import encode
from tests.support.cli import Running
from tests.support.exchange import (
    client_options,
    new_warning,
    run_json,
    server_options,
    serving_with_events,
    warnings_of,
)
from tests.support.messages import CT_ID, STORE, data, proposal
from tests.support.pki import PKI, client_context
from tests.support.raw import reset
from tests.support.servers import all_files

IMPATIENT = ("--connect-timeout", "2", "--association-timeout", "0.5", "--dimse-timeout", "0.5")
TIMEOUTS = ("association-timeout", "dimse-timeout")
"""What only a server with little patience tells soon; of the others it might say the same on a busy machine."""
REQUEST = encode(proposal())
HTTP_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
FOUR_GIGABYTES = b"\xff\xff\xff\xff"
CLIENT_HELLO_BEGINS = bytes.fromhex("16030100c8010000c40303") + bytes(50)
# Of 8 bytes, for a PDU of the same length, but its only item claims 99.
LYING_FRAGMENT = b"\x04\x00\x00\x00\x00\x08" + b"\x00\x00\x00\x63" + bytes((CT_ID, 3)) + b"xx"


class Client(NamedTuple):
    """What a client sends and how it ends that, and what the log has to say: `code` and `by`."""

    content: bytes
    ending: str
    code: str
    by: str


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers keep what they receive."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def server(pki: PKI, kept: Path) -> Iterator[Running]:
    """A `serve` with little patience."""
    with serving_with_events(kept / "tls", *server_options(pki), *IMPATIENT) as running:
        yield running


@pytest.fixture(scope="module")
def clear_server(kept: Path) -> Iterator[Running]:
    """The same without TLS."""
    with serving_with_events(kept / "clear", "--no-tls", *IMPATIENT) as running:
        yield running


@pytest.fixture(scope="module")
def patient_server(pki: PKI, kept: Path) -> Iterator[Running]:
    """A `serve` with all the patience that it has by default."""
    with serving_with_events(kept / "patient", *server_options(pki)) as running:
        yield running


@pytest.fixture(scope="module")
def patient_clear_server(kept: Path) -> Iterator[Running]:
    """The same without TLS."""
    with serving_with_events(kept / "patient-clear", "--no-tls") as running:
        yield running


def send(sock: socket.socket, client: Client) -> None:
    """Send something; then wait for the other side to end it, end it, or break it off."""
    sock.sendall(client.content)
    if client.ending == "reset":
        reset(sock)
    elif client.ending == "waits":
        with suppress(ConnectionError):
            while sock.recv(65536):
                pass


BEFORE_TLS = {
    "nothing": Client(b"", "waits", "handshake-timeout", "neither"),
    "closes at once": Client(b"", "closes", "peer-closed", "peer"),
    "resets at once": Client(b"", "reset", "connection-reset", "peer"),
    "part of a ClientHello": Client(CLIENT_HELLO_BEGINS, "waits", "handshake-timeout", "neither"),
    "closes in the ClientHello": Client(CLIENT_HELLO_BEGINS, "closes", "peer-closed", "peer"),
    "HTTP": Client(HTTP_REQUEST, "waits", "peer-speaks-http", "neither"),
    "plain DICOM": Client(REQUEST, "waits", "peer-speaks-plain-dicom", "neither"),
    "SSH": Client(b"SSH-2.0-OpenSSH_9.2\r\n", "waits", "peer-is-not-tls", "neither"),
    "noise": Client(bytes(range(128, 256)), "waits", "peer-is-not-tls", "neither"),
}


@pytest.mark.parametrize("client", BEFORE_TLS.values(), ids=BEFORE_TLS)
def test_client_without_a_handshake_is_one_line(server: Running, client: Client) -> None:
    """Whatever it is, and whoever gave up first."""
    before = len(warnings_of(server))
    with socket.create_connection((server.host, server.port), timeout=20) as sock:
        send(sock, client)
    warning = new_warning(server, before)
    assert (warning["code"], warning["by"], warning["stage"]) == (client.code, client.by, "tls")


ON_A_CHANNEL = {
    "closes at once": Client(b"", "closes", "association-aborted", "peer"),
    "part of a request": Client(REQUEST[:40], "waits", "association-timeout", "neither"),
    "closes in the request": Client(REQUEST[:40], "closes", "association-aborted", "peer"),
    "HTTP": Client(HTTP_REQUEST, "waits", "peer-speaks-http", "neither"),
    "unknown PDU": Client(b"\x0a\x00\x00\x00\x00\x04abcd", "waits", "protocol-error", "peer"),
    "request of 4 GB": Client(b"\x01\x00" + FOUR_GIGABYTES, "waits", "protocol-error", "peer"),
    "silent on the association": Client(REQUEST, "waits", "dimse-timeout", "neither"),
    "closes on the association": Client(REQUEST, "closes", "association-aborted", "peer"),
    "aborts": Client(REQUEST + bytes.fromhex("07000000000400000000"), "waits", "association-aborted", "peer"),
    "silent in a PDU": Client(REQUEST + STORE + data(CT_ID, b"x" * 100)[:50], "waits", "dimse-timeout", "neither"),
    "closes in a PDU": Client(REQUEST + STORE + data(CT_ID, b"x" * 100)[:50], "closes", "association-aborted", "peer"),
    "data of 4 GB": Client(REQUEST + b"\x04\x00" + FOUR_GIGABYTES, "waits", "protocol-error", "peer"),
    "context never agreed on": Client(REQUEST + data(99, b"xx"), "waits", "protocol-error", "peer"),
    "dataset without a command": Client(REQUEST + data(CT_ID, b"xx"), "waits", "protocol-error", "peer"),
    "fragment longer than its PDU": Client(REQUEST + LYING_FRAGMENT, "waits", "protocol-error", "peer"),
}


@pytest.mark.parametrize("client", ON_A_CHANNEL.values(), ids=ON_A_CHANNEL)
@pytest.mark.parametrize("version", [None, ssl.TLSVersion.TLSv1_3], ids=["in clear", "TLS 1.3"])
def test_client_without_an_orderly_association_is_one_line(
    request: pytest.FixtureRequest,
    pki: PKI,
    kept: Path,
    version: ssl.TLSVersion | None,
    client: Client,
) -> None:
    """Behind TLS and in clear alike; nothing is kept of what it sent."""
    name = "clear_server" if version is None else "server"
    running: Running = request.getfixturevalue(name if client.code in TIMEOUTS else f"patient_{name}")
    before = len(warnings_of(running))
    with socket.create_connection((running.host, running.port), timeout=20) as sock:
        if version is None:
            send(sock, client)
        else:
            with client_context(pki, protocol=version).wrap_socket(sock, server_hostname="localhost") as tls:
                send(tls, client)
    warning = new_warning(running, before)
    assert (warning["code"], warning["by"]) == (client.code, client.by)
    assert all_files(kept) == []


def test_echo_is_served_beside_clients_that_do_not_behave(pki: PKI, tmp_path: Path) -> None:
    """One says nothing, one stops in the middle of its ClientHello: neither keeps a third from its answer."""
    # The impatient servers would give the third half a second for each step, too little on a busy machine.
    with (
        serving_with_events(tmp_path, *server_options(pki), "--connect-timeout", "2") as server,
        socket.create_connection((server.host, server.port)),
        socket.socket() as hello,
    ):
        hello.connect((server.host, server.port))
        hello.sendall(CLIENT_HELLO_BEGINS)
        result = run_json("echo", server.address, *client_options(pki, pki.client))
        server.wait_until(lambda: len(warnings_of(server)) == 2, "end of the two")
    assert result.exit_status == 0
