"""Takes the bytes of a credential file into memory: regular files only, and no more than a sane size.

A FIFO, a device or a terminal is refused: its content cannot be looked at twice, its size is not known before
memory is taken, and reading it may never end.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from dicomtls.errors import CredentialError
from dicomtls.files import open_flags

MAXIMUM_SIZE = 8 << 20
"""In bytes. The largest honest file, a CA bundle of everything that is trusted anywhere, has about 1 MB."""
MAXIMUM_FILES = 10_000
"""In one folder; the system's own has some 500."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO (pipe)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read(path: Path) -> bytes:
    """Return the whole content; raises `CredentialError` (`unreadable-file`)."""
    try:
        return _read(path)
    except OSError as error:
        msg = f"cannot read {path}: {(error.strerror or type(error).__name__).lower()}"
        raise CredentialError(msg, code="unreadable-file", evidence={"path": str(path)}) from error
    except ValueError:  # a NUL in the path
        msg = f"cannot read {str(path)!r}: no such name can exist"
        raise CredentialError(msg, code="unreadable-file", evidence={"path": str(path)}) from None


def files_in(directory: Path) -> Iterator[Path]:
    """Yield the regular files of a folder by name, symbolic links to files included, subfolders not.

    Raises `CredentialError` (`unreadable-file`) where the folder cannot be read or has more than 10,000 entries.
    """
    names: list[str] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) > MAXIMUM_FILES:
                    msg = f"{directory} has more than {MAXIMUM_FILES} entries"
                    raise CredentialError(msg, code="unreadable-file", evidence={"path": str(directory)})
    except OSError as error:
        msg = f"cannot read {directory}: {(error.strerror or type(error).__name__).lower()}"
        raise CredentialError(msg, code="unreadable-file", evidence={"path": str(directory)}) from error
    for path in map(directory.joinpath, sorted(names)):
        if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where it may not look
            yield path


def _read(path: Path) -> bytes:
    _check(path, path.stat())
    # The file may have become another since: O_NONBLOCK keeps the opening of a FIFO from waiting for a writer.
    descriptor = os.open(path, open_flags("O_RDONLY", "O_CLOEXEC", "O_NONBLOCK"))
    with os.fdopen(descriptor, "rb") as file:
        _check(path, os.fstat(descriptor))
        content = file.read(MAXIMUM_SIZE + 1)
    _check_size(path, len(content))
    return content


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        msg = f"{path} is {kind}, not a regular file"
        hints = ("copy what it gives into a file first",) if kind != "a folder" else ()
        raise CredentialError(msg, code="unreadable-file", hints=hints, evidence={"path": str(path)})
    _check_size(path, status.st_size)


def _check_size(path: Path, size: int) -> None:
    if size > MAXIMUM_SIZE:
        msg = f"{path} is larger than {MAXIMUM_SIZE >> 20} MB, too large for certificates and keys"
        raise CredentialError(msg, code="unreadable-file", evidence={"path": str(path), "bytes": size})
