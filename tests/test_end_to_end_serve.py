"""`dicomtls serve` from the shell to the wire: what it says, full disks, and every way to end it."""

import os
import random
import re
import resource
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dicomtls.association.association import Association
from dicomtls.association.dimse import encode_command
from dicomtls.association.outbox import pack
from dicomtls.errors import AssociationError, NetworkError
from dicomtls.peer import Peer
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from tests.support.cli import Result, Running, run_dicomtls, serving, started_dicomtls
from tests.support.documents import STATUS
from tests.support.exchange import (
    SMALL_PIXELS,
    assert_whole,
    client_options,
    events,
    read_contents,
    server_options,
    serving_with_events,
    wait_for_event,
)
from tests.support.instances import Instance, make_instances, new_uid
from tests.support.messages import data
from tests.support.peers import dcmtk_tls_options, run_dcmtk
from tests.support.pki import PKI
from tests.support.processes import LOOPBACK
from tests.support.servers import (
    CT,
    CT_CONTEXT,
    ECHO_CONTEXT,
    all_files,
    client_tls,
    context_of,
    put_store,
    store_request,
    stored_files,
)

SUCCESS, OUT_OF_RESOURCES = 0x0000, 0xA700
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
KEYS = {"time", "event", "severity", "peer", "association", "message"}


@contextmanager
def associated(running: Running, pki: PKI | None) -> Iterator[Association]:
    """An association of our own library for CT and Verification; aborted at the end unless it was released."""
    requestor = Requestor(Peer(running.host, running.port), client_tls(pki) if pki else None, AssociationSettings())
    association = requestor.associate(requestor.attempt(), [CT_CONTEXT, ECHO_CONTEXT])
    try:
        yield association
    finally:
        association.abort()


def dataset(size: int) -> bytes:
    """Some pixels and nothing else; what `serve` knows of an instance comes from the command."""
    return b"\xe0\x7f\x10\x00" + size.to_bytes(4, "little") + random.randbytes(size)


# What it says


def test_log_has_a_line_for_each_event(pki: PKI, tmp_path: Path) -> None:
    """Time, number, address and AE title, then what happened; on stdout nothing but where it listens."""
    [sent] = make_instances(tmp_path / "sent", pixel_bytes=SMALL_PIXELS)
    with serving(tmp_path / "kept", *server_options(pki), "-v") as running:
        run_dicomtls("store", running.address, *client_options(pki, pki.client), sent.path)
        run_dicomtls("echo", running.address, *client_options(pki, None))
        running.wait_for_log("#2")
        result = running.stop()
    who = rf"{TIME} #1 127\.0\.0\.1:\d+ DICOMTLS: "
    [kept] = stored_files(tmp_path / "kept")
    expected = [
        r"dicomtls: info: profile: BCP 195 .*",
        rf"{TIME} #1 127\.0\.0\.1:\d+: tls: TLSv1\.3, .*, CN=client, issued by CN=dicomtls test CA \(\d+\.\d ms\)",
        who + r"association accepted, TLSv1\.3, client CN=client",
        who + rf"instance {re.escape(sent.sop_instance_uid)} stored: {re.escape(str(kept))}",
        who + r"released, 1 instances? stored \(\d+\.\d [kM]B\) in \d+\.\d\d s",
        (
            rf"{TIME} #2 127\.0\.0\.1:\d+: warning: the client sent no certificate, and we require one "
            r"\[client-certificate-required by us\]; hint: the device must be given a certificate, .*"
        ),
        rf"{TIME} stopped",
    ]
    lines = result.stderr.splitlines()
    assert len(lines) == len(expected), result.stderr
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line
    assert (result.stdout, result.exit_status) == (f"listening on {running.address}\n", 0)


def test_every_event_is_an_object_on_stdout_with_json(pki: PKI, tmp_path: Path) -> None:
    """One a line, from the first that says where it listens to the last; failures with code, stage and by."""
    sent = make_instances(tmp_path / "sent", 2, pixel_bytes=SMALL_PIXELS)
    with serving(tmp_path / "kept", *server_options(pki), "--json") as running:
        run_dicomtls("store", running.address, *client_options(pki, pki.client), sent[0].path.parent)
        run_dicomtls("echo", running.address, *client_options(pki, None))
        running.wait_for_log("#2")
        result = running.stop()
    documents = result.json_lines()
    assert [document["event"] for document in documents] == [
        "listening",
        "handshake-done",
        "association-accepted",
        "stored",
        "stored",
        "association-released",
        "handshake-failed",
        "stopped",
    ]
    assert all(set(document) >= KEYS for document in documents)
    by_name: dict[str, dict[str, Any]] = {document["event"]: document for document in documents}
    assert f"{by_name['listening']['host']}:{by_name['listening']['port']}" == running.address
    released = by_name["association-released"]
    assert (released["stored"], released["refused"], released["echoed"]) == (2, 0, 0)
    assert released["bytes"] == sum(path.stat().st_size for path in stored_files(tmp_path / "kept")) - meta_bytes(
        tmp_path / "kept"
    )
    failed = by_name["handshake-failed"]
    assert (failed["code"], failed["stage"], failed["by"]) == ("client-certificate-required", "tls", "us")


def meta_bytes(directory: Path) -> int:
    """How much of the files below a folder is file meta information."""
    return sum(path.stat().st_size - len(read_contents(path).dataset) for path in stored_files(directory))


# Exit statuses


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_exit_0_is_a_server_that_was_asked_to_stop(pki: PKI, tmp_path: Path, how: signal.Signals) -> None:
    """By either signal, with nothing left behind but what was stored."""
    with serving(tmp_path / "kept", *server_options(pki)) as running:
        result = running.stop(how=how)
    assert result.exit_status == 0
    assert all_files(tmp_path / "kept") == []


MISTAKES: dict[str, tuple[Callable[[PKI], tuple[str | Path, ...]], str]] = {
    "nobody to trust": (lambda pki: ("--cert", pki.server.cert, "--key", pki.server.key), "configuration"),
    "key of another": (
        lambda pki: ("--ca", pki.ca, "--cert", pki.server.cert, "--key", pki.client.key),
        "key-mismatch",
    ),
    "no certificate": (lambda pki: ("--ca", pki.ca, "--cert", pki.server.key), "not-a-certificate"),
    "encrypted key": (
        lambda pki: ("--ca", pki.ca, "--cert", pki.server.cert, "--key", pki.server.encrypted_key),
        "passphrase-needed",
    ),
    "layout": (lambda pki: (*server_options(pki), "--layout", "../{SOPInstanceUID}.dcm"), "configuration"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_exit_2_is_a_mistake_of_the_command_line(pki: PKI, tmp_path: Path, name: str) -> None:
    """Found before it listens; the document names it, with a hint."""
    options, code = MISTAKES[name]
    result = run_dicomtls("serve", "--listen", "127.0.0.1:0", "--directory", tmp_path, "--json", *options(pki))
    error = result.json()["error"]
    assert (result.exit_status, error["code"], error["by"], error["stage"]) == (2, code, "us", "local")
    assert error["hints"]


def test_exit_6_is_a_port_that_is_taken(pki: PKI, tmp_path: Path) -> None:
    """By another program; the hint leads to `--listen`."""
    with socket.create_server((LOOPBACK, 0)) as other:
        listen = ("--listen", f"{LOOPBACK}:{other.getsockname()[1]}")
        result = run_dicomtls("serve", *listen, "--directory", tmp_path, "--json", *server_options(pki))
    error = result.json()["error"]
    assert (result.exit_status, error["code"], error["by"]) == (6, "port-in-use", "us")
    assert "--listen" in error["hints"][0]


# Senders that die


def test_sender_that_is_killed_in_the_middle_leaves_nothing(pki: PKI, tmp_path: Path) -> None:
    """No goodbye of any kind: one line, and neither a file nor a part of one."""
    large = make_instances(tmp_path / "sent", 20, pixel_bytes=8 << 20)
    with serving_with_events(tmp_path / "kept", *server_options(pki), "-v") as running:
        options = (*client_options(pki, pki.client), large[0].path.parent)
        with started_dicomtls("store", running.address, *options) as store:
            wait_for_event(running, "stored")
            store.process.kill()
            store.process.wait(20)
        aborted = wait_for_event(running, "association-aborted")
        stored = [event for event in events(running) if event["event"] == "stored"]
        kept = all_files(tmp_path / "kept")
    assert (aborted["code"], aborted["by"]) == ("association-aborted", "peer")
    assert len(kept) == len(stored)
    assert_whole(kept, large)


# Wrong on purpose


def storescu(pki: PKI, running: Running, *paths: Path) -> subprocess.CompletedProcess[str]:
    """DCMTK's sender; its `-nh` goes on after a failure status."""
    options = dcmtk_tls_options(pki, pki.client)
    return run_dcmtk("storescu", "-v", "-nh", *options, running.host, running.port, *paths)


@pytest.mark.parametrize(
    ("options", "said", "event", "kept"),
    [
        (("--refuse",), "Association Rejected", "association-rejected", 0),
        (("--status", "0xA700"), "Refused: OutOfResources", "store-failed", 0),
        (("--status", "0xB000"), "Warning: CoercionOfDataElements", "store-failed", 0),
        (("--abort-after", "2"), "Peer aborted Association", "association-aborted", 2),
    ],
    ids=["refuse", "failure", "warning", "abort"],
)
def test_stock_sender_meets_the_fault_that_was_asked_for(
    pki: PKI, tmp_path: Path, options: tuple[str, ...], said: str, event: str, kept: int
) -> None:
    """What DCMTK makes of it shows that the fault is on the wire as it should be."""
    sent = make_instances(tmp_path / "sent", 3, pixel_bytes=SMALL_PIXELS)
    with serving_with_events(tmp_path / "kept", *server_options(pki), *options) as running:
        done = storescu(pki, running, *[instance.path for instance in sent])
        told = wait_for_event(running, event)
    assert said in done.stdout + done.stderr
    assert told["severity"] == "warning"
    assert STATUS.fullmatch(told.get("status", "0x0000"))
    assert len(stored_files(tmp_path / "kept")) == kept


# Disks that fill up, folders that are in the way


@contextmanager
def cramped(directory: Path, size: int) -> Iterator[bool]:
    """A folder with room for `size` bytes; False where no disk can be mounted, so that files must be limited."""
    directory.mkdir()
    mount: list[str | Path] = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory]
    is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", directory], check=True)


@pytest.mark.parametrize("limit", ["disk", "file size"])
def test_disk_that_fills_up_is_a_status_and_the_association_goes_on(pki: PKI, tmp_path: Path, limit: str) -> None:
    """What fits is kept, what does not is refused, what fits after that is kept; no part of a file remains."""
    kept, half_a_megabyte = tmp_path / "kept", 1 << 19
    with cramped(kept, 1 << 20) as is_disk, serving_with_events(kept, *server_options(pki)) as running:
        if limit == "file size" or not is_disk:
            resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        with associated(running, pki) as association:
            sizes = (half_a_megabyte, 2 << 20, 1000, 3 << 20, 2000)
            statuses = [put_store(association, new_uid(), dataset(size)).status for size in sizes]
            association.release()
        failed = wait_for_event(running, "store-failed")
        released = wait_for_event(running, "association-released")
        files = all_files(kept)
    assert statuses == [SUCCESS, OUT_OF_RESOURCES, SUCCESS, OUT_OF_RESOURCES, SUCCESS]
    assert (failed["status"], failed["severity"]) == ("0xA700", "warning")
    assert (released["stored"], released["refused"]) == (3, 2)
    assert len(files) == 3
    assert {path.suffix for path in files} == {".dcm"}


def test_folder_in_the_way_is_a_status_and_the_association_goes_on(pki: PKI, tmp_path: Path) -> None:
    """A file stands where an instance's folder should be; whoever runs the test, that cannot be written into."""
    kept = tmp_path / "kept"
    with serving_with_events(kept, *server_options(pki), "--layout", "{SOPClassUID}/{SOPInstanceUID}.dcm") as running:
        (kept / CT).write_text("in the way\n")
        with associated(running, pki) as association:
            first = put_store(association, new_uid(), dataset(1000))
            (kept / CT).unlink()
            second = put_store(association, new_uid(), dataset(1000))
            association.release()
        failed = wait_for_event(running, "store-failed")
    assert (first.status, second.status) == (OUT_OF_RESOURCES, SUCCESS)
    # Our paths are for our own log.
    assert str(kept) not in (first.error_comment or "")
    assert str(kept) in failed["reason"]
    assert len(all_files(kept)) == 1


# The end of a server


def test_running_association_finishes_after_the_signal_and_nobody_else_is_let_in(pki: PKI, tmp_path: Path) -> None:
    """SIGTERM while an instance is on its way: that one and the next are stored, then it ends with 0."""
    kept = tmp_path / "kept"
    uids = [new_uid() for _ in range(3)]
    with serving_with_events(kept, *server_options(pki)) as running, associated(running, pki) as association:
        put_store(association, uids[0], dataset(1000))
        running.process.send_signal(signal.SIGTERM)
        running.wait_until(lambda: not running.listens_on(running.port), "end of listening")
        with pytest.raises(NetworkError), associated(running, pki):
            pass
        statuses = [put_store(association, uid, dataset(100_000)).status for uid in uids[1:]]
        association.release()
        result = running.stop_by_itself()
    assert statuses == [SUCCESS, SUCCESS]
    assert result.exit_status == 0
    assert sorted(path.stem for path in all_files(kept)) == sorted(uids)


@pytest.mark.parametrize("ending", ["grace", "second signal"])
def test_association_that_does_not_finish_is_aborted(pki: PKI, tmp_path: Path, ending: str) -> None:
    """When `--grace` is over, or by a second signal: an A-ABORT, exit 0, and nothing half written."""
    kept = tmp_path / "kept"
    grace = "0.2" if ending == "grace" else "60"
    with serving_with_events(kept, *server_options(pki), "--grace", grace) as running:
        with associated(running, pki) as association:
            association.write(unfinished_store(association))
            running.wait_until(lambda: bool(all_files(kept)), "temporary file")
            running.process.send_signal(signal.SIGINT)
            if ending == "second signal":
                running.wait_until(lambda: not running.listens_on(running.port), "end of listening")
                running.process.send_signal(signal.SIGINT)
            with pytest.raises(AssociationError) as caught:
                association.receive(20)
            result = running.stop_by_itself()
        aborted = wait_for_event(running, "association-aborted")
    assert caught.value.evidence["source"] is not None
    assert aborted["severity"] == "warning"
    assert (result.exit_status, all_files(kept)) == (0, [])


def unfinished_store(association: Association) -> bytes:
    """A C-STORE-RQ, and a fragment of its dataset that is not the last one."""
    context_id = context_of(association)
    command = pack(context_id, encode_command(store_request(new_uid())), is_command=True, fragment=16384)
    return command + data(context_id, bytes(10_000), is_last=False)


def answered(result: Result, sent: Sequence[Instance]) -> set[str]:
    """The instances of a `store --json` that were answered with success."""
    document = result.json()
    uids = {instance.sop_instance_uid for instance in sent}
    done = uids - {item["sop_instance_uid"] for item in document["failed"]}
    assert len(done) == document["sent"]
    return done


def kill_in_the_middle(pki: PKI, kept: Path, sent: Sequence[Instance]) -> set[str]:
    """Kill a server while it receives; returns the instances that it had answered with success."""
    already = len(stored_files(kept))
    until = already + random.randrange(1, len(sent) // 2)
    with serving(kept, *server_options(pki)) as running:
        options = (*client_options(pki, pki.client), "--json", sent[0].path.parent)
        with started_dicomtls("store", running.address, *options) as store:
            store.wait_until(lambda: len(stored_files(kept)) >= until, "stored instances")
            os.kill(running.process.pid, signal.SIGKILL)
            result = store.stop_by_itself()
    assert result.exit_status in (0, 4, 5), result.stderr
    return answered(result, sent)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("times", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_success_means_a_whole_file_even_when_the_server_is_killed(pki: PKI, tmp_path: Path, times: int) -> None:
    """SIGKILL at any moment: what was answered is there and whole, and whatever has a final name is whole."""
    kept = tmp_path / "kept"
    for number in range(times):
        sent = make_instances(tmp_path / f"sent{number}", 60, pixel_bytes=128 * 1024)
        done = kill_in_the_middle(pki, kept, sent)
        of_these = {instance.sop_instance_uid for instance in sent}
        files = [path for path in stored_files(kept) if path.stem in of_these]
        assert done <= {path.stem for path in files}
        assert_whole(files, sent)
    with serving(kept, *server_options(pki)):
        left = [path.name for path in all_files(kept) if path.suffix != ".dcm"]
    assert left == [], "what the killed servers left was not cleared"
