"""`serve` as the archive, and everybody else as users run them: store, move, get, commitment, find's other half."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest

from dicomtls.association.association import Association
from tests.support.archives import RAW_DATA, rare_instances, study_key
from tests.support.cli import Running, run_dicomtls, serving, started_dicomtls
from tests.support.exchange import client_options, server_options, serving_with_events, wait_for_event
from tests.support.instances import Instance, make_instances
from tests.support.kept import dataset_of
from tests.support.peers import dcmtk_storescp
from tests.support.pki import PKI
from tests.support.processes import LOOPBACK, reserved_port
from tests.support.servers import acceptor, open_policy, stored_files

COUNT = 6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Instance]:
    """One study."""
    return make_instances(tmp_path_factory.mktemp("made"), COUNT, pixel_bytes=4096)


@contextmanager
def archive(pki: PKI, made: list[Instance], directory: Path, *options: str | Path) -> Iterator[Running]:
    """A `serve` with an index, that has been sent the study."""
    with serving_with_events(directory, *server_options(pki), *options) as running:
        stored = run_dicomtls("store", running.address, made[0].path.parent, *client_options(pki, pki.client))
        assert stored.exit_status == 0, stored.stderr
        yield running


def assert_kept(directory: Path, made: list[Instance]) -> None:
    """All of them, dataset for dataset."""
    kept = {path.stem: dataset_of(path) for path in stored_files(directory)}
    assert kept == {instance.sop_instance_uid: dataset_of(instance.path) for instance in made}


def test_what_was_stored_can_be_got(pki: PKI, made: list[Instance], tmp_path: Path) -> None:
    """By the index, which knows it as soon as it is answered; at every level."""
    first = made[0].sop_instance_uid
    series = pydicom.dcmread(made[0].path, stop_before_pixels=True).SeriesInstanceUID
    queries = {
        "study": study_key(made),
        "series": ("-k", f"SeriesInstanceUID={series}"),
        "patient": ("-k", "PatientID=PAT-1"),
        "image": ("-k", f"SOPInstanceUID={first}"),
    }
    with archive(pki, made, tmp_path / "archive") as running:
        for name, key in queries.items():
            options = (*key, *client_options(pki, pki.client), "--output", tmp_path / name, "--json")
            result = run_dicomtls("get", running.address, *options)
            assert result.exit_status == 0, result.stderr
            assert_kept(tmp_path / name, made[:1] if name == "image" else made)
        event = wait_for_event(running, "get")
    assert (event["completed"], event["failed"], event["status"]) == (1, 0, "0x0000")


def test_rare_sop_classes_are_asked_for_over_another_association(
    pki: PKI, made: list[Instance], tmp_path: Path
) -> None:
    """An association has no room for all; without a second look, three of nine would stay behind."""
    rare = rare_instances(tmp_path / "rare", made)
    options = (*client_options(pki, pki.client), "--json")
    with archive(pki, made, tmp_path / "archive") as running:
        run_dicomtls("store", running.address, tmp_path / "rare", *options)
        result = run_dicomtls("get", running.address, *study_key(made), "--output", tmp_path / "got", *options)
    document = result.json()
    assert (result.exit_status, document["status"], document["failed_instances"]) == (0, "0x0000", []), result.stderr
    assert (document["completed"], document["received"]) == (COUNT + 3, COUNT + 3)
    assert_kept(tmp_path / "got", [*made, *rare])
    assert f"asking again, with SOP classes that the archive has: {RAW_DATA}" in result.stderr


def test_what_was_stored_can_be_moved_to_us_over_tls(pki: PKI, made: list[Instance], tmp_path: Path) -> None:
    """With the certificate of `serve` as the client's."""
    with reserved_port() as port:
        known = ("--move-destination", f"WS1@localhost:{port}")
        with archive(pki, made, tmp_path / "archive", *known) as running:
            receiver = ("--to", "WS1", "--receive", tmp_path / "in", "--listen", f"{LOOPBACK}:{port}")
            options = (*study_key(made), *receiver, *client_options(pki, pki.server), "--json")
            result = run_dicomtls("move", running.address, *options)
            event = wait_for_event(running, "move")
    assert (result.exit_status, result.json()["received"]) == (0, COUNT), result.stderr
    assert (event["destination"], event["completed"]) == ("WS1", COUNT)
    assert_kept(tmp_path / "in", made)


@pytest.mark.parametrize(("destination", "status"), [("GONE", "0xA702"), ("CLEAR", "0xA702"), ("NOBODY", "0xA801")])
def test_move_that_fails_is_said_on_both_sides(
    pki: PKI, made: list[Instance], tmp_path: Path, destination: str, status: str
) -> None:
    """Nobody listens, not TLS, nobody told us of it."""
    with reserved_port() as port, dcmtk_storescp(pki, tmp_path / "clear", tls=False) as clear:
        known = ("--move-destination", f"GONE@localhost:{port}", "--move-destination", f"CLEAR@{clear.address}")
        with archive(pki, made, tmp_path / "archive", *known) as running:
            options = (*study_key(made), "--to", destination, *client_options(pki, pki.client), "--json")
            result = run_dicomtls("move", running.address, *options)
            event = wait_for_event(running, "move-failed")
    assert (result.exit_status, result.json()["status"], event["status"]) == (1, status, status)
    assert len(result.json()["failed_instances"]) == (0 if destination == "NOBODY" else COUNT)
    assert event["reason"]
    assert list((tmp_path / "clear").iterdir()) == []


def test_plain_destination_is_spoken_to_in_clear(pki: PKI, made: list[Instance], tmp_path: Path) -> None:
    """Only because it is written so."""
    with dcmtk_storescp(pki, tmp_path / "clear", "--accept-all", tls=False) as clear:
        known = ("--move-destination", f"plain:CLEAR@{clear.address}")
        with archive(pki, made, tmp_path / "archive", *known) as running:
            options = (*study_key(made), "--to", "CLEAR", *client_options(pki, pki.client), "--json")
            result = run_dicomtls("move", running.address, *options)
    assert (result.exit_status, result.json()["completed"]) == (0, COUNT), result.stderr
    assert len(list((tmp_path / "clear").iterdir())) == COUNT


def test_what_was_stored_is_committed(pki: PKI, made: list[Instance], tmp_path: Path) -> None:
    """And what is taken away is not."""
    with serving_with_events(tmp_path / "archive", *server_options(pki)) as running:
        options = (made[0].path.parent, *client_options(pki, pki.client), "--commit", "--json")
        good = run_dicomtls("store", running.address, *options)
        event = wait_for_event(running, "commitment")
    assert (good.exit_status, good.json()["committed"]) == (0, COUNT), good.stderr
    assert (event["committed"], event["failed"], event["delivered"]) == (COUNT, 0, "same")


def test_server_without_index_offers_no_retrieval(pki: PKI, made: list[Instance], tmp_path: Path) -> None:
    """There is nothing to find by."""
    with archive(pki, made, tmp_path / "archive", "--no-index") as running:
        options = (*study_key(made), "--output", tmp_path / "got", *client_options(pki, pki.client), "--json")
        result = run_dicomtls("get", running.address, *options)
    assert (result.exit_status, result.json()["error"]["code"]) == (5, "no-presentation-context")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--move-destination", "host:104"), "not a move destination"),
        (("--move-destination", "WS1@host:104"), "without TLS there is no certificate"),
        (("--move-destination", "plain:A@h", "--move-destination", "plain:A@i"), "two move destinations"),
        (("--move-destination", "plain:A@h", "--no-index"), "contradict each other"),
    ],
)
def test_destination_that_cannot_be_is_an_error_of_usage(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    """Before anything listens."""
    result = run_dicomtls("serve", "--directory", tmp_path / "in", "--no-tls", "--listen", "127.0.0.1:0", *options)
    assert result.exit_status == 2
    assert said in result.stderr
    assert not (tmp_path / "in").exists()


def test_server_that_is_stopped_twice_breaks_a_retrieval_off(made: list[Instance], tmp_path: Path) -> None:
    """The second signal ends what still runs: a destination that keeps silent holds nobody up."""
    came = threading.Event()

    def silent(association: Association) -> None:
        association.receive()
        came.set()
        association.receive()
        association.receive()

    with acceptor(silent, open_policy(max_operations=1)) as there:
        known = ("--no-tls", "--move-destination", f"plain:SILENT@{there.peer}", "--grace", "20")
        with serving(tmp_path / "archive", *known) as running:
            run_dicomtls("store", running.address, made[0].path.parent, "--no-tls")
            options = (*study_key(made), "--to", "SILENT", "--no-tls", "--json")
            with started_dicomtls("move", running.address, *options) as moving:
                assert came.wait(20)
                running.process.send_signal(signal.SIGTERM)
                running.wait_until(lambda: not running.listens_on(running.port), "end of listening")
                stopped = running.stop()
                result = moving.stop_by_itself()
    assert stopped.exit_status == 0
    assert result.json()["error"]["code"] == "association-aborted"
