"""What README, docs/ and the program say to those who come from DCMTK, dcm4che and OpenSSL holds: each line is run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Running, dicomtls_environment, run_dicomtls, serving
from tests.support.instances import make_instances
from tests.support.other_tools import (
    DCM4CHE,
    DCM4CHE_TLS,
    Row,
    is_dcm4che,
    options_in_help,
    options_of,
    rows,
    shown,
)
from tests.support.peers import require
from tests.support.processes import reserved_port, running

SHOWN = shown()
LINES = [words for words in SHOWN if not is_dcm4che(words) and "…" not in words]
ROWS = [row for row in rows() if "…" not in row.there]
# A server is started, not called.
CALLS = [row for row in ROWS if row.program != "storescp"]
SERVERS = [row for row in ROWS if row.program == "storescp"]

calls = pytest.mark.parametrize("row", CALLS, ids=lambda row: row.name)


@pytest.mark.parametrize("words", LINES, ids=lambda words: "_".join(words[:3]))
def test_options_of_another_tool_are_in_its_help(words: list[str]) -> None:
    """Spelled as there."""
    assert set(options_of(words)) <= options_in_help(words)


def test_option_that_another_tool_does_not_have_is_found() -> None:
    """The negative twin."""
    for line in (["echoscu", "+tlsx", "a"], ["openssl", "verify", "-verify_host", "a"], ["keytool", "-list", "-nope"]):
        assert not set(options_of(line)) <= options_in_help(line)
    assert len(LINES) > 15


def test_lines_of_dcm4che_turn_tls_on() -> None:
    """Options that it has, one of which has suites, or the tool would speak in clear; a port without an empty title."""
    lines = [words for words in SHOWN if is_dcm4che(words)]
    assert len(lines) > 5
    for words in lines:
        assert set(options_of(words)) <= DCM4CHE, words
        assert DCM4CHE_TLS & set(words), words
        assert "-b" not in words or words[words.index("-b") + 1].isdecimal(), words


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the lines name, and the program as README has it: on the path."""
    made = tmp_path_factory.mktemp("lines")
    for place, host in (("pki", "pacs"), ("elsewhere", "other")):
        made_pki = run_dicomtls(
            "certgen", "pki", place, "--name", place, "--host", host, "--host", "localhost", cwd=made
        )
        assert made_pki.exit_status == 0, made_pki.stderr
    for new, old in {
        "ca.pem": "pki/ca.pem",
        "ws1.pem": "pki/client.pem",
        "ws1.key": "pki/client.key",
        "s.pem": "pki/server.pem",
        "s.key": "pki/server.key",
        "server.pem": "pki/server.pem",
    }.items():
        shutil.copy(made / old, made / new)
    (made / "in").mkdir()
    make_instances(made, 1, pixel_bytes=1000)
    program = made / "bin" / "dicomtls"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dicomtls "$@"\n')
    program.chmod(0o755)
    return made


def serving_with(folder: Path, client_auth: str, kept: Path) -> Iterator[Running]:
    """A server with the PKI of the lines."""
    files = ("--ca", folder / "ca.pem", "--cert", folder / "s.pem", "--key", folder / "s.key")
    with serving(kept, *files, "--client-auth", client_auth) as started:
        yield started


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that demands certificates."""
    yield from serving_with(folder, "required", tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def tolerant(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that takes anonymous clients too."""
    yield from serving_with(folder, "optional", tmp_path_factory.mktemp("kept"))


def environment(folder: Path) -> dict[str, str]:
    """With our program where a shell finds it."""
    return {**dicomtls_environment(), "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}


def succeeds(text: str, folder: Path) -> bool:
    """Have a shell run a line, ours or another's; `s_client` goes on without trust, and only says so."""
    program = text.split(maxsplit=1)[0]
    if program != "dicomtls":
        require(program)
    done = subprocess.run(
        ["bash", "-c", text],
        cwd=folder,
        env=environment(folder),
        input="Q\n",
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=50,
        check=False,
    )
    said = f"{done.stdout}{done.stderr}"
    sys.stderr.write(f"$ {text}\n{said}\n")
    return done.returncode == 0 and "Verify return code: 19" not in said


@calls
def test_both_columns_succeed(row: Row, folder: Path, server: Running, tolerant: Running) -> None:
    """Those without a certificate at a server that takes them."""
    port = (tolerant if row.is_anonymous else server).port
    for text in row.at(port):
        assert succeeds(text, folder)


@calls
def test_both_columns_fail_where_one_does(row: Row, folder: Path, server: Running) -> None:
    """With the trust anchors of somebody else; those that verify nothing, where a certificate is demanded."""
    for text in row.at(server.port):
        assert not succeeds(text.replace("ca.pem", "elsewhere/ca.pem"), folder)


def kept_in(folder: Path) -> list[Path]:
    """The instances in a folder; the index and its journal are hidden, and may be there or not."""
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if not any(part.startswith(".") for part in path.parts)]


@pytest.mark.parametrize("row", SERVERS, ids=lambda row: row.name)
def test_servers_of_both_columns_demand_the_same(row: Row, folder: Path) -> None:
    """An instance is kept in the folder that is named; a client without a certificate is refused by either."""
    require(row.program)
    client = "--ca ca.pem --cert ws1.pem --key ws1.key"
    for number, text in enumerate((row.there, *row.here), start=1):
        with reserved_port() as port:
            line = f"exec {text.replace('11112', str(port))}"
            with running(["bash", "-c", line], port, env=environment(folder), cwd=folder) as peer:
                peer.wait_until(lambda port=port, peer=peer: peer.listens_on(port), "listening port")  # type: ignore[misc]  # bound early
                assert not succeeds(f"dicomtls echo localhost:{port} --ca ca.pem", folder)
                assert succeeds(f"dicomtls store localhost:{port} *.dcm {client}", folder)
                assert len(kept_in(folder / "in")) == number
