"""The examples of every help page: each can be typed as it stands, and does what it says where a test can let it."""

import shlex
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from pydicom.data import get_testdata_file
from typer.core import TyperCommand

from dicomtls.cli.app import COMMANDS
from dicomtls.cli.command import LazyGroup
from tests.support.cli import run_dicomtls, serving
from tests.support.commands import command_at, command_paths, examples_of
from tests.support.instances import make_instances

EXAMPLES = sorted({line for path in command_paths() for line in examples_of(path)})
# What a test cannot have: a fixed port, a folder of the system, somebody at a terminal, an archive that knows where
# our free port is, a serial number that was drawn, a peer of another name.
NOT_RUN = ("serve", "move", "--listen", "--ask-passphrase", "/etc/", "revoke 5d0c1f3a9b", "forget pacs.example")
RUN = [line for line in EXAMPLES if not any(word in line for word in NOT_RUN)]
WITHOUT_PEER = ("certgen", "demo", "peers")
HOSTS = ("pacs.example", "ct1.example", "ris.example", "localhost", "192.0.2.7", "pacs")


def words_of(line: str) -> list[str]:
    """The arguments of dicomtls, without what another program sends into it."""
    return shlex.split(line.rpartition(" | ")[2])[1:]


@pytest.mark.parametrize("line", EXAMPLES)
def test_example_can_be_typed(line: str) -> None:
    """Its options are there, and their values are read."""
    words, found = words_of(line), command_at(())
    while isinstance(found, LazyGroup):
        found = command_at((*_path(found), words.pop(0)))
    assert isinstance(found, TyperCommand)
    with found.make_context("dicomtls", words, parent=typer.Context(COMMANDS)) as context:
        assert not context.args


def _path(group: LazyGroup) -> tuple[str, ...]:
    return () if group is COMMANDS else (str(group.name),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples are given: certificates by their names, CAs, instances, a request, a list of peers."""
    made = tmp_path_factory.mktemp("examples")
    for line in (
        "certgen pki pki --name Clinic --host localhost",
        "certgen issue --ca-dir pki --name ct2 --host ct2.example",
        "certgen request --name ct2 --host ct2.example",
        "certgen ca --name Clinic --out root --path-length 1",
        "certgen bundle ct2.pem pki/ca.pem --name vendor",
    ):
        words = line.split()
        assert run_dicomtls(*words, *["--force"] * ("request" in words), cwd=made).exit_status == 0, line
    run_dicomtls("certgen", "issue", "--ca-dir", "pki", "--name", "ct2", "--host", "x", "--force", cwd=made)
    for new, old in {
        "ca.pem": "pki/ca.pem",
        "hospital-ca.pem": "pki/ca.pem",
        "intermediate.pem": "pki/ca.pem",
        "server.pem": "pki/server.pem",
        "client.pem": "pki/client.pem",
        "client.key": "pki/client.key",
        "ws1.key": "pki/client.key",
        "ct.req": "ct2.csr",
        "vendor.p7b": "vendor.pem",
    }.items():
        shutil.copy(made / old, made / new)
    (made / "ws1.pem").write_bytes((made / "pki/client.pem").read_bytes() + (made / "pki/client.key").read_bytes())
    make_instances(made / "study", 2, pixel_bytes=1000)
    make_directory(made)
    return made


def make_directory(folder: Path) -> None:
    """A DICOMDIR, and the instance that it lists."""
    template = Path(str(get_testdata_file("DICOMDIR")))
    shutil.copy(template, folder / "DICOMDIR")
    for name in ("77654033", "98892001", "98892003"):
        shutil.copytree(template.parent / name, folder / name)


@pytest.fixture(scope="module")
def servers(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """The ports of whoever the examples call: over TLS, and in clear."""
    kept, in_clear, worklist = (tmp_path_factory.mktemp(name) for name in ("kept", "clear", "worklist"))
    files: list[str | Path] = [
        "--ca",
        folder / "ca.pem",
        "--cert",
        folder / "pki/server.pem",
        "--key",
        folder / "pki/server.key",
    ]
    with serving(kept, *files, "--client-auth", "optional", "--worklist", worklist) as secure:  # noqa: SIM117 -- two lines
        with serving(in_clear, "--no-tls") as plain:
            yield secure.port, plain.port


def at_peer(words: list[str], port: int) -> list[str]:
    """The same with the server's address in place of the peer's; AE titles and what belongs to options stay."""
    called: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        title, at, address = word.rpartition("@")
        is_peer = address.partition(":")[0] in HOSTS and before != "--host"
        called.append(f"{title}{at}localhost:{port}" if is_peer else word)
    return called


def give(folder: Path, words: list[str], place: Path) -> None:
    """Copy what the example reads, and nothing of what it writes."""
    writes = ("--out", "--name", "--output")
    read = {word.partition("/")[0] for before, word in pairwise(["", *words]) if before not in writes and word}
    if words[:2] == ["certgen", "pki"]:
        return
    for name in sorted(read | ({"77654033", "98892001", "98892003"} if "DICOMDIR" in read else set())):
        source = folder / name
        if source.is_dir():
            shutil.copytree(source, place / name)
        elif source.exists():
            shutil.copy(source, place)


@pytest.mark.parametrize("line", RUN)
def test_example_does_what_it_says(line: str, folder: Path, servers: tuple[int, int], tmp_path: Path) -> None:
    """In a folder with what it is given; a name of a peer becomes our server's."""
    port = servers[1 if "--no-tls" in line else 0]
    words = words_of(line)
    give(folder, [*words, *["study"] * (" | " in line)], tmp_path)
    (tmp_path / "peers.txt").write_text(f"localhost:{port}\n")
    # Its peers have certificates of an authority that the system knows; ours is in the environment.
    environment = {"DICOMTLS_CA": str(folder / "ca.pem"), "XDG_DATA_HOME": str(tmp_path / "data")}
    if words[0] == "peers" and "add" not in words:
        sections = (f'[peers.{name}]\nhost = "localhost"\nport = {port}\n' for name in ("pacs", "ct1"))
        (tmp_path / "dicomtls.toml").write_text("".join(sections))
        met = run_dicomtls("echo", "pacs", "--trust-on-first-use", cwd=tmp_path, env=environment)
        assert met.exit_status == 0, met.stderr
    if words[0] not in WITHOUT_PEER:
        words = at_peer(words, port)
    ended = run_dicomtls(*words, cwd=tmp_path, env=environment, stdin="study\n")
    assert ended.exit_status == 0, (words, ended.stderr)


def test_what_is_run_is_most_of_them() -> None:
    """The instrument itself."""
    assert len(RUN) > 0.7 * len(EXAMPLES) > 30
