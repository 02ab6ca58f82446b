"""`dicomtls certgen issue`."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from dicomtls.tls import TLSSettings, server_context
from tests.support.authority import EC, Certgen
from tests.support.cli import run_dicomtls
from tests.support.openssl import verify
from tests.support.peers import pynetdicom_scp, run_dcmtk
from tests.support.processes import require


def test_device_gets_a_key_and_a_certificate_for_both_roles(certgen: Certgen) -> None:
    """Names of every kind, private where it has to be, in the record."""
    hosts = ("--host", "dév.example", "--host", "192.0.2.7", "--host", "2001:db8::7")
    cert = certgen.issue("ct", *hosts, "--uri", "urn:x:1")
    assert cert.with_suffix(".key").stat().st_mode & 0o777 == 0o600
    assert verify(cert, "-CAfile", certgen.ca / "ca.pem", "-verify_ip", "2001:db8::7").endswith("OK\n")
    assert "CN=ct" in (certgen.ca / "issued.txt").read_text()


def test_document_describes_what_was_made(certgen: Certgen) -> None:
    """One purpose, and the files by their paths."""
    out = certgen.directory
    base = ("issue", "--ca-dir", certgen.ca, "--name", "ws", "--out", out, "--key-type", EC)
    document = certgen.document(*base, "--purpose", "client", "--days", "9")
    assert document["files"] == [str(out / "ws.pem"), str(out / "ws.key")]
    assert document["certificates"]["ws"]["extended_key_usage"] == ["clientAuth"]
    assert document["certificates"]["ws"]["days_left"] == 8
    failed = certgen.document(*base, "--purpose", "client", status=2)
    assert (failed["ok"], failed["error"]["code"]) == (False, "configuration")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--name", "x"), "a server's certificate needs the names or addresses"),
        (("--name", "x", "--host", "a b"), "neither a DNS name nor an IP address: 'a b'"),
        (("--name", "a/b", "--host", "x"), "not a name for a file: 'a/b'"),
        (("--name", "x", "--host", "x", "--uri", "no uri"), "not a URI: 'no uri'"),
        (("--name", "x", "--host", "x", "--purpose", "mail"), "not a purpose: 'mail'"),
        (("--name", "x", "--host", "x", "--days", "9999"), "would outlive its CA"),
        (("--name", "x", "--host", "x", "--ca-dir", "/nowhere"), "there is no CA in /nowhere"),
        (("--name", "x", "--host", "x", "--passphrase-env", "NOT_SET"), "is not set"),
    ],
)
def test_wrong_options_leave_nothing_behind(certgen: Certgen, arguments: tuple[str, ...], error: str) -> None:
    """Each is one line and exit status 2; neither file nor record changes."""
    before, record = certgen.files(), (certgen.ca / "issued.txt").read_bytes()
    base = ("issue", "--ca-dir", certgen.ca, "--out", certgen.directory / "new", "--key-type", EC)
    assert error in certgen.run(*base, *arguments, status=2)
    assert certgen.files() == before
    assert (certgen.ca / "issued.txt").read_bytes() == record


def test_passphrases_of_ca_and_device_are_two(certgen: Certgen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each from its own source; without the CA's nothing is signed."""
    monkeypatch.setenv("CA_SECRET", "ca secret")
    monkeypatch.setenv("KEY_SECRET", "key secret")
    folder = certgen.directory / "locked"
    certgen.run("ca", "--name", "L", "--out", folder, "--key-type", EC, "--passphrase-env", "CA_SECRET")
    base = ("issue", "--ca-dir", folder, "--name", "ct", "--host", "ct", "--out", certgen.directory, "--key-type", EC)
    said = certgen.run(*base, status=2)
    assert "there is no passphrase" in said
    assert "--ca-passphrase-file" in said
    assert "wrong passphrase" in certgen.run(*base, "--ca-passphrase-env", "KEY_SECRET", status=2)
    certgen.run(*base, "--ca-passphrase-env", "CA_SECRET", "--passphrase-env", "KEY_SECRET")
    assert b"ENCRYPTED" in (certgen.directory / "ct.key").read_bytes()


def test_archive_is_taken_by_java(certgen: Certgen, monkeypatch: pytest.MonkeyPatch) -> None:
    """keytool lists the key and its chain."""
    monkeypatch.setenv("KEY_SECRET", "changeit")
    certgen.issue("ct", "--host", "ct", "--pkcs12", "--passphrase-env", "KEY_SECRET")
    archive = str(certgen.directory / "ct.p12")
    listing = [require("keytool"), "-list", "-v", "-keystore", archive, "-storepass", "changeit"]
    done = subprocess.run(listing, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout
    assert "PrivateKeyEntry" in done.stdout
    assert "CN=ct" in done.stdout
    assert "CN=Clinic CA" in done.stdout


def test_archive_without_a_passphrase_says_that_java_takes_none(certgen: Certgen) -> None:
    """It opens there without an error, and is empty."""
    base = ("issue", "--ca-dir", certgen.ca, "--name", "ct", "--host", "ct", "--out", certgen.directory)
    assert "Java reads nothing in an archive without a passphrase" in certgen.run(*base, "--key-type", EC, "--pkcs12")


def test_printed_lines_work_with_dicomtls_and_dcmtk(certgen: Certgen, tmp_path: Path) -> None:
    """A client's lines as they are printed, against a server that demands its certificate."""
    server = certgen.issue("srv", "--host", "localhost")
    base = ("issue", "--ca-dir", certgen.ca, "--name", "ws", "--purpose", "client", "--out", tmp_path)
    lines = [line.strip() for line in certgen.run(*base).splitlines()]
    settings = TLSSettings(ca=(certgen.ca / "ca.pem",), cert=(server,), key=(server.with_suffix(".key"),))
    with pynetdicom_scp(server_context(settings)) as scp:
        ours = next(line for line in lines if line.startswith("dicomtls echo"))
        result = run_dicomtls(*shlex.split(ours.replace("PEER", f"localhost:{scp.port}"))[1:], "--json")
        assert json.loads(result.stdout)["ok"] is True
        dcmtk = next(line for line in lines if line.startswith("echoscu"))
        program, *arguments = shlex.split(dcmtk.replace("PEER 2762", f"localhost {scp.port}"))
        assert run_dcmtk(program, *arguments).returncode == 0
