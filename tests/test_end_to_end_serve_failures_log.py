"""The log of a `serve` process about clients that fail: as an operator reads it, and as a program does."""

import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cli import Running, run_dicomtls, serving
from tests.support.exchange import (
    client_options,
    events,
    failure,
    new_warning,
    run_json,
    server_options,
    serving_with_events,
    wait_for_event,
    warnings_of,
)
from tests.support.instances import make_instance
from tests.support.peers import dcmtk_tls_options, run_dcmtk
from tests.support.pki import PKI
from tests.support.raw import receive_until_end

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
MANY = 200


@pytest.fixture
def server(pki: PKI, tmp_path: Path) -> Iterator[Running]:
    """A `serve` with a log for people."""
    with serving(tmp_path / "kept", *server_options(pki), "--connect-timeout", "2") as running:
        yield running


def new_line(running: Running, act: Callable[[], object]) -> str:
    """The one line that the log has more after `act`."""
    before = len(running.log().splitlines())
    act()
    running.wait_until(lambda: len(running.log().splitlines()) > before and running.log().endswith("\n"), "new line")
    [line] = running.log().splitlines()[before:]
    return line


def say_in_clear(running: Running, calling: bytes) -> None:
    """Begin to ask for an association in clear, under any title."""
    request = b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00" + b"ANY-SCP".ljust(16) + calling.ljust(16) + bytes(32)
    with socket.create_connection((running.host, running.port), timeout=20) as sock:
        sock.sendall(request)
        receive_until_end(sock)


def test_line_for_people_has_message_code_and_hint(pki: PKI, server: Running, tmp_path: Path) -> None:
    """From storescu without TLS, and from echoscu without a certificate; then a good one is no failure."""
    sent = make_instance(tmp_path / "a.dcm").path
    plain = new_line(server, lambda: run_dcmtk("storescu", server.host, server.port, sent))
    assert re.fullmatch(
        rf"{TIME} #1 127\.0\.0\.1:\d+: warning: the client speaks plain DICOM, not TLS: "
        r"its calling AE title is STORESCU \[peer-speaks-plain-dicom\]; hint: switch on TLS in the device, .*",
        plain,
    )
    anonymous = new_line(server, lambda: run_dcmtk("echoscu", *dcmtk_tls_options(pki, None), server.host, server.port))
    assert re.fullmatch(
        rf"{TIME} #2 \S+: warning: the client sent no certificate, and we require one "
        r"\[client-certificate-required by us\]; hint: the device must be given a certificate, .*",
        anonymous,
    )
    good = run_dcmtk("echoscu", *dcmtk_tls_options(pki, pki.client), server.host, server.port)
    server.wait_for_log("#3 ")
    server.wait_for_log("released")
    assert good.returncode == 0
    assert server.log().count("warning") == 2


def test_hostile_title_stays_on_its_line(server: Running) -> None:
    """No control character of a stranger reaches the terminal, and none begins a line of its own."""
    line = new_line(server, lambda: say_in_clear(server, b"\x1b[31mA\nB\x9b\xff"))
    assert line.isprintable()
    assert "its calling AE title is " in line


def test_scan_of_the_port_is_a_line_for_each_connection(pki: PKI, server: Running) -> None:
    """And no more; whoever comes after it is served."""
    for _ in range(MANY):
        socket.create_connection((server.host, server.port)).close()
    server.wait_until(lambda: server.log().count("[peer-closed by the client]") >= MANY, "end of the scan")
    result = run_dicomtls("echo", server.address, *client_options(pki, pki.client))
    server.wait_for_log("released")
    assert result.exit_status == 0
    assert len(server.log().splitlines()) == MANY + 2


@contextmanager
def json_server(pki: PKI, directory: Path, *options: str) -> Iterator[Running]:
    """A `serve` whose log is JSON."""
    with serving_with_events(directory, *server_options(pki), *options) as running:
        yield running


def test_log_for_programs_has_hints_and_evidence(pki: PKI, tmp_path: Path) -> None:
    """What the client showed, every finding about it, what it offered; our own client says the same from its side."""
    with json_server(pki, tmp_path) as server:
        options = client_options(pki, pki.expired)
        client = run_json("echo", server.address, *options, "--server-name", "localhost", "--no-follow-up")
        event = new_warning(server, 0)
    assert failure(client) == (4, "client-certificate-refused", "peer")
    assert client.json()["error"]["evidence"]["alert_received"] == event["evidence"]["alert_sent"]
    assert (event["event"], event["code"], event["stage"], event["by"]) == ("handshake-failed", "expired", "tls", "us")
    assert len(event["hints"]) == 2
    evidence = event["evidence"]
    assert evidence["certificate"]["subject"] == "CN=expired"
    assert evidence["certificate"]["issuer"] == "CN=dicomtls test CA"
    assert [finding["code"] for finding in evidence["findings"]] == ["expired"]
    assert evidence["server_name_sent"] == "localhost"
    assert evidence["offered_versions"] == ["TLSv1.3", "TLSv1.2"]


def test_both_ends_say_that_the_client_speaks_in_clear(pki: PKI, tmp_path: Path) -> None:
    """The client finds it out by a second look, which is one more line."""
    with json_server(pki, tmp_path) as server:
        client = run_json("echo", server.address, "--no-tls")
        event = wait_for_event(server, "handshake-failed", where=lambda event: event["by"] == "neither")
    assert failure(client) == (5, "peer-expects-tls", "neither")
    assert (event["code"], event["evidence"]["calling_aet"]) == ("peer-speaks-plain-dicom", "DICOMTLS")


def test_client_that_leaves_after_the_handshake_is_told_from_one_that_aborts(pki: PKI, tmp_path: Path) -> None:
    """`s_client` that has nothing to say, and our own client whose pin does not match: neither asked for anything."""
    identity = ("-cert", str(pki.client.cert), "-key", str(pki.client.key))
    with json_server(pki, tmp_path) as server:
        command = ["openssl", "s_client", "-connect", server.address, *identity]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=20)
        first = new_warning(server, 0)
        pin = "sha256:" + "0" * 64
        client = run_json("echo", server.address, *client_options(pki, pki.client), "--pin", pin, "--no-follow-up")
        second = new_warning(server, 1)
    assert failure(client) == (4, "pin-mismatch", "us")
    for event in (first, second):
        assert (event["code"], event["by"]) == ("association-aborted", "peer")
        assert event["message"] == "the client closed the connection before it asked for an association"


def test_title_that_is_not_allowed_is_told_from_another_certificate(pki: PKI, tmp_path: Path) -> None:
    """The log has the fingerprint that `--allow` would need; with it the client is served."""
    zeros = "0" * 64
    with json_server(pki, tmp_path / "first", "--allow", f"WS1=sha256:{zeros}", "--allow", "WS2") as server:
        options = client_options(pki, pki.client)
        stranger = run_json("echo", server.address, *options, "--calling-aet", "WS3")
        named = new_warning(server, 0)
        other = run_json("echo", server.address, *options, "--calling-aet", "WS1")
        shown = new_warning(server, 1)
    assert failure(stranger) == failure(other) == (5, "association-rejected", "peer")
    assert (named["code"], named["by"]) == (shown["code"], shown["by"]) == ("association-rejected", "us")
    assert named["message"] == "rejected: the calling AE title WS3 is not allowed"
    found = re.search(
        r"allowed with another certificate only: this one is CN=client, (sha256:\w{64})", shown["message"]
    )
    assert found
    with json_server(pki, tmp_path / "second", "--allow", f"WS1={found[1]}") as server:
        assert run_json("echo", server.address, *options, "--calling-aet", "WS1").exit_status == 0
        server.wait_for_log("association-released")
        assert warnings_of(server) == []


def test_stage_of_each_handshake_is_told_to_who_asks(pki: PKI, tmp_path: Path) -> None:
    """`-v` has a line for it, with its time, what was agreed on, who came and which name it called."""
    with serving(tmp_path, *server_options(pki), "-v") as server:
        run_dicomtls("echo", f"localhost:{server.port}", *client_options(pki, pki.client))
        server.wait_for_log("released")
        log = server.log()
    assert re.search(
        rf"^{TIME} #1 \S+: tls: TLSv1\.3, TLS_AES_256_GCM_SHA384, \S+, client certificate sent, "
        r"CN=client, issued by CN=dicomtls test CA, it calls us localhost \(\d+\.\d ms\)$",
        log,
        re.MULTILINE,
    )


def test_own_certificate_that_ends_soon_is_said_at_the_start_and_the_clients_as_it_comes(
    pki: PKI, tmp_path: Path
) -> None:
    """Both with their days, unless fewer were asked for."""
    options = client_options(pki, pki.expiring)
    with (
        json_server(pki, tmp_path / "first") as calm,
        serving_with_events(tmp_path / "second", *server_options(pki, pki.expiring)) as server,
    ):
        assert run_json("echo", server.address, *options).exit_status == 0
        assert run_json("echo", calm.address, *client_options(pki, pki.client)).exit_status == 0
        server.wait_for_log("association-released")
        calm.wait_for_log("association-released")
        soon = [event for event in events(server) if event["event"] == "certificate-expires"]
        assert [event["severity"] for event in soon] == ["warning", "warning"]
        assert soon[0]["message"].startswith("our certificate has ")
        assert soon[1]["message"].startswith("the client's certificate has ")
        assert warnings_of(calm) == []
