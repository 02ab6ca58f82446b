"""What works on Linux works where Windows and macOS have less: tried by taking the names away."""

import json
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import cli
from tests.support.cli import REPOSITORY, run_dicomtls, serving, started_dicomtls
from tests.support.elsewhere import SYSTEMS
from tests.support.instances import make_instance, make_instances
from tests.support.peers import pynetdicom_scp, reserved_port
from tests.support.pki import PASSPHRASE, PKI, server_context
from tests.support.servers import all_files

SCRIPT = REPOSITORY / "tests" / "support" / "elsewhere.py"


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The system that every `dicomtls` of the test believes to be on."""
    name = str(request.param)

    def command(*args: str | Path | int, python_options: tuple[str, ...] = ()) -> list[str]:
        return [sys.executable, *python_options, str(SCRIPT), name, *map(str, args)]

    monkeypatch.setattr(cli, "dicomtls_command", command)
    return name


def options(pki: PKI) -> list[str | Path]:
    """What a client needs; its key comes in a form that OpenSSL must be handed through a file of ours."""
    return ["--ca", pki.ca, "--cert", pki.client.pkcs12, "--passphrase-env", "PASSPHRASE"]


@pytest.mark.parametrize(("system_name", "name"), [("windows", "poll"), ("windows", "fork"), ("macos", "memfd_create")])
def test_names_are_really_gone(system_name: str, name: str) -> None:
    """The instrument itself: without it each of them is there, with it none."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import os, select; {}print(hasattr({}, sys.argv[2]))"
    module = "select" if name == "poll" else "os"
    taken = f"from tests.support.elsewhere import take_away; take_away({system_name!r}); "
    for removal, expected in (("", "True"), (taken, "False")):
        line = [sys.executable, "-c", code.format(removal, module), str(REPOSITORY), name]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == expected, done.stderr


def test_echo_store_and_serve_work_elsewhere(pki: PKI, tmp_path: Path, system: str) -> None:
    """Both ends without what is missing: an instance arrives whole, and the certificates are verified both ways."""
    instance = make_instance(tmp_path / "a.dcm", pixel_bytes=300_000)
    env = {"PASSPHRASE": PASSPHRASE.decode()}
    server = ("--ca", pki.ca, "--cert", pki.server.cert, "--key", pki.server.key, "--fsync")
    with serving(tmp_path / "in", *server) as running:
        for words in (("echo", running.address), ("store", running.address, instance.path)):
            done = run_dicomtls(*words, *options(pki), "--json", env=env)
            assert done.exit_status == 0, (system, done.stderr)
            assert done.json()["tls"]["verified"] is True
        again = run_dicomtls("store", running.address, instance.path, *options(pki), env=env)
        refused = run_dicomtls("echo", running.address, "--ca", pki.ca, "--json")
        ended = running.stop()
    assert again.exit_status == 0
    assert (refused.exit_status, refused.json()["error"]["code"]) == (4, "client-certificate-required")
    assert ended.exit_status == 0, ended.stderr
    (stored,) = (tmp_path / "in").rglob("*.dcm")
    assert stored.read_bytes().endswith(instance.path.read_bytes()[-300_000:])


def test_what_was_stored_is_found_and_fetched_elsewhere(pki: PKI, tmp_path: Path, system: str) -> None:
    """The index, both ways to retrieve, the road to the server, and all peers of the configuration at once."""
    made = make_instances(tmp_path / "study", 2, pixel_bytes=1000)
    identity = ("--ca", pki.ca, "--cert", pki.server.cert, "--key", pki.server.key)
    key = ("-k", "PatientID=PAT-1")
    with reserved_port() as port:
        known = ("--move-destination", f"WS1@localhost:{port}")
        with serving(tmp_path / "in", *identity, *known) as running:
            received = ("--to", "WS1", "--receive", tmp_path / "moved", "--listen", f"127.0.0.1:{port}")
            for words in (
                ("store", running.address, tmp_path / "study"),
                ("find", running.address, "-k", "PatientName=*"),
                ("get", running.address, *key, "--output", tmp_path / "got", "--level", "patient"),
                ("move", running.address, *key, "--level", "patient", *received),
                ("handshake-probe", running.address, "--format", "junit", "--output", tmp_path / "probe.xml"),
            ):
                done = run_dicomtls(*words, *identity)
                assert done.exit_status == 0, (system, words, done.stderr)
            added = run_dicomtls("peers", "add", "archive", running.address)
            names = ("DICOMTLS_CA", "DICOMTLS_CERT", "DICOMTLS_KEY")
            checked = run_dicomtls("peers", "check", env=dict(zip(names, map(str, identity[1::2]), strict=True)))
            assert (added.exit_status, checked.exit_status) == (0, 0), (system, added.stderr, checked.stderr)
            assert running.stop().exit_status == 0
    for folder in ("in", "got", "moved"):
        assert len(list((tmp_path / folder).rglob("*.dcm"))) == len(made), (system, folder)


def test_line_is_completed_elsewhere(system: str) -> None:
    """What the script of PowerShell asks for."""
    asked = {"_DICOMTLS_COMPLETE": "complete_powershell", "_DICOMTLS_COMPLETE_LINE": "dicomtls inspect"}
    done = run_dicomtls(env={**asked, "_DICOMTLS_COMPLETE_WORD": "inspect"})
    assert done.stdout.startswith("inspect-cert:::"), (system, done.stderr)


def test_refused_connection_is_told_elsewhere(system: str) -> None:
    """The wait for a connection ends when it fails."""
    done = run_dicomtls("echo", "127.0.0.1:1", "--no-tls", "--json")
    assert (done.exit_status, done.json()["error"]["code"]) == (3, "connection-refused"), system


def test_certificates_are_made_and_inspected_elsewhere(tmp_path: Path, system: str) -> None:
    """Nothing of a key is readable by others where there are modes, nothing is overwritten, and PKCS#12 is read."""
    make = ("certgen", "pki", "pki", "--name", "Clinic", "--host", "localhost", "--key-type", "ec:p256")
    made = run_dicomtls(*make, "--pkcs12", "--passphrase-env", "PASSPHRASE", env={"PASSPHRASE": "x y"}, cwd=tmp_path)
    assert made.exit_status == 0, made.stderr
    content = (tmp_path / "pki" / "ca.pem").read_bytes()
    assert (tmp_path / "pki" / "server.key").stat().st_mode & 0o077 == 0
    assert run_dicomtls(*make, cwd=tmp_path).exit_status == 2
    assert (tmp_path / "pki" / "ca.pem").read_bytes() == content
    forced = run_dicomtls(*make, "--force", cwd=tmp_path)
    assert forced.exit_status == 0, (system, forced.stderr)
    assert (tmp_path / "pki" / "ca.pem").read_bytes() != content
    trust = ("--ca", "pki/ca.pem", "--host", "localhost", "--json")
    looked = run_dicomtls("inspect-cert", "pki/server.pem", *trust, cwd=tmp_path)
    assert (looked.exit_status, looked.json()["ok"]) == (0, True), looked.stderr
    assert not [path for path in (tmp_path / "pki").iterdir() if path.name.startswith(".")]


def test_peer_is_remembered_elsewhere(pki: PKI, system: str) -> None:
    """The file of remembered peers is written without locks and durable folders."""
    with pynetdicom_scp(server_context(pki, client_auth=ssl.CERT_NONE)) as scp:
        for _ in range(2):
            done = run_dicomtls("echo", scp.address, "--trust-on-first-use", "--no-verify-name")
            assert done.exit_status == 0, (system, done.stderr)
    listed = run_dicomtls("peers", "list", "--json")
    assert scp.address.rpartition(":")[2] in json.dumps(listed.json())


def test_server_hears_of_its_end_elsewhere(tmp_path: Path, system: str) -> None:
    """Without a system call that a signal interrupts, SIGTERM ends it all the same."""
    with started_dicomtls("serve", "--listen", "127.0.0.1:0", "--directory", tmp_path / "in", "--no-tls") as running:
        running.wait_until(lambda: b"listening" in running.stdout_path.read_bytes(), "word of it")
        assert running.stop().exit_status == 0, system
    assert all_files(tmp_path / "in") == []
