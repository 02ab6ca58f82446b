"""`dicomtls certgen test-set`."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from dicomtls.cli.app import main
from tests.support.cases import read_index
from tests.support.cli import run_dicomtls
from tests.support.processes import require, reserved_port, running


def test_set_is_written_with_an_index_of_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every path of the index can be opened; keys are for their owner only."""
    folder = tmp_path / "new" / "set"
    assert main(["certgen", "test-set", str(folder)]) == 0
    entries = read_index(folder)
    for entry in entries:
        assert entry.file.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
        assert entry.ca.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
        assert entry.crl is None or entry.crl.read_bytes().startswith(b"-----BEGIN X509 CRL-----")
        assert entry.key.stat().st_mode & 0o777 == 0o600
    faults = sum(entry.code is not None for entry in entries)
    assert faults >= 25
    captured = capsys.readouterr()
    assert captured.err == ""
    assert f"wrote {len(entries)} cases into {folder}: " in captured.out
    assert f"{len(entries) - faults} that must pass, {faults} with one fault each" in captured.out


def test_lines_to_try_work_as_they_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """But for the port: while the first runs, the second says what is wrong with it, and the third of the file."""
    assert main(["certgen", "test-set", str(tmp_path / "a set")]) == 0
    server, client, inspection = (
        line for line in capsys.readouterr().out.splitlines() if re.match("  (openssl|dicomtls) ", line)
    )
    require("openssl")
    with reserved_port() as port:
        command = shlex.split(server.replace("-accept 2762", f"-accept 127.0.0.1:{port}"))
        with running(command, port, stdin=subprocess.PIPE) as peer:
            peer.wait_until(lambda: peer.listens_on(port), "listening port")
            echo = run_dicomtls(*shlex.split(client.replace(":2762", f":{port}"))[1:])
    assert echo.exit_status == 4
    assert "dicomtls: error: the peer's certificate expired on " in echo.stderr
    inspected = run_dicomtls(*shlex.split(inspection)[1:])
    assert inspected.exit_status == 1
    assert "expired" in inspected.stdout


def test_document_has_the_index_and_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So that a script needs no second look."""
    assert main(["certgen", "test-set", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["command"], document["subcommand"], document["ok"]) == ("certgen", "test-set", True)
    assert document["cases"] == json.loads((tmp_path / "index.json").read_bytes())
    assert sorted(document["files"]) == sorted(str(path) for path in tmp_path.rglob("*") if path.is_file())


def test_quiet_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The files are there all the same."""
    assert main(["certgen", "test-set", str(tmp_path), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "index.json").exists()


def test_files_are_replaced_only_by_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One name that is taken leaves everything as it was."""
    (tmp_path / "keys").mkdir()
    taken = tmp_path / "keys" / "rsa-2048.key"
    taken.write_text("precious")
    assert main(["certgen", "test-set", str(tmp_path)]) == 2
    assert "rsa-2048.key exists already" in capsys.readouterr().err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [taken]
    assert main(["certgen", "test-set", str(tmp_path), "--force", "--quiet"]) == 0
    assert taken.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert read_index(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        ([], 2, "DIR is missing"),
        (["file"], 6, "cannot write "),
        (["", "--force"], 2, "DIR"),
        (["x", "--key-type", "rsa:2048"], 2, "no such option: --key-type"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    arguments: list[str],
    status: int,
    error: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(["certgen", "test-set", *arguments]) == status
    assert f"dicomtls: error: {error}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
