"""`move` and `get` with Orthanc as the archive, over TLS: what it has arrives, and every way in which that can fail."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.archives import rare_instances, study_key, study_uid
from tests.support.exchange import Failure, client_options, exactly, failure, run_json, versions
from tests.support.instances import Instance, make_instances
from tests.support.kept import dataset_of
from tests.support.peers import LOOPBACK, Orthanc, dcmtk_storescp, orthanc, reserved_port
from tests.support.pki import PKI
from tests.support.servers import stored_files

COUNT = 5


class Archive(NamedTuple):
    """An Orthanc that has one study; it knows WS1 at `port` with TLS, CLEAR there without, GONE where nobody is."""

    peer: Orthanc
    port: int
    study: str
    instances: list[Instance]

    @property
    def key(self) -> tuple[str, str]:
        """The options that ask for the study."""
        return "-k", f"StudyInstanceUID={self.study}"


@pytest.fixture(scope="module")
def archive(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An Orthanc that demands client certificates."""
    folder = tmp_path_factory.mktemp("archive")
    made = make_instances(folder / "made", COUNT, pixel_bytes=4096)
    with reserved_port() as port, reserved_port() as nobody:
        modalities = {
            "ws1": {"AET": "WS1", "Host": LOOPBACK, "Port": port, "UseDicomTls": True},
            "clear": {"AET": "CLEAR", "Host": LOOPBACK, "Port": port, "UseDicomTls": False},
            "gone": {"AET": "GONE", "Host": LOOPBACK, "Port": nobody, "UseDicomTls": True},
            "us": {"AET": "DICOMTLS", "Host": LOOPBACK, "Port": port, "UseDicomTls": True},
        }
        with orthanc(pki, folder / "orthanc", modalities=modalities) as peer:
            for instance in made:
                peer.post("/instances", instance.path.read_bytes())
            yield Archive(peer, port, study_uid(made), made)


def assert_kept(directory: Path, instances: list[Instance]) -> None:
    """All of them, dataset for dataset."""
    kept = {path.stem: dataset_of(path) for path in stored_files(directory)}
    assert kept == {instance.sop_instance_uid: dataset_of(instance.path) for instance in instances}


@versions
def test_get_brings_a_study(pki: PKI, archive: Archive, tmp_path: Path, version: str) -> None:
    """Over the association that asked for it."""
    options = (*client_options(pki, pki.client), *exactly(version), "--output", tmp_path / "got")
    result = run_json("get", archive.peer.address, *archive.key, *options)
    document = result.json()
    assert (result.exit_status, document["status"], document["failed_instances"]) == (0, "0x0000", []), result.stderr
    assert (document["completed"], document["failed"], document["received"]) == (COUNT, 0, COUNT)
    assert_kept(tmp_path / "got", archive.instances)


def test_get_of_one_instance(pki: PKI, archive: Archive, tmp_path: Path) -> None:
    """The level follows from the key; the levels above it may be left out."""
    wanted = archive.instances[2]
    key = f"SOPInstanceUID={wanted.sop_instance_uid}"
    result = run_json("get", archive.peer.address, "-k", key, "--output", tmp_path, *client_options(pki, pki.client))
    assert (result.exit_status, result.json()["completed"]) == (0, 1), result.stderr
    assert_kept(tmp_path, [wanted])


def test_get_brings_rare_sop_classes_too(pki: PKI, archive: Archive, tmp_path: Path) -> None:
    """Orthanc gives up at the first instance without a presentation context, and says so in a broken command set."""
    made = make_instances(tmp_path / "made", 2, pixel_bytes=1024)
    rare = rare_instances(tmp_path / "rare", made)
    for instance in (*rare, *made):
        archive.peer.post("/instances", instance.path.read_bytes())
    options = (*study_key(made), *client_options(pki, pki.client), "--output", tmp_path / "got")
    result = run_json("get", archive.peer.address, *options)
    assert (result.exit_status, result.json()["completed"]) == (0, 5), result.stderr
    assert_kept(tmp_path / "got", [*made, *rare])


@versions
def test_move_to_our_own_receiver(pki: PKI, archive: Archive, tmp_path: Path, version: str) -> None:
    """Which is there for as long as the move lasts."""
    options = (*client_options(pki, pki.server), *exactly(version))
    receiver = ("--to", "WS1", "--receive", tmp_path / "in", "--listen", f"{LOOPBACK}:{archive.port}")
    result = run_json("move", archive.peer.address, *archive.key, *receiver, *options)
    document = result.json()
    assert (result.exit_status, document["status"]) == (0, "0x0000"), result.stderr
    assert (document["completed"], document["failed"], document["received"]) == (COUNT, 0, COUNT)
    assert f"port {archive.port}: the archive must know WS1" in result.stderr
    assert_kept(tmp_path / "in", archive.instances)


@pytest.mark.parametrize("destination", ["GONE", "CLEAR", "NOBODY"])
def test_move_that_fails_says_so(pki: PKI, archive: Archive, tmp_path: Path, destination: str) -> None:
    """A destination that nobody listens at, one that is spoken to in clear, one that the archive does not know."""
    receiver = ("--to", destination, "--receive", tmp_path / "in", "--listen", f"{LOOPBACK}:{archive.port}")
    result = run_json("move", archive.peer.address, *archive.key, *receiver, *client_options(pki, pki.server))
    assert failure(result) == Failure(1, "status-failure", "peer"), result.stderr
    assert result.json()["completed"] == 0
    assert ("our receiver:" in result.stderr) is (destination == "CLEAR")
    assert stored_files(tmp_path / "in") == []


def test_move_to_another_address_than_ours_is_noticed(pki: PKI, archive: Archive, tmp_path: Path) -> None:
    """The archive sends somewhere; not here."""
    with dcmtk_storescp(pki, tmp_path / "other") as other:
        archive.peer.put("/modalities/ws2", {"AET": "WS2", "Host": LOOPBACK, "Port": other.port, "UseDicomTls": True})
        receiver = ("--to", "WS2", "--receive", tmp_path / "in")
        result = run_json("move", archive.peer.address, *archive.key, *receiver, *client_options(pki, pki.server))
    assert failure(result) == Failure(5, "protocol-error", "peer"), result.stderr
    assert result.json()["error"]["evidence"] == {"claimed": COUNT, "received": 0}


def test_get_of_what_is_not_there_is_a_failure_of_orthanc(pki: PKI, archive: Archive, tmp_path: Path) -> None:
    """Where the standard has a success without sub-operations; the hint says what it may be."""
    options = client_options(pki, pki.client)
    result = run_json("get", archive.peer.address, "-k", "StudyInstanceUID=1.2.3", "--output", tmp_path, *options)
    assert failure(result) == Failure(1, "status-failure", "peer")
    assert result.json()["status"] == "0xC000"
    assert "may not have what was asked for" in result.stderr
