"""Our C-MOVE, C-GET and commitment services with other people's requestors and destinations."""

import json
import urllib.error
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at run time
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelGet,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.peer import Peer
from dicomtls.scp.destinations import Destination
from tests.support.archives import Archive, our_archive, paths_of, study_uid
from tests.support.exchange import by_uid
from tests.support.instances import Instance, make_instances
from tests.support.kept import dataset_of
from tests.support.peers import LOOPBACK, dcmtk_storescp, orthanc, pynetdicom_scp, reserved_port, run_dcmtk
from tests.support.pki import PKI, client_context, server_context
from tests.support.servers import client_tls, server_tls

COUNT = 5


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Instance]:
    """One study."""
    return make_instances(tmp_path_factory.mktemp("made"), COUNT, pixel_bytes=4096)


def assert_same_datasets(paths: Sequence[Path], made: Sequence[Instance]) -> None:
    """All of them, and unchanged."""
    received = by_uid(paths)
    assert {uid: dataset_of(path) for uid, path in received.items()} == {
        instance.sop_instance_uid: dataset_of(instance.path) for instance in made
    }


# DCMTK


def test_getscu_gets_a_study(made: list[Instance], tmp_path: Path) -> None:
    """Over the association that it asked for; in clear, as getscu 3.6.7 has no TLS."""
    with our_archive(tmp_path / "archive", paths_of(made)) as archive:
        (tmp_path / "got").mkdir()
        done = run_dcmtk("getscu", *_getscu(archive, made, tmp_path / "got"))
        outcome = archive.outcome()
    assert done.returncode == 0, done.stderr
    assert (outcome.status, outcome.completed, outcome.failed) == (0, COUNT, 0)
    assert_same_datasets(list((tmp_path / "got").iterdir()), made)


def _getscu(archive: Archive, made: Sequence[Instance], directory: Path) -> tuple[str | Path, ...]:
    keys = ("-k", "0008,0052=STUDY", "-k", f"0020,000d={study_uid(made)}")
    return ("-v", "-S", *keys, "+B", "-od", directory, archive.peer.host, str(archive.peer.port))


def test_movescu_moves_a_study_to_itself(made: list[Instance], tmp_path: Path) -> None:
    """In clear: movescu 3.6.7 has no TLS."""
    with reserved_port() as port:
        here = Destination(Peer(LOOPBACK, port, "MOVESCU"), in_clear=True)
        with our_archive(tmp_path / "archive", paths_of(made), destinations=[here]) as archive:
            (tmp_path / "got").mkdir()
            keys = ("-k", "0008,0052=STUDY", "-k", f"0020,000d={study_uid(made)}")
            where = ("+P", str(port), "-od", tmp_path / "got", archive.peer.host, str(archive.peer.port))
            done = run_dcmtk("movescu", "-v", "-S", "-aem", "MOVESCU", *keys, *where)
            outcome = archive.outcome()
    assert done.returncode == 0, done.stderr
    assert (outcome.status, outcome.completed) == (0, COUNT)
    assert sorted(by_uid((tmp_path / "got").iterdir())) == sorted(one.sop_instance_uid for one in made)


@pytest.mark.parametrize("trusts", ["ca", "other_ca"])
def test_storescp_is_a_move_destination_over_tls(pki: PKI, made: list[Instance], tmp_path: Path, trusts: str) -> None:
    """Under our own certificate; and the negative twin, where we do not trust the destination's."""
    tls = client_tls(pki)
    if trusts == "other_ca":
        tls = replace(tls, ca=(pki.other_ca,))
    with dcmtk_storescp(pki, tmp_path / "got", "-xf", _everything(tmp_path), "Default") as scp:
        there = Destination(Peer(scp.host, scp.port, "STORESCP"))
        with our_archive(tmp_path / "a", paths_of(made), destinations=[there], destination_tls=tls) as archive:
            statuses = move_with_pynetdicom(archive, made, "STORESCP")
            outcome = archive.outcome()
    kept = list((tmp_path / "got").iterdir())
    if trusts == "ca":
        assert (statuses[-1].Status, outcome.completed) == (0x0000, COUNT)
        assert len(kept) == COUNT
    else:
        assert (statuses[-1].Status, outcome.failed) == (0xA702, COUNT)
        assert "STORESCP: " in (outcome.reason or "")
        assert kept == []


def _everything(directory: Path) -> Path:
    """What storescp takes: CT in any native syntax, and it has a place for it."""
    path = directory / "storescp.cfg"
    path.write_text(
        "[[TransferSyntaxes]]\n[Native]\nTransferSyntax1 = LittleEndianExplicit\n"
        "[[PresentationContexts]]\n[CT]\nPresentationContext1 = CTImageStorage\\Native\n"
        "[[Profiles]]\n[Default]\nPresentationContexts = CT\n"
    )
    return path


# pynetdicom


def query_for(made: Sequence[Instance], **keys: str) -> Dataset:
    """The identifier that asks for the study."""
    dataset = Dataset()
    dataset.QueryRetrieveLevel = "STUDY"
    dataset.StudyInstanceUID = study_uid(made)
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


def move_with_pynetdicom(
    archive: Archive, made: Sequence[Instance], destination: str, ssl_context: Any = None
) -> list[Any]:
    """The statuses of one C-MOVE; the identifier of the last one is its `.identifier`."""
    ae = AE(ae_title="MOVER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    tls = (ssl_context, "localhost") if ssl_context is not None else None
    association = ae.associate(archive.peer.host, archive.peer.port, tls_args=tls)
    assert association.is_established
    try:
        answers = list(
            association.send_c_move(query_for(made), destination, StudyRootQueryRetrieveInformationModelMove)
        )
    finally:
        association.release()
    for status, identifier in answers:
        status.identifier = identifier
    return [status for status, _ in answers]


def test_pynetdicom_moves_to_pynetdicom_over_tls(pki: PKI, made: list[Instance], tmp_path: Path) -> None:
    """The counts go up to the end; the destination hears whose move it is."""
    originators: list[tuple[str, int]] = []

    def keep(event: Any) -> int:
        originators.append((event.request.MoveOriginatorApplicationEntityTitle, event.request.MoveOriginatorMessageID))
        return scp.handle_store(event)

    with pynetdicom_scp(server_context(pki), [(evt.EVT_C_STORE, keep)]) as scp:
        there = Destination(Peer(scp.host, scp.port, "THERE"))
        with our_archive(
            tmp_path, paths_of(made), server_tls(pki), destinations=[there], destination_tls=client_tls(pki)
        ) as archive:
            statuses = move_with_pynetdicom(archive, made, "THERE", client_context(pki, pki.client))
    assert statuses[-1].Status == 0x0000
    assert (statuses[-1].NumberOfCompletedSuboperations, statuses[-1].NumberOfFailedSuboperations) == (COUNT, 0)
    assert statuses[0].Status == 0xFF00
    assert statuses[0].NumberOfRemainingSuboperations == COUNT
    assert "NumberOfRemainingSuboperations" not in statuses[-1]
    assert set(originators) == {("MOVER", 1)}
    assert {one.dataset for one in scp.stored} == {dataset_of(instance.path) for instance in made}


def test_destination_that_is_not_tls_gets_nothing(pki: PKI, made: list[Instance], tmp_path: Path) -> None:
    """It is not spoken to in clear because it does not understand us."""
    with pynetdicom_scp() as scp:
        there = Destination(Peer(scp.host, scp.port, "CLEAR"))
        with our_archive(tmp_path, paths_of(made), destinations=[there], destination_tls=client_tls(pki)) as archive:
            [*_, last] = move_with_pynetdicom(archive, made, "CLEAR")
    assert last.Status == 0xA702
    assert sorted(last.identifier.FailedSOPInstanceUIDList) == sorted(one.sop_instance_uid for one in made)
    assert scp.stored == []


def test_destination_that_refuses_some_ends_in_a_warning(made: list[Instance], tmp_path: Path) -> None:
    """B000, with the counts and the list of what failed."""
    refused = made[1].sop_instance_uid

    def handle(event: Any) -> int:
        return 0xA700 if event.request.AffectedSOPInstanceUID == refused else 0x0000

    with pynetdicom_scp(handlers=[(evt.EVT_C_STORE, handle)]) as scp:
        there = Destination(Peer(scp.host, scp.port, "THERE"), in_clear=True)
        with our_archive(tmp_path, paths_of(made), destinations=[there]) as archive:
            [*_, last] = move_with_pynetdicom(archive, made, "THERE")
    assert (last.Status, last.NumberOfCompletedSuboperations, last.NumberOfFailedSuboperations) == (
        0xB000,
        COUNT - 1,
        1,
    )
    assert last.identifier.FailedSOPInstanceUIDList == refused


def get_with_pynetdicom(
    archive: Archive,
    made: Sequence[Instance],
    *,
    syntax: str = EXPLICIT_VR_LE,
    role: bool = True,
    patient: bool = False,
) -> tuple[list[Any], list[str]]:
    """The statuses of one C-GET, and the UIDs of what came."""
    came: list[str] = []

    def keep(event: Any) -> int:
        came.append(event.request.AffectedSOPInstanceUID)
        return 0x0000

    model = PatientRootQueryRetrieveInformationModelGet if patient else StudyRootQueryRetrieveInformationModelGet
    ae = AE(ae_title="GETTER")
    ae.add_requested_context(model)
    ae.add_requested_context(CTImageStorage, syntax)
    roles: list[Any] = [build_role(CTImageStorage, scp_role=True)] if role else []
    association = ae.associate(
        archive.peer.host, archive.peer.port, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, keep)]
    )
    assert association.is_established
    try:
        answers = list(association.send_c_get(query_for(made), model))
    finally:
        association.release()
    for status, identifier in answers:
        status.identifier = identifier
    return [status for status, _ in answers], came


@pytest.mark.parametrize("patient", [False, True])
def test_pynetdicom_gets_a_study(made: list[Instance], tmp_path: Path, *, patient: bool) -> None:
    """By either model."""
    with our_archive(tmp_path, paths_of(made)) as archive:
        statuses, came = get_with_pynetdicom(archive, made, patient=patient)
    assert statuses[-1].Status == 0x0000
    assert statuses[-1].NumberOfCompletedSuboperations == COUNT
    assert came == [instance.sop_instance_uid for instance in made]


@pytest.mark.parametrize(("syntax", "role"), [(IMPLICIT_VR_LE, True), (EXPLICIT_VR_LE, False)])
def test_what_was_not_negotiated_fails(made: list[Instance], tmp_path: Path, syntax: str, *, role: bool) -> None:
    """Another transfer syntax is not made of it, and who did not ask for the SCP role is sent nothing."""
    with our_archive(tmp_path, paths_of(made)) as archive:
        statuses, came = get_with_pynetdicom(archive, made, syntax=syntax, role=role)
    assert statuses[-1].Status == 0xA702
    assert statuses[-1].NumberOfFailedSuboperations == COUNT
    assert len(statuses[-1].identifier.FailedSOPInstanceUIDList) == COUNT
    assert came == []


def commit_with_pynetdicom(archive: Archive, made: Sequence[Instance], extra: str) -> tuple[int, list[Any]]:
    """The status of an N-ACTION, and the reports that came over its association."""
    reports: list[Any] = []

    def note(event: Any) -> tuple[int, None]:
        reports.append((event.event_type, event.event_information))
        return 0x0000, None

    ae = AE(ae_title="COMMITTER")
    ae.add_requested_context(StorageCommitmentPushModel)
    association = ae.associate(archive.peer.host, archive.peer.port, evt_handlers=[(evt.EVT_N_EVENT_REPORT, note)])
    request = Dataset()
    request.TransactionUID = "1.2.3.4"
    request.ReferencedSOPSequence = [_reference(instance.sop_instance_uid) for instance in made]
    request.ReferencedSOPSequence.append(_reference(extra))
    status, _ = association.send_n_action(request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
    archive.wait(lambda: bool(archive.commitments))  # once it has the response to the report: then it may end
    association.release()
    return status.Status, reports


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = CTImageStorage
    item.ReferencedSOPInstanceUID = uid
    return item


def test_pynetdicom_asks_for_commitment(made: list[Instance], tmp_path: Path) -> None:
    """What is there is committed, and what is not is named with the reason."""
    with our_archive(tmp_path, paths_of(made)) as archive:
        status, reports = commit_with_pynetdicom(archive, made, "1.2.3.99")
    assert status == 0x0000
    [(event_type, report)] = reports
    assert (event_type, report.TransactionUID) == (2, "1.2.3.4")
    assert len(report.ReferencedSOPSequence) == COUNT
    [failed] = report.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == ("1.2.3.99", 0x0112)
    assert archive.commitments[0].delivered == "same"


# Orthanc


@pytest.fixture(scope="module")
def orthanc_and_archive(
    pki: PKI, made: list[Instance], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, Archive]]:
    """An Orthanc that knows our archive, and is a move destination of it, with TLS in both directions."""
    folder = tmp_path_factory.mktemp("orthanc")
    with orthanc(pki, folder / "orthanc") as peer:
        there = Destination(Peer(peer.host, peer.port, "ORTHANC"))
        with our_archive(
            folder / "archive", paths_of(made), server_tls(pki), destinations=[there], destination_tls=client_tls(pki)
        ) as archive:
            peer.put(
                "/modalities/us",
                {"AET": "US", "Host": LOOPBACK, "Port": archive.peer.port, "UseDicomTls": True},
            )
            yield peer, archive


def test_orthanc_moves_a_study_to_itself(orthanc_and_archive: tuple[Any, Archive], made: list[Instance]) -> None:
    """Its REST interface lets it ask for a C-MOVE, and our archive sends over TLS."""
    peer, archive = orthanc_and_archive
    query = {"Level": "Study", "Resources": [{"StudyInstanceUID": study_uid(made)}], "TargetAet": "ORTHANC"}
    peer.post("/modalities/us/move", json.dumps(query))
    outcome = archive.outcome(len(archive.outcomes) or 1)
    assert (outcome.operation, outcome.status, outcome.completed) == ("C-MOVE", 0, COUNT)
    assert len(peer.get("/instances")) == COUNT


def test_orthanc_is_told_when_a_destination_is_unknown(
    orthanc_and_archive: tuple[Any, Archive], made: list[Instance]
) -> None:
    """A801, which Orthanc passes on as an error."""
    peer, archive = orthanc_and_archive
    before = len(archive.outcomes)
    query = {"Level": "Study", "Resources": [{"StudyInstanceUID": study_uid(made)}], "TargetAet": "NOBODY"}
    with pytest.raises(urllib.error.HTTPError) as error:
        peer.post("/modalities/us/move", json.dumps(query))
    error.value.close()
    assert archive.outcome(before + 1).status == 0xA801
