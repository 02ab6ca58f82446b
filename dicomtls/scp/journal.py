"""A small journal of what was kept and is not in the index yet, in a folder of its own beside the instances.

A line is appended before the C-STORE response goes out, one write for each instance; the indexing thread takes whole
segments and removes each when the database has it. What a process that died has left is found by its lock being
gone, and is read by the next one. To read a line twice does no harm.
"""

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

from dicomtls.files import machine_errors, open_flags, sync_folder
from dicomtls.scp.locking import lock_folder

_PREFIX: Final = ".dicomtls-journal-"
_FLAGS: Final = open_flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_APPEND", "O_CLOEXEC")


class Journal:
    """Appends lines, from any thread; `durable` makes each wait for the disk."""

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        """Make a folder for the segments below `directory`; raises `MachineError`."""
        self._directory = directory
        self._durable = durable
        self._guard = threading.Lock()
        self._numbers = count(1)
        self._descriptor = -1
        self._open_path = ""
        self._taken: list[str] = []
        self.appended = 0
        with machine_errors(directory):
            self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=directory))
        self._lock = lock_folder(self.folder)

    def append(self, line: str) -> None:
        """Add a line, which has no line feed in it; raises `MachineError`, and the line counts for nothing then.

        `appended` counts those that came through.
        """
        data = f"{line}\n".encode("utf-8", "surrogateescape")
        with self._guard, machine_errors(self.folder):
            if self._descriptor < 0:
                self._open()
            if os.write(self._descriptor, data) != len(data):  # the disk is full: half a line must stay the last one
                self._close()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self._durable:
                os.fsync(self._descriptor)
            self.appended += 1

    def take(self) -> tuple[list[str], int]:
        """The segments so far, which get no more lines, and how many were appended; `done` gives each back."""
        with self._guard:
            self._close()
            taken, self._taken = self._taken, []
            return taken, self.appended

    @staticmethod
    def done(segment: str) -> None:
        """The database has what is in a segment."""
        with suppress(FileNotFoundError):
            os.unlink(segment)  # noqa: PTH108 -- a plain string, as everywhere here

    def close(self) -> None:
        """Remove the folder, unless there is something in it that no index has."""
        with self._guard:
            self._close()
        with suppress(OSError):
            self.folder.rmdir()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open(self) -> None:
        path = f"{self.folder}/{next(self._numbers):08}"
        try:
            self._descriptor = os.open(path, _FLAGS, 0o666)
        except FileNotFoundError:  # somebody tidied up
            self.folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, _FLAGS, 0o666)
        if self._durable:
            sync_folder(str(self.folder))
        self._open_path = path

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            self._taken.append(self._open_path)
            os.close(descriptor)


def read_segment(path: str | Path) -> Iterator[str]:
    """The whole lines of a segment; what a process that died, or a full disk, cut short was never answered."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return
    *lines, _rest = data.split(b"\n")
    yield from (line.decode("utf-8", "surrogateescape") for line in lines)


def replay_abandoned(directory: Path, replay: Callable[[Iterator[str]], None]) -> None:
    """Give the lines of processes that are gone to `replay`, and remove them; raises `MachineError`."""
    with machine_errors(directory):
        for folder in sorted(directory.glob(f"{_PREFIX}*")):
            lock = lock_folder(folder)
            if lock is None:
                continue
            try:
                for segment in sorted(folder.iterdir()):
                    replay(read_segment(segment))
                shutil.rmtree(folder)
            finally:
                os.close(lock)
