"""`dicomtls echo` from the shell to the wire: its documents and lines, its exit statuses, and peers that misbehave."""

import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pynetdicom import evt

from dicomtls.association.negotiation import answer
from dicomtls.association.pdu import AssociateRequest, decode, encode
from tests.support.cli import dicomtls_command, dicomtls_environment, run_dicomtls, serving, started_dicomtls
from tests.support.documents import assert_document
from tests.support.exchange import Failure, client_options, exactly, failure, run_json, server_options
from tests.support.peers import dcmtk_storescp, pynetdicom_scp
from tests.support.pki import PKI, server_context
from tests.support.processes import LOOPBACK
from tests.support.raw import raw_server, receive_pdu, receive_until_end, reset, tls_raw_server
from tests.support.servers import open_policy

Peer = Callable[[socket.socket], None]
Step = Callable[[socket.socket], object]

# Waits are what some of these tests are about: short ones there, and as long as it takes elsewhere.
PATIENCE = {
    "handshake-timeout": ("--connect-timeout", "0.3"),
    "association-timeout": ("--association-timeout", "0.3"),
    "dimse-timeout": ("--dimse-timeout", "0.3"),
    # For the second look, which asks whether the peer expects TLS: these wait for the rest of what they take for a PDU.
    # The first is to be answered, and has its time.
    "association-aborted": ("--connect-timeout", "0.5"),
}
LINE = re.compile(
    r"success \(0x0000\), TLSv1\.[23], TLS_[A-Z0-9_]+(, [a-zA-Z0-9]+)?, peer localhost, verified, \d+ days left,"
    r" \d+\.\d ms\n"
)
HTTP_ANSWER = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
REJECTED_CALLED_AE_TITLE = bytes.fromhex("03000000000400010107")
ABORTED_BY_USER = bytes.fromhex("07000000000400000000")
ABORTED_OVER_UNKNOWN_PDU = bytes.fromhex("07000000000400000201")
ACCEPT_HEADER = b"\x02\x00\x00\x00\x00\xff"
DATA_HEADER = b"\x04\x00\x00\x00\x00\x50"
FOUR_GIGABYTES = b"\xff\xff\xff\xff"
SERVER_HELLO_BEGINS = bytes.fromhex("160303004a020000460303")


# The shape of what it says


@pytest.mark.parametrize("options", [(), exactly("1.2"), ("--repeat", "3", "--interval", "0")])
def test_document_of_a_success_has_every_key_of_the_contract(pki: PKI, options: tuple[str, ...]) -> None:
    """No key more and none less, each value of its type, over either version of TLS."""
    with pynetdicom_scp(server_context(pki, pki.chained)) as scp:
        result = run_json("echo", scp.address, *client_options(pki, pki.client), *options)
    document = result.json()
    assert_document(document, "echo")
    assert (result.exit_status, result.stderr, document["ok"]) == (0, "", True)
    assert len(document["tls"]["chain"]) == 2
    assert len(document["round_trip_ms"]) == (3 if "--repeat" in options else 1)
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_line_of_a_success_says_all_that_the_contract_asks_for(pki: PKI, version: str) -> None:
    """Status, protocol, cipher, group, the peer's name, verified, days left, round trip: one line."""
    with pynetdicom_scp(server_context(pki)) as scp:
        result = run_dicomtls("echo", scp.address, *client_options(pki, pki.client), *exactly(version))
    assert LINE.fullmatch(result.stdout), result.stdout
    assert f"TLSv{version}" in result.stdout
    assert (result.exit_status, result.stderr) == (0, "")


def test_failure_is_lines_on_stderr_and_nothing_on_stdout(pki: PKI) -> None:
    """`error:` and `hint:` lines, lower case, without a full stop."""
    with pynetdicom_scp(server_context(pki)) as scp:
        result = run_dicomtls("echo", scp.address, *client_options(pki, pki.client, ca=pki.other_ca))
    assert (result.exit_status, result.stdout) == (4, "")
    error, *hints = result.stderr.splitlines()
    assert error.startswith("dicomtls: error: the peer's certificate was issued by CN=dicomtls test CA")
    assert hints
    assert all(hint.startswith("dicomtls: hint: ") for hint in hints)
    assert not any(line.endswith(".") for line in result.stderr.splitlines())


def not_listening() -> str:
    """An address whose port was just given back."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return f"{LOOPBACK}:{listener.getsockname()[1]}"


# One exit status each, and the document that goes with it


def test_exit_0_is_an_answer(pki: PKI, tmp_path: Path) -> None:
    """Our own server answers."""
    with serving(tmp_path, *server_options(pki)) as running:
        result = run_json("echo", running.address, *client_options(pki, pki.client))
    assert_document(result.json(), "echo")
    assert result.exit_status == 0


def test_exit_1_is_an_answer_that_says_no(pki: PKI) -> None:
    """A DIMSE failure status, in the document too."""
    with pynetdicom_scp(server_context(pki), [(evt.EVT_C_ECHO, lambda _event: 0x0122)]) as scp:
        result = run_json("echo", scp.address, *client_options(pki, pki.client))
    assert failure(result) == Failure(1, "status-failure", "peer")
    assert result.json()["status"] == "0x0122"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--ca", "there-is-no-such-file.pem"), "unreadable-file"),
        (("--tls-min", "1.3", "--tls-max", "1.2"), "configuration"),
        (("--no-such-option",), "configuration"),
        (("--calling-aet", "LONGER THAN SIXTEEN"), "configuration"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_exit_2_is_a_mistake_of_the_command_line(options: tuple[str, ...], code: str) -> None:
    """Found before anybody is connected to."""
    result = run_json("echo", "localhost", *options)
    assert (result.exit_status, result.json()["error"]["code"]) == (2, code)
    assert (result.json()["error"]["stage"], result.json()["error"]["by"]) == ("local", "us")
    assert set(result.json()) >= {"command", "ok", "version", "peer", "tls", "timing_ms", "error"}


def test_exit_2_is_a_wrong_passphrase(pki: PKI, tmp_path: Path) -> None:
    """As the contract has it: usage."""
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong\n")
    identity = ("--cert", pki.client.cert, "--key", pki.client.encrypted_key, "--passphrase-file", wrong)
    assert failure(run_json("echo", "localhost", *identity)) == Failure(2, "bad-passphrase", "us")


def test_exit_3_is_a_network_that_does_not_lead_there() -> None:
    """Nobody listens; the name does not exist (RFC 6761 reserves it for that)."""
    refused = run_json("echo", not_listening())
    unknown = run_json("echo", "nowhere.invalid")
    assert failure(refused) == Failure(3, "connection-refused", "peer")
    assert failure(unknown) == Failure(3, "name-not-found", "neither")


def test_exit_4_is_a_certificate_refused(pki: PKI) -> None:
    """By us here; the peer's address and what was measured until then are in the document."""
    with pynetdicom_scp(server_context(pki, pki.expired)) as scp:
        result = run_json("echo", scp.address, *client_options(pki, pki.client))
    assert failure(result) == Failure(4, "expired", "us")
    assert result.json()["peer"]["address"] == scp.address
    assert result.json()["timing_ms"]["associate"] is None


def test_exit_5_is_an_association_that_did_not_come_about(pki: PKI, tmp_path: Path) -> None:
    """Our own server expects another called AE title; TLS stood, and is in the document."""
    with serving(tmp_path, *server_options(pki), "--aet", "STORE") as running:
        result = run_json("echo", f"OTHER@{running.address}", *client_options(pki, pki.client))
        good = run_json("echo", f"STORE@{running.address}", *client_options(pki, pki.client))
    assert failure(result) == Failure(5, "association-rejected", "peer")
    assert result.json()["error"]["evidence"] == {"result": 1, "source": 1, "reason": 7}
    assert result.json()["tls"]["protocol"] == "TLSv1.3"
    assert good.exit_status == 0


def test_exit_6_is_a_machine_that_cannot_do_it(pki: PKI) -> None:
    """A full disk under the standard output: what cannot be written was not done."""
    with pynetdicom_scp(server_context(pki)) as scp, Path("/dev/full").open("w") as full:
        done = subprocess.run(
            dicomtls_command("echo", scp.address, *client_options(pki, pki.client)),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=dicomtls_environment(),
            timeout=30,
            check=False,
        )
    assert done.returncode == 6
    assert done.stderr.startswith("dicomtls: error: cannot write to the standard output: no space left on device\n")


def wait_for_end(connection: socket.socket) -> None:
    """Say nothing until the other side has had enough."""
    receive_until_end(connection)


def test_exit_130_is_ctrl_c_and_the_peer_is_told() -> None:
    """One document, no traceback, and an A-ABORT on the wire for an association that stood."""
    received: list[bytes] = []
    accepted: list[bool] = []

    def keep_silent(connection: socket.socket) -> None:
        accept(connection)
        received.append(receive_pdu(connection))
        accepted.append(True)
        received.append(receive_pdu(connection))

    with raw_server(keep_silent) as peer:
        with started_dicomtls("echo", peer.address, "--no-tls", "--json") as running:
            running.wait_until(lambda: bool(accepted), "C-ECHO-RQ")
            result = running.stop(how=signal.SIGINT)
        peer.wait_for_connections(1)
    assert failure(result) == Failure(130, "interrupted", "us")
    assert received[-1] == ABORTED_BY_USER


# Peers that are no DICOM peers, or do not finish what they begin


def accept(connection: socket.socket) -> None:
    """Answer the A-ASSOCIATE-RQ as it wants."""
    pdu = receive_pdu(connection)
    asked = decode(pdu[0], pdu[6:])
    assert isinstance(asked, AssociateRequest)
    connection.sendall(encode(answer(asked, open_policy())))


def play(*steps: Step | bytes | str) -> Peer:
    """A peer that takes these steps one after the other: bytes are sent, words are the steps below."""

    def peer(connection: socket.socket) -> None:
        for step in steps:
            if isinstance(step, bytes):
                connection.sendall(step)
            else:
                (STEPS[step] if isinstance(step, str) else step)(connection)

    return peer


STEPS: dict[str, Step] = {
    "accept": accept,
    "read some": lambda connection: connection.recv(65536),
    "read a PDU": receive_pdu,
    "wait": wait_for_end,
    "reset": reset,
}

NOT_TLS = {
    "HTTP": (play("read some", HTTP_ANSWER), Failure(4, "peer-speaks-http", "neither")),
    "SSH": (play(b"SSH-2.0-OpenSSH_9.2\r\n", "wait"), Failure(4, "peer-is-not-tls", "neither")),
    "plain DICOM": (play("read some", ABORTED_OVER_UNKNOWN_PDU), Failure(4, "peer-speaks-plain-dicom", "neither")),
    "silent": (play("wait"), Failure(4, "handshake-timeout", "neither")),
    "silent in a record": (play("read some", b"\x16\x03\x03", "wait"), Failure(4, "handshake-timeout", "neither")),
    "silent in the ServerHello": (
        play("read some", SERVER_HELLO_BEGINS, "wait"),
        Failure(4, "handshake-timeout", "neither"),
    ),
    "closes after the ClientHello": (play("read some"), Failure(4, "peer-closed", "peer")),
    "closes in the ServerHello": (play("read some", SERVER_HELLO_BEGINS), Failure(4, "peer-closed", "peer")),
    "resets at once": (play("reset"), Failure(4, "connection-reset", "peer")),
    "resets after the ClientHello": (play("read some", "reset"), Failure(4, "connection-reset", "peer")),
}


@pytest.mark.parametrize(("peer", "expected"), NOT_TLS.values(), ids=NOT_TLS)
def test_peer_that_does_not_get_through_the_handshake(pki: PKI, peer: Peer, expected: Failure) -> None:
    """What it is, or how far it came, and who broke off."""
    with raw_server(peer) as server:
        options = (*client_options(pki, pki.client), *PATIENCE.get(expected.code, ()))
        result = run_json("echo", server.address, *options)
    assert failure(result) == expected


NOT_DICOM = {
    "HTTP": (play("read a PDU", HTTP_ANSWER), Failure(4, "peer-speaks-http", "neither")),
    "SSH": (play(b"SSH-2.0-OpenSSH_9.2\r\n", "wait"), Failure(5, "protocol-error", "peer")),
    "TLS": (play("read a PDU", SERVER_HELLO_BEGINS), Failure(5, "peer-expects-tls", "neither")),
    "TLS alert": (play("read a PDU", bytes.fromhex("15030300020246")), Failure(5, "peer-expects-tls", "neither")),
    "silent": (play("wait"), Failure(5, "association-timeout", "neither")),
    "closes": (play("read a PDU"), Failure(5, "association-aborted", "peer")),
    "resets": (play("read a PDU", "reset"), Failure(5, "association-aborted", "peer")),
}


@pytest.mark.parametrize(("peer", "expected"), NOT_DICOM.values(), ids=NOT_DICOM)
def test_peer_in_clear_that_is_no_dicom_peer(peer: Peer, expected: Failure) -> None:
    """The same without TLS."""
    with raw_server(peer) as server:
        result = run_json("echo", server.address, "--no-tls", *PATIENCE.get(expected.code, ()))
    assert failure(result) == expected


def test_hints_lead_from_a_tls_port_to_tls_and_back(pki: PKI) -> None:
    """Whoever mixed up the two is told which option to give or to leave out."""
    with raw_server(play("read a PDU", SERVER_HELLO_BEGINS)) as server:
        in_clear = run_json("echo", server.address, "--no-tls")
    with raw_server(play("read some", ABORTED_OVER_UNKNOWN_PDU)) as server:
        with_tls = run_json("echo", server.address, *client_options(pki, pki.client))
    assert any("--no-tls" in hint for hint in in_clear.json()["error"]["hints"])
    assert any("--no-tls" in hint for hint in with_tls.json()["error"]["hints"])


AFTER_THE_HANDSHAKE = {
    "HTTP": (play("read a PDU", HTTP_ANSWER), Failure(4, "peer-speaks-http", "neither")),
    "silent": (play("wait"), Failure(5, "association-timeout", "neither")),
    "silent in the A-ASSOCIATE-AC": (
        play("read a PDU", ACCEPT_HEADER, b"\x00\x01", "wait"),
        Failure(5, "association-timeout", "neither"),
    ),
    "closes in the A-ASSOCIATE-AC": (
        play("read a PDU", ACCEPT_HEADER, b"\x00\x01"),
        Failure(5, "association-aborted", "peer"),
    ),
    "rejects": (play("read a PDU", REJECTED_CALLED_AE_TITLE, "wait"), Failure(5, "association-rejected", "peer")),
    "aborts": (play("read a PDU", ABORTED_BY_USER, "wait"), Failure(5, "association-aborted", "peer")),
    "claims 4 GB": (play("read a PDU", b"\x02\x00" + FOUR_GIGABYTES, "wait"), Failure(5, "protocol-error", "peer")),
    "unknown PDU": (play("read a PDU", b"\x09\x00\x00\x00\x00\x00", "wait"), Failure(5, "protocol-error", "peer")),
    "silent on the association": (play("accept", "wait"), Failure(1, "dimse-timeout", "neither")),
    "silent in a PDU": (play("accept", "read a PDU", DATA_HEADER, "wait"), Failure(1, "dimse-timeout", "neither")),
    "closes on the association": (play("accept"), Failure(5, "association-aborted", "peer")),
    "closes in a PDU": (play("accept", "read a PDU", DATA_HEADER), Failure(5, "association-aborted", "peer")),
    "aborts the association": (
        play("accept", "read a PDU", ABORTED_BY_USER, "wait"),
        Failure(5, "association-aborted", "peer"),
    ),
    "claims 4 GB of data": (
        play("accept", "read a PDU", b"\x04\x00" + FOUR_GIGABYTES, "wait"),
        Failure(5, "protocol-error", "peer"),
    ),
}


@pytest.mark.parametrize(("peer", "expected"), AFTER_THE_HANDSHAKE.values(), ids=AFTER_THE_HANDSHAKE)
def test_peer_behind_tls_that_does_not_finish(pki: PKI, peer: Peer, expected: Failure) -> None:
    """TLS stood, so what goes wrong is the association's; at TLS 1.3, the harder case for telling them apart."""
    with tls_raw_server(server_context(pki, protocol=ssl.TLSVersion.TLSv1_3), peer) as server:
        # TLS has to come about: all its time for that.
        options = () if expected.code == "association-aborted" else PATIENCE.get(expected.code, ())
        result = run_json("echo", server.address, *client_options(pki, pki.client), *options)
    assert failure(result) == expected
    assert result.json()["tls"]["verified"] is True


@pytest.mark.parametrize("peer", [play(), play("read a PDU")], ids=["at once", "after the A-ASSOCIATE-RQ"])
@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.2", Failure(5, "association-aborted", "peer")), ("1.3", Failure(4, "peer-closed", "peer"))],
    ids=["TLS 1.2", "TLS 1.3"],
)
def test_peer_that_closes_right_after_the_handshake(pki: PKI, peer: Peer, version: str, expected: Failure) -> None:
    """At TLS 1.3 that may be its answer to our certificate, and the hint says so; at TLS 1.2 it cannot be."""
    with tls_raw_server(server_context(pki), peer) as server:
        result = run_json("echo", server.address, *client_options(pki, pki.client), *exactly(version))
    # A peer that closes over unread bytes resets, which CPython before 3.12.3 reports as an end (cpython#115627).
    found = failure(result)
    assert (found if found.code != "connection-reset" else found._replace(code="peer-closed")) == expected
    assert ("certificate" in result.json()["error"]["hints"][0]) is (version == "1.3")


# What the peer thinks of our certificate


@pytest.mark.parametrize("version", ["1.2", "1.3"], ids="TLS {}".format)
@pytest.mark.parametrize(
    ("identity", "alert"),
    [("expired", "certificate_expired"), ("server_purpose", "unsupported_certificate"), ("other_client", "unknown_ca")],
)
def test_refusal_of_our_certificate_is_said_as_such(pki: PKI, identity: str, alert: str, version: str) -> None:
    """With the alert that the peer sent, also at TLS 1.3, where our handshake was done by then."""
    with pynetdicom_scp(server_context(pki)) as scp:
        options = (*client_options(pki, getattr(pki, identity)), *exactly(version))
        result = run_json("echo", scp.address, *options)
    assert failure(result) == Failure(4, "client-certificate-refused", "peer")
    error = result.json()["error"]
    assert error["evidence"]["alert_received"] == alert
    assert alert in error["message"]
    assert error["evidence"]["after_handshake"] is (version == "1.3")


@pytest.mark.parametrize("version", ["1.2", "1.3"], ids="TLS {}".format)
def test_demand_for_a_certificate_is_said_as_such(pki: PKI, tmp_path: Path, version: str) -> None:
    """By our own server and by DCMTK alike."""
    options = (*client_options(pki, None), *exactly(version))
    with serving(tmp_path / "ours", *server_options(pki)) as running, dcmtk_storescp(pki, tmp_path / "dcmtk") as scp:
        results = [run_json("echo", peer.address, *options) for peer in (running, scp)]
    assert [failure(result) for result in results] == [Failure(4, "client-certificate-required", "peer")] * 2
    assert all("--cert" in result.json()["error"]["hints"][0] for result in results)
