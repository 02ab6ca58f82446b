"""Whole processes under the clock: what one took in time, CPU and memory, and servers that are ready when we go on."""

from __future__ import annotations

import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TIME_LIMIT = 300.0
"""Seconds that any one process may take."""

READY_LIMIT = 20.0
"""Seconds until a server must listen."""

_LISTEN = "0A"


class BenchError(Exception):
    """A run that failed, so that there is no figure."""


@dataclass(frozen=True)
class Finished:
    """A process that ended well. `peak_bytes` is an upper bound: at least what we ourselves held when starting it."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    stdout: bytes


@dataclass(frozen=True)
class Server:
    """A process that listens on a port of 127.0.0.1."""

    pid: int
    port: int

    def peak_bytes(self) -> int:
        """Return the most memory that the process has held at once until now (VmHWM)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        message = f"process {self.pid} is gone"
        raise BenchError(message)


def run(command: Sequence[str], environment: Mapping[str, str], *, status: int = 0) -> Finished:
    """Run a command to its end; raise BenchError when it ends otherwise than with `status`, or not in TIME_LIMIT."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        try:
            usage = _reap(process)
        except BaseException:  # Ctrl-C too: nothing may go on running
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - started
        if process.returncode != status:
            raise _failure(command, f"ended with {process.returncode}", stderr)
        stdout.seek(0)
        return Finished(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, stdout.read())


def take_memory(size: int) -> None:
    """Take `size` bytes from the system and give them back, so that the run that follows finds them ready.

    A virtual machine returns memory that lies idle to its host, and having it back costs several times what a
    transfer takes: 14 microseconds a page were seen, at whichever side's turn it happened to be. A process of its own
    does it, since what we ourselves once held counts as the peak of every process that we start.
    """
    flags = "mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE"
    subprocess.run([sys.executable, "-S", "-c", f"import mmap; mmap.mmap(-1, {size}, flags={flags})"], check=True)


def _reap(process: subprocess.Popen[bytes]) -> resource.struct_rusage:
    pidfd = os.pidfd_open(process.pid)
    try:
        if not select.select([pidfd], [], [], TIME_LIMIT)[0]:
            message = f"{process.args!r} took more than {TIME_LIMIT:.0f} s"
            raise BenchError(message)
    finally:
        os.close(pidfd)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


def _failure(command: Sequence[str], what: str, stderr: IO[bytes]) -> BenchError:
    stderr.seek(0)
    last_lines = stderr.read().decode(errors="replace").splitlines()[-3:]
    return BenchError(f"`{' '.join(map(os.path.basename, command[:4]))} …` {what}: {' / '.join(last_lines)}")


@contextmanager
def serving(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Server]:
    """Run a server, ready when the block begins (no connection is spent on finding out) and ended after it."""
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr
        )
        try:
            yield Server(process.pid, _await_listening(process, stderr))
        finally:
            _end(process)


def _await_listening(process: subprocess.Popen[bytes], stderr: IO[bytes]) -> int:
    deadline = time.monotonic() + READY_LIMIT
    while time.monotonic() < deadline:
        port = _listening_port(process.pid)
        if port is not None:
            return port
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.005)
            raise _failure(_words(process), f"ended with {process.returncode}", stderr)
    raise _failure(_words(process), f"did not listen within {READY_LIMIT:.0f} s", stderr)


def _words(process: subprocess.Popen[bytes]) -> list[str]:
    return process.args if isinstance(process.args, list) else [str(process.args)]


def _listening_port(pid: int) -> int | None:
    own = _socket_inodes(pid)
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == _LISTEN and columns[9] in own:
                return int(columns[1].rpartition(":")[2], 16)
    return None


def _socket_inodes(pid: int) -> set[str]:
    links = []
    with suppress(OSError):  # a descriptor closed meanwhile, or the process ended: the next look tells
        links = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:[")}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port that nobody has, for servers that cannot take port 0 (DCMTK's)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
