"""README's quick start, followed line by line in a real shell, and the other shells' lines that documents show."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.instances import make_instances
from tests.support.markdown import Block, blocks
from tests.support.processes import PeerProcess, running
from tests.support.source import REPOSITORY

README = REPOSITORY / "README.md"
INSTANCES = 2


@dataclass(frozen=True)
class Step:
    """A block as it was typed, and what came of it."""

    typed: str
    exit_status: int
    stdout: str
    stderr: str


def section(name: str) -> list[Block]:
    """The blocks of a section of README."""
    return [block for block in blocks(README.read_text(encoding="utf-8")) if block.section == name]


def type_into(shell: Sequence[str | Path], text: str, folder: Path, *, timeout: float = 200) -> Step:
    """Have a shell (`[…, "bash"]`) run a text to its end, or to the first command that fails."""
    done = subprocess.run(
        [*map(str, shell), "-euo", "pipefail", "-c", text],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    return Step(text, done.returncode, done.stdout, done.stderr)


def follow_quick_start(shell: Sequence[str | Path], folder: Path) -> list[Step]:
    """All its blocks in one folder, the server's in a terminal of its own; only the port is another.

    What ended with another exit status than 0 is the last step.
    """
    make_instances(folder / "study", INSTANCES, pixel_bytes=1000)
    first, serve, *others = section("Quick start")
    made = type_into(shell, first.text, folder)
    assert made.exit_status == 0, made
    steps = [made]
    ready = folder / "ready"
    line = f"{serve.text.strip()} --listen 127.0.0.1:0 --ready-file {ready}"
    with running([*shell, "-c", line], 0, cwd=folder) as server:
        port = _port(server, ready)
        for block in others:
            # Where a host is checked or signed it stays one.
            text = re.sub(r"(?<!--host )\blocalhost\b", f"localhost:{port}", block.text)
            steps.append(type_into(shell, text, folder))
            if steps[-1].exit_status:
                break
    return steps


def _port(server: PeerProcess, ready: Path) -> str:
    server.wait_until(lambda: ready.exists() and ready.read_text() != "", "ready file")
    return ready.read_text().strip().rpartition(":")[2]
