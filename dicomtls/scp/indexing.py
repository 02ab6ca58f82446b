"""The thread that brings what was received into the database.

Reception goes before: while instances come fast, their lines wait in the journal, until it is quiet, there are too many
of them, or somebody asks what is there. Python runs one thread at a time, so that every instance indexed meanwhile
would cost reception as much.
"""

import threading
from collections.abc import Callable, Iterator
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Final

from dicomtls.errors import MachineError
from dicomtls.scp.index_writer import BATCH, IndexWriter
from dicomtls.scp.journal import Journal, read_segment

if TYPE_CHECKING:
    import sqlite3

MOST_WAITING: Final = 20_000
"""Lines in the journal: a third of a second's work, which whoever asks then waits for."""
_LONGEST_WAIT: Final = 10.0
_LOOK_EVERY: Final = 0.05
_FEW: Final = 20
_RETRY_SECONDS: Final = 1.0
_PATIENCE: Final = 60.0
_ASK_EVERY: Final = 0.1


class Indexing:
    """Runs until `close`; `on_failure` gets what the database says, and mends it if it can."""

    def __init__(
        self,
        journal: Journal,
        writer: Callable[[], IndexWriter],
        on_failure: "Callable[[sqlite3.Error], None]",
    ) -> None:
        self._journal = journal
        self._writer = writer
        self._on_failure = on_failure
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._is_closing = False
        self._is_failing = False
        self._progress = threading.Condition()
        self._indexed = 0
        self._segments: list[str] = []
        self._reported: sqlite3.Error | None = None
        self._thread = threading.Thread(target=self._run, name="indexing", daemon=True)
        self._thread.start()

    def notice(self) -> None:
        """Something was appended to the journal; costs next to nothing."""
        if not self._wake.is_set():
            self._wake.set()

    def catch_up(self, unwanted: Callable[[], bool] | None = None) -> None:
        """Return when everything appended so far is in the database, or nobody waits for that any more.

        Raises `MachineError` where that does not go, and what `unwanted` raises.
        """
        wanted = self._journal.appended
        if self._indexed >= wanted:
            return
        deadline = monotonic() + _PATIENCE
        is_over = False
        while not is_over and monotonic() < deadline:
            if unwanted is not None and unwanted():
                return
            with self._progress:
                self._urgent.set()
                self._wake.set()
                is_over = self._progress.wait_for(lambda: self._indexed >= wanted or self._is_failing, _ASK_EVERY)
        if self._indexed < wanted:
            msg = "the index does not take what was received"
            raise MachineError(msg)

    def report(self, error: "sqlite3.Error") -> None:
        """Somebody who read the database met an error: it is looked into, in the thread."""
        self._reported = error
        self._urgent.set()
        self._wake.set()

    def close(self) -> None:
        """Bring in what is left, and end."""
        self._is_closing = True
        self._urgent.set()
        self._wake.set()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while not (self._is_closing and self._indexed >= self._journal.appended):
            self._wake.wait()
            self._wake.clear()
            self._settle()
            self._urgent.clear()
            reported, self._reported = self._reported, None
            if reported is not None:
                self._on_failure(reported)
            is_last = self._is_closing
            if not self._work_off() and is_last:
                return

    def _settle(self) -> None:
        """Wait while much is coming, but not for ever."""
        deadline = monotonic() + _LONGEST_WAIT
        before = self._journal.appended
        while not self._urgent.wait(_LOOK_EVERY):
            now = self._journal.appended
            if now - before < _FEW or now - self._indexed > MOST_WAITING or monotonic() > deadline:
                return
            before = now

    def _work_off(self) -> bool:
        """Index what the journal has; says whether that went well. What did not is tried again later."""
        from sqlite3 import Error, OperationalError

        try:
            segments, upto = self._journal.take()
            self._segments += segments
            while self._segments:
                for batch in _batches(read_segment(self._segments[0])):
                    self._writer().put_all(batch)
                self._journal.done(self._segments.pop(0))
        except (Error, OSError) as error:  # of the journal: no more descriptors, a disk that fails
            self._tell(failing=True)
            self._on_failure(error if isinstance(error, Error) else OperationalError(f"the journal: {error}"))
            if not self._is_closing:
                self._urgent.wait(_RETRY_SECONDS)
            self._wake.set()
            return False
        self._indexed = upto
        self._tell(failing=False)
        return True

    def _tell(self, *, failing: bool) -> None:
        with self._progress:
            self._is_failing = failing
            self._progress.notify_all()


def _batches(lines: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(lines, BATCH)):
        yield batch
