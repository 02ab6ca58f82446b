"""pynetdicom as the archive, behind our TLS contexts: `get` and `move` against what its handlers do."""

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at run time
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from dicomtls.dataset import EXPLICIT_VR_LE
from dicomtls.tls import TLSSettings, client_context, server_context
from tests.support.cli import run_dicomtls
from tests.support.exchange import Failure, client_options, exactly, failure, versions
from tests.support.instances import Instance, make_instances
from tests.support.pki import PKI
from tests.support.processes import LOOPBACK, reserved_port
from tests.support.servers import client_tls, server_tls, stored_files

COUNT = 4
KEY = ("-k", "StudyInstanceUID=1.2.3")
Handler = Callable[[Any], Iterator[Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Instance]:
    """What the archive has."""
    return make_instances(tmp_path_factory.mktemp("made"), COUNT, pixel_bytes=2048)


@contextmanager
def archive(tls: TLSSettings | None, handlers: Sequence[tuple[Any, Handler]]) -> Iterator[str]:
    """pynetdicom with these handlers; its address."""
    ae = AE(ae_title="PYNETDICOM")
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelMove)
    ae.add_supported_context(CTImageStorage, EXPLICIT_VR_LE, scu_role=True, scp_role=True)
    ae.add_requested_context(CTImageStorage, EXPLICIT_VR_LE)
    context: ssl.SSLContext | None = server_context(tls) if tls is not None else None
    server = ae.start_server((LOOPBACK, 0), block=False, ssl_context=context, evt_handlers=list(handlers))
    assert server is not None
    try:
        yield f"{LOOPBACK}:{server.server_address[1]}"
    finally:
        ae.shutdown()


def sending(made: Sequence[Instance], claimed: int | None = None) -> Handler:
    """A C-GET handler that sends these, and says beforehand how many there are."""

    def handle(_event: Any) -> Iterator[Any]:
        yield len(made) if claimed is None else claimed
        for instance in made:
            yield 0xFF00, pydicom.dcmread(instance.path)

    return handle


@versions
def test_get_over_tls(pki: PKI, made: list[Instance], tmp_path: Path, version: str) -> None:
    """Our own context on the other side too; the instances are those that pydicom has encoded anew."""
    with archive(server_tls(pki), [(evt.EVT_C_GET, sending(made))]) as address:
        options = (*KEY, *client_options(pki, pki.client), *exactly(version), "--output", tmp_path, "--json")
        result = run_dicomtls("get", address, *options)
    document = result.json()
    assert (result.exit_status, document["completed"], document["received"]) == (0, COUNT, COUNT), result.stderr
    assert sorted(path.stem for path in stored_files(tmp_path)) == sorted(one.sop_instance_uid for one in made)


def moving(made: Sequence[Instance], port: int, tls: TLSSettings | None) -> Handler:
    """A C-MOVE handler that sends to a port, over TLS as our client context has it."""

    def handle(_event: Any) -> Iterator[Any]:
        options = {} if tls is None else {"tls_args": (client_context(tls), "localhost")}
        yield LOOPBACK, port, options
        yield len(made)
        for instance in made:
            yield 0xFF00, pydicom.dcmread(instance.path)

    return handle


def test_move_over_tls_to_our_own_receiver(pki: PKI, made: list[Instance], tmp_path: Path) -> None:
    """Each side shows its certificate to the other, in both directions."""
    with reserved_port() as port:
        handlers = [(evt.EVT_C_MOVE, moving(made, port, client_tls(pki)))]
        with archive(server_tls(pki), handlers) as address:
            receiver = ("--to", "WS1", "--receive", tmp_path, "--listen", f"{LOOPBACK}:{port}")
            result = run_dicomtls("move", address, *KEY, *receiver, *client_options(pki, pki.server), "--json")
    document = result.json()
    assert (result.exit_status, document["completed"], document["received"]) == (0, COUNT, COUNT), result.stderr


@pytest.mark.parametrize("fault", ["other CA", "in clear"])
def test_archive_that_comes_wrongly_to_our_receiver_is_told(
    pki: PKI, made: list[Instance], tmp_path: Path, fault: str
) -> None:
    """It fails there, and our receiver says why."""
    tls = None if fault == "in clear" else TLSSettings(ca=(pki.other_ca,))
    with reserved_port() as port, archive(server_tls(pki), [(evt.EVT_C_MOVE, moving(made, port, tls))]) as address:
        receiver = ("--to", "WS1", "--receive", tmp_path, "--listen", f"{LOOPBACK}:{port}")
        result = run_dicomtls("move", address, *KEY, *receiver, *client_options(pki, pki.server), "--json")
    assert failure(result) == Failure(1, "status-failure", "peer"), result.stderr
    assert "our receiver: 127.0.0.1:" in result.stderr
    assert stored_files(tmp_path) == []


def refusing(status: int) -> Handler:
    """A C-GET handler that fails before it begins."""

    def handle(_event: Any) -> Iterator[Any]:
        yield 1
        yield status, Dataset()

    return handle


@pytest.mark.parametrize("status", [0xA701, 0xC123])
def test_failure_status_is_a_failure(made: list[Instance], tmp_path: Path, status: int) -> None:
    """With its meaning."""
    with archive(None, [(evt.EVT_C_GET, refusing(status))]) as address:
        result = run_dicomtls("get", address, *KEY, "--output", tmp_path, "--no-tls", "--json")
    assert failure(result) == Failure(1, "status-failure", "peer")
    assert result.json()["status"] == f"0x{status:04X}"
    assert made


def test_handler_that_ends_before_it_should_is_noticed(made: list[Instance], tmp_path: Path) -> None:
    """It said seven, sent four, and pynetdicom calls that a success with three remaining."""
    with archive(None, [(evt.EVT_C_GET, sending(made, claimed=7))]) as address:
        result = run_dicomtls("get", address, *KEY, "--output", tmp_path, "--no-tls", "--json")
    document = result.json()
    assert (document["received"], document["status"]) == (COUNT, "0x0000")
    assert "the peer ended with 3 sub-operations remaining" in result.stderr


def test_instance_that_was_not_negotiated_is_among_the_failed(made: list[Instance], tmp_path: Path) -> None:
    """pynetdicom has no context for it, and lists it."""
    odd = pydicom.dcmread(made[0].path)
    odd.SOPClassUID = "1.2.3.4"
    odd.SOPInstanceUID = odd.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4.5")

    def handle(_event: Any) -> Iterator[Any]:
        yield 2
        yield 0xFF00, odd
        yield 0xFF00, pydicom.dcmread(made[1].path)

    with archive(None, [(evt.EVT_C_GET, handle)]) as address:
        result = run_dicomtls("get", address, *KEY, "--output", tmp_path, "--no-tls", "--json")
    document = result.json()
    assert (result.exit_status, document["status"], document["completed"]) == (1, "0xB000", 1)
    assert document["failed_instances"] == ["1.2.3.4.5"]
