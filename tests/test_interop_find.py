"""`find` against Orthanc and DCMTK, over TLS: levels, models, character sets, limits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from tests.support.cli import Result, run_dicomtls
from tests.support.exchange import client_options
from tests.support.finding import (
    PATIENTS,
    as_file,
    behind_tls,
    query_scp,
    study_uid,
    worklist_scp,
    write_archive,
)
from tests.support.peers import Orthanc, orthanc
from tests.support.pki import PKI

NAMES = {patient.patient_id: patient.name for patient in PATIENTS}
MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The instances that the archives have."""
    return write_archive(tmp_path_factory.mktemp("files"))


def filled(archive: Orthanc, files: list[Path]) -> Orthanc:
    """The archive, with the instances."""
    for path in files:
        archive.post("/instances", path.read_bytes())
    return archive


@pytest.fixture(scope="module")
def archive(pki: PKI, files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that demands client certificates and answers in UTF-8."""
    settings = {"DefaultEncoding": "Utf8"}
    with orthanc(pki, tmp_path_factory.mktemp("orthanc"), settings=settings) as running:
        yield filled(running, files)


@pytest.fixture(scope="module")
def dcmqrscp(pki: PKI, files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of DCMTK's archive, behind TLS, with the same instances."""
    with query_scp(tmp_path_factory.mktemp("qrscp")) as peer, behind_tls(pki, peer) as address:
        stored = run_dicomtls("store", f"QRSCP@{address}", *client_options(pki, pki.client), *files)
        assert stored.exit_status == 0, stored.stderr
        yield f"QRSCP@{address}"


def find(pki: PKI, address: str, *options: str | Path) -> Result:
    """Run find with the test client's identity."""
    result = run_dicomtls("find", address, *client_options(pki, pki.client), *options)
    assert result.exit_status == 0, result.stderr
    return result


def values(result: Result, tag: str) -> list[Any]:
    """The first value of an attribute in each match of JSON output, sorted."""
    return sorted(line[tag].get("Value", [None])[0] for line in result.json_lines())


def rows(result: Result) -> list[list[str]]:
    """The lines of a pipe, as cells, sorted."""
    return sorted(line.split("\t") for line in result.stdout.splitlines())


# Orthanc


def test_orthanc_answers_in_every_script(pki: PKI, archive: Orthanc) -> None:
    """What was stored in eight character sets, it answers in UTF-8."""
    result = find(pki, archive.address, "--level", "patient", "-k", "PatientID", "-k", "PatientName")
    assert rows(result) == sorted([patient_id, name] for patient_id, name in NAMES.items())


@pytest.mark.parametrize(
    ("name", "patient_ids"),
    [
        ("DOE*", ["P1", "P2"]),
        ("Müller*", ["P3"]),
        ("*Люкс*", ["P4"]),
        ("*山田*", ["P5"]),
        ("*小东", ["P6"]),
        ("*홍^길동", ["P7"]),
        ("قباني*", ["P8"]),
        ("Nobody*", []),
    ],
)
def test_orthanc_understands_names_in_every_script(
    pki: PKI, archive: Orthanc, name: str, patient_ids: list[str]
) -> None:
    """The query goes out in UTF-8 where ASCII does not suffice."""
    result = find(pki, archive.address, "-k", f"PatientName={name}", "-k", "PatientID")
    assert rows(result) == sorted([NAMES[patient_id], patient_id] for patient_id in patient_ids)


@pytest.mark.parametrize(
    ("character_set", "name", "patient_id"), [("ISO_IR 100", "Müller*", "P3"), ("GB18030", "*小东", "P6")]
)
def test_orthanc_understands_the_character_set_that_was_chosen(
    pki: PKI, archive: Orthanc, character_set: str, name: str, patient_id: str
) -> None:
    """For peers without UTF-8."""
    result = find(
        pki, archive.address, "-k", f"PatientName={name}", "-k", "PatientID", "--character-set", character_set
    )
    assert [row[-1] for row in rows(result)] == [patient_id]


def test_orthanc_answers_in_latin_1_where_it_is_set_so(pki: PKI, files: list[Path], tmp_path: Path) -> None:
    """As it comes: names beyond that have lost their characters there, not here."""
    with orthanc(pki, tmp_path) as running:
        result = find(pki, filled(running, files[8:12]).address, "-k", "PatientName")
    assert rows(result) == [["Müller^Jürgen"]]


@pytest.mark.parametrize(
    ("options", "tag", "expected"),
    [
        (["--level", "patient"], "00100020", sorted(NAMES)),
        (["-k", "StudyDate=20240102-20240103"], "0020000D", [study_uid(2), study_uid(3)]),
        (["-k", f"StudyInstanceUID={study_uid(1)}\\{study_uid(4)}"], "0020000D", [study_uid(1), study_uid(4)]),
        (["-k", "ModalitiesInStudy=MR"], "0020000D", [study_uid(2)]),
        (["-k", "AccessionNumber=A?", "-k", "PatientID=P3"], "0020000D", [study_uid(3)]),
        (
            ["--level", "series", "-k", f"StudyInstanceUID={study_uid(1)}"],
            "0020000E",
            [f"{study_uid(1)}.1", f"{study_uid(1)}.2"],
        ),
        (
            ["--level", "image", "-k", f"SeriesInstanceUID={study_uid(1)}.2", "-k", f"StudyInstanceUID={study_uid(1)}"],
            "00080018",
            [f"{study_uid(1)}.2.1", f"{study_uid(1)}.2.2"],
        ),
        (["--model", "patient-root", "--level", "study", "-k", "PatientID=P7"], "0020000D", [study_uid(7)]),
    ],
)
def test_orthanc_finds_at_every_level(
    pki: PKI, archive: Orthanc, options: list[str], tag: str, expected: list[str]
) -> None:
    """By ranges, lists, wildcards; what nobody asked for is there, too."""
    assert values(find(pki, archive.address, *options, "--json"), tag) == expected


def test_orthanc_counts_what_belongs_to_a_study(pki: PKI, archive: Orthanc) -> None:
    """Which is asked for where nobody says what."""
    (line,) = find(pki, archive.address, "-k", "PatientID=P1", "--json").json_lines()
    assert line["00201206"] == {"vr": "IS", "Value": [2]}
    assert line["00201208"] == {"vr": "IS", "Value": [4]}
    assert line["00080005"]["Value"] == ["ISO_IR 192"]


def test_orthanc_is_told_to_stop(pki: PKI, archive: Orthanc) -> None:
    """It does not know that command, and sends all it has; three are shown."""
    assert len(rows(find(pki, archive.address, "--level", "image", "--limit", "3"))) == 3


def test_orthanc_has_no_worklist(pki: PKI, archive: Orthanc) -> None:
    """Without its plugin: no presentation context, and a hint at the model."""
    result = run_dicomtls("find", archive.address, *client_options(pki, pki.client), "--model", "worklist", "--json")
    (document,) = result.json_lines()
    assert (result.exit_status, document["error"]["code"]) == (5, "no-presentation-context")
    assert any("--model" in hint for hint in document["error"]["hints"])


def test_orthanc_that_does_not_know_us_is_explained(pki: PKI, tmp_path: Path) -> None:
    """It takes the association of anybody, and ends it at the query; the hint leads to an answer."""
    settings = {"DicomAlwaysAllowFind": False}
    with orthanc(
        pki, tmp_path, settings=settings, modalities={"us": {"AET": "WS1", "Host": "127.0.0.1", "Port": 1}}
    ) as peer:
        refused = run_dicomtls("find", peer.address, *client_options(pki, pki.client))
        assert (refused.exit_status, "give one that it knows with --calling-aet" in refused.stderr) == (5, True)
        find(pki, peer.address, "--calling-aet", "WS1")


# DCMTK


def test_dcmqrscp_finds_at_every_level(pki: PKI, dcmqrscp: str) -> None:
    """As Orthanc does; it keeps the names as they were sent, and says no character set."""
    patients = find(pki, dcmqrscp, "--level", "patient", "-k", "PatientID", "--json")
    assert values(patients, "00100020") == sorted(NAMES)
    studies = find(pki, dcmqrscp, "-k", "PatientName=Doe*", "-k", "StudyInstanceUID", "--json")
    assert values(studies, "0020000D") == [study_uid(1), study_uid(2)]
    series = find(pki, dcmqrscp, "--level", "series", "-k", f"StudyInstanceUID={study_uid(3)}", "--json")
    assert values(series, "0020000E") == [f"{study_uid(3)}.1", f"{study_uid(3)}.2"]


def test_dcmqrscp_is_told_to_stop(pki: PKI, dcmqrscp: str) -> None:
    """A C-CANCEL after the second match."""
    result = find(pki, dcmqrscp, "-k", "PatientID", "--limit", "2", "-v")
    assert len(rows(result)) == 2


def test_dcmqrscp_refuses_what_is_no_query_there(pki: PKI, dcmqrscp: str) -> None:
    """A key of a lower level: its status, and a hint."""
    options = client_options(pki, pki.client)
    result = run_dicomtls("find", dcmqrscp, *options, "-k", "SeriesNumber=1", "-k", "PatientID", "--level", "image")
    assert result.exit_status == 1
    assert "failure status" in result.stderr


def worklist_item(number: int, name: str, character_set: str | list[str], modality: str) -> Dataset:
    """A scheduled procedure step."""
    step = Dataset()
    step.Modality = modality
    step.ScheduledStationAETitle = f"STATION{number}"
    step.ScheduledProcedureStepStartDate = f"2024030{number}"
    step.ScheduledProcedureStepStartTime = "080000"
    step.ScheduledPerformingPhysicianName = "Doe^Jane"
    step.ScheduledProcedureStepDescription = "HEAD"
    step.ScheduledProcedureStepID = f"S{number}"
    item = Dataset()
    if character_set:
        item.SpecificCharacterSet = character_set
    item.AccessionNumber = f"A{number}"
    item.PatientName = name
    item.PatientID = f"P{number}"
    item.StudyInstanceUID = study_uid(number)
    item.RequestedProcedureID = f"R{number}"
    item.RequestedProcedureDescription = "HEAD"
    item.ScheduledProcedureStepSequence = [step]
    return item


@pytest.fixture(scope="module")
def worklist(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of DCMTK's worklist server, behind TLS, with a step for each patient."""
    directory = tmp_path_factory.mktemp("worklist")
    folder = directory / "RIS"
    folder.mkdir()
    (folder / "lockfile").touch()
    for number, patient in enumerate(PATIENTS, 1):
        item = worklist_item(number, patient.name, patient.character_set, patient.modality)
        (folder / f"{number}.wl").write_bytes(as_file(item, MODALITY_WORKLIST, f"{study_uid(number)}.9"))
    with worklist_scp(directory, "-csk") as peer, behind_tls(pki, peer) as address:
        yield f"RIS@{address}"


def test_worklist_is_found_in_every_script(pki: PKI, worklist: str) -> None:
    """Each item in a character set of its own."""
    result = find(pki, worklist, "--model", "worklist", "-k", "PatientID", "-k", "PatientName")
    assert rows(result) == sorted([patient_id, name] for patient_id, name in NAMES.items())


@pytest.mark.parametrize(
    ("keys", "patient_ids"),
    [
        (["ScheduledProcedureStepSequence[0].Modality=MR"], ["P2"]),
        (["ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate=20240304-20240305"], ["P4", "P5"]),
        (["0040,0100[0].0040,0001=STATION6"], ["P6"]),
        (["PatientName=Doe^J*", "ScheduledProcedureStepSequence.Modality=CT"], ["P1"]),
        (["PatientID=P9"], []),
    ],
)
def test_worklist_is_searched_by_its_steps(pki: PKI, worklist: str, keys: list[str], patient_ids: list[str]) -> None:
    """By keys within the sequence; all that a modality needs comes back."""
    options = [part for key in keys for part in ("-k", key)]
    result = find(pki, worklist, "--model", "worklist", "--json", *options)
    assert values(result, "00100020") == patient_ids
    for line in result.json_lines():
        (step,) = line["00400100"]["Value"]
        assert step["00400007"]["Value"] == ["HEAD"]


def test_worklist_server_has_no_archive(pki: PKI, worklist: str) -> None:
    """It rejects an association that asks for another model."""
    result = run_dicomtls("find", worklist, *client_options(pki, pki.client), "--json")
    (document,) = result.json_lines()
    assert (result.exit_status, document["error"]["code"]) == (5, "association-rejected")
