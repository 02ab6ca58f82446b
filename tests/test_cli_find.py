"""`dicomtls find`, as users run it."""

import csv
import json
import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom.events import Event

from dicomtls.association.association import Association
from dicomtls.association.dimse import CommandField
from dicomtls.dataset.identifier import Element
from tests.support.cli import Result, dicomtls_command, dicomtls_environment, run_dicomtls, started_dicomtls
from tests.support.documents import assert_document
from tests.support.exchange import client_options
from tests.support.finding import Answer, end_when_cancelled, finding_scp, match, pending, put_match, received_query
from tests.support.pki import PKI, server_context
from tests.support.servers import acceptor

HOSTILE = "=cmd|'/c calc'!A0\x1b[31m"


def find(pki: PKI, address: str, *options: str | Path) -> Result:
    """Run find with the test client's identity."""
    return run_dicomtls("find", address, *client_options(pki, pki.client), *options)


def two_patients(_event: Event) -> Iterator[Answer]:
    """A handler that finds two studies."""
    yield pending(match(PatientName="Doe^John", PatientID="P1", StudyInstanceUID="1.2.1"))
    yield pending(match(PatientName="Doe^Jane", PatientID="P2", StudyInstanceUID="1.2.2"))


def nobody(_event: Event) -> Iterator[Answer]:
    """A handler that finds nothing."""
    yield from ()


def hostile(_event: Event) -> Iterator[Answer]:
    """A handler that finds a name with a formula and terminal control in it."""
    dataset = match(PatientID="P\t1\n2")
    dataset.add_new(0x00100010, "PN", HOSTILE)
    yield pending(dataset)


def test_matches_in_a_pipe_are_lines_with_tabs(pki: PKI) -> None:
    """Only matches, in the columns of the keys; nothing on stderr."""
    with finding_scp(two_patients, server_context(pki)) as scp:
        result = find(pki, scp.address, "-k", "PatientName=DOE*", "-k", "PatientID", "-k", "StudyInstanceUID")
    assert result.stdout == "Doe^John\tP1\t1.2.1\nDoe^Jane\tP2\t1.2.2\n"
    assert (result.exit_status, result.stderr) == (0, "")


def test_no_match_is_a_success(pki: PKI) -> None:
    """With nothing on stdout, and a word on stderr that `--quiet` silences."""
    with finding_scp(nobody, server_context(pki)) as scp:
        result = find(pki, scp.address)
        quiet = find(pki, scp.address, "-q")
        as_json = find(pki, scp.address, "--json")
        as_csv = find(pki, scp.address, "--format", "csv", "-k", "PatientID")
    assert (result.exit_status, result.stdout, result.stderr) == (0, "", "dicomtls: info: no match\n")
    assert (quiet.exit_status, quiet.stdout, quiet.stderr) == (0, "", "")
    assert (as_json.exit_status, as_json.stdout, as_json.stderr) == (0, "", "")
    assert (as_csv.exit_status, as_csv.stdout, as_csv.stderr) == (0, "PatientID\n", "")


@pytest.mark.parametrize("option", [("--json",), ("--format", "json"), ("--format", "JSON")])
def test_json_is_one_object_of_the_model_a_line(pki: PKI, option: tuple[str, ...]) -> None:
    """And no document about the whole."""
    with finding_scp(two_patients, server_context(pki)) as scp:
        lines = find(pki, scp.address, *option).json_lines()
    assert [line["00100010"] for line in lines] == [
        {"vr": "PN", "Value": [{"Alphabetic": "Doe^John"}]},
        {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
    ]


def test_csv_has_a_heading_of_paths(pki: PKI) -> None:
    """Python's csv module reads it."""
    with finding_scp(two_patients, server_context(pki)) as scp:
        result = find(pki, scp.address, "--format", "csv", "-k", "PatientName", "-k", "0040,0100[0].Modality")
    assert list(csv.reader(StringIO(result.stdout))) == [
        ["PatientName", "ScheduledProcedureStepSequence[0].Modality"],
        ["Doe^John", ""],
        ["Doe^Jane", ""],
    ]


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_hostile_values_reach_no_terminal_and_no_spreadsheet(pki: PKI, form: str) -> None:
    """Control characters are escapes, one match is one line, formulas are text."""
    with finding_scp(hostile, server_context(pki)) as scp:
        result = find(pki, scp.address, "--format", form, "-k", "PatientName", "-k", "PatientID")
    lines = result.stdout.splitlines()
    assert len(lines) == (2 if form == "csv" else 1)
    assert "\x1b" not in result.stdout
    if form == "csv":
        assert lines[1].startswith("'=cmd|")
    assert result.exit_status == 0


def test_output_folder_has_a_file_for_each_match(pki: PKI, tmp_path: Path) -> None:
    """pydicom reads them; the folder is made, and a second run does not mix with the first."""
    folder = tmp_path / "a" / "b"
    with finding_scp(two_patients, server_context(pki)) as scp:
        result = find(pki, scp.address, "--output", folder, "-q")
        again = find(pki, scp.address, "--output", folder)
    assert (result.exit_status, result.stdout, result.stderr) == (0, "", "")
    assert sorted(path.name for path in folder.iterdir()) == ["000001.dcm", "000002.dcm"]
    assert [str(dcmread(path).PatientName) for path in sorted(folder.iterdir())] == ["Doe^John", "Doe^Jane"]
    assert again.exit_status == 2
    assert "choose another folder" in again.stderr


def test_limit_ends_a_query_that_has_no_end(pki: PKI) -> None:
    """With a C-CANCEL."""
    heard: list[bool] = []

    def endless(event: Event) -> Iterator[Answer]:
        while not event.is_cancelled:
            yield pending(match(PatientID="P"))
        heard.append(True)
        yield 0xFE00, None

    with finding_scp(endless, server_context(pki)) as scp:
        result = find(pki, scp.address, "--limit", "3", "-k", "PatientID")
    assert (result.stdout, result.exit_status, result.stderr) == ("P\n" * 3, 0, "")
    assert heard == [True]


def test_reader_that_goes_away_ends_the_query() -> None:
    """As with `| head -1`: quietly, and the peer is told."""
    heard: list[CommandField] = []

    def script(association: Association) -> None:
        received_query(association)
        while not association.has_input():
            put_match(association, {0x00100020: Element("LO", ("P",))})
        heard.append(end_when_cancelled(association).command_field)

    with acceptor(script) as peer:
        command = dicomtls_command("find", f"{peer.peer.host}:{peer.peer.port}", "--no-tls", "-k", "PatientID")
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dicomtls_environment()
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == b"P\n"
            process.stdout.close()
            assert process.wait(20) == 0
            said = process.stderr.read()
    assert heard == [CommandField.C_CANCEL_RQ]
    assert said.splitlines() == [b"dicomtls: warning: everything is sent in clear (--no-tls)"]


@pytest.mark.parametrize("form", ["table", "json"])
def test_interrupt_cancels_the_query(form: str) -> None:
    """Exit status 130; the matches so far are there, and with `--json` a document behind them."""
    heard: list[CommandField] = []

    def script(association: Association) -> None:
        received_query(association)
        put_match(association, {0x00100020: Element("LO", ("P",))})
        heard.append(end_when_cancelled(association).command_field)

    with acceptor(script) as peer:
        address = f"{peer.peer.host}:{peer.peer.port}"
        with started_dicomtls("find", address, "--no-tls", "-k", "PatientID", "--format", form) as running:
            running.wait_until(lambda: running.stdout_path.read_text() != "", "first match")
            result = running.stop(how=signal.SIGINT)
    assert result.exit_status == 130
    assert heard == [CommandField.C_CANCEL_RQ]
    first, *rest = result.stdout.splitlines()
    if form == "table":
        assert (first, rest) == ("P", [])
    else:
        document = json.loads(rest[0])
        assert_document(document, "find")
        assert (document["error"]["code"], document["matches"], document["status"]) == ("interrupted", 1, "0xFE00")


def test_failure_status_is_said_behind_the_matches(pki: PKI) -> None:
    """Exit status 1, with the meaning of the status and what to do about it."""

    def handle(_event: Event) -> Iterator[Answer]:
        yield pending(match(PatientID="P1"))
        yield 0xA900, None

    with finding_scp(handle, server_context(pki)) as scp:
        result = find(pki, scp.address, "-k", "PatientID")
        first, document = find(pki, scp.address, "-k", "PatientID", "--json").json_lines()
    assert (result.exit_status, result.stdout) == (1, "P1\n")
    assert "identifier does not match SOP class (0xA900)" in result.stderr
    assert "StudyInstanceUID" in result.stderr
    assert first["00100020"]["Value"] == ["P1"]
    assert_document(document, "find")
    assert (document["ok"], document["matches"], document["status"]) == (False, 1, "0xA900")
    assert document["error"]["code"] == "status-failure"


def test_what_the_peer_does_not_agree_to_is_a_warning(pki: PKI) -> None:
    """The query is asked all the same; a status of FF01 is told, too."""

    def handle(_event: Event) -> Iterator[Answer]:
        yield pending(match(PatientID="P1"), 0xFF01)

    with finding_scp(handle, server_context(pki)) as scp:
        result = find(pki, scp.address, "--relational", "--fuzzy", "-k", "PatientID")
    assert (result.exit_status, result.stdout) == (0, "P1\n")
    for word in ("relational", "fuzzy", "0xFF01"):
        assert word in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-k", "PatientNme=DOE"], "did you mean PatientName?"),
        (["-k", "StudyDate=2024-01-01"], "YYYYMMDD"),
        (["--level", "patient", "--model", "study-root"], "patient-root"),
        (["--level", "study", "--model", "worklist"], "no levels"),
        (["--level", "frame"], "--level"),
        (["--level", "image", "-k", "QueryRetrieveLevel=STUDY"], "--level"),
        (["--relational", "--model", "worklist"], "relational"),
        (["--json", "--format", "csv"], "contradict"),
        (["--format", "xml"], "--format"),
        (["--limit", "-1"], "--limit"),
        (["--limit", "x", "--format", "csv"], "--limit"),
        (["--character-set", "UTF-8"], "character set"),
        (["--character-set", "ISO_IR 100", "-k", "PatientName=\u5c71"], "does not have"),
        (["--query", "/nonexistent"], "/nonexistent"),
        (["--query", "/dev/null"], "holds no query"),
        (["--output", "/dev/null"], "no folder"),
        (["-S"], "--model study-root"),
    ],
)
def test_bad_usage_is_one_line_and_a_hint(options: list[str], message: str) -> None:
    """Exit status 2 before anybody is called; with `--json` the document says it, too."""
    result = run_dicomtls("find", "192.0.2.1", "--no-tls", *options)
    assert result.exit_status == 2, result.stderr
    assert message in result.stderr
    assert bool(result.stdout) is ("--json" in options)
    assert "Traceback" not in result.stderr


def test_query_from_a_file(pki: PKI, tmp_path: Path) -> None:
    """What is typed wins; the level is the file's."""
    seen: list[str] = []

    def handle(event: Event) -> Iterator[Answer]:
        dataset = event.identifier
        seen.extend([dataset.QueryRetrieveLevel, str(dataset.PatientName), dataset.PatientID])
        yield from ()

    path = tmp_path / "query.json"
    path.write_text(
        '{"00080052": {"vr": "CS", "Value": ["SERIES"]}, "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A"}]},'
        ' "00100020": {"vr": "LO", "Value": ["P1"]}}'
    )
    with finding_scp(handle, server_context(pki)) as scp:
        assert find(pki, scp.address, "--query", path, "-k", "PatientID=P2").exit_status == 0
    assert seen == ["SERIES", "A", "P2"]


def in_a_terminal(*arguments: str | Path, columns: int = 60) -> str:
    """What `dicomtls ARGUMENTS` writes to a terminal of that width."""
    near, far = pty.openpty()
    environment = {**dicomtls_environment(), "COLUMNS": str(columns), "TERM": "xterm"}
    with subprocess.Popen(dicomtls_command(*arguments), stdin=far, stdout=far, stderr=far, env=environment) as process:
        os.close(far)
        parts = []
        while select.select([near], [], [], 20)[0]:
            try:
                parts.append(os.read(near, 65536))
            except OSError:  # Linux says so where the last writer has gone
                break
        process.wait(20)
    os.close(near)
    return b"".join(parts).decode()


def test_table_fits_the_terminal(pki: PKI) -> None:
    """With a heading in bold; wide characters count twice, and what is too long is cut."""

    def handle(_event: Event) -> Iterator[Answer]:
        dataset = match(PatientName="Yamada^Tarou=\u5c71\u7530^\u592a\u90ce", StudyInstanceUID="1.2." + "3" * 50)
        dataset.SpecificCharacterSet = "ISO_IR 192"
        yield pending(dataset)

    keys = ("-k", "PatientName", "-k", "StudyInstanceUID")
    with finding_scp(handle, server_context(pki)) as scp:
        written = in_a_terminal("find", scp.address, *client_options(pki, pki.client), *keys)
    heading, line = written.splitlines()
    assert heading.startswith("\x1b[1mPatientName")
    assert line.startswith("Yamada^Tarou=\u5c71\u7530^\u592a\u90ce  \u2026333")
    assert len(line) + 4 == 60
