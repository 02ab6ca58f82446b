"""What tests of queries share: patients in many scripts, instances of them, and peers that answer C-FIND."""

import select
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import
    ModalityWorklistInformationFind,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from dicomtls.association.association import Association
from dicomtls.association.dimse import Command, CommandField
from dicomtls.dataset.identifier import Element, Identifier, encode
from dicomtls.dataset.keys import identifier_of, parse_keys
from dicomtls.peer import Peer
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from dicomtls.scu.query import FindOptions, FindResult, Match, find
from dicomtls.tls import TLSSettings
from dicomtls.waiting import Interrupt
from tests.support.peers import DicomSCP
from tests.support.pki import PKI, server_context
from tests.support.processes import LOOPBACK, PeerProcess, require, reserved_port, running
from tests.support.raw import tls_raw_server

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
    Patient("\u041b\u044e\u043a\u0441^\u0418\u0432\u0430\u043d", "P4", "ISO_IR 144"),  # Люкс^Иван
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
    return as_file(dataset, CTImageStorage, dataset.SOPInstanceUID)


def as_file(dataset: Dataset, sop_class: str, uid: str) -> bytes:
    """A DICOM file in Explicit VR Little Endian."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(uid)
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
def worklist_scp(directory: Path, *options: str) -> Iterator[PeerProcess]:
    """DCMTK's wlmscpfs, with a folder of worklist files for each called AE title. It has no TLS: see `behind_tls`."""
    program = require("wlmscpfs")
    with (
        reserved_port() as port,
        running([program, "-dfp", directory, *options, str(port)], port) as peer,
    ):
        peer.wait_until(lambda: peer.listens_on(port), "listening port")
        yield peer


@contextmanager
def query_scp(directory: Path) -> Iterator[PeerProcess]:
    """DCMTK's dcmqrscp with an empty database below `directory`, AE title QRSCP. It has no TLS: see `behind_tls`."""
    program = require("dcmqrscp")
    database = directory / "database"
    database.mkdir(parents=True)
    with reserved_port() as port:
        configuration = directory / "dcmqrscp.cfg"
        configuration.write_text(QRSCP_CONFIGURATION.format(port=port, database=database))
        with running([program, "-c", configuration], port) as peer:
            peer.wait_until(lambda: peer.listens_on(port), "listening port")
            yield peer


QRSCP_CONFIGURATION = """
NetworkTCPPort  = {port}
MaxPDUSize      = 16384
MaxAssociations = 16
HostTable BEGIN
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
QRSCP {database} RW (200, 1024mb) ANY
AETable END
"""


@contextmanager
def behind_tls(pki: PKI, peer: PeerProcess) -> Iterator[str]:
    """The address of a TLS server that hands everything on to a peer without TLS of its own."""

    def hand_on(connection: Any) -> None:
        with socket.create_connection((peer.host, peer.port)) as plain:
            while True:
                ready = [connection] if connection.pending() else select.select([connection, plain], [], [])[0]
                for source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    (plain if source is connection else connection).sendall(data)

    with tls_raw_server(server_context(pki), hand_on) as server:
        yield f"{server.host}:{server.port}"


KEYS = identifier_of(parse_keys(["PatientName", "StudyInstanceUID"]))
ONE: Identifier = {0x00100010: Element("PN", ("A",)), 0x0020000D: Element("UI", ("1.2",))}
"""What a peer of a test answers with where it does not matter."""


def find_matches(
    peer: Peer,
    tls: TLSSettings | None = None,
    *,
    keys: Identifier = KEYS,
    interrupt: Interrupt | None = None,
    dimse_timeout: float = 20.0,
    **options: Any,
) -> tuple[list[Match], FindResult]:
    """All matches, and what is said of them; raises what `find` raises."""
    result = FindResult()
    requestor = Requestor(peer, tls, AssociationSettings(dimse_timeout=dimse_timeout), interrupt=interrupt)
    return list(find(requestor, keys, FindOptions(**options), result=result)), result
