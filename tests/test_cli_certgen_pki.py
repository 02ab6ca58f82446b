"""`dicomtls certgen pki`."""

import json
import shlex
import ssl
from pathlib import Path

import pytest

from dicomtls.cli.app import main
from dicomtls.tls import ClientAuth, TLSSettings, client_context, server_context
from tests.support.cli import run_dicomtls
from tests.support.peers import pynetdicom_scp, run_dcmtk

FILES = ["ca.key", "ca.pem", "client.key", "client.pem", "issued.txt", "server.key", "server.pem"]
BASE = ["--name", "Clinic", "--host", "localhost", "--host", "127.0.0.1"]


def names_in(directory: Path) -> list[str]:
    """The names of all files in a folder."""
    return sorted(path.name for path in directory.iterdir())


def test_files_are_written_and_the_private_ones_are_private(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Six files in a folder that is made, keys for their owner only, and a word on which goes where."""
    folder = tmp_path / "new" / "pki"
    assert main(["certgen", "pki", str(folder), *BASE]) == 0
    assert names_in(folder) == FILES
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {0o600}
    said = capsys.readouterr().out
    assert "for the server  server.pem server.key" in said
    assert "for the client  client.pem client.key" in said
    assert "for neither     ca.key" in said


def test_what_was_written_makes_a_handshake(tmp_path: Path) -> None:
    """The identities do what they are for: mutual TLS with our own echo, as the printed line has it."""
    assert main(["certgen", "pki", str(tmp_path / "pki"), *BASE, "--quiet"]) == 0
    ca, server, key = (tmp_path / "pki" / name for name in ("ca.pem", "server.pem", "server.key"))
    settings = TLSSettings(ca=(ca,), cert=(server,), key=(key,), client_auth=ClientAuth.REQUIRED)
    with pynetdicom_scp(server_context(settings)) as scp:
        line = f"echo localhost:{scp.port} --ca pki/ca.pem --cert pki/client.pem --key pki/client.key"
        result = run_dicomtls(*shlex.split(line), cwd=tmp_path)
    assert (result.exit_status, result.stderr) == (0, "")
    assert result.stdout.startswith("success (0x0000), TLSv1.3, ")


def test_document_describes_what_was_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` lists the files and the three certificates."""
    assert main(["certgen", "pki", str(tmp_path / "pki"), *BASE, "--days", "7", "--key-type", "ec:p256", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert (written["command"], written["subcommand"], written["ok"]) == ("certgen", "pki", True)
    assert sorted(Path(path).name for path in written["files"]) == FILES
    certificates = written["certificates"]
    assert certificates["ca"]["is_ca"] is True
    assert certificates["server"]["dns_names"] == ["localhost"]
    assert certificates["server"]["ip_addresses"] == ["127.0.0.1"]
    assert certificates["server"]["key"] == {"type": "EC", "bits": 256}
    assert certificates["client"]["extended_key_usage"] == ["clientAuth"]
    assert 6 <= certificates["client"]["days_left"] <= 7


def test_archives_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    """`--pkcs12` adds one for the server and one for the client, private like the keys."""
    assert main(["certgen", "pki", str(tmp_path), *BASE, "--pkcs12", "--quiet"]) == 0
    assert names_in(tmp_path) == sorted([*FILES, "server.p12", "client.p12"])
    assert (tmp_path / "server.p12").stat().st_mode & 0o777 == 0o600


def test_keys_are_encrypted_under_the_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the passphrase they load, without they do not."""
    monkeypatch.setenv("KEY_SECRET", "correct horse")
    assert main(["certgen", "pki", str(tmp_path), *BASE, "--passphrase-env", "KEY_SECRET", "--quiet"]) == 0
    assert (tmp_path / "ca.key").read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    cert, key = tmp_path / "client.pem", tmp_path / "client.key"
    client_context(
        TLSSettings(ca=(tmp_path / "ca.pem",), cert=(cert,), key=(key,), passphrase=lambda _: b"correct horse")
    )
    with pytest.raises(ssl.SSLError):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password=lambda: b"wrong")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--name", "Clinic"], "--host is missing"),
        (["--host", "localhost"], "--name is missing"),
        ([*BASE, "--key-type", "dsa"], "not a key type: 'dsa'"),
        ([*BASE, "--days", "0"], "--days: '0' is not a whole number from 1 on"),
        ([*BASE, "--days", "99999"], "a certificate cannot be valid for 99999 days"),
        (["--name", "", "--host", "localhost"], "not a name for a certificate: ''"),
        ([*BASE, "--ask-passphrase"], "there is no terminal to ask for the passphrase on"),
        ([*BASE, "--passphrase-env", "NOT_SET"], "the environment variable NOT_SET is not set"),
    ],
)
def test_wrong_options_leave_nothing_behind(
    arguments: list[str], error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is an error of its own with exit status 2, and not even the folder is made."""
    folder = tmp_path / "pki"
    assert main(["certgen", "pki", str(folder), *arguments]) == 2
    assert f"dicomtls: error: {error}" in capsys.readouterr().err
    assert not folder.exists()


def test_files_are_replaced_only_by_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that is lost is lost: one that is there stays, with all the rest, unless `--force` is given."""
    (tmp_path / "ca.key").write_text("precious")
    assert main(["certgen", "pki", str(tmp_path), *BASE]) == 2
    assert "ca.key exists already" in capsys.readouterr().err
    assert names_in(tmp_path) == ["ca.key"]
    assert main(["certgen", "pki", str(tmp_path), *BASE, "--force"]) == 0
    assert names_in(tmp_path) == FILES


def test_lines_for_dcmtk_work_as_they_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The client's line, with the port of a peer that demands a certificate."""
    assert main(["certgen", "pki", str(tmp_path), *BASE]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("echoscu"))
    ca, server, key = (tmp_path / name for name in ("ca.pem", "server.pem", "server.key"))
    with pynetdicom_scp(server_context(TLSSettings(ca=(ca,), cert=(server,), key=(key,)))) as scp:
        program, *arguments, _ = shlex.split(line)
        done = run_dcmtk(program, *arguments, scp.port)
    assert (done.returncode, done.stderr) == (0, "")
