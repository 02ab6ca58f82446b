"""What README, CONTRIBUTING and docs/ show can be done as it stands there: each code block is executed or checked."""

import configparser
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from dicomtls import config
from dicomtls.cli.configuring import known_keys
from tests.support.cli import REPOSITORY, Running, dicomtls_environment, run_dicomtls, serving
from tests.support.command_lines import parse
from tests.support.instances import make_instances
from tests.support.markdown import Block, blocks
from tests.support.quick_start import INSTANCES, README, follow_quick_start

DOCUMENTS = [README, REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
# Programs of others that a block may name; what they do is not ours to try.
OTHERS = frozenset(
    {".venv/bin/python", "apt-get", "crontab", "curl", "echo", "echoscu", "find", "openssl", "pip", "pipx", "uv"}
)
# Of other programs: read where Python can, and their lines with dicomtls in them by test_docs.
OF_OTHERS = frozenset({"json", "ini", "yaml", "haproxy", "cron", "text"})
WITHOUT_BLOCKS = frozenset({"errors.md", "architecture.md"})
TLS = ("--ca", "pki/ca.pem", "--cert", "pki/server.pem", "--key", "pki/server.key")


def sections(document: Path) -> list[Block]:
    """The blocks of one document."""
    return blocks(document.read_text(encoding="utf-8"))


def make_pki(folder: Path) -> None:
    """The first command of the quick start."""
    made = run_dicomtls("certgen", "pki", "pki", "--name", "Clinic", "--host", "localhost", cwd=folder)
    assert made.exit_status == 0, made.stderr


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """The server of the quick start, on a port of its own."""
    make_pki(tmp_path)
    options = [tmp_path / option if "/" in option else option for option in TLS]
    with serving(tmp_path / "in", *options) as running:
        yield running


def test_python_of_readme_works_when_it_is_run_as_one_script(tmp_path: Path, server: Running) -> None:
    """Our contexts serve pynetdicom, and the functions for scripts answer, with the PKI of the quick start."""
    make_instances(tmp_path / "study", 2, pixel_bytes=1000)
    script = "\n".join(block.text for block in sections(README) if block.language == "python")
    ended = subprocess.run(
        [sys.executable, "-c", script.replace("2762", str(server.port))],
        cwd=tmp_path,
        env=dicomtls_environment(),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    status, round_trips, sent, came, stages, _ = ended.stdout.splitlines()
    assert (status, sent, came) == ("0", "2", "2")
    assert re.fullmatch(r"\(\d+\.\d+,\)", round_trips)
    assert stages == "['name', 'tcp', 'tls', 'association', 'echo']"


@pytest.mark.timeout(240)  # as its shell has 200; nine seconds beside another suite
def test_quick_start_works_as_it_is_written(tmp_path: Path) -> None:
    """One block after the other in one folder, in a shell; only the port is another: tests have none of their own.

    `test_end_to_end_packages` does the same where dicomtls was installed as README says.
    """
    program = tmp_path / "bin" / "dicomtls"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dicomtls "$@"\n')
    program.chmod(0o755)
    environment = dicomtls_environment()
    path = f"PATH={program.parent}:{environment['PATH']}"
    shell = ["env", path, f"PYTHONPATH={environment['PYTHONPATH']}", "bash"]
    steps = follow_quick_start(shell, tmp_path)
    assert steps[-1].exit_status == 0, steps[-1]
    assert len(list((tmp_path / "in").rglob("*.dcm"))) == INSTANCES
    assert "<testsuite" in (tmp_path / "probe.xml").read_text()


def test_first_block_of_readme_shows_what_is_really_said(tmp_path: Path, server: Running) -> None:
    """The same two commands against the same server, word for word; numbers and the host's name may differ."""
    shown = sections(README)[0]
    for name in ("ws1.pem", "ws1.key"):
        (tmp_path / name).write_bytes((tmp_path / "pki" / f"client{name[3:]}").read_bytes())
    (tmp_path / "clinic-ca.pem").write_bytes((tmp_path / "pki" / "ca.pem").read_bytes())
    said: list[str] = []
    for words in shown.commands():
        address = [f"localhost:{server.port}" if word == "pacs.clinic.example" else word for word in words[1:]]
        done = run_dicomtls(*address, cwd=tmp_path)
        said += [*done.stderr.splitlines(), *done.stdout.splitlines()]
    assert [plain(line) for line in said] == [plain(line) for line in shown.output()]


def plain(line: str) -> str:
    """A line without what is another at each run."""
    line = line.replace("X25519MLKEM768", "x25519")  # from OpenSSL 3.5 on
    return re.sub(r"\d+(\.\d+)? (days|ms)", r"N \2", line.replace("pacs.clinic.example", "localhost"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_of_a_shell_names_what_there_is(document: Path) -> None:
    """Commands with options that they have, targets of the Makefile, and known programs of others: nothing else."""
    makefile = (REPOSITORY / "Makefile").read_text()
    found = [block for block in sections(document) if block.language in {"", "sh", "console"}]
    assert found or document.name in WITHOUT_BLOCKS
    for words in (words for block in found for words in block.commands()):
        for piped, part in groupby(words, lambda word: word == "|"):
            program, *rest = part
            if piped:
                continue
            if program == "make":
                assert re.search(rf"^{rest[-1]}:", makefile, re.MULTILINE), words
            elif program == "dicomtls":
                parse(rest)
            else:
                assert program in OTHERS, words


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_configuration_is_one(document: Path, tmp_path: Path) -> None:
    """Blocks of TOML are read as dicomtls.toml, each key known."""
    for block in sections(document):
        if block.language == "toml":
            (tmp_path / "dicomtls.toml").write_text(block.text)
            read = config.load(tmp_path / "dicomtls.toml", known_keys())
            assert set(read.peers) == set(tomllib.loads(block.text).get("peers", {}))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_block_is_of_a_kind_that_nobody_checks(document: Path) -> None:
    """A new language needs a test first; Python in other documents than README is at least compiled."""
    for block in sections(document):
        assert block.language in {"", "sh", "console", "python", "toml", *OF_OTHERS}, block
        if block.language == "json":
            json.loads(block.text)
        if block.language == "ini":
            configparser.ConfigParser().read_string(block.text)
        if block.language == "python":
            compile(block.text, str(document), "exec")


def test_blocks_are_found_with_their_kind() -> None:
    """The instrument itself: fenced and indented, with and without prompts, over several lines."""
    text = "# One\n\n    $ a b\n    answer\n\n## Two\n\n```toml\nx = 1\n```\n\n    c \\\n      d  # why\n\ntext\n"
    first, second, third = blocks(text)
    assert (first.section, first.commands(), first.output()) == ("One", [["a", "b"]], ["answer"])
    assert (second.section, second.language, second.text) == ("Two", "toml", "x = 1\n")
    assert third.commands() == [["c", "d"]]


def test_every_command_of_readme_is_one_that_help_lists() -> None:
    """The table of commands and the help of the program name the same."""
    named = set(re.findall(r"^\| `(?!dicomtls)([\w-]+)", README.read_text(encoding="utf-8"), re.MULTILINE))
    listed = set(re.findall(r"^  (\w[\w-]+)  ", run_dicomtls("--help").stdout, re.MULTILINE))
    assert named == listed
