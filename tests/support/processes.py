"""Programs that run beside a test: a port of their own, ready when they listen, gone when the test ends."""

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

LOOPBACK = "127.0.0.1"
# Generous: the machine may be busy with other things; nothing waits this long when all is well.
START_DEADLINE = 30.0
# How long to wait between two looks at a program that cannot tell us of its progress.
LOOK_AGAIN = 0.01
# Below the ephemeral ports, so that no outgoing connection on this machine takes one in between.
PORTS = range(20000, 32000)
# Read before any test runs: the tests themselves see no variable of dicomtls.
PEERS_REQUIRED = bool(os.environ.get("DICOMTLS_REQUIRE_PEERS"))


def require(program: str) -> str:
    """The path of `program`; without it the test is skipped, or fails where DICOMTLS_REQUIRE_PEERS is set."""
    path = shutil.which(program, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        reason = f"{program} is not installed"
        if PEERS_REQUIRED:
            pytest.fail(f"{reason}, and DICOMTLS_REQUIRE_PEERS is set")
        pytest.skip(reason)
    return path


@contextmanager
def reserved_port() -> Iterator[int]:
    """A free port that no other worker or run of these tests is given for as long as the block lasts.

    For programs that cannot be told to take port 0.
    """
    locks = Path(tempfile.gettempdir()) / f"dicomtls-test-ports-{os.getuid()}"
    locks.mkdir(mode=0o700, exist_ok=True)
    for port in random.sample(PORTS, len(PORTS)):
        with (locks / str(port)).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if _can_be_bound(port):
                yield port
                return
    pytest.fail(f"no free port from {PORTS.start} to {PORTS.stop - 1}")


def _can_be_bound(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


class PeerProcess:
    """A running program that listens on `host`:`port`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log_path: Path) -> None:
        self.process = process
        self.host = LOOPBACK
        self.port = port
        self.log_path = log_path

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    def log(self) -> str:
        """Everything that the program has written so far, on stdout and stderr."""
        return self.log_path.read_text(errors="replace")

    def wait_for_log(self, text: str, *, deadline: float = START_DEADLINE) -> str:
        """The log as soon as it holds `text`; the test fails when that takes too long or the program ends."""
        self.wait_until(lambda: text in self.log(), f"{text!r} in its log", deadline)
        return self.log()

    def wait_until(self, ready: Callable[[], bool], what: str, deadline: float = START_DEADLINE) -> None:
        """Look until `ready`; waiting for the program's end in between makes that known at once."""
        end = time.monotonic() + deadline
        while not ready():
            try:
                status = self.process.wait(LOOK_AGAIN)
            except subprocess.TimeoutExpired:
                if time.monotonic() > end:
                    pytest.fail(f"{self.process.args!r}: no {what} after {deadline:g} s\n{self.log()}")
            else:
                if not ready():
                    pytest.fail(f"{self.process.args!r}: ended with {status} before {what}\n{self.log()}")
                return

    def listens_on(self, *ports: int) -> bool:
        """True once this process listens on all of `ports`.

        Looks at the kernel's tables: a connection to find out would be an error in the program's log, and a program
        that serves one client at a time would serve that one first.
        """
        return set(ports) <= _listening_ports(self.process.pid)


def _listening_ports(pid: int) -> set[int]:
    sockets = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            sockets.add(str(link.readlink()))
    except OSError:
        return set()
    ports = set()
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/{pid}/net/{table}")
        rows = path.read_text().splitlines()[1:] if path.exists() else []
        for row in rows:
            _, local, _, state, _, _, _, _, _, inode, *_ = row.split()
            if state == "0A" and f"socket:[{inode}]" in sockets:
                ports.add(int(local.rpartition(":")[2], 16))
    return ports


@contextmanager
def running(
    command: Sequence[str | Path],
    port: int,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
) -> Iterator[PeerProcess]:
    """Run `command` with its output in a log until the block ends; then it is killed, with all that it started.

    `env` is added to the environment. What the program wrote goes to stderr at the end, where pytest shows it for a
    test that fails.
    """
    with tempfile.TemporaryDirectory(prefix="peer-") as scratch:
        log_path = Path(scratch) / "log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd or scratch,
                start_new_session=True,
            )
        try:
            with process:
                try:
                    yield PeerProcess(process, port, log_path)
                finally:
                    kill(process)
        finally:
            sys.stderr.write(f"--- {command[0]}\n{log_path.read_text(errors='replace')}")


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session of its own, and its children, at once."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
