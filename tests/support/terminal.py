"""A shell in a pseudo-terminal: what a person types, and what stands on the screen then."""

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import START_DEADLINE, kill

_CONTROL = re.compile(r"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>])|[\x07\x0f\x00]")
_CHUNK = 65536
# The first terminal that the leader of a session opens is its controlling one, without which a shell has no Ctrl-C.
_TAKE_TERMINAL = 'terminal=$1; shift; exec "$@" <"$terminal" >"$terminal" 2>&1'
_COLUMNS = 120


class Terminal:
    """The controlling side: `type` keys, `wait_for` text. What was waited for is behind us then."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._raw = b""
        self._seen = 0

    @property
    def screen(self) -> str:
        """Everything written so far, without colours and cursor movements."""
        return _CONTROL.sub("", self._raw.decode("utf-8", "replace"))

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._descriptor, keys.encode())

    def wait_for(self, pattern: str) -> str:
        """What was written since the last time, as soon as it matches; the test fails when that takes too long."""
        end = time.monotonic() + START_DEADLINE
        while not (found := re.search(pattern, self.screen[self._seen :], re.DOTALL)):
            ready, _, _ = select.select([self._descriptor], [], [], max(0.0, end - time.monotonic()))
            more = self._read() if ready else b""
            if not more:
                pytest.fail(f"no {pattern!r} on the screen:\n{self.screen[self._seen :]}")
            self._raw += more
        said = self.screen[self._seen :][: found.end()]
        self._seen += found.end()
        return said

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, _CHUNK)
        except OSError:  # the shell has gone
            return b""


@contextmanager
def terminal(command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path) -> Iterator[Terminal]:
    """Run a program in a terminal of its own until the block ends; `env` is all that its environment has."""
    ours, theirs = pty.openpty()
    size = {"COLUMNS": str(_COLUMNS), "LINES": "50", "TERM": "xterm"}
    process = subprocess.Popen(
        ["sh", "-c", _TAKE_TERMINAL, "sh", os.ttyname(theirs), *map(str, command)],
        env={**env, **size},
        cwd=cwd,
        start_new_session=True,
    )
    try:
        with process:
            try:
                yield Terminal(ours)
            finally:
                kill(process)
    finally:
        os.close(theirs)
        os.close(ours)
