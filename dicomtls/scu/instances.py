"""The DICOM files behind paths: what each holds, found by reading its beginning and nothing more."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from dicomtls.dataset import (
    MEDIA_STORAGE_DIRECTORY,
    FileMeta,
    HeadTooShort,
    NotDICOM,
    is_deflated,
)
from dicomtls.dataset.repeated import FileMetaReader
from dicomtls.errors import DataError, UsageError
from dicomtls.files import open_flags

_HEAD: Final = 4096
_LONGEST_HEAD: Final = 1 << 20
_LONGEST_DIRECTORY: Final = 64 << 20
# A FIFO or a device must neither block nor be read.
_FLAGS: Final = open_flags("O_RDONLY", "O_CLOEXEC", "O_NONBLOCK")


class Instance(NamedTuple):
    """A DICOM file that can be sent; `offset` is where its dataset begins, `size` the whole file's, in bytes."""

    path: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    offset: int
    size: int


class SkippedFile(NamedTuple):
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
    search = _Search()
    for path in paths:
        search.look_behind(path)
    return search.found


class _Search:
    """What is found on the way from path to path."""

    def __init__(self) -> None:
        self.found = Found()
        self._reader = FileMetaReader()

    def look_behind(self, path: str) -> None:
        """Look into what the user named."""
        if os.path.isdir(path):  # noqa: PTH112 -- once for each of many thousand paths: plain strings are cheaper
            for below in self._files_below(path):
                self._look(below, is_named=False)
        elif os.path.lexists(path):
            self._look(path, is_named=True)
        else:
            msg = f"there is no file or folder {path}"
            # DCMTK's storescu takes the port as an argument of its own.
            hint = (
                f"a port is written behind its host: HOST:{path}"
                if path.isdecimal()
                else "check the spelling of the path"
            )
            raise UsageError(msg, code="unreadable-file", hints=(hint,))

    def _files_below(self, folder: str) -> Iterator[str]:
        """Without recursion: folders may be nested deeper than Python calls."""
        waiting = self._entries(folder)
        while waiting:
            entry = waiting.pop()
            # Links to folders are not followed: they may lead back up.
            if entry.is_dir(follow_symlinks=False):
                waiting += self._entries(entry.path)
            else:
                yield entry.path

    def _entries(self, folder: str) -> "list[os.DirEntry[str]]":
        """What a folder holds, the first by name at the end."""
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            self._cannot_read(folder, reason_of(error))
            return []

    def _cannot_read(self, path: str, reason: str) -> None:
        self.found.unreadable.append(SkippedFile(path, reason))

    def _skip(self, path: str, reason: str) -> None:
        self.found.skipped.append(SkippedFile(path, reason))

    def _look(self, path: str, *, is_named: bool) -> None:
        try:
            descriptor = os.open(path, _FLAGS)
        except OSError as error:
            self._cannot_read(path, reason_of(error))
            return
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                self._skip(path, "not a regular file")
                return
            self._judge(path, descriptor, status.st_size, is_named=is_named)
        except NotDICOM as error:
            self._skip(path, error.message)
        except DataError as error:
            self._cannot_read(path, error.message)
        except OSError as error:
            self._cannot_read(path, reason_of(error))
        finally:
            os.close(descriptor)

    def _judge(self, path: str, descriptor: int, size: int, *, is_named: bool) -> None:
        meta = _read_meta(self._reader, descriptor, size)
        if meta.sop_class_uid != MEDIA_STORAGE_DIRECTORY:
            self.found.instances.append(_instance(path, meta, size))
        elif is_named:
            self._look_into_directory(path, descriptor, size)
        else:
            self._skip(path, "a DICOMDIR: what it lists lies in this folder")

    def _look_into_directory(self, path: str, descriptor: int, size: int) -> None:
        from dicomtls.dataset.directory import read_directory  # seldom, and not for nothing

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
                self._cannot_read(missing, "listed in the DICOMDIR, but not there")
            else:
                self._look(str(listed), is_named=False)


def look_at(path: str, reader: FileMetaReader) -> Instance:
    """Look into one file that is known to be DICOM; raises `OSError`, `DataError`."""
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            msg = "not a regular file"
            raise DataError(msg)
        return _instance(path, _read_meta(reader, descriptor, status.st_size), status.st_size)
    finally:
        os.close(descriptor)


def _read_meta(reader: FileMetaReader, descriptor: int, size: int) -> FileMeta:
    head = os.read(descriptor, _HEAD)
    while True:
        try:
            return reader.read(head, size)
        except HeadTooShort as error:
            if error.needed > _LONGEST_HEAD:
                raise
            more = os.read(descriptor, max(error.needed, 2 * len(head)) - len(head))
            if not more:
                raise
            head += more


def _instance(path: str, meta: FileMeta, size: int) -> Instance:
    _check_length(meta, size)
    return Instance(path, meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax, meta.dataset_offset, size)


def _check_length(meta: FileMeta, size: int) -> None:
    # No message can carry an odd number of bytes (PS3.8 annex E): peers abort over one, and all that follow are lost.
    # Deflated data are padded where they are sent.
    if (size - meta.dataset_offset) % 2 and not is_deflated(meta.transfer_syntax):
        msg = "the dataset has an odd number of bytes, as if the file was cut short"
        raise DataError(msg)


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
