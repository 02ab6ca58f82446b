"""What tests of queries share: patients in many scripts, instances of them, and peers that answer C-FIND."""

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import
    ModalityWorklistInformationFind,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from dicomtls.association.association import Association
from dicomtls.association.dimse import Command, CommandField
from dicomtls.dataset import IMPLICIT_VR_LE
from dicomtls.dataset.identifier import Identifier, encode
from tests.support.peers import DicomSCP
from tests.support.pki import PKI, Identity
from tests.support.processes import LOOPBACK, PeerProcess, require, reserved_port, running

FIND_MODELS = (
    StudyRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelFind,
    ModalityWorklistInformationFind,
)
Answer = tuple[int, Dataset | None]


class Patient(NamedTuple):
    """Somebody with one study."""

    name: str
    patient_id: str
    character_set: str | list[str]
    modality: str = "CT"


PATIENTS = (
    Patient("Doe^John", "P1", ""),
    Patient("Doe^Jane", "P2", "", "MR"),
    Patient("Müller^Jürgen", "P3", "ISO_IR 100"),
    Patient("Люкceмбypг", "P4", "ISO_IR 144"),
    Patient("Yamada^Tarou=山田^太郎=やまだ^たろう", "P5", ["", "ISO 2022 IR 87"]),
    Patient("Wang^XiaoDong=王^小东", "P6", "GB18030"),
    Patient("Hong^Gildong=洪^吉洞=홍^길동", "P7", ["", "ISO 2022 IR 149"]),
    Patient("قباني^لنزار", "P8", "ISO_IR 192"),
)


def study_uid(number: int) -> str:
    """The UID of the study of the patient with this number, from 1."""
    return f"1.2.826.0.1.3680043.9.7777.{number}"


def write_archive(directory: Path, patients: Sequence[Patient] = PATIENTS, *, images: int = 2) -> list[Path]:
    """Files of these patients: a study each, with two series of so many images."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, patient in enumerate(patients, 1):
        for series in (1, 2):
            for image in range(1, images + 1):
                path = directory / f"{number}-{series}-{image}.dcm"
                path.write_bytes(_file_of(patient, number, series, image))
                paths.append(path)
    return paths


def _file_of(patient: Patient, number: int, series: int, image: int) -> bytes:
    study = study_uid(number)
    dataset = Dataset()
    if patient.character_set:
        dataset.SpecificCharacterSet = patient.character_set
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = f"{study}.{series}.{image}"
    dataset.StudyDate = f"2024010{number}"
    dataset.StudyTime = "101500"
    dataset.AccessionNumber = f"A{number}"
    dataset.Modality = patient.modality
    dataset.StudyDescription = "CHEST"
    dataset.SeriesDescription = f"SERIES {series}"
    dataset.PatientName = patient.name
    dataset.PatientID = patient.patient_id
    dataset.PatientSex = "O"
    dataset.StudyInstanceUID = study
    dataset.SeriesInstanceUID = f"{study}.{series}"
    dataset.StudyID = str(number)
    dataset.SeriesNumber = series
    dataset.InstanceNumber = image
    return _written(dataset, CTImageStorage, dataset.SOPInstanceUID)


def _written(dataset: Dataset, sop_class: str, uid: str) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    FileDataset("", dataset, file_meta=meta, preamble=bytes(128)).save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@contextmanager
def finding_scp(
    handle: Callable[[Event], Iterator[Answer]],
    ssl_context: ssl.SSLContext | None = None,
    *,
    handlers: Sequence[Any] = (),
    transfer_syntaxes: Sequence[str] = (ImplicitVRLittleEndian, ExplicitVRLittleEndian),
) -> Iterator[DicomSCP]:
    """pynetdicom as the SCP of every C-FIND model, in a thread; `handle` yields statuses and identifiers."""
    ae = AE(ae_title="PYNETDICOM")
    for sop_class in FIND_MODELS:
        ae.add_supported_context(sop_class, list(transfer_syntaxes))
    bound = [(evt.EVT_C_FIND, handle), *handlers]
    server = ae.start_server((LOOPBACK, 0), block=False, ssl_context=ssl_context, evt_handlers=bound)
    assert server is not None
    try:
        yield DicomSCP(port=server.server_address[1])
    finally:
        ae.shutdown()


def match(**attributes: object) -> Dataset:
    """An identifier of these attributes."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def pending(dataset: Dataset, status: int = 0xFF00) -> Answer:
    """One match, more to follow."""
    return status, dataset


def find_response(status: int, *, has_dataset: bool = False, **values: Any) -> Command:
    """A C-FIND-RSP to our request."""
    return Command(
        command_field=CommandField.C_FIND_RSP,
        message_id_being_responded_to=1,
        status=status,
        has_dataset=has_dataset,
        **values,
    )


def put_match(association: Association, identifier: Identifier, names: tuple[str, ...] = ()) -> None:
    """Answer with one match, in the transfer syntax that was agreed on."""
    ((context_id, context),) = association.parameters.contexts.items()
    dataset = encode(identifier, context.transfer_syntax, names)
    association.send(context_id, find_response(0xFF00, has_dataset=True), dataset)


def received_query(association: Association) -> tuple[Command, bytes]:
    """The request, and its identifier as it came."""
    message = association.receive()
    assert message is not None
    assert message.command.command_field is CommandField.C_FIND_RQ
    return message.command, b"".join(bytes(fragment) for fragment in association.fragments())


@contextmanager
def worklist_scp(
    pki: PKI, directory: Path, *options: str, identity: Identity | None = None, tls: bool = True
) -> Iterator[PeerProcess]:
    """DCMTK's wlmscpfs, for the worklist files below `directory`, in a folder for each called AE title.

    It has no TLS of its own: `tls` is refused where that is asked for.
    """
    program = require("wlmscpfs")
    with reserved_port() as port:
        with running([program, "-dfp", directory, *options, str(port)], port) as peer:
            peer.wait_until(lambda: peer.listens_on(port), "listening port")
            yield peer
