"""Runs the commands of the demo as processes of their own, and shows what is typed and what comes of it."""

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from dicomtls.cli.output import Output
from dicomtls.cli.text import Style, Styled
from dicomtls.errors import ExitStatus, LocalError, Stage

_PATIENCE_SECONDS: Final = 30.0
_ENDING_SECONDS: Final = 5.0
_LOG = "serve.log"
_READY = "ready"

_FAILURES: Final = {
    ExitStatus.REFUSED: ("status-failure", Stage.DIMSE),
    ExitStatus.NETWORK: ("unreachable", Stage.TCP),
    ExitStatus.TLS: ("tls-error", Stage.TLS),
    ExitStatus.ASSOCIATION: ("protocol-error", Stage.ASSOCIATION),
    ExitStatus.LOCAL: ("no-permission", Stage.LOCAL),
}
"""What the demo ends with when a command of it ends so: the same exit status."""


class Playground:
    """One folder in which commands run one after the other, and one server beside them until the block ends."""

    def __init__(self, folder: Path, output: Output) -> None:
        self.steps: list[dict[str, object]] = []
        self._folder = folder
        self._output = output
        self._server: subprocess.Popen[str] | None = None
        self._environment = _environment()

    def __enter__(self) -> Self:
        """Nothing to set up."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop_server()

    def say(self, text: str) -> None:
        """Tell what a step has shown."""
        self._output.line(f"  -> {text}")

    def run(self, title: str, *arguments: str, status: int = 0) -> None:
        """Run one command to its end; raises `LocalError` where it ends otherwise than it should."""
        self._announce(title, arguments)
        ended, output = self._run_to_its_end(arguments)
        lines = output.splitlines()
        self._show(lines)
        self._book(title, arguments, ended, lines)
        if ended != status:
            raise _failure(arguments[0], ended, lines)

    def _run_to_its_end(self, arguments: Sequence[str]) -> tuple[int, str]:
        """Run a command, and leave nothing of it whatever ends this.

        `subprocess.run` waits a quarter of a second only for a process that it has killed over Ctrl-C.
        """
        process: subprocess.Popen[str] | None = None
        try:
            with _signals_wait():
                process = self._start(arguments, stderr=subprocess.STDOUT)
            output, _ = process.communicate(timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            msg = f"dicomtls {arguments[0]} did not end within {_PATIENCE_SECONDS:g} s"
            raise LocalError(msg, code="not-supported-here") from None
        finally:
            if process is not None:
                process.kill()  # nothing where it has ended
                process.wait()
                assert process.stdout is not None  # noqa: S101 -- a pipe was asked for
                process.stdout.close()
        return process.returncode, output

    def _start(self, arguments: Sequence[str], *, stderr: int | IO[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 -- our own program with our own arguments
            _command(arguments),
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
        )

    def serve(self, title: str, *arguments: str) -> str:
        """Start the server, wait until it listens, and return its address; raises `LocalError`."""
        arguments = ("serve", *arguments, "--ready-file", _READY)
        self._announce(title, arguments)
        with (self._folder / _LOG).open("w") as log, _signals_wait():
            self._server = self._start(arguments, stderr=log)
        assert self._server.stdout is not None  # noqa: S101 -- a pipe was asked for
        line = _first_line(self._server.stdout)
        if not line:
            self.stop_server()
            raise _failure(arguments[0], self._server.returncode, self.server_log())
        self._show([line])
        self._book(title, arguments, None, [line])
        return (self._folder / _READY).read_text().strip()

    def stop_server(self) -> None:
        """Stop the server, if there is one, and wait for its end."""
        server = self._server
        if server is None or server.stdout is None:
            return
        server.terminate()
        try:
            server.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        server.stdout.close()

    def server_log(self) -> list[str]:
        """What the server has written to stderr."""
        return (self._folder / _LOG).read_text(errors="replace").splitlines()

    def show_server_log(self, title: str) -> None:
        """Show what the server has written about it all."""
        self._title(title)
        self._show(self.server_log())

    def _announce(self, title: str, arguments: Sequence[str]) -> None:
        self._title(title)
        self._output.line(f"  $ {shlex.join(('dicomtls', *arguments))}")

    def _title(self, title: str) -> None:
        self._output.line("")
        self._output.line((Styled(title, Style.STRONG),))

    def _show(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._output.line(f"  {line.expandtabs()}")  # a terminal's would be shown as what they are

    def _book(self, title: str, arguments: Sequence[str], status: int | None, lines: Sequence[str]) -> None:
        command = ["dicomtls", *arguments]
        self.steps.append({"shows": title, "command": command, "exit_status": status, "output": list(lines)})


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let whatever asks the process to end raise `KeyboardInterrupt` once: what follows then is the tidying up."""
    is_ending = False

    def end(_signal: int, _frame: object) -> None:
        nonlocal is_ending
        if not is_ending:
            is_ending = True
            raise KeyboardInterrupt

    with _handled_by(end):
        yield


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Let them wait until a process has been started: of one that is half started nobody would know."""
    came: list[int] = []
    with _handled_by(lambda number, _frame: came.append(number)):
        yield
    for number in came[:1]:
        signal.raise_signal(number)


@contextmanager
def _handled_by(handler: Callable[[int, object], None]) -> Iterator[None]:
    signals = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    previous = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, former in previous.items():
            signal.signal(number, former)


def _command(arguments: Sequence[str]) -> list[str]:
    # -P: no module is to be found in the folder of the demo.
    return [sys.executable, "-P", "-m", "dicomtls", *arguments]


def _environment() -> dict[str, str]:
    """Ours, with the same modules found in another folder; what the user has set for real work has no place in it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DICOMTLS_")}
    return {**inherited, "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)}  # noqa: PTH100 -- of text


def _failure(command: str, status: int, lines: Sequence[str]) -> LocalError:
    said = [line.partition(": error: ")[2] for line in lines if ": error: " in line]
    what = said[0] if said else f"exit status {status}" if status else "it was not refused, as it should have been"
    code, stage = _FAILURES.get(ExitStatus(status), _OTHER) if status in _STATUSES else _OTHER
    return LocalError(
        f"dicomtls {command} did not do what it should here: {what}",
        code=code,
        stage=stage,
        hints=("--keep DIR leaves everything there to be looked at",),
        evidence={"command": command, "exit_status": status},
    )


_STATUSES: Final = frozenset(ExitStatus)
_OTHER: Final = ("not-supported-here", Stage.LOCAL)


def _first_line(stream: IO[str]) -> str:
    """The first line of a process's output, or nothing when it does not come in time."""
    lines: list[str] = []

    reader = threading.Thread(target=lambda: lines.append(stream.readline().strip()), daemon=True)
    reader.start()
    reader.join(_PATIENCE_SECONDS)
    return lines[0] if lines else ""
