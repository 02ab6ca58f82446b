"""Instances for a storage folder, and a disk that does not take them."""

import os
from pathlib import Path

import pytest

from dicomtls.dataset import IMPLICIT_VR_LE
from dicomtls.scp import storage as storage_module
from dicomtls.scp.storage import FolderStorage, InstanceHeader, StoredInstance
from tests.support.elements import implicit
from tests.support.servers import CT

STUDY, SERIES, UID = "1.2.3", "1.2.3.4", "1.2.3.4.5"
DATASET = (
    implicit(0x00080016, CT.encode() + b"\0")
    + implicit(0x00080018, UID.encode() + b"\0")
    + implicit(0x0020000D, STUDY.encode() + b"\0")
    + implicit(0x0020000E, SERIES.encode() + b"\0")
    + implicit(0x7FE00010, bytes(range(256)) * 4)
)
PLACE = f"{STUDY}/{SERIES}/{UID}.dcm"
SINGLE_LAYOUT = "{SOPInstanceUID}.dcm"


def header(
    uid: str = UID, syntax: str = IMPLICIT_VR_LE, calling: str = "CALLER", sop_class: str = CT
) -> InstanceHeader:
    """What comes before a dataset."""
    return InstanceHeader(sop_class, uid, syntax, calling, "CALLED")


def keep(storage: FolderStorage, *pieces: bytes, head: InstanceHeader | None = None) -> StoredInstance:
    """Store one instance that comes in these pieces."""
    incoming = storage.receive(head or header())
    try:
        for piece in pieces or (DATASET,):
            incoming.write(memoryview(piece))
        return incoming.commit()
    except BaseException:  # whatever a test throws, as a server does
        incoming.discard()
        raise


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in pieces that end at these places."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def dataset_of(path: Path) -> bytes:
    """What follows the file meta information."""
    raw = path.read_bytes()
    return raw[144 + int.from_bytes(raw[140:144], "little") :]


def limit_writes(patch: pytest.MonkeyPatch, size: int, *, then: int | None = None, after: int = 0) -> None:
    """Let each write take `size` bytes at most; with `then`, fail with that error after `after` bytes in all."""
    real_write, taken = os.write, 0

    def write(descriptor: int, data: bytes | memoryview) -> int:
        nonlocal taken
        if then is not None and taken >= after:
            raise OSError(then, os.strerror(then))
        room = size if then is None else min(size, after - taken)
        written = real_write(descriptor, bytes(data)[:room])
        taken += written
        return written

    def writev(descriptor: int, parts: tuple[bytes, memoryview]) -> int:
        return write(descriptor, b"".join(parts))

    patch.setattr(os, "write", write)
    patch.setattr(storage_module, "_writev", writev)
