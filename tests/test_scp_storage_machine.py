"""The storage folder on a real machine: disks that are full or read-only, folders that go, processes that die."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dicomtls.errors import MachineError
from dicomtls.scp import storage as storage_module
from dicomtls.scp.storage import FolderStorage
from tests.support.cli import dicomtls_environment
from tests.support.elements import implicit
from tests.support.kept import (
    DATASET,
    SERIES,
    STUDY,
    UID,
    cut,
    dataset_of,
    header,
    keep,
    limit_writes,
)
from tests.support.servers import all_files, stored_files


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[FolderStorage]:
    """A storage with the default layout."""
    with closing(FolderStorage(tmp_path / "kept")) as storage:
        yield storage


# What the machine does


def test_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    """`--directory` need not be there."""
    with closing(FolderStorage(tmp_path / "a" / "b")) as storage:
        assert keep(storage).path.exists()


def test_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    """A `MachineError` that names it, before anything is served."""
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=str(tmp_path / "file")):
        FolderStorage(tmp_path / "file")


@pytest.mark.parametrize("removed", ["study", "everything kept"])
def test_folders_are_made_again_when_somebody_removed_them(folder: FolderStorage, removed: str) -> None:
    """A folder that this process has made before may be gone by now."""
    first = keep(folder)
    study = first.path.parent.parent
    subprocess.run(["rm", "-r", study if removed == "study" else first.path.parent], check=True)
    second = keep(folder, head=header("1.2.3.4.6"))
    assert stored_files(folder.directory) == [second.path]


def test_temporary_folder_is_made_again_when_somebody_removed_it(folder: FolderStorage) -> None:
    """An empty folder looks useless to whoever tidies up; the next instance is received all the same."""
    subprocess.run(["rm", "-r", folder.directory], check=True)
    assert keep(folder).path.exists()
    assert keep(folder, head=header("1.2.3.4.6")).path.exists()
    assert len(list(folder.directory.glob(".dicomtls-incoming-*"))) == 1


def test_temporary_folder_is_made_again_once_for_all(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two associations that miss it at once, the second uses what the first has made."""
    real, gone = os.open, [True]

    def open_(path: str, *options: int) -> int:
        if gone and gone.pop():
            subprocess.run(["rm", "-r", folder.directory], check=True)
            keep(folder, head=header("1.2.3.4.6"))
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return real(path, *options)

    monkeypatch.setattr(os, "open", open_)
    assert keep(folder).path.exists()
    monkeypatch.undo()
    assert len(list(folder.directory.glob(".dicomtls-incoming-*"))) == 1
    assert len(stored_files(folder.directory)) == 2


def test_durable_storage_in_the_root_folder_comes_to_an_end(
    folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names of folders are synced up to the storage folder, however that is spelled, or to the root."""
    synced: list[str] = []
    monkeypatch.setattr(storage_module, "sync_folder", synced.append)
    folder.durable = True
    folder.directory = Path("/")
    monkeypatch.setattr(os, "makedirs", lambda *_, **__: None)
    folder.make_folder("//1.2/3.4")
    assert synced == ["//1.2", "//"]


def test_temporary_folder_removed_in_the_middle_fails_that_instance_only(folder: FolderStorage) -> None:
    """What was on its way is lost and said to be; nothing else is."""
    incoming = folder.receive(header())
    incoming.write(memoryview(DATASET))
    subprocess.run(["rm", "-r", folder.directory], check=True)
    with pytest.raises(MachineError):
        incoming.commit()
    incoming.discard()
    assert keep(folder).path.exists()


def test_file_where_a_folder_should_be_fails_that_instance_only(folder: FolderStorage) -> None:
    """A study's folder cannot be made; the next study's can."""
    (folder.directory / STUDY).write_text("")
    with pytest.raises(MachineError):
        keep(folder)
    other = DATASET.replace(b"1.2.3\0", b"9.8.7\0")
    assert keep(folder, other).path == folder.directory / f"9.8.7/{SERIES}/{UID}.dcm"
    assert len(all_files(folder.directory)) == 2


@pytest.mark.parametrize("after", [0, 100, 500, len(DATASET)])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_is_said_and_leaves_nothing(
    folder: FolderStorage, monkeypatch: pytest.MonkeyPatch, after: int, error: int
) -> None:
    """Wherever in the file it fills up; when there is room again the instance is kept."""
    with monkeypatch.context() as patch:
        limit_writes(patch, 4096, then=error, after=after)
        with pytest.raises(MachineError) as caught:
            keep(folder, *cut(DATASET, [200, 400]))
    assert caught.value.code == "disk-full"
    assert all_files(folder.directory) == []
    assert dataset_of(keep(folder).path) == DATASET


@contextmanager
def small_disk(path: Path, options: str) -> Iterator[Path]:
    """A file system of its own, where this user may mount one."""
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {done.stderr.decode().strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def test_real_disk_fills_up_and_has_room_again(tmp_path: Path) -> None:
    """On a tmpfs of 256 KB: what does not fit leaves nothing, what fits later is kept."""
    big = DATASET + implicit(0x7FE10010, bytes(400_000))
    with small_disk(tmp_path / "disk", "size=256k") as disk, closing(FolderStorage(disk)) as storage:
        with pytest.raises(MachineError) as caught:
            keep(storage, *cut(big, list(range(0, len(big), 65_536))))
        assert caught.value.code == "disk-full"
        assert all_files(disk) == []
        assert dataset_of(keep(storage).path) == DATASET


def test_real_disk_without_room_for_folders_is_full(tmp_path: Path) -> None:
    """No inode is left for the study's folder: the same answer."""
    with small_disk(tmp_path / "disk", "nr_inodes=4") as disk, closing(FolderStorage(disk)) as storage:
        with pytest.raises(MachineError) as caught:
            keep(storage)
        assert caught.value.code == "disk-full"
        assert all_files(disk) == []


def test_read_only_disk_is_no_permission(tmp_path: Path) -> None:
    """A disk that became read-only: said as what it is, and over when it is over."""
    with small_disk(tmp_path / "disk", "size=1m") as disk, closing(FolderStorage(disk)) as storage:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(MachineError) as caught:
            keep(storage)
        assert caught.value.code == "no-permission"
        assert "read-only file system" in caught.value.message
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert keep(storage).path.exists()


def test_folder_without_permission_is_no_permission(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that says no gets its word through."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "makedirs", refuse)
    with pytest.raises(MachineError, match="permission denied") as caught:
        keep(folder)
    assert caught.value.code == "no-permission"
    assert all_files(folder.directory) == []


# Durability


def test_durable_storage_syncs_the_file_before_its_name_and_every_new_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--fsync`: contents first, then the names, those of new folders too."""
    steps: list[str] = []
    real_sync, real_rename = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append("folder " + path.name if path.is_dir() else "file")
        real_sync(descriptor)

    def rename(source: str, target: str) -> None:
        steps.append("rename")
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    with closing(FolderStorage(tmp_path / "kept", durable=True)) as storage:
        keep(storage)
        assert steps == ["file", f"folder {STUDY}", "folder kept", "rename", f"folder {SERIES}"]
        steps.clear()
        keep(storage, head=header("1.2.3.4.6"))
        assert steps == ["file", "rename", f"folder {SERIES}"]


def test_storage_does_not_sync_when_it_was_not_asked_to(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default waits for no disk."""
    monkeypatch.setattr(os, "fsync", None)
    assert keep(folder).path.exists()


# What others have left behind

HOLDER = """
import sys, pathlib
from dicomtls.scp.storage import FolderStorage, InstanceHeader
storage = FolderStorage(pathlib.Path(sys.argv[1]))
incoming = storage.receive(InstanceHeader("1.2.3", "1.2.3.4", "1.2.840.10008.1.2", "A", "B"))
incoming.write(memoryview(b"half an instance"))
print("ready", flush=True)
sys.stdin.read()
"""


def test_temporary_files_of_dead_processes_are_cleared_and_those_of_living_ones_are_not(tmp_path: Path) -> None:
    """A process that was killed leaves a folder, which the next one removes; not before it is dead."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dicomtls_environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with closing(FolderStorage(tmp_path)):
            assert len(all_files(tmp_path)) == 1
        process.kill()
    assert len(all_files(tmp_path)) == 1
    with closing(FolderStorage(tmp_path)):
        assert all_files(tmp_path) == []
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_start_does_not_fail_over_what_cannot_be_cleared(tmp_path: Path) -> None:
    """A file, or a link, that is named like a temporary folder stays, and what a link leads to as well."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").write_text("kept")
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / ".dicomtls-incoming-link").symlink_to(other)
    (kept / ".dicomtls-incoming-gone").symlink_to(tmp_path / "nowhere")
    with closing(FolderStorage(kept)) as storage:
        assert keep(storage).path.exists()
    assert (other / "precious").read_text() == "kept"


def test_storage_works_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `fcntl` nothing is cleared, and everything is kept."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    (tmp_path / ".dicomtls-incoming-old").mkdir()
    with closing(FolderStorage(tmp_path)) as storage:
        assert keep(storage).path.exists()
    assert (tmp_path / ".dicomtls-incoming-old").exists()


def test_closing_twice_does_no_harm(folder: FolderStorage) -> None:
    """The folder for temporary files goes, and what is kept stays."""
    stored = keep(folder)
    folder.close()
    folder.close()
    assert all_files(folder.directory) == [stored.path]
    assert not list(folder.directory.glob(".dicomtls-incoming-*"))


def test_known_folders_do_not_fill_the_memory(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that runs for a year has seen more folders than it can remember."""
    monkeypatch.setattr(storage_module, "_KNOWN_FOLDERS", 2)
    made: list[str] = []
    real = os.makedirs

    def makedirs(name: str, *, exist_ok: bool) -> None:
        made.append(name)
        real(name, exist_ok=exist_ok)

    monkeypatch.setattr(os, "makedirs", makedirs)
    for number in (1, 2, 1, 3, 1):
        folder.make_folder(str(folder.directory / str(number)))
    assert [Path(name).name for name in made] == ["1", "2", "3", "1"]
