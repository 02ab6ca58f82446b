"""`dicomtls store`, as users run it."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import evt
from pynetdicom.events import Event

from dicomtls.cli.output import Output
from dicomtls.cli.store import _send
from dicomtls.errors import Interrupted
from dicomtls.peer import Peer
from dicomtls.scu import AssociationSettings, Attempt
from dicomtls.scu.attempt import Requestor
from dicomtls.scu.instances import find_instances
from dicomtls.scu.ledger import InstanceReport
from dicomtls.scu.store import StoreOptions
from tests.support.cli import (
    Result,
    dicomtls_command,
    dicomtls_environment,
    run_dicomtls,
    serving,
    started_dicomtls,
)
from tests.support.instances import make_instance, make_instances
from tests.support.peers import pynetdicom_scp, raw_server
from tests.support.pki import PKI, server_context

SMALL = 1000
LINE = re.compile(
    r"3 stored, \d\.\d kB in \d+\.\d\d s, TLSv1\.3, TLS_\w+, \w+, peer localhost, verified,"
    r" \d+ days left\n"
)
PRIVATE_SOP_CLASS = "1.2.826.0.1.3680043.2.1143.99.1"


def client_options(pki: PKI) -> tuple[str | Path, ...]:
    """What a client needs to be let in by a peer of the test PKI."""
    return ("--ca", pki.ca, "--cert", pki.client.cert, "--key", pki.client.key)


def store(address: str, *args: str | Path | int, **settings: Any) -> Result:
    """Run store in clear: what is tested here is not about TLS."""
    return run_dicomtls("store", address, "--no-tls", *args, **settings)


def answer(statuses: Callable[[str], int]) -> list[object]:
    """A handler that answers each C-STORE with the status for its SOP Instance UID."""

    def handle(event: Event) -> int:
        request: Any = event.request
        return statuses(str(request.AffectedSOPInstanceUID))

    return [(evt.EVT_C_STORE, handle)]


def test_folder_arrives_and_one_line_says_so(pki: PKI, tmp_path: Path) -> None:
    """Every instance below a folder, byte for byte; how many, how much, how fast, over what kind of TLS."""
    folder = tmp_path / "study"
    sent = [*make_instances(folder / "a", 2, pixel_bytes=SMALL), make_instance(folder / "b/c/d", pixel_bytes=SMALL)]
    with pynetdicom_scp(server_context(pki)) as scp:
        result = run_dicomtls("store", f"localhost:{scp.port}", folder, *client_options(pki))
    assert LINE.fullmatch(result.stdout), result.stdout
    assert (result.stderr, result.exit_status) == ("", 0)
    received = {stored.sop_instance_uid: stored for stored in scp.stored}
    assert set(received) == {instance.sop_instance_uid for instance in sent}
    for instance in sent:
        assert instance.path.read_bytes().endswith(received[instance.sop_instance_uid].dataset)
        assert received[instance.sop_instance_uid].transfer_syntax == instance.transfer_syntax


def test_own_certificate_that_ends_soon_is_a_warning(pki: PKI, tmp_path: Path) -> None:
    """Beside the peer's; everything is stored all the same."""
    make_instances(tmp_path, 1, pixel_bytes=SMALL)
    options = ("--ca", pki.ca, "--cert", pki.expiring.cert, "--key", pki.expiring.key)
    with pynetdicom_scp(server_context(pki, pki.expiring)) as scp:
        result = run_dicomtls("store", scp.address, tmp_path, *options)
        calm = run_dicomtls("store", scp.address, tmp_path, *options, "--warn-days", "0")
    days = r"certificate has \d+ days left\n"
    assert re.fullmatch(rf"dicomtls: warning: the peer's {days}dicomtls: warning: our {days}", result.stderr)
    assert (result.exit_status, calm.exit_status, calm.stderr) == (0, 0, "")


def test_document_says_what_was_sent_and_what_was_skipped(pki: PKI, tmp_path: Path) -> None:
    """The keys of the contract beside those that all commands share; a file that is no DICOM fails nothing."""
    make_instances(tmp_path / "study", 2, pixel_bytes=SMALL)
    readme = tmp_path / "study/README"
    readme.write_text("not DICOM")
    with pynetdicom_scp(server_context(pki)) as scp:
        result = run_dicomtls("store", f"PACS@{scp.address}", tmp_path / "study", *client_options(pki), "--json")
    written = result.json()
    assert list(written) == [
        *("command", "ok", "version", "peer", "tls", "timing_ms", "sent", "failed", "skipped", "bytes", "seconds"),
        "error",
    ]
    assert (written["command"], written["ok"], written["sent"], written["failed"]) == ("store", True, 2, [])
    assert [skipped["path"] for skipped in written["skipped"]] == [str(readme)]
    assert written["bytes"] == sum(len(stored.dataset) for stored in scp.stored)
    assert written["seconds"] >= 0
    assert (written["peer"]["called_aet"], written["tls"]["client_certificate"]) == ("PACS", "sent")
    assert f"dicomtls: warning: skipped {readme}: " in result.stderr
    assert result.exit_status == 0


def test_refused_instances_are_exit_1_and_named(tmp_path: Path) -> None:
    """The others are stored; each refusal is named with its status, in the document too."""
    first, second = make_instances(tmp_path / "study", 2, pixel_bytes=SMALL)
    with pynetdicom_scp(handlers=answer(lambda uid: 0xA700 if uid == second.sop_instance_uid else 0)) as scp:
        result = store(scp.address, first.path, second.path)
        written = store(scp.address, first.path, second.path, "--json").json()
    assert result.exit_status == 1
    assert result.stdout.startswith("1 stored, 1 not stored, ")
    assert f"dicomtls: warning: not stored: {second.path}: refused: out of resources (0xA700)\n" in result.stderr
    assert "dicomtls: error: 1 of 2 instances was not stored\n" in result.stderr
    assert (written["ok"], written["sent"], written["error"]["code"]) == (False, 1, "status-failure")
    assert written["failed"] == [
        {
            "path": str(second.path),
            "sop_instance_uid": second.sop_instance_uid,
            "status": "0xA700",
            "status_meaning": "refused: out of resources",
        }
    ]


def test_warning_status_is_a_success_that_is_named(tmp_path: Path) -> None:
    """The peer has the instance, though it changed something."""
    instance = make_instance(tmp_path / "a.dcm", pixel_bytes=SMALL)
    with pynetdicom_scp(handlers=answer(lambda _: 0xB000)) as scp:
        result = store(scp.address, instance.path)
    assert result.exit_status == 0
    assert result.stdout.startswith("1 stored, 1 with a warning, ")
    assert re.search(rf"warning: stored with a warning: {re.escape(str(instance.path))}: .*\(0xB000\)\n", result.stderr)


def cut_short(path: Path) -> Path:
    """A DICOM file that ends in the middle of its file meta information."""
    whole = make_instance(path, pixel_bytes=SMALL).path
    whole.write_bytes(whole.read_bytes()[:200])
    return whole


def test_heaviest_failure_decides_the_exit_status(tmp_path: Path) -> None:
    """A refusal is 1, a file that cannot be read is 2, a SOP class that nobody accepts is 5; all are named."""
    refused = make_instance(tmp_path / "refused.dcm", pixel_bytes=SMALL).path
    broken = cut_short(tmp_path / "broken.dcm")
    unknown = make_instance(tmp_path / "unknown.dcm", pixel_bytes=SMALL, sop_class_uid=PRIVATE_SOP_CLASS).path
    with pynetdicom_scp(handlers=answer(lambda _: 0x0110)) as scp:
        two = store(scp.address, refused, broken, "--json")
        five = store(scp.address, refused, broken, unknown, "--json")
    assert (two.exit_status, two.json()["error"]["code"]) == (2, "unreadable-file")
    assert (five.exit_status, five.json()["error"]["code"]) == (5, "no-presentation-context")
    assert {failed["path"] for failed in five.json()["failed"]} == {str(refused), str(broken), str(unknown)}
    assert five.json()["error"]["message"] == "3 of 3 instances were not stored"
    assert "--transcode may help" in five.json()["error"]["hints"]
    for path in (refused, broken, unknown):
        assert f"not stored: {path}: " in five.stderr


def test_peer_that_cannot_be_reached_is_exit_3_with_every_instance_in_failed(tmp_path: Path) -> None:
    """Nobody listens: the error is the network's, and the document still says what was not sent."""
    made = make_instances(tmp_path / "study", 3, pixel_bytes=SMALL)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = store(f"127.0.0.1:{port}", tmp_path / "study", "--json")
    written = result.json()
    assert (result.exit_status, written["error"]["code"], written["sent"]) == (3, "connection-refused", 0)
    assert [failed["sop_instance_uid"] for failed in written["failed"]] == [one.sop_instance_uid for one in made]
    assert all(failed["status"] is None for failed in written["failed"])
    assert "not stored" not in result.stderr
    assert store(f"127.0.0.1:{port}", tmp_path / "study").stdout == "0 stored, 3 not stored\n"


def test_certificate_that_we_do_not_trust_is_exit_4(pki: PKI, tmp_path: Path) -> None:
    """Nothing is sent to a peer that is not who it should be."""
    make_instance(tmp_path / "study/a.dcm", pixel_bytes=SMALL)
    with pynetdicom_scp(server_context(pki)) as scp:
        result = run_dicomtls("store", scp.address, tmp_path / "study", "--ca", pki.other_ca, "--json")
    assert (result.exit_status, result.json()["error"]["code"]) == (4, "unknown-issuer")
    assert [failed["status_meaning"] for failed in result.json()["failed"]] == [result.json()["error"]["message"]]
    assert scp.stored == []


def test_paths_come_from_standard_input_and_from_a_file(tmp_path: Path) -> None:
    """One path a line, beside those of the command line; empty lines mean nothing."""
    first, second, third = make_instances(tmp_path / "study", 3, pixel_bytes=SMALL)
    listed = tmp_path / "list"
    listed.write_text(f"{third.path}\n")
    with pynetdicom_scp() as scp:
        piped = store(scp.address, first.path, "--files-from", "-", "--json", stdin=f"{second.path}\n\n")
        read = store(scp.address, "--files-from", listed, "--json")
    assert (piped.json()["sent"], read.json()["sent"]) == (2, 1)
    assert [stored.sop_instance_uid for stored in scp.stored] == [
        one.sop_instance_uid for one in (first, second, third)
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to send: no path is given"),
        (("--files-from", "-"), "nothing to send: the standard input lists no path"),
        (("--files-from", "nix"), "cannot read the list of paths from nix: no such file or directory"),
        (("nix.dcm",), "there is no file or folder nix.dcm"),
        (("empty",), "there is no DICOM file to send"),
        (("empty", "--report", "nix/report"), "the report cannot be written to nix/report: there is no such folder"),
        (("empty", "--report", "empty"), "the report cannot be written to empty: it is a folder"),
    ],
)
def test_mistake_is_exit_2_before_anybody_is_connected_to(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """What the user must mend is found first, and the document has the command's keys all the same."""
    (tmp_path / "empty").mkdir()
    result = store("192.0.2.1", *arguments, "--json", cwd=tmp_path)
    written = result.json()
    assert (result.exit_status, written["error"]["message"]) == (2, message)
    assert (written["sent"], written["failed"], written["skipped"]) == (0, [], [])


def test_port_behind_a_blank_is_taken_for_one(tmp_path: Path) -> None:
    """As those write it who come from storescu."""
    result = store("192.0.2.1", "104", "a.dcm", cwd=tmp_path)
    assert (result.exit_status, "a port is written behind its host: HOST:104" in result.stderr) == (2, True)


def test_report_has_a_row_for_each_file(tmp_path: Path) -> None:
    """Stored, refused, unreadable and skipped ones; an old report is replaced."""
    folder, report = tmp_path / "study", tmp_path / "report"
    first, second = make_instances(folder, 2, pixel_bytes=SMALL)
    broken = cut_short(folder / "broken.dcm")
    (folder / "README").write_text("not DICOM")
    report.write_text("old")
    with pynetdicom_scp(handlers=answer(lambda uid: 0xC000 if uid == second.sop_instance_uid else 0)) as scp:
        result = store(scp.address, folder, "--report", report)
    rows = {Path(row["path"]).name: row for row in map(json.loads, report.read_text().splitlines())}
    assert result.exit_status == 2
    assert rows["00000.dcm"] == {
        "path": str(first.path),
        "sop_class_uid": first.sop_class_uid,
        "sop_instance_uid": first.sop_instance_uid,
        "transfer_syntax": first.transfer_syntax,
        "status": "0x0000",
        "status_meaning": "success",
    }
    assert rows["00001.dcm"]["status"] == "0xC000"
    assert rows[broken.name]["status"] is None
    assert "DICOM" in rows["README"]["skipped"]


def test_dry_run_says_what_would_be_sent_and_connects_to_nobody(tmp_path: Path) -> None:
    """How much, under which presentation contexts, over how many associations."""
    make_instances(tmp_path / "study", 2, pixel_bytes=SMALL)
    with raw_server(lambda _: None) as peer:
        result = store(peer.address, tmp_path / "study", "--dry-run")
        written = store(peer.address, tmp_path / "study", "--dry-run", "--json").json()
        assert peer.connections == 0
    assert result.stdout.splitlines() == [
        "would send 2 instances, 2.9 kB",
        "1 presentation context, at least 1 association",
        "       2 CT Image Storage (1.2.840.10008.5.1.4.1.1.2), Explicit VR Little Endian (1.2.840.10008.1.2.1)",
    ]
    assert (result.exit_status, written["ok"], written["sent"]) == (0, True, 0)
    assert (written["would_send"]["instances"], written["would_send"]["associations"]) == (2, 1)


def test_dry_run_is_exit_2_where_a_file_cannot_be_read(tmp_path: Path) -> None:
    """The run that follows would not store everything either."""
    make_instance(tmp_path / "study/a.dcm", pixel_bytes=SMALL)
    broken = cut_short(tmp_path / "study/b.dcm")
    result = store("192.0.2.1", tmp_path / "study", "--dry-run")
    assert result.exit_status == 2
    assert f"not stored: {broken}: " in result.stderr
    assert "error: 1 file cannot be read as DICOM, and would not be stored\n" in result.stderr


def test_several_associations_share_the_work(tmp_path: Path) -> None:
    """`--associations` opens that many at once, and nothing is lost or sent twice."""
    make_instances(tmp_path / "study", 12, pixel_bytes=SMALL)
    with serving(tmp_path / "in", "--no-tls", "--delay", "0.05") as server:
        result = store(server.address, tmp_path / "study", "--associations", 3, "--max-ops", 1, "--json")
        log = server.log()
    assert (result.exit_status, result.json()["sent"]) == (0, 12)
    assert log.count("association accepted") == 3
    assert len(list((tmp_path / "in").rglob("*.dcm"))) == 12


def test_every_pdu_is_logged_with_two_v(tmp_path: Path) -> None:
    """Direction, type and length, on stderr; once is not enough for that."""
    instance = make_instance(tmp_path / "a.dcm", pixel_bytes=SMALL)
    with pynetdicom_scp() as scp:
        result = store(scp.address, instance.path, "-vv")
        less = store(scp.address, instance.path, "-v")
    pdus = re.findall(r"dicomtls: info: (sent|received) ([\w-]+), (\d+) bytes\n", result.stderr)
    assert [(direction, name) for direction, name, _ in pdus] == [
        ("sent", "A-ASSOCIATE-RQ"),
        ("received", "A-ASSOCIATE-AC"),
        ("sent", "P-DATA-TF"),
        ("sent", "P-DATA-TF"),
        ("received", "P-DATA-TF"),
        ("sent", "A-RELEASE-RQ"),
        ("received", "A-RELEASE-RP"),
    ]
    assert int(pdus[3][2]) == len(scp.stored[0].dataset) + 6
    assert "P-DATA-TF" not in less.stderr


def test_ctrl_c_aborts_and_the_document_says_how_far_it_came(tmp_path: Path) -> None:
    """Exit 130, one document on stdout, an A-ABORT for the peer, no traceback."""
    made = make_instances(tmp_path / "study", 4, pixel_bytes=SMALL)
    with serving(tmp_path / "in", "--no-tls", "--delay", "0.3", "-v") as server:
        arguments = ("store", server.address, "--no-tls", tmp_path / "study", "--max-ops", 1, "--json")
        with started_dicomtls(*arguments) as running:
            server.wait_for_log(f"instance {made[1].sop_instance_uid} stored")
            result = running.stop(how=signal.SIGINT)
        server.wait_for_log("aborted by the peer")
    written = result.json()
    assert (result.exit_status, written["ok"], written["error"]["code"]) == (130, False, "interrupted")
    assert 1 <= written["sent"] < 4
    assert written["sent"] + len(written["failed"]) == 4
    assert "Traceback" not in result.stderr


def test_second_ctrl_c_still_tells_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not want to wait for the farewell gets the account all the same."""
    stored, warned, refused, left = make_instances(tmp_path / "study", 4, pixel_bytes=SMALL)
    found = find_instances([str(tmp_path / "study")])

    def send(*_args: object, observer: Any, **_settings: object) -> None:
        observer.done(found.instances[0], None)
        observer.done(found.instances[1], InstanceReport(str(warned.path), None, 0xB000, "coerced"))
        observer.done(found.instances[2], InstanceReport(str(refused.path), None, 0xA700, "no room"))
        raise KeyboardInterrupt

    monkeypatch.setattr("dicomtls.scu.store.store", send)
    peer = Peer("192.0.2.1", 104)
    requestor = Requestor(peer, None, AssociationSettings())
    result = _send(Output("store"), requestor, found, StoreOptions(), Attempt(peer, "WS1"))
    assert (result.sent, len(result.warnings)) == (2, 1)
    assert result.bytes == sum(instance.size - instance.offset for instance in found.instances[:2])
    assert [report.path for report in result.failed] == [str(refused.path), str(left.path)]
    assert isinstance(result.error, Interrupted)
    assert stored.sop_instance_uid == found.instances[0].sop_instance_uid


def run_on_terminal(*args: str | Path | int) -> str:
    """What a run of dicomtls draws on a terminal that is its stderr."""
    master, terminal = pty.openpty()
    with subprocess.Popen(
        dicomtls_command(*args),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env=dicomtls_environment({"TERM": "xterm", "COLUMNS": "100"}),
        cwd=os.environ["HOME"],
    ) as process:
        os.close(terminal)
        drawn = bytearray()
        with suppress(OSError):  # EIO: the other side is closed
            while part := os.read(master, 65536):
                drawn += part
        os.close(master)
    assert process.returncode == 0
    return drawn.decode()


def test_progress_is_drawn_on_a_terminal(tmp_path: Path) -> None:
    """A transfer longer than half a second shows instances and bytes, and cleans up behind itself."""
    make_instances(tmp_path / "study", 4, pixel_bytes=SMALL)
    with serving(tmp_path / "in", "--no-tls", "--delay", "0.2") as server:
        drawn = run_on_terminal("store", server.address, "--no-tls", tmp_path / "study", "--max-ops", 1)
    assert re.search(r"[34]/4", drawn)
    assert "kB" in drawn
    assert drawn.endswith("\x1b[2K")
