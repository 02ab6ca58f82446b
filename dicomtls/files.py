"""Writes files whole or not at all, several of them as one, and private ones readable by their owner only.

Each content goes to a temporary file in the folder of its target, reaches the disk there, and takes its name only when
all of them have come that far. A failure, or Ctrl-C, at any point leaves every folder as it was.
"""

import contextlib
import errno
import functools
import operator
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from dicomtls.errors import MachineError, UsageError

_LOCK_SECONDS = 10.0
_LOCK_PAUSE = 0.05
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_A_FILE = frozenset({errno.EEXIST, errno.ENOTDIR})
_PRIVATE_MODE = 0o600
_PUBLIC_MODE = 0o666  # less the process's umask
_LINKS_LINKS = os.link in os.supports_follow_symlinks  # Windows cannot be told
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})


def open_flags(*names: str) -> int:
    """Combine flags of `os.open` by their names, less those that this system lacks; contents are never translated."""
    return functools.reduce(operator.or_, (getattr(os, name, 0) for name in (*names, "O_BINARY")))


@contextmanager
def machine_errors(path: Path | str) -> Iterator[None]:
    """Turn every `OSError` inside into the `machine_error` about `path`."""
    try:
        yield
    except OSError as error:
        raise machine_error(error, path) from error


def machine_error(error: OSError, path: Path | str) -> MachineError:
    """Say of a write that failed whether the disk is full (`disk-full`) or forbids it (`no-permission`).

    What is neither (an I/O error, a vanished folder) has the latter's code and its own words.
    """
    reason = (error.strerror or type(error).__name__).lower()
    return MachineError(
        f"cannot write {path}: {reason}",
        code="disk-full" if error.errno in _DISK_FULL else "no-permission",
        hints=("there is a file where a folder should be: choose another name",) if error.errno in _A_FILE else (),
        evidence={"path": str(path), "errno": errno.errorcode.get(error.errno or 0, "unknown")},
    )


@contextmanager
def alone_in(folder: Path, what: str) -> Iterator[None]:
    """Be the only process of ours that changes `what` in a folder, where the system has locks for that.

    Raises `UsageError` where another one keeps it for ten seconds, `MachineError`.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with machine_errors(folder):
        descriptor = os.open(folder, open_flags("O_RDONLY", "O_CLOEXEC"))
    try:
        deadline = monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() >= deadline:
                    msg = f"another process has been busy with {what} in {folder} for {_LOCK_SECONDS:g} s"
                    raise UsageError(msg, hints=("try again when it has ended",)) from None
                sleep(_LOCK_PAUSE)
        yield
    finally:
        os.close(descriptor)


def write_file(path: Path, content: bytes, *, private: bool = False, force: bool = False) -> None:
    """Write one file as `write_files` does."""
    write_files({path: content}, private=(path,) if private else (), force=force)


def write_files(
    contents: Mapping[Path, bytes],
    *,
    private: Collection[Path] = (),
    replaced: Collection[Path] = (),
    force: bool = False,
) -> None:
    """Write all files or none, making the folders that are missing; they take their names in the order given.

    Those in `private` have mode 0600 from the moment they exist, whatever the umask. A name that is taken already is a
    `UsageError`, or is replaced with `force` or where it is in `replaced` (a symbolic link itself, never what it
    points to; never a folder); when anything fails, what was replaced is put back. Raises `MachineError` for what the
    machine refuses.
    """
    if not {*private, *replaced} <= set(contents):
        msg = "private or replaced names a file that is not written"
        raise ValueError(msg)
    for path in contents:
        _check_targets((path,), force=force or path in replaced)
    with contextlib.ExitStack() as cleanup:
        drafts: list[_Draft] = []
        made: list[Path] = []
        try:
            for path, content in contents.items():
                _make_folders(path.parent, made)
                draft = _Draft(path)
                cleanup.callback(draft.clean)
                drafts.append(draft)
                draft.write(content, is_private=path in private)
            for draft, path in zip(drafts, contents, strict=True):
                draft.place(force=force or path in replaced)
            for folder in {path.parent for path in contents}:
                with contextlib.suppress(OSError):
                    sync_folder(folder)
        except BaseException:  # KeyboardInterrupt too: nothing may stay behind
            for draft in reversed(drafts):
                draft.undo()
            cleanup.close()
            for folder in reversed(made):
                with contextlib.suppress(OSError):  # somebody else's file is in it by now
                    folder.rmdir()
            raise


class _Draft:
    """One file on its way to its name."""

    def __init__(self, target: Path) -> None:
        self._target = target
        stem = f".dicomtls-{os.urandom(8).hex()}"  # `secrets` takes 4 ms to import
        self._temporary = target.with_name(f"{stem}.new")
        self._backup = target.with_name(f"{stem}.old")
        self._identity: tuple[int, int] | None = None

    def write(self, content: bytes, *, is_private: bool) -> None:
        flags = open_flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_CLOEXEC", "O_NOFOLLOW")
        with machine_errors(self._target):
            descriptor = os.open(self._temporary, flags, _PRIVATE_MODE if is_private else _PUBLIC_MODE)
            with os.fdopen(descriptor, "wb") as file:
                if is_private and hasattr(os, "fchmod"):  # not on Windows, where the folder's rights decide
                    os.fchmod(descriptor, _PRIVATE_MODE)  # a umask may have taken from the owner too
                status = os.fstat(descriptor)
                self._identity = (status.st_dev, status.st_ino)
                file.write(content)
                file.flush()
                os.fsync(descriptor)

    def place(self, *, force: bool) -> None:
        """Give the file its name; what has that name already is kept aside until all are in place."""
        with machine_errors(self._target):
            if force and os.path.lexists(self._target):
                _link_or_rename(self._target, self._backup)
                self._temporary.replace(self._target)
                return
            try:
                _link(self._temporary, self._target)
            except FileExistsError:
                raise _taken(self._target) from None
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                _check_targets((self._target,), force=force)
                self._temporary.rename(self._target)

    def undo(self) -> None:
        """Put back what was there. What cannot be put back stays beside its name, as `.dicomtls-NNNN.old`."""
        try:
            if os.path.lexists(self._backup):
                self._backup.replace(self._target)
            elif self._is_ours():
                self._target.unlink()
        except OSError:
            self._backup = self._temporary

    def clean(self) -> None:
        for path in (self._temporary, self._backup):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _is_ours(self) -> bool:
        try:
            status = os.lstat(self._target)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self._identity


def _check_targets(paths: Collection[Path], *, force: bool) -> None:
    for path in paths:
        if not os.path.lexists(path):
            continue
        if path.is_dir() and not path.is_symlink():
            msg = f"{path} is a folder"
            raise UsageError(msg)
        if not force:
            raise _taken(path)


def _taken(path: Path) -> UsageError:
    msg = f"{path} exists already"
    return UsageError(msg, hints=("replace it with --force, or choose another folder",), evidence={"path": str(path)})


def _make_folders(folder: Path, made: list[Path]) -> None:
    missing = [folder for folder in (folder, *folder.parents) if not os.path.lexists(folder)]
    with machine_errors(folder):
        for path in reversed(missing):
            made.append(path)  # before it is made, so that an interrupt in between leaves nothing behind
            try:
                path.mkdir()
            except FileExistsError:  # another process was quicker
                made.remove(path)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, a symbolic link itself too; raises `OSError` (`ENOSYS`) where that cannot be done."""
    if _LINKS_LINKS:
        os.link(source, target, follow_symlinks=False)
    elif source.is_symlink():
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    else:
        os.link(source, target)


def _link_or_rename(source: Path, target: Path) -> None:
    try:
        _link(source, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        source.rename(target)


def sync_folder(folder: str | Path) -> None:
    """Make the names in a folder as durable as the contents, where the system can; raises `OSError`."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, open_flags("O_RDONLY", "O_DIRECTORY", "O_CLOEXEC"))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
