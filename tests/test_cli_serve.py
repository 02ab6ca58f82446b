"""`dicomtls serve`, as users run it."""

import json
import re
import shutil
import signal
import socket
from pathlib import Path

import pytest

from tests.support.cli import Result, run_dicomtls, serving, started_dicomtls
from tests.support.instances import make_instance, make_instances
from tests.support.peers import dcmtk_tls_options, run_dcmtk
from tests.support.pki import PKI, Identity

SMALL = 1000
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
OPEN = ("--client-auth", "none")


def server_options(pki: PKI, identity: Identity | None = None) -> tuple[str | Path, ...]:
    """What a server of the test PKI is started with."""
    identity = identity or pki.server
    return ("--ca", pki.ca, "--cert", identity.cert, "--key", identity.key)


def client_options(pki: PKI, identity: Identity | None = None) -> tuple[str | Path, ...]:
    """What a client needs to be let in by it."""
    identity = identity or pki.client
    return ("--ca", pki.ca, "--cert", identity.cert, "--key", identity.key)


def failure(result: Result) -> tuple[int, str]:
    """Exit status and error code of a run with `--json`."""
    return result.exit_status, result.json()["error"]["code"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_start_and_stop(pki: PKI, tmp_path: Path, how: signal.Signals) -> None:
    """One line on stdout once it listens, the log on stderr, exit 0 when it is asked to stop."""
    with serving(tmp_path / "in", *server_options(pki)) as server:
        result = server.stop(how=how)
    assert result.stdout == f"listening on {server.address}\n"
    assert re.fullmatch(rf"{TIME} stopped\n", result.stderr)
    assert result.exit_status == 0
    assert [path.name for path in (tmp_path / "in").iterdir()] == [".dicomtls-index.sqlite"]


def test_ready_file_is_there_before_the_line_on_stdout(tmp_path: Path) -> None:
    """Who waits for the line finds it; an old one does not mislead who waits for the file."""
    ready = tmp_path / "ready"
    ready.write_text("127.0.0.1:1\n")
    options = ("--directory", tmp_path / "in", "--listen", "127.0.0.1:0", "--no-tls", "--ready-file", ready)
    with started_dicomtls("serve", *options) as server:
        server.wait_until(lambda: server.stdout_path.read_text() != "", "line on stdout")
        assert server.stdout_path.read_text() == f"listening on {ready.read_text()}"
        assert ready.read_text() != "127.0.0.1:1\n"
        server.stop()
    assert not ready.exists()


def test_instances_of_a_stock_sender_are_kept(pki: PKI, tmp_path: Path) -> None:
    """DCMTK's storescu over mutual TLS; the log has a line for the association, and one for each instance with -v."""
    sent = make_instance(tmp_path / "a.dcm", pixel_bytes=SMALL)
    with serving(tmp_path / "in", *server_options(pki), "-v") as server:
        done = run_dcmtk("storescu", *dcmtk_tls_options(pki, pki.client), server.host, server.port, sent.path)
        assert done.returncode == 0, done.stderr
        log = server.wait_for_log("released, 1 instance stored")
    (kept,) = (tmp_path / "in").rglob("*.dcm")
    assert kept.read_bytes()[-SMALL:] == sent.path.read_bytes()[-SMALL:]
    assert re.search(rf"\n{TIME} #1 127\.0\.0\.1:\d+ STORESCU: association accepted, TLSv1\.\d, client ", log)
    assert f"instance {sent.sop_instance_uid} stored: {kept}\n" in log


def test_server_without_certificate_makes_one_that_clients_can_pin(home: Path, tmp_path: Path) -> None:
    """Made once in the user's data folder, as PEM and PKCS#12, reused, and its fingerprint printed for `--pin`."""
    with serving(tmp_path / "in", *OPEN) as server:
        (pin,) = re.findall(r"--pin (sha256:[0-9a-f]{64})\n", server.log())
        trusted = run_dicomtls("echo", server.address, "--pin", pin)
        refused = run_dicomtls("echo", server.address, "--json")
        wrong = run_dicomtls("echo", server.address, "--pin", f"sha256:{'0' * 64}", "--json")
    assert (trusted.exit_status, trusted.stderr) == (0, "")
    assert "verified by its pin" in trusted.stdout
    assert (failure(refused), failure(wrong)) == ((4, "self-signed"), (4, "pin-mismatch"))
    folder = home / ".local/share/dicomtls"
    assert {path.name for path in folder.iterdir()} == {"serve.pem", "serve.key", "serve.p12"}
    assert (folder / "serve.key").stat().st_mode & 0o777 == 0o600
    with serving(tmp_path / "in", *OPEN) as server:
        assert pin in server.log()


def test_events_are_objects_on_stdout_with_json(pki: PKI, tmp_path: Path) -> None:
    """One a line, the first when it listens; the log on stderr stays as it is."""
    sent = make_instance(tmp_path / "a.dcm", pixel_bytes=SMALL)
    with serving(tmp_path / "in", *server_options(pki), "--json") as server:
        assert run_dicomtls("store", server.address, sent.path, *client_options(pki)).exit_status == 0
        server.wait_for_log("released")
        result = server.stop()
    events = result.json_lines()
    names = [event["event"] for event in events]
    assert names == [
        "listening",
        "handshake-done",
        "association-accepted",
        "stored",
        "association-released",
        "stopped",
    ]
    listening, _, accepted, stored, released, _ = events
    assert (listening["host"], listening["port"], listening["fingerprint_sha256"]) == (server.host, server.port, None)
    assert (accepted["calling_aet"], accepted["client"]) == ("DICOMTLS", "CN=client")
    assert (stored["sop_instance_uid"], stored["is_new"]) == (sent.sop_instance_uid, True)
    assert (released["stored"], released["association"]) == (1, 1)
    assert all(re.fullmatch(TIME, event["time"]) for event in events)
    assert "association accepted, TLSv1.3" in result.stderr


def test_log_can_be_json(pki: PKI, tmp_path: Path) -> None:
    """`--log-format json` is about stderr; stdout has its line."""
    with serving(tmp_path / "in", *server_options(pki), "--log-format", "json") as server:
        run_dicomtls("echo", server.address, "--ca", pki.ca)
        server.wait_for_log("handshake-failed")
        result = server.stop()
    failed, stopped = map(json.loads, result.stderr.splitlines())
    assert (failed["event"], failed["code"], failed["by"], failed["severity"]) == (
        "handshake-failed",
        "client-certificate-required",
        "us",
        "warning",
    )
    assert stopped["event"] == "stopped"
    assert result.stdout == f"listening on {server.address}\n"


def test_quiet_server_logs_only_what_went_wrong(pki: PKI, tmp_path: Path) -> None:
    """Neither its line nor the good associations; a refused client still."""
    with serving(tmp_path / "in", *server_options(pki), "--quiet") as server:
        run_dicomtls("echo", server.address, *client_options(pki))
        run_dicomtls("echo", server.address, "--ca", pki.ca)
        server.wait_for_log("warning")
        result = server.stop()
    assert result.stdout == ""
    warning = (
        r"warning: the client sent no certificate, and we require one \[client-certificate-required by us\]; hint: .*"
    )
    assert re.fullmatch(rf"{TIME} #2 \S+: {warning}\n", result.stderr)


def test_certificates_of_clients_are_optional_where_that_is_said(pki: PKI, tmp_path: Path) -> None:
    """One that is shown must be good; that it may be missing is a warning at every start."""
    with serving(tmp_path / "in", *server_options(pki), "--client-auth", "optional") as server:
        without = run_dicomtls("echo", server.address, "--ca", pki.ca)
        good = run_dicomtls("echo", server.address, *client_options(pki))
        bad = run_dicomtls("echo", server.address, *client_options(pki, pki.other_client), "--json")
        log = server.log()
    assert (without.exit_status, good.exit_status) == (0, 0)
    assert failure(bad) == (4, "client-certificate-refused")
    assert "warning: clients without a certificate are let in (--client-auth optional)\n" in log
    assert "no client certificate" in log


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ((), "--directory is missing", "for example: dicomtls serve --directory in --ca"),
        (("--directory", "in"), "--client-auth required needs --ca: ", "certgen pki"),
        (("--directory", "in", "--client-auth", "optional"), "--client-auth optional needs --ca: ", "certgen pki"),
        (
            ("--directory", "in", *OPEN, "--allow", f"CT1=sha256:{'a' * 64}"),
            "--allow with a fingerprint lets nobody in where no client certificate is asked for",
            "--client-auth",
        ),
        (("--directory", "in", *OPEN, "--on-stored", "a 'b"), "--on-stored cannot be read as a command: ", ""),
        (("--directory", "in", *OPEN, "--layout", "x"), "the layout 'x' does not end in .dcm", ""),
        (("--directory", "in", *OPEN, "--ready-file", "nix/r"), "the ready file cannot be written to nix/r: ", ""),
        (("--directory", "in", *OPEN, "--listen", "h:99999"), "not a TCP port: '99999'", ""),
        (("--directory", "in", "--ca", "nix.pem"), "cannot read nix.pem: no such file or directory", ""),
    ],
)
def test_mistake_is_exit_2_with_a_hint(tmp_path: Path, arguments: tuple[str, ...], message: str, hint: str) -> None:
    """What is wrong and how to go on, before any folder is made."""
    result = run_dicomtls("serve", *arguments, "--json", cwd=tmp_path)
    written = result.json()
    assert (result.exit_status, written["command"], written["ok"]) == (2, "serve", False)
    assert written["error"]["message"].startswith(message)
    assert hint in " ".join(written["error"]["hints"])
    assert list(tmp_path.iterdir()) == []


def test_port_in_use_is_exit_6(tmp_path: Path) -> None:
    """With the way out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        result = run_dicomtls("serve", "--directory", tmp_path / "in", *OPEN, "--listen", address, "--json")
    assert failure(result) == (6, "port-in-use")
    assert "--listen" in result.stderr


def test_folder_that_cannot_be_made_is_exit_6(tmp_path: Path) -> None:
    """A file has its name."""
    (tmp_path / "in").write_text("a file")
    result = run_dicomtls("serve", "--directory", tmp_path / "in", *OPEN, "--listen", "127.0.0.1:0", "--json")
    assert failure(result) == (6, "no-permission")


def test_hangup_reads_the_certificates_again(pki: PKI, tmp_path: Path) -> None:
    """New associations get the new certificate; files that cannot serve leave the old one at work, and are told."""
    cert, key = tmp_path / "server.pem", tmp_path / "server.key"
    shutil.copy(pki.server.cert, cert)
    shutil.copy(pki.server.key, key)
    with serving(tmp_path / "in", "--ca", pki.ca, "--cert", cert, "--key", key) as server:
        first = run_dicomtls("echo", server.address, *client_options(pki), "--json").json()
        shutil.copy(pki.server_ec.cert, cert)
        shutil.copy(pki.server_ec.key, key)
        server.process.send_signal(signal.SIGHUP)
        second = run_dicomtls("echo", server.address, *client_options(pki), "--json").json()
        server.wait_for_log("the certificates were read again")
        key.write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        third = run_dicomtls("echo", server.address, *client_options(pki), "--json").json()
        server.wait_for_log("error: the certificates cannot be read again, the old ones serve on: ")
    kinds = [document["tls"]["peer"]["key"]["type"] for document in (first, second, third)]
    assert kinds == ["RSA", "EC", "EC"]


def test_hangup_ends_no_server_in_clear(tmp_path: Path) -> None:
    """There is nothing to read again, but the terminal may close."""
    with serving(tmp_path / "in", "--no-tls") as server:
        server.process.send_signal(signal.SIGHUP)
        assert run_dicomtls("echo", server.address, "--no-tls").exit_status == 0


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (("--refuse",), (5, "association-rejected")),
        (("--status", "0xA700"), (1, "status-failure")),
        (("--abort-after", "1"), (5, "association-aborted")),
        (("--aet", "PACS"), (5, "association-rejected")),
        (("--allow", "WS1"), (5, "association-rejected")),
    ],
)
def test_sender_meets_the_fault_or_the_rule_that_was_asked_for(
    tmp_path: Path, fault: tuple[str, ...], expected: tuple[int, str]
) -> None:
    """Each fault option as the sender sees it, and that nothing is kept then."""
    instance = make_instance(tmp_path / "a.dcm", pixel_bytes=SMALL)
    with serving(tmp_path / "in", "--no-tls", *fault) as server:
        result = run_dicomtls("store", server.address, "--no-tls", instance.path, "--json")
    assert failure(result) == expected
    assert (list((tmp_path / "in").rglob("*.dcm")) == []) is (fault[0] != "--abort-after")


def test_whom_the_rules_name_is_let_in(pki: PKI, tmp_path: Path) -> None:
    """The called AE title, and the calling one with its certificate."""
    (fingerprint,) = (document["fingerprint_sha256"] for document in [run_inspection(pki, tmp_path)])
    rules = ("--aet", "PACS", "--allow", f"WS1=sha256:{fingerprint}")
    with serving(tmp_path / "in", *server_options(pki), *rules) as server:
        peer = f"PACS@{server.address}"
        allowed = run_dicomtls("echo", peer, *client_options(pki), "--calling-aet", "WS1")
        other = run_dicomtls("echo", peer, *client_options(pki, pki.client_ec), "--calling-aet", "WS1", "--json")
    assert allowed.exit_status == 0
    assert failure(other) == (5, "association-rejected")


def run_inspection(pki: PKI, tmp_path: Path) -> dict[str, str]:
    """What a server's event says of the client's certificate."""
    with serving(tmp_path / "look", *server_options(pki), "--json") as server:
        run_dicomtls("echo", server.address, *client_options(pki))
        accepted = server.stop().json_lines()[1]
    return {"fingerprint_sha256": accepted["client_fingerprint_sha256"]}


def test_command_runs_for_each_new_instance(tmp_path: Path) -> None:
    """With its path in place of `{path}`; an instance that is there already is no news."""
    made = make_instances(tmp_path / "study", 2, pixel_bytes=SMALL)
    seen = tmp_path / "seen"
    seen.mkdir()
    with serving(tmp_path / "in", "--no-tls", "--on-stored", f"ln -s {{path}} {seen}") as server:
        for _ in range(2):
            assert run_dicomtls("store", server.address, "--no-tls", tmp_path / "study").exit_status == 0
        result = server.stop()
    assert {link.name for link in seen.iterdir()} == {f"{one.sop_instance_uid}.dcm" for one in made}
    assert "--on-stored" not in result.stderr


def test_certificates_that_end_soon_are_warned_of(pki: PKI, tmp_path: Path) -> None:
    """Ours at the start, a client's with its association; fewer days than asked for are needed."""
    identity = client_options(pki, pki.expiring)
    with serving(tmp_path / "in", *server_options(pki, pki.expiring)) as server:
        run_dicomtls("echo", server.address, *identity)
        log = server.wait_for_log("released")
    with serving(tmp_path / "in", *server_options(pki, pki.expiring), "--warn-days", "3") as server:
        run_dicomtls("echo", server.address, *identity)
        calm = server.wait_for_log("released")
    assert re.search(rf"{TIME} warning: our certificate has \d days left: {re.escape(str(pki.expiring.cert))}\n", log)
    assert re.search(r" DICOMTLS: warning: the client's certificate has \d days left: localhost\n", log)
    assert "days left" not in calm


def test_every_pdu_is_logged_with_two_v(tmp_path: Path) -> None:
    """With the association that it belongs to."""
    with serving(tmp_path / "in", "--no-tls", "-vv") as server:
        run_dicomtls("echo", server.address, "--no-tls")
        log = server.wait_for_log("released in")
    pdus = re.findall(rf"{TIME} #1 \S+(?: DICOMTLS)?: (sent|received) ([\w-]+), \d+ bytes\n", log)
    assert pdus == [
        ("received", "A-ASSOCIATE-RQ"),
        ("sent", "A-ASSOCIATE-AC"),
        ("received", "P-DATA-TF"),
        ("sent", "P-DATA-TF"),
        ("received", "A-RELEASE-RQ"),
        ("sent", "A-RELEASE-RP"),
    ]


def test_running_associations_may_finish_when_it_is_stopped(tmp_path: Path) -> None:
    """Within `--grace`; nobody new is let in meanwhile."""
    made = make_instances(tmp_path / "study", 3, pixel_bytes=SMALL)
    with serving(tmp_path / "in", "--no-tls", "--delay", "0.2", "-v") as server:
        arguments = ("store", server.address, "--no-tls", tmp_path / "study", "--max-ops", 1)
        with started_dicomtls(*arguments) as sender:
            server.wait_for_log(f"instance {made[0].sop_instance_uid} stored")
            stopped = server.stop()
            assert sender.process.wait(30) == 0
    assert stopped.exit_status == 0
    assert len(list((tmp_path / "in").rglob("*.dcm"))) == 3


def test_grace_ends_what_takes_longer(tmp_path: Path) -> None:
    """The association is aborted, which both sides are told; the exit status is 0 all the same."""
    make_instance(tmp_path / "a.dcm", pixel_bytes=SMALL)
    with serving(tmp_path / "in", "--no-tls", "--delay", "30", "--grace", "0", "-v") as server:
        with started_dicomtls("store", server.address, "--no-tls", tmp_path / "a.dcm", "--json") as sender:
            server.wait_for_log(" stored: ")
            stopped = server.stop()
            assert sender.process.wait(30) == 5
        assert stopped.exit_status == 0
    assert "warning: aborted by us: the server is stopping" in stopped.stderr
