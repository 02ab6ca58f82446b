"""The indexing thread: what is waiting gets in when somebody asks, and failures are told and got over."""

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dicomtls.errors import MachineError
from dicomtls.scp import indexing as indexing_module
from dicomtls.scp.indexing import Indexing
from dicomtls.scp.journal import Journal, read_segment


class Writer:
    """Takes lines, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.lines: list[str] = []
        self.failures = failures
        self.batches = 0

    def put_all(self, places: Iterable[str]) -> int:
        """Take one batch."""
        if self.failures:
            self.failures -= 1
            msg = "database or disk is full"
            raise sqlite3.OperationalError(msg)
        self.batches += 1
        before = len(self.lines)
        self.lines += places
        return len(self.lines) - before


class Telling(Writer):
    """Says when it has taken something."""

    def __init__(self) -> None:
        super().__init__()
        self.done = threading.Event()

    def put_all(self, places: Iterable[str]) -> int:
        """Take one batch, and say so."""
        count = super().put_all(places)
        self.done.set()
        return count


@contextmanager
def indexing(
    root: Path, writer: Writer, on_failure: Callable[[sqlite3.Error], None] = lambda _error: None
) -> Iterator[tuple[Journal, Indexing]]:
    """A thread with its journal, which is closed at the end."""
    journal = Journal(root)
    running = Indexing(journal, lambda: writer, on_failure)  # type: ignore[arg-type, return-value]  # a stand-in
    try:
        yield journal, running
    finally:
        running.close()
        journal.close()


def test_what_was_appended_is_in_when_somebody_asks(tmp_path: Path) -> None:
    """At once, though more is coming all the time; and the journal is empty then."""
    writer = Writer()
    with indexing(tmp_path, writer) as (journal, running):
        for number in range(1000):
            journal.append(str(number))
            running.notice()
        running.catch_up()
        assert writer.lines == [str(number) for number in range(1000)]
        assert writer.batches == 2
        assert list(journal.folder.iterdir()) == []
        running.catch_up()  # nothing to do
    assert not journal.folder.exists()


def test_journal_that_cannot_be_read_is_read_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more descriptors, say: the thread goes on, and nothing is lost."""
    told: list[str] = []

    def fail_once(path: str) -> Iterator[str]:
        monkeypatch.setattr(indexing_module, "read_segment", read_segment)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)

    monkeypatch.setattr(indexing_module, "read_segment", fail_once)
    monkeypatch.setattr(indexing_module, "_RETRY_SECONDS", 0.01)
    writer = Telling()
    with indexing(tmp_path, writer, lambda error: told.append(str(error))) as (journal, running):
        journal.append("1")
        running.notice()
        assert writer.done.wait(20)
        assert writer.lines == ["1"]
    assert len(told) == 1
    assert "Too many open files" in told[0]


def test_what_was_appended_gets_in_when_nobody_asks(tmp_path: Path) -> None:
    """As soon as it is quiet."""
    writer = Telling()
    with indexing(tmp_path, writer) as (journal, running):
        journal.append("1")
        running.notice()
        assert writer.done.wait(20)
    assert writer.lines == ["1"]


def test_what_is_waiting_gets_in_at_the_end(tmp_path: Path) -> None:
    """A stopped server leaves nothing in the journal."""
    writer = Writer()
    with indexing(tmp_path, writer) as (journal, _):
        journal.append("1")
    assert writer.lines == ["1"]
    assert list(tmp_path.iterdir()) == []


def test_failure_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks in the meantime gets an error, nobody waits for ever, and no line is lost."""
    monkeypatch.setattr(indexing_module, "_RETRY_SECONDS", 0.01)
    told: list[sqlite3.Error] = []
    twice = threading.Event()

    def hear(error: sqlite3.Error) -> None:
        told.append(error)
        if len(told) == 2:
            twice.set()

    writer = Writer(failures=2)
    with indexing(tmp_path, writer, hear) as (journal, running):
        journal.append("1")
        with pytest.raises(MachineError, match="does not take"):
            running.catch_up()
        journal.append("2")
        assert twice.wait(20)
    assert [str(error) for error in told] == ["database or disk is full"] * 2
    assert writer.lines == ["1", "2"]


def test_database_that_takes_nothing_does_not_keep_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal stays for the next one."""
    monkeypatch.setattr(indexing_module, "_RETRY_SECONDS", 0.01)
    with indexing(tmp_path, Writer(failures=10**9)) as (journal, _):
        journal.append("1")
    assert list(journal.folder.iterdir())


def test_error_of_a_reader_is_looked_into(tmp_path: Path) -> None:
    """In the thread that may write."""
    told: list[sqlite3.Error] = []
    seen = threading.Event()

    def hear(error: sqlite3.Error) -> None:
        told.append(error)
        seen.set()

    problem = sqlite3.DatabaseError("malformed")
    with indexing(tmp_path, Writer(), hear) as (_, running):
        running.report(problem)
        assert seen.wait(20)
    assert told == [problem]


def test_reception_goes_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While much is coming, nothing is indexed, until there is too much of it."""
    monkeypatch.setattr(indexing_module, "MOST_WAITING", 300)
    monkeypatch.setattr(indexing_module, "_LOOK_EVERY", 0.01)
    monkeypatch.setattr(indexing_module, "_FEW", 0)  # nothing is few: it is never quiet
    monkeypatch.setattr(indexing_module, "_LONGEST_WAIT", 60.0)
    started = threading.Event()

    class Telling(Writer):
        def put_all(self, places: Iterable[str]) -> int:
            started.set()
            return super().put_all(places)

    with indexing(tmp_path, Telling()) as (journal, running):
        for number in range(300):
            journal.append(str(number))
            running.notice()
        assert not started.wait(0.2)
        journal.append("one too many")
        assert started.wait(20)
