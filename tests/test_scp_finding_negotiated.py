"""Combined matching of dates and times, with pynetdicom as the requestor that negotiates it."""

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from dicomtls.association.query import FIND_SOP_CLASSES, Model
from dicomtls.dataset.identifier import Element
from tests.support.keeping import PATIENT_ID, instance, keys, write_instance
from tests.support.queries import SUCCESS, archive, write_worklist
from tests.support.servers import RunningServer

STUDY = FIND_SOP_CLASSES[Model.STUDY_ROOT]


def pynetdicom_finds(server: RunningServer, sop_class: str, asked: Dataset, behaviours: bytes) -> list[Dataset]:
    """What pynetdicom finds after having negotiated these behaviours."""
    ae = AE()
    ae.add_requested_context(sop_class)
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid, item.service_class_application_information = pydicom.uid.UID(sop_class), behaviours
    association = ae.associate(*server.address, ext_neg=[item])
    assert association.is_established
    try:
        answers = list(association.send_c_find(asked, sop_class))
    finally:
        association.release()
    assert answers[-1][0].Status == SUCCESS
    return [identifier for _, identifier in answers if identifier is not None]


TIMES = ("20210101", "2330"), ("20210102", "0100"), ("20210102", "2315"), ("20210103", "0030"), ("20210102", "")


@pytest.mark.parametrize(
    ("behaviours", "expected"),
    [(b"\0\1", ["1.2.0", "1.2.1"]), (b"\0\0", ["1.2.0", "1.2.1", "1.2.2"]), (b"\1", ["1.2.0", "1.2.1", "1.2.2"])],
)
def test_ranges_of_date_and_time_are_one_where_that_was_negotiated(
    tmp_path: Path, behaviours: bytes, expected: list[str]
) -> None:
    """One night; without it each day from evening to morning, as pynetdicom asks for both."""
    for number, (date, time) in enumerate(TIMES):
        write_instance(tmp_path, instance(20 * number, x00080020=date, x00080030=time))
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", ""
    asked.StudyDate, asked.StudyTime = "20210101-20210102", "2200-0200"
    with archive(tmp_path) as running:
        matches = pynetdicom_finds(running, STUDY, asked, behaviours)
    assert sorted(match.StudyInstanceUID for match in matches) == sorted(expected)


@pytest.mark.parametrize(("behaviours", "expected"), [(b"\0\1\1", ["0", "1"]), (b"\0\0\1", ["0", "1", "2"])])
def test_scheduled_steps_are_found_by_one_range(tmp_path: Path, behaviours: bytes, expected: list[str]) -> None:
    """Each with the step that matched, found by a fuzzy name, too."""
    (tmp_path / "worklist").mkdir()
    step = 0x00400100
    items = [
        keys({PATIENT_ID: str(number)})
        | {step: Element("SQ", (keys({0x00400002: date, 0x00400003: time, 0x00400006: "Who^Doctor"}),))}
        for number, (date, time) in enumerate(TIMES)
    ]
    write_worklist(tmp_path / "worklist", items)
    asked, wanted = Dataset(), Dataset()
    wanted.ScheduledProcedureStepStartDate, wanted.ScheduledProcedureStepStartTime = "20210101-20210102", "2200-0200"
    wanted.ScheduledPerformingPhysicianName = "doctor"
    asked.PatientID, asked.ScheduledProcedureStepSequence = "", [wanted]
    with archive(tmp_path, worklist=tmp_path / "worklist") as running:
        matches = pynetdicom_finds(running, FIND_SOP_CLASSES[Model.WORKLIST], asked, behaviours)
    assert sorted(match.PatientID for match in matches) == expected
    assert all(len(match.ScheduledProcedureStepSequence) == 1 for match in matches)
