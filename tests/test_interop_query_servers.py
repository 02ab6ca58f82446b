"""Others' SCUs ask our `serve`: DCMTK's findscu, Orthanc, pynetdicom; and Orthanc finds what we find."""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at run time
    ModalityWorklistInformationFind,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from dicomtls.association.query import Level
from dicomtls.dataset.identifier import Element, Value
from dicomtls.scp.storage import StoredInstance
from tests.support.cli import Running, serving
from tests.support.exchange import server_options
from tests.support.keeping import (
    MODALITIES,
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    SERIES_UID,
    STUDY_DATE,
    STUDY_UID,
    instance,
    keys,
    write_instance,
    write_instances,
)
from tests.support.peers import Orthanc, PeerProcess, dcmtk_tls_options, orthanc, run_dcmtk
from tests.support.pki import PKI, client_context
from tests.support.pynetdicom_scu import IMPLICIT_VR_LE, pynetdicom_association
from tests.support.queries import write_worklist
from tests.support.servers import CT, MR

STUDY_TIME, ACCESSION, BIRTH_DATE, SEX, DESCRIPTION = 0x00080030, 0x00080050, 0x00100030, 0x00100040, 0x00081030
EXPLICIT_VR_LE = "1.2.840.10008.1.2.1"
COUNT = 2000

# 40 patients: names in many character sets, dates that are odd, identifiers that look like patterns.
NAMES = [
    "Smith^John",
    "SMITH^JANE",
    "smithers^w",
    "Müller^Jürgen",
    "Österlund^Åke",
    "Garcia^José^M",
    "O'Brien^Pat",
    "Nobody",
    "A^B^C^D^E",
    "Wang^Xiao",
]
SETS = [("ISO_IR 100",), ("ISO_IR 192",), (), ("ISO_IR 192",)]
DATES = ["19991231", "20000101", "20240229", "18991231", "", "20200615", "20201231", "20210101"]
TIMES = ["000000", "235959", "101500.5", "0030", "", "233000"]
# Keys by level; each is asked of both, and the unique keys that are found must be the same.
QUERIES: list[tuple[str, dict[int, str]]] = [
    ("STUDY", {}),
    ("STUDY", {PATIENT_NAME: "Smith^John"}),
    ("STUDY", {PATIENT_NAME: "smith*"}),
    ("STUDY", {PATIENT_NAME: "*^J*"}),
    ("STUDY", {PATIENT_NAME: "?mith^jane"}),
    ("STUDY", {PATIENT_NAME: "O'Brien*"}),
    ("STUDY", {PATIENT_NAME: "Smith"}),
    ("STUDY", {PATIENT_NAME: "*"}),
    ("STUDY", {PATIENT_ID: "P-3"}),
    ("STUDY", {PATIENT_ID: "p-3"}),
    ("STUDY", {PATIENT_ID: "P-?"}),
    ("STUDY", {PATIENT_ID: "P-3*"}),
    ("STUDY", {PATIENT_ID: "none"}),
    ("STUDY", {STUDY_DATE: "20240229"}),
    ("STUDY", {STUDY_DATE: "20000101-20201231"}),
    ("STUDY", {STUDY_DATE: "-19991231"}),
    ("STUDY", {STUDY_DATE: "20210101-"}),
    ("STUDY", {STUDY_DATE: "19000101-19000102"}),
    ("STUDY", {STUDY_TIME: "235959"}),
    ("STUDY", {STUDY_TIME: "100000-110000"}),
    ("STUDY", {ACCESSION: "ACC7"}),
    ("STUDY", {ACCESSION: "acc7"}),
    ("STUDY", {ACCESSION: "ACC1?"}),
    ("STUDY", {ACCESSION: "*7"}),
    ("STUDY", {DESCRIPTION: "CHEST*"}),
    ("STUDY", {MODALITIES: "MR"}),
    ("STUDY", {MODALITIES: "CT\\MR"}),
    ("STUDY", {MODALITIES: "US"}),
    ("STUDY", {PATIENT_ID: "P-3", STUDY_DATE: "20000101-"}),
    ("STUDY", {PATIENT_NAME: "smith*", MODALITIES: "CT", STUDY_DATE: "-20240229"}),
    ("STUDY", {STUDY_UID: "1.2.3.7"}),
    ("STUDY", {STUDY_UID: "1.2.3.7\\1.2.3.8\\1.2.3.99999"}),
    ("SERIES", {}),
    ("SERIES", {STUDY_UID: "1.2.3.7"}),
    ("SERIES", {STUDY_UID: "1.2.3.7", MODALITY: "MR"}),
    ("SERIES", {STUDY_UID: "", MODALITY: "MR"}),
    ("SERIES", {MODALITY: "M?"}),
    ("SERIES", {PATIENT_ID: "P-3", STUDY_UID: ""}),
    ("SERIES", {SERIES_UID: "1.2.3.7.1"}),
    ("IMAGE", {STUDY_UID: "1.2.3.7", SERIES_UID: "1.2.3.7.1"}),
    ("IMAGE", {STUDY_UID: "1.2.3.7"}),
    ("IMAGE", {SERIES_UID: "1.2.3.7.1"}),
    ("IMAGE", {SERIES_UID: "1.2.3.7.1", 0x00200013: "3"}),
    ("IMAGE", {0x00080018: "1.2.3.7.1.2"}),
    ("PATIENT", {}),
    ("PATIENT", {PATIENT_NAME: "smith*"}),
    ("PATIENT", {PATIENT_ID: "P-1*"}),
    ("PATIENT", {SEX: "F"}),
    ("PATIENT", {BIRTH_DATE: "19600101-19651231"}),
]
UNIQUE = {"PATIENT": PATIENT_ID, "STUDY": STUDY_UID, "SERIES": SERIES_UID, "IMAGE": 0x00080018}


def archived(number: int) -> tuple[dict[int, Value | tuple[Value, ...] | None], tuple[str, ...]]:
    """One of the 2,000 instances: ten to a series, two series to a study, and one or more studies for each patient."""
    study, series = number // 20, number // 10 % 2
    patient = study % 40
    name = NAMES[patient % len(NAMES)]
    sets = SETS[patient % len(SETS)]
    if not sets and not name.isascii():
        sets = ("ISO_IR 192",)
    uid = f"1.2.3.{study}.{series}"
    attributes: dict[int, Value | tuple[Value, ...] | None] = {
        0x00080016: MR if series else CT,
        0x00080018: f"{uid}.{number % 10}",
        STUDY_DATE: DATES[study % len(DATES)],
        STUDY_TIME: TIMES[study % len(TIMES)],
        ACCESSION: f"ACC{study}",
        MODALITY: "MR" if series else "CT",
        DESCRIPTION: ["CHEST PA", "HEAD", "chest"][study % 3],
        PATIENT_NAME: name,
        PATIENT_ID: f"P-{patient}",
        BIRTH_DATE: f"19{60 + patient % 30}0101",
        SEX: "FMO"[patient % 3],
        STUDY_UID: f"1.2.3.{study}",
        SERIES_UID: uid,
        0x00200011: str(series),
        0x00200013: str(number % 10),
    }
    return attributes, sets


def write_archive(root: Path) -> list[StoredInstance]:
    """The 2,000 instances in files."""
    return [write_instance(root, attributes, names=names) for attributes, names in map(archived, range(COUNT))]


@pytest.fixture(scope="module")
def archive(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Our server over TLS, with all of them and a worklist, its index made from the files."""
    root, worklist = tmp_path_factory.mktemp("kept"), tmp_path_factory.mktemp("worklist")
    write_archive(root)
    step = keys({MODALITY: "CT", 0x00400001: "CT1", 0x00400002: "20240229", 0x00400003: "101500"})
    item = keys({PATIENT_NAME: "Müller^Jürgen", PATIENT_ID: "P-1", STUDY_UID: "1.2.3"})
    write_worklist(worklist, [{**item, 0x00400100: Element("SQ", (step,))}])
    with serving(root, *server_options(pki), "--worklist", worklist) as running:
        yield running


# DCMTK


def findscu(pki: PKI, server: Running, model: str, *asked: str, options: tuple[str, ...] = ()) -> list[str]:
    """What findscu prints of each match over TLS: its lines, joined."""
    arguments = [part for key in asked for part in ("-k", key)]
    done = run_dcmtk(
        "findscu", *dcmtk_tls_options(pki, pki.client), "-v", *options, model, *arguments, server.host, server.port
    )
    assert done.returncode == 0, done.stderr
    output = done.stdout + done.stderr
    assert "Final Find Response (Success)" in output or "Received Final Find Response (Success)" in output, output
    return re.split(r"Find Response: \d+ ", output)[1:]


def test_findscu_finds_studies(pki: PKI, archive: Running) -> None:
    """By a wildcard, with the attributes that it asked for."""
    matches = findscu(
        pki, archive, "-S", "QueryRetrieveLevel=STUDY", "PatientName=smith*", "StudyInstanceUID", "StudyDate"
    )
    expected = [study for study in range(COUNT // 20) if NAMES[study % 40 % 10].lower().startswith("smith")]
    assert len(matches) == len(expected)
    uids = {found[1] for match in matches if (found := re.search(r"UI \[(1\.2\.3\.\d+)\W", match))}
    assert uids == {f"1.2.3.{study}" for study in expected}
    assert all("(Pending)" in match for match in matches)


@pytest.mark.parametrize(
    ("model", "level", "key", "count"),
    [
        ("-P", "PATIENT", "PatientID", 40),
        ("-P", "STUDY", "StudyInstanceUID", 100),
        ("-S", "SERIES", "SeriesInstanceUID", 200),
        ("-S", "IMAGE", "SOPInstanceUID", 2000),
    ],
)
def test_findscu_finds_everything_of_a_level(
    pki: PKI, archive: Running, model: str, level: str, key: str, count: int
) -> None:
    """All at once, in many fragments and writes."""
    assert len(findscu(pki, archive, model, f"QueryRetrieveLevel={level}", key)) == count


def test_findscu_is_told_of_keys_that_we_do_not_support(pki: PKI, archive: Running) -> None:
    """By the warning in the status."""
    [match] = findscu(
        pki, archive, "-S", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=1.2.3.7", "ReferencedStudySequence"
    )
    assert "WarningUnsupportedOptionalKeys" in match


def test_findscu_cancels(pki: PKI, archive: Running) -> None:
    """After three matches."""
    asked = ("-k", "QueryRetrieveLevel=IMAGE", "-k", "SOPInstanceUID")
    done = run_dcmtk(
        "findscu", *dcmtk_tls_options(pki, pki.client), "-v", "--cancel", 3, "-S", *asked, archive.host, archive.port
    )
    output = done.stdout + done.stderr
    assert "Cancel" in output
    assert len(re.findall(r"Find Response: \d+ ", output)) <= COUNT
    assert "Final Find Response" in output


def test_findscu_gets_a_worklist(pki: PKI, archive: Running) -> None:
    """With the keys of a sequence."""
    step = "ScheduledProcedureStepSequence[0]"
    [match] = findscu(
        pki, archive, "-W", "PatientName", f"{step}.Modality=CT", f"{step}.ScheduledProcedureStepStartDate=20240101-"
    )
    assert "20240229" in match
    assert findscu(pki, archive, "-W", "PatientName", f"{step}.Modality=MR") == []


# pynetdicom


def test_pynetdicom_finds_and_decodes(pki: PKI, archive: Running) -> None:
    """Names in every character set, by its own decoder."""
    models = [
        StudyRootQueryRetrieveInformationModelFind,
        PatientRootQueryRetrieveInformationModelFind,
        ModalityWorklistInformationFind,
    ]
    kinds = [(str(model), syntax) for model in models for syntax in (IMPLICIT_VR_LE, EXPLICIT_VR_LE)]
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.PatientName, asked.StudyInstanceUID = "STUDY", "", ""
    with pynetdicom_association(archive.host, archive.port, client_context(pki), kinds) as association:
        for model in models[:2]:
            answers = list(association.send_c_find(asked, model))
            assert [status.Status for status, _ in answers] == [0xFF00] * 100 + [0x0000]
            assert {str(found.PatientName) for _, found in answers[:-1] if found is not None} == set(NAMES)
        asked.QueryRetrieveLevel = "NONSENSE"
        [(status, _)] = association.send_c_find(asked, models[0])
        assert status.Status == 0xA900
        assert association.is_established


# Orthanc


@pytest.fixture(scope="module")
def rival(pki: PKI, archive: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc with the same instances, that knows our server as a modality."""
    modality = {"AET": "ANY-SCP", "Host": archive.host, "Port": archive.port, "UseDicomTls": True}
    root = tmp_path_factory.mktemp("orthanc")
    settings = {"DefaultEncoding": "Utf8", "DicomAlwaysAllowFindWorklist": True}
    with orthanc(pki, root, modalities={"ours": modality}, settings=settings) as running:
        for stored in write_archive(root / "sources"):
            running.post("/instances", stored.path.read_bytes())
        yield running


@contextmanager
def asking(pki: PKI, server: PeerProcess) -> Iterator[Callable[[str, Mapping[int, str]], list[str]]]:
    """What asks a server over one association, and returns the unique keys that it finds, sorted."""
    models = {
        "PATIENT": PatientRootQueryRetrieveInformationModelFind,
        "STUDY": StudyRootQueryRetrieveInformationModelFind,
    }
    kinds = [(str(model), EXPLICIT_VR_LE) for model in models.values()]

    def ask(level: str, asked: Mapping[int, str]) -> list[str]:
        identifier = Dataset()
        identifier.QueryRetrieveLevel = level
        for tag, value in {UNIQUE[level]: "", **asked}.items():
            identifier.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=IGNORE))
        answers = association.send_c_find(identifier, models["PATIENT" if level == "PATIENT" else "STUDY"])
        return sorted(str(found[UNIQUE[level]].value) for _, found in answers if found is not None)

    with pynetdicom_association(server.host, server.port, client_context(pki), kinds) as association:
        yield ask


def test_same_is_found_as_by_orthanc(pki: PKI, archive: Running, rival: Orthanc) -> None:
    """Query by query, all unique keys.

    Where only the end of a range of dates is told, Orthanc takes the empty text for an early date.
    """
    differences = {}
    undated = {f"1.2.3.{study}" for study in range(COUNT // 20) if not DATES[study % len(DATES)]}
    with asking(pki, archive) as ask_us, asking(pki, rival) as ask_orthanc:
        answers = [(level, asked, ask_us(level, asked), ask_orthanc(level, asked)) for level, asked in QUERIES]
    for level, asked, ours, theirs in answers:
        if asked.get(STUDY_DATE, "").startswith("-"):
            theirs = [uid for uid in theirs if uid not in undated]  # noqa: PLW2901 -- what is to be compared
        if ours != theirs:
            differences[level, json.dumps(asked)] = (len(ours), len(theirs), ours[:3], theirs[:3])
    assert differences == {}
    assert sum(bool(ours) for _, _, ours, _ in answers) > len(QUERIES) / 2, "most queries find nothing"


def test_orthanc_asks_us(archive: Running, rival: Orthanc) -> None:
    """Through its REST interface, over TLS with its certificate."""
    chosen = random.sample(range(COUNT // 20), 3)
    for study in chosen:
        query = rival.post(
            "/modalities/ours/query", json.dumps({"Level": "Study", "Query": {"AccessionNumber": f"ACC{study}"}})
        )
        [answer] = rival.get(f"/queries/{query['ID']}/answers")
        content = rival.get(f"/queries/{query['ID']}/answers/{answer}/content?simplify")
        assert content["StudyInstanceUID"] == f"1.2.3.{study}"
        assert content["PatientID"] == f"P-{study % 40}"
    assert archive.process.poll() is None


def test_instances_made_by_the_helper_are_found(pki: PKI, tmp_path: Path) -> None:
    """The fixture of other tests, once through a real SCU."""
    write_instances(tmp_path, 40)
    write_instance(tmp_path, instance(100))
    with serving(tmp_path, *server_options(pki)) as running:
        assert len(findscu(pki, running, "-S", f"QueryRetrieveLevel={Level.IMAGE}", "SOPInstanceUID")) == 41
