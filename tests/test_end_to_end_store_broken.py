"""`dicomtls store` when things change under way: files that shrink, peers that stop, users who do not wait."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dicomtls.association.association import Association
from tests.support.cli import Running, started_dicomtls
from tests.support.exchange import (
    Failure,
    client_options,
    events,
    failure,
    run_json,
    server_options,
    serving_with_events,
    small_instances,
    wait_for_event,
)
from tests.support.instances import make_instance
from tests.support.pki import PKI
from tests.support.servers import acceptor, store_response, stored_files

GIGABYTE = 1 << 30


def drain(association: Association, *, at_first_fragment: Callable[[], None]) -> None:
    """Take instances and answer each; the first one is read on only when that has been done."""
    action: Callable[[], None] | None = at_first_fragment
    while (message := association.receive()) is not None:
        for _ in association.fragments():
            if action is not None:
                action()
                action = None
        association.send(message.context.context_id, store_response(message.command))


def test_file_that_vanishes_while_others_are_sent_is_named(tmp_path: Path) -> None:
    """It was there when the files were counted; the others arrive."""
    sent = small_instances(tmp_path, 3)
    with acceptor(lambda association: drain(association, at_first_fragment=sent[2].path.unlink)) as scp:
        address = f"{scp.peer.host}:{scp.peer.port}"
        result = run_json("store", address, "--no-tls", "--max-ops", "1", tmp_path)
    assert failure(result) == Failure(2, "unreadable-file", "us")
    assert result.json()["sent"] == 2
    assert [item["path"] for item in result.json()["failed"]] == [str(sent[2].path)]
    assert scp.ends == []


def test_file_that_is_cut_while_it_is_being_sent_is_named_and_the_others_are_sent(tmp_path: Path) -> None:
    """The message cannot be completed, so that association is aborted; another one takes the rest."""
    large = make_instance(tmp_path / "0-large.dcm", pixel_bytes=64 << 20, sparse=True)
    others = small_instances(tmp_path / "others", 3)

    def cut() -> None:
        os.truncate(large.path, 1 << 20)

    with acceptor(lambda association: drain(association, at_first_fragment=cut)) as scp:
        address = f"{scp.peer.host}:{scp.peer.port}"
        result = run_json("store", address, "--no-tls", large.path, tmp_path / "others")
    assert failure(result) == Failure(2, "unreadable-file", "us")
    assert result.json()["sent"] == len(others)
    assert [(item["path"], item["status"]) for item in result.json()["failed"]] == [(str(large.path), None)]
    assert "cut short" in result.json()["failed"][0]["status_meaning"]
    assert len(scp.ends) == 1


def test_peer_that_stops_reading_is_a_timeout(tmp_path: Path) -> None:
    """Not a hang: `--dimse-timeout` bounds the wait for room as it does the wait for an answer."""
    make_instance(tmp_path / "large.dcm", pixel_bytes=64 << 20, sparse=True)
    enough = threading.Event()
    with acceptor(lambda association: drain(association, at_first_fragment=lambda: wait_for(enough))) as scp:
        address = f"{scp.peer.host}:{scp.peer.port}"
        result = run_json("store", address, "--no-tls", "--dimse-timeout", "0.5", tmp_path / "large.dcm")
        enough.set()
    assert failure(result) == Failure(1, "dimse-timeout", "neither")


def wait_for(event: threading.Event) -> None:
    """Go on when the test says so."""
    assert event.wait(20)


def test_exit_130_is_ctrl_c_and_says_how_far_it_came(pki: PKI, tmp_path: Path) -> None:
    """Between two instances: what was answered is in the document, the peer gets an A-ABORT, not a broken line."""
    sent = small_instances(tmp_path / "sent", 20)
    options = (*client_options(pki, pki.client), "--max-ops", "1", "--json")
    with serving_with_events(tmp_path / "kept", *server_options(pki), "--delay", "0.2", "-v") as running:
        with started_dicomtls("store", running.address, *options, tmp_path / "sent") as store:
            running.wait_until(lambda: stored(running) >= 2, "two instances")
            result = store.stop(how=signal.SIGINT)
        aborted = wait_for_event(running, "association-aborted")
    assert failure(result) == Failure(130, "interrupted", "us")
    document = result.json()
    assert 1 <= document["sent"] < len(sent)
    assert document["sent"] + len(document["failed"]) == len(sent)
    assert aborted["evidence"]["source"] == 0, aborted
    kept = {path.stem for path in stored_files(tmp_path / "kept")}
    answered = {instance.sop_instance_uid for instance in sent} - {
        item["sop_instance_uid"] for item in document["failed"]
    }
    assert answered <= kept


def stored(running: Running) -> int:
    """How many instances a `serve -v` has stored so far."""
    return sum(event["event"] == "stored" for event in events(running))


def test_ctrl_c_in_the_middle_of_an_instance_leaves_nothing_of_it(pki: PKI, tmp_path: Path) -> None:
    """One large instance on its way: exit 130, and the receiver keeps no part of it."""
    large = make_instance(tmp_path / "large.dcm", pixel_bytes=2 * GIGABYTE, sparse=True)
    kept = tmp_path / "kept"
    with serving_with_events(kept, *server_options(pki)) as running:
        options = (*client_options(pki, pki.client), "--json")
        with started_dicomtls("store", running.address, *options, large.path) as store:
            store.wait_until(lambda: incoming_bytes(kept) > 1 << 20, "bytes on their way")
            result = store.stop(how=signal.SIGINT)
        aborted = wait_for_event(running, "association-aborted")
        running.wait_until(lambda: incoming_bytes(kept) == 0, "end of the temporary file")
    assert failure(result) == Failure(130, "interrupted", "us")
    assert (aborted["code"], aborted["by"], aborted["evidence"]["source"]) == ("association-aborted", "peer", 0)
    assert stored_files(kept) == []


def incoming_bytes(directory: Path) -> int:
    """How much is on its way below a storage folder."""
    total = 0
    for path in directory.glob(".dicomtls-incoming-*/*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # gone between the two looks
            continue
    return total


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_instance_of_three_gigabytes_arrives(pki: PKI, tmp_path: Path) -> None:
    """Past every 32-bit limit, at the memory of a small one on both sides."""
    large = make_instance(tmp_path / "large.dcm", pixel_bytes=3 * GIGABYTE, sparse=True)
    kept = tmp_path / "kept"
    with serving_with_events(kept, *server_options(pki)) as running:
        options = (*client_options(pki, pki.client), "--json")
        with started_dicomtls("store", running.address, *options, large.path) as store:
            store.wait_until(lambda: incoming_bytes(kept) > GIGABYTE, "half of it", 120)
            peaks = [peak_memory(process.process.pid) for process in (store, running)]
            result = store.stop_by_itself(timeout=150)
    [path] = stored_files(kept)
    assert (result.exit_status, result.json()["sent"]) == (0, 1)
    assert path.stat().st_size - large.path.stat().st_size < 4096
    assert max(peaks) < 80 << 20


def peak_memory(pid: int) -> int:
    """The most bytes that a process has had in memory at once."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])
