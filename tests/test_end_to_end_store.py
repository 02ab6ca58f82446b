"""`dicomtls store` from the shell to the wire: its documents, its exit statuses, broken files and broken peers."""

import json
import re
from pathlib import Path

import pytest

from tests.support.cli import run_dicomtls, serving
from tests.support.documents import assert_document
from tests.support.exchange import (
    SMALL_PIXELS,
    Failure,
    assert_kept,
    client_options,
    failure,
    read_contents,
    run_json,
    server_options,
    serving_with_events,
    small_instances,
    wait_for_event,
)
from tests.support.instances import make_instance
from tests.support.peers import dcmtk_storescp
from tests.support.pki import PKI
from tests.support.servers import stored_files

LINE = re.compile(
    r"(?P<stored>\d+) stored(, (?P<failed>\d+) not stored)?(, \d+\.\d [kM]B in \d+\.\d\d s( \(\d+ MB/s\))?)?, TLSv1\.3,"
    r" TLS_\w+, \w+, peer localhost, verified, \d+ days left\n"
)


# The shape of what it says


def test_document_of_a_success_has_every_key_of_the_contract(pki: PKI, tmp_path: Path) -> None:
    """Counted in instances and in bytes of datasets; what is no DICOM is skipped with a reason, and no failure."""
    sent = small_instances(tmp_path / "sent")
    (tmp_path / "sent" / "readme.txt").write_text("not an image\n")
    with serving(tmp_path / "kept", *server_options(pki)) as running:
        result = run_json("store", f"PACS@{running.address}", *client_options(pki, pki.client), tmp_path / "sent")
    document = result.json()
    assert_document(document, "store")
    assert (result.exit_status, document["ok"], document["sent"], document["failed"]) == (0, True, 5, [])
    assert document["skipped"] == [{"path": str(tmp_path / "sent" / "readme.txt"), "reason": "the file is not DICOM"}]
    assert document["bytes"] == sum(len(read_contents(instance.path).dataset) for instance in sent)
    assert 0 < document["seconds"] * 1000 <= document["timing_ms"]["total"] + 5000
    assert document["peer"]["called_aet"] == "PACS"
    assert_kept(sent, tmp_path / "kept")


def test_line_of_a_success_says_how_much_how_fast_and_over_what(pki: PKI, tmp_path: Path) -> None:
    """One line on stdout, and nothing on stderr."""
    small_instances(tmp_path / "sent")
    with serving(tmp_path / "kept", *server_options(pki)) as running:
        result = run_dicomtls("store", running.address, *client_options(pki, pki.client), tmp_path / "sent")
    found = LINE.fullmatch(result.stdout)
    assert found, result.stdout
    assert (found["stored"], found["failed"], result.exit_status, result.stderr) == ("5", None, 0, "")


def test_line_of_a_failure_names_each_file(pki: PKI, tmp_path: Path) -> None:
    """The sum on stdout; on stderr a line for each file that was not stored, then the error."""
    sent = small_instances(tmp_path / "sent", 2)
    with serving(tmp_path / "kept", *server_options(pki), "--status", "0xA900") as running:
        result = run_dicomtls("store", running.address, *client_options(pki, pki.client), tmp_path / "sent")
    found = LINE.fullmatch(result.stdout)
    assert found, result.stdout
    assert (found["stored"], found["failed"], result.exit_status) == ("0", "2", 1)
    *warnings, error, _hint = result.stderr.splitlines()
    assert [str(instance.path) in line for instance, line in zip(sent, warnings, strict=True)] == [True, True]
    assert all(line.startswith("dicomtls: warning: not stored: ") and "(0xA900)" in line for line in warnings)
    assert error == "dicomtls: error: 2 of 2 instances were not stored"


# Exit statuses


def test_exit_0_is_every_instance_stored_also_when_it_was_there(pki: PKI, tmp_path: Path) -> None:
    """Sent twice, kept once."""
    sent = small_instances(tmp_path / "sent")
    with serving(tmp_path / "kept", *server_options(pki)) as running:
        options = (*client_options(pki, pki.client), tmp_path / "sent")
        results = [run_json("store", running.address, *options) for _ in range(2)]
    assert [(result.exit_status, result.json()["sent"]) for result in results] == [(0, 5), (0, 5)]
    assert_kept(sent, tmp_path / "kept")


@pytest.mark.parametrize(
    ("status", "meaning"),
    [("0xA700", "refused: out of resources"), ("0xC000", "cannot understand")],
)
def test_exit_1_is_an_instance_refused(pki: PKI, tmp_path: Path, status: str, meaning: str) -> None:
    """Each failed instance with its file, its UID, the status and what that means."""
    sent = small_instances(tmp_path / "sent", 2)
    with serving(tmp_path / "kept", *server_options(pki), "--status", status) as running:
        result = run_json("store", running.address, *client_options(pki, pki.client), tmp_path / "sent")
    assert failure(result) == Failure(1, "status-failure", "peer")
    failed = result.json()["failed"]
    assert [(item["path"], item["sop_instance_uid"], item["status"]) for item in failed] == [
        (str(instance.path), instance.sop_instance_uid, status) for instance in sent
    ]
    assert {item["status_meaning"] for item in failed} == {meaning}
    assert stored_files(tmp_path / "kept") == []


def test_exit_0_is_a_warning_status_too(pki: PKI, tmp_path: Path) -> None:
    """Coercion of data elements: the instance was stored."""
    small_instances(tmp_path / "sent", 2)
    with serving(tmp_path / "kept", *server_options(pki), "--status", "0xB000") as running:
        result = run_json("store", running.address, *client_options(pki, pki.client), tmp_path / "sent")
    assert_document(result.json(), "store")
    assert (result.exit_status, result.json()["sent"], result.json()["failed"]) == (0, 2, [])


def broken_files(directory: Path) -> dict[str, Path]:
    """Files that cannot be sent, each for another reason."""
    whole = make_instance(directory / "whole.dcm", pixel_bytes=SMALL_PIXELS).path.read_bytes()
    (directory / "whole.dcm").unlink()
    meta_end = 132 + 12 + int.from_bytes(whole[140:144], "little")
    contents = {
        "empty": b"",
        "text": b"not DICOM at all\n" * 100,
        "cut in the preamble": whole[:100],
        "cut in the file meta information": whole[: meta_end - 20],
        "cut after the file meta information": whole[:meta_end],
        "cut in the middle of a value": whole[: meta_end + 1001],
    }
    paths = {name: directory / f"{name}.dcm" for name in contents}
    for name, content in contents.items():
        paths[name].write_bytes(content)
    for name, target in (("link to nowhere", "missing"), ("link to itself", "link to itself.dcm")):
        paths[name] = directory / f"{name}.dcm"
        paths[name].symlink_to(target)
    return paths


NOT_DICOM = {"empty", "text", "cut in the preamble"}
"""The others may have been DICOM, and are failures."""


def test_exit_2_is_a_file_that_cannot_be_read_and_the_others_are_sent(pki: PKI, tmp_path: Path) -> None:
    """What is no DICOM is skipped, what is broken has failed; each is named with the reason, none keeps others back."""
    broken = broken_files(tmp_path / "sent")
    whole = small_instances(tmp_path / "sent" / "whole")
    with serving(tmp_path / "kept", *server_options(pki)) as running:
        result = run_json("store", running.address, *client_options(pki, pki.client), tmp_path / "sent")
    assert failure(result) == Failure(2, "unreadable-file", "us")
    document = result.json()
    assert document["sent"] == len(whole)
    assert {item["path"] for item in document["skipped"]} == {str(broken[name]) for name in NOT_DICOM}
    assert {item["path"] for item in document["failed"]} == {str(broken[name]) for name in set(broken) - NOT_DICOM}
    assert all(item["status"] is None and item["status_meaning"] for item in document["failed"])
    assert_kept(whole, tmp_path / "kept")


@pytest.mark.parametrize("name", ["empty folder", "text", "missing"])
def test_exit_2_is_nothing_to_send(tmp_path: Path, name: str) -> None:
    """A folder without a DICOM file, a file that is none, a path that leads nowhere: nobody is connected to."""
    (tmp_path / "empty folder").mkdir()
    (tmp_path / "text").write_text("not DICOM\n")
    result = run_json("store", "nowhere.invalid", tmp_path / name)
    assert failure(result) == Failure(2, "unreadable-file", "us")


def test_exit_5_is_a_transfer_syntax_that_the_peer_does_not_take(pki: PKI, tmp_path: Path) -> None:
    """A stock storescp takes uncompressed ones: those arrive, the other is named with the way on."""
    sent = small_instances(tmp_path / "sent", 2)
    compressed = make_compressed(tmp_path / "sent" / "compressed.dcm")
    with dcmtk_storescp(pki, tmp_path / "kept") as scp:
        result = run_json("store", scp.address, *client_options(pki, pki.client), tmp_path / "sent")
    assert failure(result) == Failure(5, "no-presentation-context", "peer")
    document = result.json()
    assert (document["sent"], [item["path"] for item in document["failed"]]) == (len(sent), [str(compressed)])
    assert "1.2.840.10008.1.2.5" in document["failed"][0]["status_meaning"]
    assert any("--transcode" in hint for hint in document["error"]["hints"])


def make_compressed(path: Path) -> Path:
    """An instance that says it is RLE."""
    make_instance(path, pixel_bytes=1024)
    implicit, rle = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"
    path.write_bytes(path.read_bytes().replace(implicit, rle, 1))
    return path


@pytest.mark.parametrize(
    ("options", "evidence"),
    [
        (("--refuse",), {"result": 1, "source": 1, "reason": 1}),
        (("--aet", "ANOTHER"), {"result": 1, "source": 1, "reason": 7}),
        (("--allow", "ANOTHER"), {"result": 1, "source": 1, "reason": 3}),
    ],
    ids=["no reason", "called AE title", "calling AE title"],
)
def test_exit_5_is_an_association_rejected(
    pki: PKI, tmp_path: Path, options: tuple[str, ...], evidence: dict[str, int]
) -> None:
    """With the reason in the evidence, and every instance among the failed."""
    sent = small_instances(tmp_path / "sent")
    with serving_with_events(tmp_path / "kept", *server_options(pki), *options) as running:
        result = run_json("store", running.address, *client_options(pki, pki.client), tmp_path / "sent")
        rejected = wait_for_event(running, "association-rejected")
    assert failure(result) == Failure(5, "association-rejected", "peer")
    assert result.json()["error"]["evidence"] == evidence
    assert len(result.json()["failed"]) == len(sent)
    assert "DICOMTLS" in rejected["peer"]


def test_exit_5_is_an_association_aborted_in_the_middle(pki: PKI, tmp_path: Path) -> None:
    """What was answered counts as sent; the rest failed with the reason."""
    sent = small_instances(tmp_path / "sent")
    with serving(tmp_path / "kept", *server_options(pki), "--abort-after", "3") as running:
        options = (*client_options(pki, pki.client), "--max-ops", "1")
        result = run_json("store", running.address, *options, tmp_path / "sent")
    assert failure(result) == Failure(5, "association-aborted", "peer")
    assert (result.json()["sent"], len(result.json()["failed"])) == (2, len(sent) - 2)
    assert all("aborted" in item["status_meaning"] for item in result.json()["failed"])


def test_new_tries_bring_everything_to_a_peer_that_aborts(pki: PKI, tmp_path: Path) -> None:
    """`--retry` begins anew with what was not answered."""
    sent = small_instances(tmp_path / "sent", 4)
    with serving(tmp_path / "kept", *server_options(pki), "--abort-after", "3") as running:
        options = (*client_options(pki, pki.client), "--max-ops", "1", "--retry", "2")
        result = run_json("store", running.address, *options, tmp_path / "sent")
    assert (result.exit_status, result.json()["sent"]) == (0, 4), result.stderr
    assert_kept(sent, tmp_path / "kept")


def test_exit_6_is_a_report_that_cannot_be_written(pki: PKI, tmp_path: Path) -> None:
    """The instances were stored, and the document says so; the report is our own side's failure."""
    sent = small_instances(tmp_path / "sent", 2)
    report = Path("/dev/full")
    with serving(tmp_path / "kept", *server_options(pki)) as running:
        options = (*client_options(pki, pki.client), "--report", report)
        result = run_json("store", running.address, *options, tmp_path / "sent")
    assert failure(result) == Failure(6, "disk-full", "us")
    assert result.json()["sent"] == 2
    assert_kept(sent, tmp_path / "kept")


def test_report_has_a_line_for_each_file(pki: PKI, tmp_path: Path) -> None:
    """Stored, broken and skipped ones, each a JSON object."""
    sent = small_instances(tmp_path / "sent", 2)
    (tmp_path / "sent" / "text").write_text("not DICOM\n")
    report = tmp_path / "report.jsonl"
    with serving(tmp_path / "kept", *server_options(pki)) as running:
        options = (*client_options(pki, pki.client), "--report", report)
        run_json("store", running.address, *options, tmp_path / "sent")
    rows = [json.loads(line) for line in report.read_text().splitlines()]
    assert [(row["path"], row.get("status")) for row in rows] == [
        *((str(instance.path), "0x0000") for instance in sent),
        (str(tmp_path / "sent" / "text"), None),
    ]
