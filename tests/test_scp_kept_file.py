"""What is read from a kept file for the index."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomtls.association.query import Level
from dicomtls.dataset import IMPLICIT_VR_LE
from dicomtls.dataset.uids import EXPLICIT_VR_BE
from dicomtls.errors import DataError
from dicomtls.scp.kept_file import KeptFileReader, column_names
from tests.support.instances import pydicom_test_files
from tests.support.keeping import PATIENT_NAME, SERIES_UID, STUDY_DATE, STUDY_UID, instance, write_instance


def columns(path: str | Path, level: Level) -> dict[str, str]:
    """The columns of a level by their names."""
    return dict(zip(column_names(level), KeptFileReader().read(str(path)).columns(level), strict=True))


@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LE, "1.2.840.10008.1.2.1", EXPLICIT_VR_BE])
def test_attributes_of_each_level_are_read(tmp_path: Path, syntax: str) -> None:
    """In every native transfer syntax."""
    values = instance(
        25, x00100010="Müller^J ", x00080020="2020.01.02", x00080030="10:20", x00080008="ORIGINAL\\PRIMARY"
    )
    stored = write_instance(tmp_path, values, syntax=syntax)
    patient, study = columns(stored.path, Level.PATIENT), columns(stored.path, Level.STUDY)
    assert (patient["PatientName"], patient["PatientName_folded"]) == ("Müller^J", "müller^j")
    assert (study["StudyInstanceUID"], study["StudyDate"], study["StudyTime"]) == ("1.2.1", "20200102", "1020")
    assert columns(stored.path, Level.SERIES)["Modality"] == "CT"
    image = columns(stored.path, Level.IMAGE)
    assert (image["SOPInstanceUID"], image["InstanceNumber"]) == ("1.2.1.0.25", "25")
    assert image["ImageType"] == "ORIGINAL\\PRIMARY"
    kept = KeptFileReader().read(str(stored.path))
    assert [kept.unique(level) for level in Level] == ["P0", "1.2.1", "1.2.1.0", "1.2.1.0.25"]
    assert kept.meta.transfer_syntax == syntax


def test_missing_attributes_are_empty(tmp_path: Path) -> None:
    """Also where nothing but the UID is there."""
    values = {tag: value for tag, value in instance(1).items() if tag in {0x00080016, 0x00080018}}
    stored = write_instance(tmp_path, values, place="1.dcm")
    assert set(columns(stored.path, Level.STUDY).values()) == {""}


def test_attributes_behind_a_long_head_are_read(tmp_path: Path) -> None:
    """Something long may come before; what comes after two megabytes is not looked for."""
    values = instance(1) | {0x00091010: bytes(100_000), 0x00090010: "OWNER"}
    assert columns(write_instance(tmp_path, values).path, Level.STUDY)["StudyInstanceUID"] == "1.2.0"
    values |= {0x00091010: bytes(3_000_000)}
    far = columns(write_instance(tmp_path, values, place="far.dcm").path, Level.STUDY)
    assert (far["StudyDate"], far["StudyInstanceUID"]) == ("20200101", "")


def test_values_are_cut_and_cleaned(tmp_path: Path) -> None:
    """What no attribute has is not kept: NUL, megabytes, bytes that are no ASCII."""
    stored = write_instance(tmp_path, instance(1, x00104000="a" * 50_000, x00100020="P\0X"))
    data = stored.path.read_bytes().replace(b"20200101", b"2020\xff\xfe01")
    stored.path.write_bytes(data)
    patient = columns(stored.path, Level.PATIENT)
    assert (len(patient["PatientComments"]), patient["PatientID"]) == (10_240, "PX")
    assert columns(stored.path, Level.STUDY)["StudyDate"] == "2020??01"


def test_one_reader_reads_what_is_alike_and_what_is_not(tmp_path: Path) -> None:
    """What it remembers of one file is not taken for another's."""
    reader = KeptFileReader()
    files = [write_instance(tmp_path, instance(number, x00100010="N" * (number % 7 + 1))) for number in range(50)]
    for number, stored in enumerate(files):
        kept = reader.read(str(stored.path))
        assert kept.values[PATIENT_NAME] == b"N" * (number % 7 + 1)
        assert kept.values[SERIES_UID].decode() == instance(number)[SERIES_UID]
        assert kept.values[STUDY_DATE].decode() == instance(number)[STUDY_DATE]


def test_every_test_file_of_pydicom_is_read_or_refused() -> None:
    """Whole and broken ones."""
    reader, read = KeptFileReader(), 0
    for path in pydicom_test_files():
        try:
            kept = reader.read(str(path))
        except DataError:
            continue
        assert all(isinstance(text, str) for level in Level for text in kept.columns(level))
        read += 1
    assert read > 50


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 2000), junk=st.binary(max_size=12))
def test_hostile_file_is_read_or_refused(tmp_path: Path, place: int, junk: bytes) -> None:
    """Whatever a few bytes become."""
    stored = write_instance(tmp_path, instance(1))
    data = bytearray(stored.path.read_bytes())
    data[place % len(data) : place % len(data) + len(junk)] = junk
    stored.path.write_bytes(data)
    try:
        kept = KeptFileReader().read(str(stored.path))
    except DataError:
        return
    for level in Level:
        assert all("\0" not in text for text in kept.columns(level))


def test_no_file_is_an_error(tmp_path: Path) -> None:
    """And a folder is one too, and what is no DICOM."""
    for path in (tmp_path / "gone", tmp_path):
        with pytest.raises(OSError, match=str(path) if path != tmp_path else "directory"):
            KeptFileReader().read(str(path))
    (tmp_path / "text").write_text("no DICOM at all")
    with pytest.raises(DataError):
        KeptFileReader().read(str(tmp_path / "text"))


def test_study_uid_column_is_first() -> None:
    """The unique key of each level."""
    assert [column_names(level)[0] for level in Level] == [
        "PatientID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
    ]
    assert STUDY_UID == 0x0020000D
