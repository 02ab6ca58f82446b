"""Java on the other side, as dcm4che uses it: with the lines that `certgen pki` prints for it."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import run_dicomtls, serving
from tests.support.peers import require
from tests.support.source import REPOSITORY

JSSE = REPOSITORY / "tests" / "support" / "Jsse.java"


def run_java(program: str, *arguments: str, cwd: Path) -> str:
    """Run a Java tool to its end; returns what it printed."""
    done = subprocess.run(
        [require(program), *arguments], cwd=cwd, capture_output=True, encoding="utf-8", timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("key_type", ["rsa:2048", "ec:p256"])
def test_printed_lines_for_dcm4che_make_a_handshake_with_both_certificates(tmp_path: Path, key_type: str) -> None:
    """The trust store by the keytool line, the suite and the archives by storescu's, at TLS 1.2 as is its default."""
    require("java")
    (tmp_path / "pass").write_text("changeit\n")
    options = (
        "--name",
        "Clinic",
        "--host",
        "localhost",
        "--key-type",
        key_type,
        "--pkcs12",
        "--passphrase-file",
        "pass",
    )
    made = run_dicomtls("certgen", "pki", "pki", *options, cwd=tmp_path)
    assert made.exit_status == 0, made.stderr
    lines = [shlex.split(line) for line in made.stdout.splitlines() if line.startswith("  ")]
    keytool = next(line for line in lines if line[0] == "keytool")
    run_java(*keytool, cwd=tmp_path)
    storescu = next(line for line in lines if line[0] == "storescu")
    stores = ["changeit" if word == "PASS" else word for word in storescu[3:-1]]
    files = (
        f"--{option}={tmp_path / 'pki' / name}"
        for option, name in (("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server.key"))
    )
    with serving(tmp_path / "in", *files, "--passphrase-file", tmp_path / "pass") as server:
        said = run_java("java", str(JSSE), "localhost", str(server.port), *stores, cwd=tmp_path)
    suite, principal = said.splitlines()
    assert suite == storescu[storescu.index("--tls-cipher") + 1]
    assert re.search(r"CN=Clinic client", principal)
