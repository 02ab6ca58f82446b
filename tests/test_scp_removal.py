"""What was removed, told from what is out of reach: a disk that is not mounted, a link to nowhere."""

import os
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import pytest

from dicomtls.scp.removal import Removal

PLACE = "study/series/one.dcm"


def nothing(_root: Path) -> None:
    """All files are there."""


def remove_file(root: Path) -> None:
    """One of two in its folder."""
    (root / PLACE).unlink()


def remove_series(root: Path) -> None:
    """One of two series."""
    rmtree(root / "study/series")


def remove_study(root: Path) -> None:
    """All that there is."""
    rmtree(root / "study")


def unmount_series(root: Path) -> None:
    """The folder is there, and the disk that was on it is not."""
    remove_series(root)
    (root / "study/series").mkdir()


def unmount_study(root: Path) -> None:
    """As with a series, one level above."""
    remove_study(root)
    (root / "study").mkdir()


def unplug_series(root: Path) -> None:
    """A link to a disk that is gone."""
    remove_series(root)
    (root / "study/series").symlink_to(root / "nowhere")


def link_elsewhere(root: Path) -> None:
    """A link to a folder that does not have it."""
    remove_series(root)
    (root / "elsewhere").mkdir()
    (root / "elsewhere/other.dcm").touch()
    (root / "study/series").symlink_to(root / "elsewhere")


def replace_study(root: Path) -> None:
    """A file stands where a folder was."""
    remove_study(root)
    (root / "study").touch()


def make_link_of_file(root: Path) -> None:
    """The file itself is on another disk."""
    (root / PLACE).unlink()
    (root / PLACE).symlink_to(root / "nowhere")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (nothing, False),
        (remove_file, True),
        (remove_series, True),
        (remove_study, True),
        (unmount_series, False),
        (unmount_study, False),
        (unplug_series, False),
        (link_elsewhere, False),
        (replace_study, False),
        (make_link_of_file, False),
    ],
)
def test_file_is_removed_where_a_folder_of_ours_does_not_have_it(
    tmp_path: Path,
    change: Callable[[Path], None],
    expected: bool,  # noqa: FBT001 -- a table
) -> None:
    """Real folders, on the disk of the storage, that are not empty: everything else may come back."""
    for place in (PLACE, "study/series/two.dcm", "study/other/three.dcm"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    change(tmp_path)
    removal = Removal(str(tmp_path))
    assert [removal.is_of(PLACE) for _ in range(2)] == [expected, expected]


def test_file_beside_the_index_is_removed_where_it_is_missing(tmp_path: Path) -> None:
    """Nobody mounts a disk between the index and what lies beside it."""
    (tmp_path / "there.dcm").touch()
    removal = Removal(str(tmp_path))
    assert (removal.is_of("there.dcm"), removal.is_of("gone.dcm")) == (False, True)


def test_folder_on_another_disk_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another disk is mounted there, or the right one with another content."""
    (tmp_path / "study").mkdir()
    (tmp_path / "study/other.dcm").touch()
    assert Removal(str(tmp_path)).is_of("study/one.dcm")
    lstat = os.lstat

    def on_another_disk(path: str) -> os.stat_result:
        status = lstat(path)
        return os.stat_result((*status[:2], status.st_dev + 1, *status[3:10]))

    removal = Removal(str(tmp_path))
    with monkeypatch.context() as patched:  # for no longer: pytest removes folders with it
        patched.setattr(os, "lstat", on_another_disk)
        assert not removal.is_of("study/one.dcm")


def test_root_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """Of which nobody can say anything."""
    with pytest.raises(FileNotFoundError):
        Removal(str(tmp_path / "gone"))


def test_folders_are_forgotten_when_there_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And looked at again: what it says stays the same."""
    monkeypatch.setattr("dicomtls.scp.removal._MOST_KNOWN", 2)
    for number in range(5):
        (tmp_path / f"s{number}").mkdir()
        if number % 2:
            (tmp_path / f"s{number}" / "there.dcm").touch()
    removal = Removal(str(tmp_path))
    for _ in range(2):
        assert [removal.is_of(f"s{number}/gone.dcm") for number in range(5)] == [False, True, False, True, False]
