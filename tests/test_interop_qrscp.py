"""`find`, `move` and `get` against pynetdicom's qrscp behind TLS; the same is found there as in our `serve`."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pydicom import dcmread

from tests.support.cli import Result, Running, run_dicomtls, serving
from tests.support.exchange import by_uid, client_options, server_options
from tests.support.finding import behind_tls, study_uid, write_archive
from tests.support.pki import PKI
from tests.support.qrscp import pynetdicom_qrscp
from tests.support.servers import RunningServer, our_server

UNIQUE = {"patient": "00100020", "study": "0020000D", "series": "0020000E", "image": "00080018"}


class Archives(NamedTuple):
    """The same instances in both, and where qrscp moves them to in clear."""

    theirs: str
    ours: str
    destination: RunningServer
    files: list[Path]


@pytest.fixture(scope="module")
def archives(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archives]:
    """Filled by `store`, over TLS."""
    root = tmp_path_factory.mktemp("qrscp")
    files = write_archive(root / "files")
    with (
        our_server(root / "moved") as destination,
        pynetdicom_qrscp(root, {"DEST": destination.peer.port}) as peer,
        behind_tls(pki, peer) as front,
        serving(root / "ours", *server_options(pki)) as ours,
    ):
        archives = Archives(f"QRSCP@{front}", _address(ours), destination, files)
        for address in archives[:2]:
            stored = run_dicomtls("store", address, *client_options(pki, pki.client), *files)
            assert stored.exit_status == 0, stored.stderr
        yield archives


def _address(server: Running) -> str:
    return f"{server.host}:{server.port}"


def ask(pki: PKI, command: str, address: str, *options: str | Path, exit_status: int = 0) -> Result:
    """Run a command with the test client's identity."""
    result = run_dicomtls(command, address, *client_options(pki, pki.client), *options)
    assert result.exit_status == exit_status, result.stderr
    return result


def found(pki: PKI, address: str, level: str, *keys: str) -> list[str]:
    """The unique keys of what is found, sorted."""
    options = [part for key in keys for part in ("-k", key)]
    result = ask(pki, "find", address, "--level", level, *options, "--json")
    return sorted(line[UNIQUE[level]]["Value"][0] for line in result.json_lines())


@pytest.mark.parametrize(
    ("level", "keys", "count"),
    [
        ("patient", ["PatientID"], 8),
        ("patient", ["PatientName=Doe*", "PatientID"], 2),
        ("study", ["StudyInstanceUID"], 8),
        ("study", ["PatientName=Doe^J?ne", "StudyInstanceUID"], 1),
        ("study", ["StudyDate=20240103-20240105", "StudyInstanceUID"], 3),
        ("study", ["StudyDate=20240107-", "StudyInstanceUID"], 2),
        ("study", ["AccessionNumber=A4", "StudyInstanceUID"], 1),
        ("study", ["PatientID=none", "StudyInstanceUID"], 0),
        ("series", [f"StudyInstanceUID={study_uid(2)}", "Modality=MR", "SeriesInstanceUID"], 2),
        ("series", [f"StudyInstanceUID={study_uid(2)}", "Modality=CT", "SeriesInstanceUID"], 0),
        ("image", [f"StudyInstanceUID={study_uid(1)}", f"SeriesInstanceUID={study_uid(1)}.2", "SOPInstanceUID"], 2),
    ],
)
def test_same_is_found_as_by_qrscp(pki: PKI, archives: Archives, level: str, keys: list[str], count: int) -> None:
    """The unique keys of the level, of the same instances; qrscp answers for each instance, we once for each key."""
    ours = found(pki, archives.ours, level, *keys)
    assert ours == sorted(set(found(pki, archives.theirs, level, *keys)))
    assert len(ours) == count


def test_study_is_got(pki: PKI, archives: Archives, tmp_path: Path) -> None:
    """All of it over the association that asked, with all attributes as they were; qrscp prefers Implicit VR."""
    uid = study_uid(1)
    result = ask(pki, "get", archives.theirs, "-k", f"StudyInstanceUID={uid}", "--output", tmp_path / "got", "--json")
    assert (result.json()["completed"], result.json()["failed_instances"]) == (4, [])
    kept, sent = by_uid((tmp_path / "got").rglob("*.dcm")), by_uid(archives.files)
    assert kept.keys() == {one for one in sent if one.startswith(f"{uid}.")}
    assert all(dcmread(path) == dcmread(sent[uid]) for uid, path in kept.items())


def test_study_is_moved(pki: PKI, archives: Archives) -> None:
    """To a destination that qrscp knows."""
    result = ask(pki, "move", archives.theirs, "-k", f"StudyInstanceUID={study_uid(2)}", "--to", "DEST", "--json")
    assert (result.json()["completed"], result.json()["failed"]) == (4, 0)
    assert archives.destination.wait_for("stored", 4).message.startswith(f"instance {study_uid(2)}.")


@pytest.mark.parametrize(
    ("command", "options", "status"), [("find", [], "0xC320"), ("get", ["--output", "got"], "0xC413")]
)
def test_its_own_failure_is_told(
    pki: PKI,
    archives: Archives,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    options: list[str],
    status: str,
) -> None:
    """A list of UIDs, as PS3.4 has it, meets an error inside qrscp; its status says no more than that."""
    monkeypatch.chdir(tmp_path)
    uids = f"StudyInstanceUID={study_uid(1)}\\{study_uid(8)}"
    result = ask(pki, command, archives.theirs, "-k", uids, *options, "--json", exit_status=1)
    assert (result.json()["status"], result.json()["error"]["by"]) == (status, "peer")


def test_unknown_destination_is_named(pki: PKI, archives: Archives) -> None:
    """qrscp knows its destinations only."""
    uid = f"StudyInstanceUID={study_uid(2)}"
    result = ask(pki, "move", archives.theirs, "-k", uid, "--to", "NOWHERE", "--json", exit_status=1)
    assert result.json()["status"] == "0xA801"
    assert "NOWHERE" in result.json()["error"]["hints"][0]


@pytest.mark.parametrize("command", ["find", "get", "move"])
def test_front_refuses_who_has_no_certificate(pki: PKI, archives: Archives, tmp_path: Path, command: str) -> None:
    """The negative twin: TLS is what is spoken."""
    options = {"find": [], "get": ["--output", str(tmp_path / "got")], "move": ["--to", "DEST"]}[command]
    result = run_dicomtls(command, archives.theirs, "--ca", pki.ca, "-k", "StudyInstanceUID=1.2", *options, "--json")
    assert (result.exit_status, result.json()["error"]["code"]) == (4, "client-certificate-required")
