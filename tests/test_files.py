"""dicomtls.files: files are written whole or not at all, private ones for their owner only."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomtls import files
from dicomtls.errors import MachineError, UsageError
from dicomtls.files import machine_errors, sync_folder, write_file, write_files

STEPS = ("open", "fsync", "link", "replace")


def _tree(folder: Path) -> dict[str, bytes | str]:
    """Every name below a folder with what it holds; a link by where it points, a folder by a slash."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = "/" if path.is_dir() else path.read_bytes()
    return found


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _fail_at(monkeypatch: pytest.MonkeyPatch, step: str, turn: int, error: BaseException) -> None:
    """Let the `turn`-th call of a system call raise."""
    original: Callable[..., object] = getattr(os, step)
    calls = 0

    def failing(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == turn:
            raise error
        return original(*arguments, **options)

    monkeypatch.setattr(os, step, failing)


def test_files_are_written_with_their_folders(tmp_path: Path) -> None:
    """All contents arrive, and nothing else stays behind."""
    write_files({tmp_path / "new" / "deep" / "a": b"A", tmp_path / "b": b"", tmp_path / "new" / "c": b"C"})
    assert _tree(tmp_path) == {"b": b"", "new": "/", "new/c": b"C", "new/deep": "/", "new/deep/a": b"A"}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277])
def test_private_files_are_their_owner_s_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """A key has mode 0600, a certificate what the umask leaves of 0666."""
    before = os.umask(umask)
    try:
        write_files({tmp_path / "key": b"K", tmp_path / "cert": b"C"}, private={tmp_path / "key"})
    finally:
        os.umask(before)
    assert _mode(tmp_path / "key") == 0o600
    assert _mode(tmp_path / "cert") == 0o666 & ~umask


def test_private_file_is_never_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode is given when the file comes into being, before a byte is in it."""
    seen: list[tuple[int, int]] = []
    fsync = os.fsync

    def watching(descriptor: int) -> None:
        status = os.fstat(descriptor)
        seen.append((stat.S_IMODE(status.st_mode), status.st_size))
        fsync(descriptor)

    opened: list[int] = []
    original = os.open

    def opening(path: Path, flags: int, mode: int = 0o777, **others: Any) -> int:
        if flags & os.O_CREAT:
            opened.append(mode)
            assert flags & os.O_EXCL
            assert flags & os.O_NOFOLLOW
        return original(path, flags, mode, **others)

    monkeypatch.setattr(os, "fsync", watching)
    monkeypatch.setattr(os, "open", opening)
    write_file(tmp_path / "key", b"secret", private=True)
    assert opened == [0o600]
    assert seen[0] == (0o600, 6)


def test_taken_name_is_refused(tmp_path: Path) -> None:
    """None of the files is written when one of the names is taken, by a file or by a dangling link."""
    (tmp_path / "b").write_bytes(b"old")
    (tmp_path / "c").symlink_to("nowhere")
    before = _tree(tmp_path)
    for taken in ("b", "c"):
        with pytest.raises(UsageError, match=f"{taken} exists already") as caught:
            write_files({tmp_path / "new" / "a": b"A", tmp_path / taken: b"B"})
        assert caught.value.code == "configuration"
        assert "--force" in caught.value.hints[0]
    assert _tree(tmp_path) == before


def test_name_that_is_taken_meanwhile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that appears between the check and the writing is neither replaced nor removed."""
    fsync = os.fsync

    def appearing(descriptor: int) -> None:
        (tmp_path / "b").write_bytes(b"theirs")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", appearing)
    with pytest.raises(UsageError, match="exists already"):
        write_files({tmp_path / "a": b"A", tmp_path / "b": b"B"})
    assert _tree(tmp_path) == {"b": b"theirs"}


def test_force_replaces_files(tmp_path: Path) -> None:
    """Old contents and modes are gone, and no backup stays."""
    (tmp_path / "key").write_bytes(b"old")
    (tmp_path / "key").chmod(0o644)
    write_files({tmp_path / "key": b"new", tmp_path / "other": b"x"}, private={tmp_path / "key"}, force=True)
    assert _tree(tmp_path) == {"key": b"new", "other": b"x"}
    assert _mode(tmp_path / "key") == 0o600


def test_force_replaces_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    """A link planted in the folder cannot direct a key elsewhere."""
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "key").symlink_to("precious")
    write_file(tmp_path / "key", b"new", force=True)
    assert _tree(tmp_path) == {"key": b"new", "precious": b"precious"}


def test_folder_is_never_replaced(tmp_path: Path) -> None:
    """Not even with force."""
    (tmp_path / "key").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        write_file(tmp_path / "key", b"new", force=True)
    assert _tree(tmp_path) == {"key": "/"}


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize(
    ("step", "turn"),
    [
        (step, turn)
        for step, turns in (("open", 4), ("fsync", 4), ("link", 4), ("replace", 2))
        for turn in range(1, turns + 1)
    ],
)
def test_failure_half_way_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, turn: int, error: BaseException
) -> None:
    """A full disk or Ctrl-C at any point: the new is gone, the old is back, folders that were made are not there."""
    (tmp_path / "a").write_bytes(b"old a")
    (tmp_path / "b").symlink_to("a")
    before = _tree(tmp_path)
    contents = {tmp_path / name: b"new" for name in ("a", "b", "folder/c", "folder/d")}
    with monkeypatch.context() as patched:
        _fail_at(patched, step, turn, error)
        with pytest.raises((MachineError, KeyboardInterrupt)):
            write_files(contents, force=True)
    assert _tree(tmp_path) == before


@pytest.mark.parametrize("turn", [1, 2])
def test_failure_half_way_leaves_no_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turn: int) -> None:
    """The same where nothing was replaced."""
    with monkeypatch.context() as patched:
        _fail_at(patched, "link", turn, OSError(errno.EIO, "Input/output error"))
        with pytest.raises(MachineError, match="input/output error"):
            write_files({tmp_path / "x" / "a": b"A", tmp_path / "b": b"B"})
    assert _tree(tmp_path) == {}


@pytest.mark.parametrize("force", [False, True])
def test_files_are_written_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, force: bool
) -> None:
    """FAT and some network file systems know none: renaming does it there, with the same care."""

    def refusing(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refusing)
    if force:
        (tmp_path / "a").write_bytes(b"old")
    write_files({tmp_path / "a": b"A", tmp_path / "b": b"B"}, force=force)
    assert _tree(tmp_path) == {"a": b"A", "b": b"B"}
    with pytest.raises(UsageError):
        write_files({tmp_path / "c": b"C", tmp_path / "b": b"new"})
    with monkeypatch.context() as patched:
        _fail_at(patched, "replace", 2, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            write_files({tmp_path / name: b"new" for name in "abc"}, force=True)
    assert _tree(tmp_path) == {"a": b"A", "b": b"B"}


def test_what_cannot_be_put_back_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When even the undoing fails, the old content is not thrown away."""
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").write_bytes(b"old b")
    original = os.replace
    calls = 0

    def failing(*arguments: Path) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(errno.EIO, "Input/output error")
        original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", failing)
        with pytest.raises(MachineError):
            write_files({tmp_path / "a": b"new", tmp_path / "b": b"new"}, force=True)
    assert b"old" in _tree(tmp_path).values()
    assert b"old b" in _tree(tmp_path).values()


def test_unknown_private_name_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    """A misspelt key must not be written for all to read."""
    with pytest.raises(ValueError, match="private"):
        write_files({tmp_path / "server.key": b"K"}, private={tmp_path / "sever.key"})
    assert _tree(tmp_path) == {}


def test_folder_that_is_a_file_is_an_error_of_the_machine(tmp_path: Path) -> None:
    """And the file in the way stays."""
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(MachineError, match="not a directory"):
        write_file(tmp_path / "file" / "key", b"K")
    with pytest.raises(MachineError, match="not a directory"):
        write_file(tmp_path / "file" / "folder" / "key", b"K")
    assert _tree(tmp_path) == {"file": b"x"}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EFBIG, "disk-full"),
        (errno.EACCES, "no-permission"),
        (errno.EPERM, "no-permission"),
        (errno.EROFS, "no-permission"),
        (errno.EIO, "no-permission"),
    ],
)
def test_machine_errors_have_codes_by_errno(number: int, code: str) -> None:
    """The number decides, never the text; the text is the system's."""
    with pytest.raises(MachineError) as caught, machine_errors(Path("some/file")):
        raise OSError(number, os.strerror(number))
    assert caught.value.code == code
    assert str(caught.value) == f"cannot write some/file: {os.strerror(number).lower()}"
    assert caught.value.evidence == {"path": "some/file", "errno": errno.errorcode[number]}


def test_machine_errors_leave_other_errors_alone() -> None:
    """What is not the machine's fault is not called so; an error without a number has its name."""
    with pytest.raises(KeyError), machine_errors(Path("x")):
        raise KeyError
    with pytest.raises(MachineError, match="timeouterror"), machine_errors(Path("x")):
        raise TimeoutError


def test_really_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a disk that ends in the middle of one."""
    resource = pytest.importorskip("resource", reason="only POSIX limits the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(MachineError) as caught:
            write_files({tmp_path / "small": b"x", tmp_path / "large": bytes(200_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.code == "disk-full"
    assert _tree(tmp_path) == {}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    old=st.dictionaries(st.sampled_from("abcd"), st.binary(max_size=5)),
    new=st.dictionaries(st.sampled_from("abcd"), st.binary(max_size=5), min_size=1),
    step=st.sampled_from(STEPS),
    turn=st.integers(1, 9),
)
def test_all_or_nothing_whatever_fails(
    tmp_path_factory: pytest.TempPathFactory, old: dict[str, bytes], new: dict[str, bytes], step: str, turn: int
) -> None:
    """After any failure at any call the folder is either wholly new or wholly old."""
    folder = tmp_path_factory.mktemp("all")
    for name, content in old.items():
        (folder / name).write_bytes(content)
    with pytest.MonkeyPatch.context() as patched:
        _fail_at(patched, step, turn, OSError(errno.EIO, "Input/output error"))
        try:
            files.write_files({folder / name: content for name, content in new.items()}, force=True)
        except MachineError:
            assert _tree(folder) == old
        else:
            assert _tree(folder) == {**old, **new}


def test_file_in_place_of_a_folder_is_told(tmp_path: Path) -> None:
    """Another place that this user may write to is no help there."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(MachineError) as caught:
        write_file(tmp_path / "file" / "below", b"x", force=False)
    assert caught.value.hints == ("there is a file where a folder should be: choose another name",)
    with pytest.raises(MachineError) as caught, machine_errors("x"):
        raise PermissionError(errno.EACCES, "permission denied")
    assert caught.value.hints == ()


def test_folder_is_synced(tmp_path: Path) -> None:
    """Which shows only in that nothing goes wrong, and no descriptor is left; a folder that is gone is an error."""
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    sync_folder(str(tmp_path))
    assert len(list(descriptors.iterdir())) == before
    with pytest.raises(OSError, match="No such file"):
        sync_folder(tmp_path / "gone")
