"""Instances to send: one encoded with pydicom, the others copies of it with another UID of the same length.

Run as a module, in a process of its own: what pydicom takes in memory must not count in the peak that the
benchmarks read for the processes they start (Linux hands a parent's peak on to the child until it calls `exec`).
"""

from __future__ import annotations

import argparse
import random
import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)

from tests.bench.commands import PATIENT_ID

UID_ROOT = "1.2.826.0.1.3680043.10.543"
FIRST_NUMBER = 1_000_000_000
"""Numbers of ten digits keep every UID equally long."""

_CHUNK = bytes(1 << 20)

_ATTRIBUTES: dict[str, object] = {
    "SpecificCharacterSet": "ISO_IR 100",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
    "InstanceCreationDate": "20240115",
    "InstanceCreationTime": "101530.123000",
    "StudyDate": "20240115",
    "SeriesDate": "20240115",
    "AcquisitionDate": "20240115",
    "ContentDate": "20240115",
    "StudyTime": "101012.000000",
    "SeriesTime": "101312.000000",
    "AcquisitionTime": "101422.500000",
    "ContentTime": "101422.500000",
    "AccessionNumber": "A2024011500042",
    "Modality": "CT",
    "Manufacturer": "Example Medical Systems",
    "InstitutionName": "Example University Hospital",
    "InstitutionAddress": "1 Example Street, Exampletown",
    "ReferringPhysicianName": "Referring^Rita^^Dr.",
    "StationName": "CT01",
    "StudyDescription": "CT thorax and abdomen with contrast",
    "SeriesDescription": "Thorax 1.0 B30f",
    "InstitutionalDepartmentName": "Radiology",
    "PerformingPhysicianName": "Performing^Paul",
    "OperatorsName": "Operator^Olga",
    "ManufacturerModelName": "Example CT 64",
    "PatientName": "Benchmark^Benno^^^",
    "PatientID": PATIENT_ID,
    "IssuerOfPatientID": "EXAMPLE",
    "PatientBirthDate": "19600229",
    "PatientSex": "O",
    "PatientAge": "063Y",
    "PatientSize": "1.75",
    "PatientWeight": "78",
    "ContrastBolusAgent": "Iodinated contrast 350",
    "BodyPartExamined": "CHEST",
    "ScanOptions": "HELIX",
    "SliceThickness": "1",
    "KVP": "120",
    "DataCollectionDiameter": "500",
    "DeviceSerialNumber": "123456",
    "SoftwareVersions": "syngo CT 2012B",
    "ProtocolName": "ThoraxAbdomen",
    "ReconstructionDiameter": "350",
    "DistanceSourceToDetector": "1085.6",
    "DistanceSourceToPatient": "595",
    "GantryDetectorTilt": "0",
    "TableHeight": "160",
    "RotationDirection": "CW",
    "ExposureTime": "500",
    "XRayTubeCurrent": "180",
    "Exposure": "90",
    "FilterType": "FLAT",
    "GeneratorPower": "21",
    "FocalSpots": "1.2",
    "DateOfLastCalibration": "20240114",
    "TimeOfLastCalibration": "060000.000000",
    "ConvolutionKernel": "B30f",
    "PatientPosition": "FFS",
    "StudyID": "42",
    "SeriesNumber": "3",
    "AcquisitionNumber": "2",
    "InstanceNumber": "1",
    "ImagePositionPatient": ["-175.0", "-175.0", "-412.5"],
    "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
    "PositionReferenceIndicator": "",
    "SliceLocation": "-412.5",
    "ImageComments": "made by the benchmarks of dicomtls",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "PixelSpacing": ["0.68359375", "0.68359375"],
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 1,
    "SmallestImagePixelValue": -32768,
    "LargestImagePixelValue": 32767,
    "WindowCenter": ["50", "-600"],
    "WindowWidth": ["350", "1200"],
    "RescaleIntercept": "-1024",
    "RescaleSlope": "1",
    "RescaleType": "HU",
    "WindowCenterWidthExplanation": ["WINDOW1", "WINDOW2"],
}


@dataclass(frozen=True)
class Shape:
    """What the pixel data of one kind of instance measures; 16 bits a pixel."""

    sop_class_uid: str
    rows: int
    columns: int
    frames: int = 1

    @property
    def pixel_bytes(self) -> int:
        """Length of the pixel data in bytes."""
        return self.rows * self.columns * 2 * self.frames


SHAPES = {
    "ct": Shape(CTImageStorage, 512, 512),
    "small": Shape(CTImageStorage, 82, 60),
    "large": Shape(MultiFrameGrayscaleWordSecondaryCaptureImageStorage, 512, 512, 2047),
    "large-quick": Shape(MultiFrameGrayscaleWordSecondaryCaptureImageStorage, 512, 512, 255),
}


def _instance_uid(number: int) -> str:
    return f"{UID_ROOT}.3.{FIRST_NUMBER + number}"


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue = value
    code.CodingSchemeDesignator = scheme
    code.CodeMeaning = meaning
    return code


def _dataset(shape: Shape) -> Dataset:
    dataset = Dataset()
    for keyword, value in _ATTRIBUTES.items():
        setattr(dataset, keyword, value)
    dataset.SOPClassUID = shape.sop_class_uid
    dataset.SOPInstanceUID = _instance_uid(0)
    dataset.StudyInstanceUID = f"{UID_ROOT}.1.{FIRST_NUMBER}"
    dataset.SeriesInstanceUID = f"{UID_ROOT}.2.{FIRST_NUMBER}"
    dataset.FrameOfReferenceUID = f"{UID_ROOT}.4.{FIRST_NUMBER}"
    dataset.Rows, dataset.Columns = shape.rows, shape.columns
    if shape.frames > 1:
        dataset.NumberOfFrames = str(shape.frames)
    dataset.ProcedureCodeSequence = Sequence([_code("CTTHXABD", "99EXAMPLE", "CT thorax and abdomen")])
    dataset.AnatomicRegionSequence = Sequence([_code("51185008", "SCT", "Thoracic structure")])
    return dataset


def encode_head(shape: Shape) -> bytes:
    """Return an instance in DICOM file format (PS3.10), Explicit VR LE, up to the value of its pixel data."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(shape.sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(_instance_uid(0))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = _dataset(shape)
    dataset.file_meta = meta
    head = BytesIO()
    dcmwrite(head, dataset, enforce_file_format=True)
    return head.getvalue() + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, shape.pixel_bytes)


def write_copies(directory: Path, shape: Shape, count: int) -> None:
    """Write `count` instances that differ in their SOP Instance UID only, named `IM000000.dcm` and so on."""
    template = encode_head(shape) + random.Random(0).randbytes(shape.pixel_bytes)
    own_uid = _instance_uid(0).encode()
    for number in range(count):
        uid = _instance_uid(number).encode()
        (directory / f"IM{number:06}.dcm").write_bytes(template.replace(own_uid, uid))


def write_large(path: Path, shape: Shape) -> None:
    """Write one instance without ever holding its pixel data in memory."""
    with path.open("wb") as file:
        file.write(encode_head(shape))
        left = shape.pixel_bytes
        while left:
            left -= file.write(_CHUNK[: min(left, len(_CHUNK))])


def main() -> None:
    """Write the instances that the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=sorted(SHAPES))
    parser.add_argument("count", type=int)
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    shape = SHAPES[arguments.kind]
    if shape.frames > 1:
        write_large(arguments.directory / "IM000000.dcm", shape)
    else:
        write_copies(arguments.directory, shape, arguments.count)


if __name__ == "__main__":
    main()
