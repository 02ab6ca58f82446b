"""The journal: no line that was appended is lost, and none that was cut short is believed."""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomtls.errors import MachineError
from dicomtls.scp import journal as journal_module
from dicomtls.scp.journal import Journal, read_segment, replay_abandoned


def replayed(directory: Path) -> list[str]:
    """The lines that processes which are gone have left."""
    lines: list[str] = []

    def take(found: Iterator[str]) -> None:
        lines.extend(found)

    replay_abandoned(directory, take)
    return lines


def test_lines_come_back_from_their_segments(tmp_path: Path) -> None:
    """Each segment once, in order; names that are no UTF-8 too."""
    journal = Journal(tmp_path)
    names = ["1/2.dcm", "ü/\udcff.dcm"]
    for name in names:
        journal.append(name)
    [first], count = journal.take()
    assert (list(read_segment(first)), count) == (names, 2)
    journal.append("3")
    [second], count = journal.take()
    assert (list(read_segment(second)), count) == (["3"], 3)
    assert journal.take() == ([], 3)
    for segment in (first, second, second):
        journal.done(segment)
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_in_the_index_stays_when_it_is_closed(tmp_path: Path) -> None:
    """And the next process reads it, once."""
    journal = Journal(tmp_path)
    journal.append("1")
    journal.close()
    assert replayed(tmp_path) == ["1"]
    assert replayed(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_journal_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    """Its lock tells."""
    journal = Journal(tmp_path)
    journal.append("1")
    assert replayed(tmp_path) == []
    [segment], _ = journal.take()
    assert list(read_segment(segment)) == ["1"]
    journal.close()


def test_half_a_line_is_none(tmp_path: Path) -> None:
    """A process that died within a write had not answered yet."""
    segment = tmp_path / "1"
    segment.write_bytes(b"1/2.dcm\n1/3.d")
    assert list(read_segment(segment)) == ["1/2.dcm"]
    assert list(read_segment(tmp_path / "gone")) == []


def test_full_disk_is_an_error_and_spoils_no_other_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line stays the last of its segment."""
    journal = Journal(tmp_path)
    journal.append("1")
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:2]))
        with pytest.raises(MachineError) as caught:
            journal.append("lost")
    assert caught.value.code == "disk-full"
    journal.append("2")
    segments, count = journal.take()
    assert [line for segment in segments for line in read_segment(segment)] == ["1", "2"]
    assert count == 2
    journal.close()


def test_disk_that_takes_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason of the system."""

    def refuse(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal = Journal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        with pytest.raises(MachineError, match="input/output error"):
            journal.append("1")
    journal.close()


def test_folder_that_somebody_removed_is_made_anew(tmp_path: Path) -> None:
    """An empty hidden folder looks useless."""
    journal = Journal(tmp_path)
    journal.folder.rmdir()
    journal.append("1")
    [segment], _ = journal.take()
    assert list(read_segment(segment)) == ["1"]


def test_durable_journal_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line and the name of its file."""
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _descriptor: synced.append("line"))
    monkeypatch.setattr(journal_module, "sync_folder", lambda _folder: synced.append("folder"))
    journal = Journal(tmp_path, durable=True)
    journal.append("1")
    assert synced == ["line", "folder"] or synced == ["folder", "line"]
    journal.append("2")
    assert synced.count("line") == 2
    journal.close()


def test_many_threads_append_at_once(tmp_path: Path) -> None:
    """While another one takes what is there."""
    journal = Journal(tmp_path)

    def append(number: int) -> None:
        for line in range(200):
            journal.append(f"{number}/{line}")

    threads = [threading.Thread(target=append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    lines: list[str] = []
    while any(thread.is_alive() for thread in threads):
        segments, _ = journal.take()
        lines += [line for segment in segments for line in read_segment(segment)]
    segments, count = journal.take()
    lines += [line for segment in segments for line in read_segment(segment)]
    assert sorted(lines) == sorted(f"{number}/{line}" for number in range(4) for line in range(200))
    assert count == 800
    journal.close()
