"""Files that a user names for what a command reports."""

import os
import threading
from pathlib import Path

import pytest

from dicomtls.cli.writing import check_writable, remove_file, replace_file
from dicomtls.errors import UsageError


def test_file_is_replaced_whole_and_removed(tmp_path: Path) -> None:
    """What was there before is gone, and nothing else is left beside it."""
    path = tmp_path / "report"
    path.write_text("something longer than the new content")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
    remove_file(path)
    remove_file(path)
    assert not path.exists()


def test_symbolic_link_stays_one(tmp_path: Path) -> None:
    """What it points to is replaced: a link such as /dev/stdout is not ours to remove."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    replace_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_pipe_is_written_into_and_left_there(tmp_path: Path) -> None:
    """A script may wait at one for the ready line."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()))
    reader.start()
    check_writable(pipe, "report")
    replace_file(pipe, b"ready\n")
    reader.join(20)
    remove_file(pipe)
    assert heard == [b"ready\n"]
    assert pipe.is_fifo()


def test_device_is_written_into() -> None:
    """It is not replaced by a file, whoever we are."""
    replace_file(Path("/dev/null"), b"nothing")
    remove_file(Path("/dev/null"))
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(("name", "problem"), [("folder", "it is a folder"), ("nix/report", "there is no such folder")])
def test_what_could_not_be_written_later_is_refused(tmp_path: Path, name: str, problem: str) -> None:
    """Before anything is sent."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=f"the report cannot be written to .*{name}: {problem}"):
        check_writable(tmp_path / name, "report")


def test_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system is asked, which says yes to root whatever the mode; so its answer is played here."""
    monkeypatch.setattr("os.access", lambda path, _mode: path != tmp_path)
    with pytest.raises(UsageError, match="this user may not write there"):
        check_writable(tmp_path / "report", "report")
