"""DICOM files to send, made quickly: pydicom writes one, the others are copies with UIDs of their own."""

import os
import random
from dataclasses import dataclass
from io import BytesIO
from itertools import repeat
from pathlib import Path

import pydicom.data
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

COLUMNS = ROWS = 512
ROW_BYTES = 2 * COLUMNS
HALF_A_MEGABYTE = ROWS * ROW_BYTES
PIXEL_BLOCK = 1 << 20
# UUID-derived UIDs (PS3.5 annex B.2) of one length, so that one can stand in another's place in a file.
SHORTEST_UUID_OF_39_DIGITS = 10**38
END_OF_UUIDS = 2**128


@dataclass(frozen=True)
class Instance:
    """One file and what a receiver will know it by."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str


def new_uid() -> str:
    """A UID that nobody else has, always 44 characters long."""
    return f"2.25.{random.randrange(SHORTEST_UUID_OF_39_DIGITS, END_OF_UUIDS)}"


def make_instances(
    directory: Path,
    count: int = 1,
    *,
    pixel_bytes: int = HALF_A_MEGABYTE,
    sop_class_uid: str = CTImageStorage,
    transfer_syntax: str = ExplicitVRLittleEndian,
) -> list[Instance]:
    """Write `count` instances of one series into `directory`, as `00000.dcm` and so on.

    Each has about 1 kB besides its `pixel_bytes`, which are rounded up to whole rows of 1 KiB, and to whole frames of
    512 rows beyond the first. The pixels are random, so that nothing on the way can compress them. Only native
    little endian transfer syntaxes.
    """
    directory.mkdir(parents=True, exist_ok=True)
    template = _Template(pixel_bytes, sop_class_uid, transfer_syntax)
    return [template.write(directory / f"{number:05}.dcm") for number in range(count)]


def make_instance(
    path: Path,
    *,
    pixel_bytes: int = HALF_A_MEGABYTE,
    sop_class_uid: str = CTImageStorage,
    transfer_syntax: str = ExplicitVRLittleEndian,
    sparse: bool = False,
) -> Instance:
    """Write one such instance to `path`; a `sparse` one has pixels of zero that take no room on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return _Template(pixel_bytes, sop_class_uid, transfer_syntax).write(path, sparse=sparse)


def pydicom_test_files() -> list[Path]:
    """The DICOM files that come with pydicom, whole and broken, in every common transfer syntax."""
    return sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm"))


class _Template:
    """Everything before the pixels as pydicom writes it, around the places where the UID of the instance stands."""

    def __init__(self, pixel_bytes: int, sop_class_uid: str, transfer_syntax: str) -> None:
        self.sop_class_uid = sop_class_uid
        self.transfer_syntax = transfer_syntax
        rows = max(1, -(-pixel_bytes // ROW_BYTES))
        frames = -(-rows // ROWS)
        self.pixel_bytes = ROW_BYTES * (rows if frames == 1 else frames * ROWS)
        uid = new_uid()
        encoded = _encode(uid, min(rows, ROWS), frames, sop_class_uid, transfer_syntax)
        # Pixel Data comes last and is empty: its length is the last thing in the file.
        header = encoded[:-4] + self.pixel_bytes.to_bytes(4, "little")
        self.parts = header.split(uid.encode())
        self.pixels = os.urandom(min(self.pixel_bytes, PIXEL_BLOCK))

    def write(self, path: Path, *, sparse: bool = False) -> Instance:
        """Write the next instance to `path`."""
        uid = new_uid()
        whole, rest = divmod(self.pixel_bytes, len(self.pixels))
        with path.open("wb") as file:
            file.write(uid.encode().join(self.parts))
            if sparse:
                file.truncate(file.tell() + self.pixel_bytes)
            else:
                file.writelines([*repeat(self.pixels, whole), self.pixels[:rest]])
        return Instance(path, self.sop_class_uid, uid, self.transfer_syntax)


def _encode(uid: str, rows: int, frames: int, sop_class_uid: str, transfer_syntax: str) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(uid)
    meta.TransferSyntaxUID = UID(transfer_syntax)
    attributes = _attributes(rows, frames)
    attributes.SOPClassUID = sop_class_uid
    attributes.SOPInstanceUID = uid
    buffer = BytesIO()
    FileDataset("", attributes, file_meta=meta, preamble=bytes(128)).save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _attributes(rows: int, frames: int) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyDate = "20240229"
    dataset.StudyTime = "101500"
    dataset.AccessionNumber = "A1"
    dataset.Modality = "CT"
    dataset.PatientName = "Müller^Jürgen"
    dataset.PatientID = "PAT-1"
    dataset.StudyInstanceUID = new_uid()
    dataset.SeriesInstanceUID = new_uid()
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = 1
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.Rows = rows
    dataset.Columns = COLUMNS
    dataset.BitsAllocated = 16
    dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.add_new("PixelData", "OW", b"")
    return dataset
