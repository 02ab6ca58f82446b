"""The command line as users run it: a process of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import PeerProcess, kill

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Result:
    """What a run of dicomtls left behind."""

    stdout: str
    stderr: str
    exit_status: int

    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    def json_lines(self) -> list[Any]:
        """The JSON documents on stdout, one a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]


def dicomtls_command(*args: str | Path | int, python_options: Sequence[str] = ()) -> list[str]:
    """The command that runs dicomtls from this tree with the Python of the tests."""
    return [sys.executable, *python_options, "-m", "dicomtls", *map(str, args)]


def dicomtls_environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for it, installed or not, with `env` added."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), **(env or {})}


def run_dicomtls(
    *args: str | Path | int,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 50,
    python_options: Sequence[str] = (),
) -> Result:
    """Run `dicomtls ARGS` to its end, by default in the test's own home.

    Without `stdin` it reads an empty one; `env` is added to the environment. After `timeout` seconds it is killed, with
    whatever it has started.
    """
    with subprocess.Popen(
        dicomtls_command(*args, python_options=python_options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=dicomtls_environment(env),
        cwd=cwd or os.environ["HOME"],
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(stdin or "", timeout)
        except BaseException:  # an interrupt too
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return Result(stdout, stderr, process.returncode)


class Running(PeerProcess):
    """A `dicomtls` that runs beside the test; its `log()` is its stderr, to be read within the block."""

    def __init__(self, process: subprocess.Popen[bytes], log_path: Path, stdout_path: Path) -> None:
        super().__init__(process, 0, log_path)
        self.stdout_path = stdout_path

    def stop(self, *, how: signal.Signals = signal.SIGTERM, timeout: float = 20) -> Result:
        """Send `how`, wait for the end, and return what it left behind; a second call only returns that again."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(timeout)
        return Result(self.stdout_path.read_text(encoding="utf-8"), self.log(), status)

    def stop_by_itself(self, *, timeout: float = 20) -> Result:
        """Wait for its end without asking for it, and return what it left behind."""
        status = self.process.wait(timeout)
        return Result(self.stdout_path.read_text(encoding="utf-8"), self.log(), status)


@contextmanager
def started_dicomtls(*args: str | Path | int, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start `dicomtls ARGS`; at the end of the block it is asked to stop (SIGTERM) and killed if it does not.

    Its stderr is `log()`, and goes to the stderr of a test that fails.
    """
    with tempfile.TemporaryDirectory(prefix="dicomtls-") as scratch:
        stdout_path, log_path = Path(scratch) / "stdout", Path(scratch) / "stderr"
        with stdout_path.open("wb") as stdout, log_path.open("wb") as stderr:
            process = subprocess.Popen(
                dicomtls_command(*args),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=dicomtls_environment(env),
                cwd=os.environ["HOME"],
                start_new_session=True,
            )
        try:
            with process:
                running = Running(process, log_path, stdout_path)
                try:
                    yield running
                    # Killed, a process could not save what coverage has counted in it.
                    running.stop()
                finally:
                    kill(process)
        finally:
            sys.stderr.write(f"--- dicomtls {' '.join(map(str, args))}\n{log_path.read_text(errors='replace')}")


@contextmanager
def serving(directory: Path, *args: str | Path | int, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """`dicomtls serve` on a port of its own, storing into `directory`, ready when the block begins.

    `host` and `port` are from its ready file. It has no TLS options but those in `args`.
    """
    with tempfile.TemporaryDirectory(prefix="ready-") as scratch:
        ready = Path(scratch) / "ready"
        options = ("--listen", "127.0.0.1:0", "--directory", directory, "--ready-file", ready)
        with started_dicomtls("serve", *options, *args, env=env) as running:
            running.wait_until(lambda: ready.exists() and ready.read_text() != "", "ready file")
            running.host, _, port = ready.read_text().strip().rpartition(":")
            running.port = int(port)
            yield running
