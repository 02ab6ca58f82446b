"""Where the benchmarks run: a folder on tmpfs with a PKI, the instances to send and the folders to receive in."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import commands
from tests.bench.pki import PKI, make_pki
from tests.bench.processes import BenchError, Finished, Server, free_port, run, serving, take_memory

_SPARE_MEMORY = 256 << 20
"""For what the two processes take besides the received files, in bytes."""


@dataclass(frozen=True)
class Sizes:
    """How much is sent and how often.

    `stock` instances go through stock DCMTK, which waits 40 ms at each; `ct` and `small` through all others. An archive
    to query has `studies` of ten instances. `large` names the kind of the one large instance and `large_size` says it
    for people. `targets` are probed at once, eight tenths of which answer. `pairs` and `starts` count the runs of
    transfers and of commands that only start; `space` is what the folder must have free, in bytes.
    """

    stock: int
    ct: int
    small: int
    studies: int
    large: str
    large_size: str
    targets: int
    pairs: int
    starts: int
    space: int


FULL = Sizes(
    stock=150,
    ct=2000,
    small=5000,
    studies=10_000,
    large="large",
    large_size="1 GB",
    targets=1000,
    pairs=7,
    starts=15,
    space=5 << 30,
)
QUICK = Sizes(
    stock=20,
    ct=200,
    small=500,
    studies=500,
    large="large-quick",
    large_size="134 MB",
    targets=50,
    pairs=3,
    starts=5,
    space=1 << 30,
)


@dataclass(frozen=True)
class Batch:
    """A folder of instances to send."""

    directory: Path
    count: int
    size: int

    @property
    def megabytes(self) -> float:
        """Length of all files in units of 10^6 bytes."""
        return self.size / 1e6


@dataclass(frozen=True)
class Receiver:
    """A server that stores what comes in `directory`."""

    server: Server
    directory: Path
    pattern: str

    def take(self, batch: Batch) -> None:
        """Remove what was received; raise BenchError when it is not the whole batch.

        Folders stay, because the server may count on those that it has made.
        """
        received = [path for path in self.directory.rglob(self.pattern) if path.is_file()]
        size = sum(path.stat().st_size for path in received)
        for path in received:
            path.unlink()
        # The file meta information that a receiver writes differs in length by some tens of bytes.
        if len(received) != batch.count or abs(size - batch.size) > 500 * batch.count:
            message = f"{len(received)} instances ({size:,} bytes) of {batch.count} ({batch.size:,}) were received"
            raise BenchError(message)


@dataclass
class Lab:
    """The folder and what is in it; instances are made when they are first asked for."""

    root: Path
    sizes: Sizes
    pki: PKI
    _batches: dict[tuple[str, int], Batch] = field(default_factory=dict)

    def batch(self, kind: str, count: int) -> Batch:
        """Return `count` instances of a kind that `instances.SHAPES` names."""
        if (kind, count) not in self._batches:
            self._batches[kind, count] = self._make_batch(kind, count)
        return self._batches[kind, count]

    def _make_batch(self, kind: str, count: int) -> Batch:
        directory = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self.root))
        subprocess.run([sys.executable, "-m", "tests.bench.instances", kind, str(count), directory], check=True)
        return Batch(directory, count, sum(path.stat().st_size for path in directory.iterdir()))

    @contextmanager
    def large_batch(self) -> Iterator[Batch]:
        """Lend the one large instance, which is not kept: it takes as much memory as all others together."""
        batch = self._make_batch(self.sizes.large, 1)
        try:
            yield batch
        finally:
            shutil.rmtree(batch.directory)

    @contextmanager
    def storescp(self, environment: dict[str, str]) -> Iterator[Receiver]:
        """Run DCMTK's receiver."""
        directory = Path(tempfile.mkdtemp(prefix="storescp-", dir=self.root))
        with serving(commands.storescp(self.pki, free_port(), directory), environment) as server:
            yield Receiver(server, directory, "*")

    @contextmanager
    def serve(self, *options: str, host: str = commands.HOST) -> Iterator[Receiver]:
        """Run our receiver."""
        directory = Path(tempfile.mkdtemp(prefix="serve-", dir=self.root))
        with serving(commands.serve(self.pki, directory, *options, host=host), commands.plain_environment()) as server:
            yield Receiver(server, directory, "*.dcm")

    def send_with_storescu(self, batch: Batch, receiver: Receiver, environment: dict[str, str]) -> Finished:
        """Send a batch with DCMTK."""
        take_memory(batch.size + _SPARE_MEMORY)
        finished = run(commands.storescu(self.pki, receiver.server.port, batch.directory), environment)
        receiver.take(batch)
        return finished

    def send_with_store(self, batch: Batch, receiver: Receiver, *options: str) -> Finished:
        """Send a batch with `dicomtls store`."""
        take_memory(batch.size + _SPARE_MEMORY)
        command = commands.store(self.pki, receiver.server.port, batch.directory, *options)
        finished = run(command, commands.plain_environment())
        receiver.take(batch)
        return finished


def reported_seconds(finished: Finished) -> float:
    """Return the seconds that `dicomtls store --json` says its association took; raise BenchError if it does not."""
    try:
        return float(json.loads(finished.stdout)["seconds"])
    except (ValueError, KeyError, TypeError) as error:
        message = f"`store --json` printed no seconds: {finished.stdout[:200]!r}"
        raise BenchError(message) from error


@contextmanager
def open_lab(parent: Path, sizes: Sizes) -> Iterator[Lab]:
    """Make the folder below `parent`, and remove it with all that is in it at the end."""
    with tempfile.TemporaryDirectory(prefix="dicomtls-bench-", dir=parent) as name:
        root = Path(name)
        pki_directory = root / "pki"
        pki_directory.mkdir()
        yield Lab(root, sizes, make_pki(pki_directory))
