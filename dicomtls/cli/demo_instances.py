"""The instances that the demo sends: small CT images of nobody."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_EDGE: Final = 128
_SERIES: Final = 4


def make_instances(folder: Path, count: int) -> None:
    """Write `count` CT images of one made-up patient into a new folder, in the DICOM file format (PS3.10)."""
    from pydicom import dcmwrite
    from pydicom.uid import generate_uid

    folder.mkdir()
    study, series = generate_uid(), [generate_uid() for _ in range(_SERIES)]
    for number in range(count):
        dataset = _image(number)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series[number % _SERIES]
        dcmwrite(folder / f"CT{number:04}.dcm", dataset, enforce_file_format=True)


def _image(number: int) -> "Dataset":
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = (
        "Nobody^Ann",
        "DEMO1",
        "",
        "F",
    )
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20260101", "120000", "1", ""
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "CT", number % _SERIES + 1, number + 1
    dataset.ReferringPhysicianName = ""
    dataset.Rows = dataset.Columns = _EDGE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleIntercept, dataset.RescaleSlope = "-1024", "1"
    dataset.PixelData = b"".join((_grey(number, row)).to_bytes(2, "little") * _EDGE for row in range(_EDGE))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    return dataset


def _grey(number: int, row: int) -> int:
    """A slope that differs from image to image."""
    return (row * 16 + number * 32) % 4096
