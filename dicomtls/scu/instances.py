"""The DICOM files behind paths: what each holds, found by reading its beginning and nothing more."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dicomtls.dataset import (
    MEDIA_STORAGE_DIRECTORY,
    FileMeta,
    HeadTooShort,
    NotDICOM,
    is_deflated,
    read_directory,
    read_file_meta,
)
from dicomtls.errors import DataError, UsageError

_HEAD: Final = 4096
_LONGEST_HEAD: Final = 1 << 20
_LONGEST_DIRECTORY: Final = 64 << 20
# A FIFO or a device must neither block nor be read.
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Instance:
    """A DICOM file that can be sent; `offset` is where its dataset begins, `size` the whole file's, in bytes."""

    path: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that is not sent, and why."""

    path: str
    reason: str


@dataclass
class Found:
    """What paths led to: `skipped` are no DICOM, `unreadable` are, or may be, and cannot be sent."""

    instances: list[Instance] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    unreadable: list[SkippedFile] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """How many bytes the datasets have together."""
        return sum(instance.size - instance.offset for instance in self.instances)


def find_instances(paths: Iterable[str]) -> Found:
    """Look into files, folders (with all below them) and DICOMDIRs, in their order, folders by name.

    Raises `UsageError` where a path does not exist: the user meant something by it.
    """
    found = Found()
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 -- once for each of many thousand paths: plain strings are cheaper
            for below in _files_below(path, found):
                _look(below, found, is_named=False)
        elif os.path.lexists(path):
            _look(path, found, is_named=True)
        else:
            msg = f"there is no file or folder {path}"
            raise UsageError(msg, code="unreadable-file", hints=("check the spelling of the path",))
    return found


def _files_below(folder: str, found: Found) -> Iterator[str]:
    """Without recursion: folders may be nested deeper than Python calls."""
    waiting = _entries(folder, found)
    while waiting:
        entry = waiting.pop()
        # Links to folders are not followed: they may lead back up.
        if entry.is_dir(follow_symlinks=False):
            waiting += _entries(entry.path, found)
        else:
            yield entry.path


def _entries(folder: str, found: Found) -> "list[os.DirEntry[str]]":
    """What a folder holds, the first by name at the end."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name, reverse=True)
    except OSError as error:
        found.unreadable.append(SkippedFile(folder, reason_of(error)))
        return []


def _look(path: str, found: Found, *, is_named: bool) -> None:
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        found.unreadable.append(SkippedFile(path, reason_of(error)))
        return
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            found.skipped.append(SkippedFile(path, "not a regular file"))
            return
        meta = _read_meta(descriptor, status.st_size)
        if meta.sop_class_uid != MEDIA_STORAGE_DIRECTORY:
            _check_length(meta, status.st_size)
            found.instances.append(
                Instance(
                    path,
                    meta.sop_class_uid,
                    meta.sop_instance_uid,
                    meta.transfer_syntax,
                    meta.dataset_offset,
                    status.st_size,
                )
            )
        elif is_named:
            _look_into_directory(path, descriptor, status.st_size, found)
        else:
            found.skipped.append(SkippedFile(path, "a DICOMDIR: what it lists lies in this folder"))
    except NotDICOM as error:
        found.skipped.append(SkippedFile(path, error.message))
    except DataError as error:
        found.unreadable.append(SkippedFile(path, error.message))
    except OSError as error:
        found.unreadable.append(SkippedFile(path, reason_of(error)))
    finally:
        os.close(descriptor)


def _read_meta(descriptor: int, size: int) -> FileMeta:
    head = os.read(descriptor, _HEAD)
    while True:
        try:
            return read_file_meta(head, size)
        except HeadTooShort as error:
            if error.needed > _LONGEST_HEAD:
                raise
            more = os.read(descriptor, max(error.needed, 2 * len(head)) - len(head))
            if not more:
                raise
            head += more


def _check_length(meta: FileMeta, size: int) -> None:
    # No message can carry an odd number of bytes (PS3.8 annex E): peers abort over one, and all that follow are lost.
    # Deflated data are padded where they are sent.
    if (size - meta.dataset_offset) % 2 and not is_deflated(meta.transfer_syntax):
        msg = "the dataset has an odd number of bytes, as if the file was cut short"
        raise DataError(msg)


def _look_into_directory(path: str, descriptor: int, size: int, found: Found) -> None:
    if size > _LONGEST_DIRECTORY:
        msg = f"a DICOMDIR of {size} bytes is too large to be one"
        raise DataError(msg)
    os.lseek(descriptor, 0, os.SEEK_SET)
    data = bytearray()
    while part := os.read(descriptor, size + 1 - len(data)):
        data += part
    for components in read_directory(bytes(data)):
        listed = _resolve(Path(path).parent, components)
        if listed is None:
            missing = os.path.join(os.path.dirname(path), *components)  # noqa: PTH118, PTH120 -- as above
            found.unreadable.append(SkippedFile(missing, "listed in the DICOMDIR, but not there"))
        else:
            _look(str(listed), found, is_named=False)


def _resolve(folder: Path, components: tuple[str, ...]) -> Path | None:
    """Follow a Referenced File ID; media are often copied with their names in lower case."""
    for component in components:
        exact = folder / component
        try:
            if exact.exists():
                folder = exact
                continue
            near = [entry for entry in folder.iterdir() if entry.name.casefold() == component.casefold()]
        except OSError:
            return None
        if not near:
            return None
        folder = near[0]
    return folder


def reason_of(error: OSError) -> str:
    """What the system says, as our own messages are spelled."""
    return (error.strerror or str(error)).lower()


def open_instance(path: str) -> int:
    """Open a file that was looked at before, for sending; raises `OSError`."""
    return os.open(path, _FLAGS)
