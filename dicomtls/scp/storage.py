"""Where received instances are kept: a folder, written so that a success response means a whole file.

An instance is written under a temporary name beside the others and renamed when it is complete, so whatever
happens to the process, a name ending in `.dcm` is a whole instance. The bytes of the dataset go to the file as they
came, in the transfer syntax that they came in (PS3.10 section 7).
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, Protocol

from dicomtls.dataset import encode_file_meta, read_attributes
from dicomtls.dataset.repeated import AttributeReader
from dicomtls.errors import DataError
from dicomtls.files import machine_error, machine_errors, open_flags, sync_folder
from dicomtls.scp.layout import Layout
from dicomtls.scp.locking import lock_folder

_INCOMING: Final = ".dicomtls-incoming-"
_LONGEST_HEAD: Final = 1 << 20
_KNOWN_FOLDERS: Final = 10_000


@dataclass(frozen=True)
class InstanceHeader:
    """What the C-STORE request and its presentation context say of an instance before its dataset comes."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    calling_ae_title: str
    called_ae_title: str


@dataclass(frozen=True)
class StoredInstance:
    """An instance that is kept: `is_new` is False where it was there already and the new copy was dropped."""

    location: str
    size: int
    is_new: bool

    @property
    def path(self) -> Path:
        """Where it is; made when asked for, since a `Path` takes a twentieth of a small instance's time."""
        return Path(self.location)


class IncomingInstance(Protocol):
    """An instance on its way in; exactly one of `commit` and `discard` ends it. All raise `MachineError`."""

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes of the dataset; the view holds only during the call."""

    def commit(self) -> StoredInstance:
        """Keep the instance; after this it is whole, whatever happens to the process."""

    def discard(self) -> None:
        """Leave nothing behind."""


class Storage(Protocol):
    """Something that keeps instances."""

    def receive(self, header: InstanceHeader) -> IncomingInstance:
        """Begin to receive an instance; raises `MachineError`, `DataError`."""


class FolderStorage:
    """Keeps each instance as a file below one folder.

    `durable` makes a commit wait until the disk has the instance, so that it survives a power failure too.
    """

    def __init__(self, directory: Path, layout: Layout | None = None, *, durable: bool = False) -> None:
        """Make the folder and clear what processes that died have left in it; raises `MachineError`."""
        self.directory = directory
        self.root = os.fspath(directory)
        self.layout = layout or Layout()
        self.durable = durable
        self._numbers = count()
        self._folders: set[str] = set()
        self._guard = threading.Lock()
        self._readers = threading.local()
        self._incoming = ""
        self._lock: int | None = None
        with machine_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
            _clear_abandoned(directory)
            self._make_incoming()

    def receive(self, header: InstanceHeader) -> "IncomingFile":
        """Open a temporary file for an instance; raises `MachineError`, `DataError` for UIDs that are none."""
        meta = encode_file_meta(
            header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax, header.calling_ae_title or None
        )
        temporary, descriptor = self._open_temporary()
        return IncomingFile(self, header, temporary, descriptor, meta)

    def close(self) -> None:
        """Remove the folder for temporary files; what is still being received is lost with it."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._unlock()

    def _open_temporary(self) -> tuple[str, int]:
        incoming = self._incoming
        temporary = f"{incoming}/{next(self._numbers)}"
        try:
            return temporary, os.open(temporary, _FLAGS, 0o666)
        except FileNotFoundError:  # somebody tidied up: an empty folder looks useless
            return self._open_anew(incoming)
        except OSError as error:
            raise machine_error(error, temporary) from error

    def _open_anew(self, gone: str) -> tuple[str, int]:
        with machine_errors(self.directory):
            with self._guard:
                if self._incoming == gone:
                    self._make_incoming()
            temporary = f"{self._incoming}/{next(self._numbers)}"
            return temporary, os.open(temporary, _FLAGS, 0o666)

    def _make_incoming(self) -> None:
        self._unlock()
        self.directory.mkdir(parents=True, exist_ok=True)
        incoming = tempfile.mkdtemp(prefix=_INCOMING, dir=self.directory)
        self._lock = lock_folder(Path(incoming))
        self._incoming = incoming

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def make_folder(self, folder: str) -> None:
        """Make a folder unless this process has made it before."""
        if folder not in self._folders:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 -- once for each instance: plain strings are cheaper
            if self.durable:
                self._sync_parents(Path(folder))
            if len(self._folders) >= _KNOWN_FOLDERS:
                self._folders.clear()
            self._folders.add(folder)

    def _sync_parents(self, folder: Path) -> None:
        """Make the names of folders as durable as what will be in them."""
        for parent in folder.parents:
            sync_folder(str(parent))
            if parent == self.directory:
                return

    def reader(self, transfer_syntax: str) -> AttributeReader:
        """What reads the layout's attributes; one for each thread, since an association sends what is alike."""
        readers: dict[str, AttributeReader] = self._readers.__dict__
        if transfer_syntax not in readers:
            readers[transfer_syntax] = AttributeReader(transfer_syntax, self.layout.tags)
        return readers[transfer_syntax]

    def forget_folder(self, folder: str) -> None:
        """Somebody removed it."""
        self._folders.discard(folder)


class IncomingFile:
    """One instance on its way into a folder."""

    def __init__(
        self, storage: FolderStorage, header: InstanceHeader, temporary: str, descriptor: int, meta: bytes
    ) -> None:
        self._storage = storage
        self._header = header
        self._temporary = temporary
        self._descriptor = descriptor
        self._meta: bytes | None = meta
        self._size = 0
        self._head = bytearray()
        self._look_again_at = 0
        self._attributes: Mapping[int, bytes] | None = None if storage.layout.tags else {}

    def write(self, fragment: memoryview) -> None:
        """Append to the file, the file meta information first."""
        if self._attributes is None:
            self._look_for_attributes(fragment)
        try:
            if self._meta is None:
                rest = fragment[os.write(self._descriptor, fragment) :]
            else:
                rest = self._write_first(self._meta, fragment)
            while rest:  # a disk that is nearly full takes a part first
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise machine_error(error, self._temporary) from error
        self._size += len(fragment)

    def commit(self) -> StoredInstance:
        """Give the file its name, unless the instance is there already."""
        if self._meta is not None:
            self.write(memoryview(b""))
        path = f"{self._storage.root}/{self._place()}"
        with machine_errors(path):
            if self._storage.durable:
                os.fsync(self._descriptor)
            self._close()
            is_new = not os.path.isfile(path)  # noqa: PTH113 -- once for each instance: plain strings are cheaper
            if is_new:
                self._rename(path)
            else:
                os.unlink(self._temporary)  # noqa: PTH108 -- as above
        return StoredInstance(path, self._size, is_new)

    def discard(self) -> None:
        """Close and remove the temporary file."""
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            os.unlink(self._temporary)  # noqa: PTH108 -- as above

    def _close(self) -> None:
        # Forgotten first: after a failed close the number may be another thread's file already.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _write_first(self, meta: bytes, fragment: memoryview) -> memoryview:
        """Write the file meta information and the first fragment at once; returns what is left of them."""
        self._meta = None
        written = 0 if _writev is None else _writev(self._descriptor, (meta, fragment))
        if written >= len(meta):
            return fragment[written - len(meta) :]
        return memoryview(meta[written:] + bytes(fragment))

    def _look_for_attributes(self, fragment: memoryview) -> None:
        """Read what the layout needs off the beginning of the dataset, however it is cut into fragments.

        A beginning that was not enough is looked at again when it has doubled: a peer may send single bytes.
        """
        head = fragment
        if self._head:
            self._head += fragment
            if len(self._head) < self._look_again_at:
                return
            head = memoryview(bytes(self._head))
        try:
            found = self._storage.reader(self._header.transfer_syntax).read(head)
        except DataError:
            self._attributes = {}  # kept all the same, under "_unknown": a stored instance can be looked at
            return
        if found.complete or len(head) > _LONGEST_HEAD:
            self._attributes = found.values
            self._head = bytearray()
        else:
            self._look_again_at = min(2 * len(head), _LONGEST_HEAD + 1)
            if not self._head:
                self._head += fragment

    def _place(self) -> str:
        if self._attributes is None:
            self._attributes = self._rest_of_head()
        header = self._header
        return self._storage.layout.place(
            self._attributes,
            {
                "SOPClassUID": header.sop_class_uid,
                "SOPInstanceUID": header.sop_instance_uid,
                "CallingAETitle": header.calling_ae_title,
                "CalledAETitle": header.called_ae_title,
            },
        )

    def _rest_of_head(self) -> Mapping[int, bytes]:
        try:
            return read_attributes(
                bytes(self._head), self._header.transfer_syntax, self._storage.layout.tags, whole=True
            ).values
        except DataError:
            return {}

    def _rename(self, path: str) -> None:
        folder = path.rpartition("/")[0]
        self._storage.make_folder(folder)
        try:
            os.replace(self._temporary, path)  # noqa: PTH105 -- as above
        except FileNotFoundError:
            self._storage.forget_folder(folder)
            self._storage.make_folder(folder)
            os.replace(self._temporary, path)  # noqa: PTH105 -- as above
        if self._storage.durable:
            sync_folder(folder)


_FLAGS: Final = open_flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_CLOEXEC")
_writev = getattr(os, "writev", None)


def _clear_abandoned(directory: Path) -> None:
    """Remove the temporary folders of processes that are gone; their lock went with them."""
    for folder in directory.glob(f"{_INCOMING}*"):
        descriptor = lock_folder(folder)
        if descriptor is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)
