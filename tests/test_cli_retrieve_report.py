"""What `move` and `get` say of a retrieval."""

import pytest

from dicomtls.cli.output import Output
from dicomtls.cli.retrieve_report import RetrieveReport
from dicomtls.cli.running import Report
from dicomtls.cli.text import render
from dicomtls.peer import Peer
from dicomtls.scu import Attempt
from dicomtls.scu.retrieve import RetrieveResult
from dicomtls.scu.suboperations import Counts


def told(result: RetrieveResult, *, verbose: int = 0) -> tuple[Report, list[str]]:
    """The report of a result, and its lines."""
    so_far = Report()
    report = RetrieveReport(Output("move", verbose=verbose), so_far)
    report.told(result, Attempt(Peer("host", 104), "US"), warn_days=30)
    return so_far, [render(line, colour=False) for line in so_far.lines]


def test_success_is_one_line() -> None:
    """How many, the status, and how the peer was reached."""
    report, [line] = told(RetrieveResult(status=0, counts=Counts(None, 3, 0, 0)))
    assert line == "3 completed, success (0x0000), no TLS"
    assert (report.values["completed"], report.values["received"]) == (3, None)


def test_count_that_is_full_is_no_number() -> None:
    """There may be more than the field can say."""
    _, [line] = told(RetrieveResult(status=0, counts=Counts(None, 0xFFFF, 0, 0)))
    assert line.startswith("65535 or more completed, success")


def test_nothing_that_matched_is_said() -> None:
    """It is no failure, and no success that people would take for one."""
    _, [line] = told(RetrieveResult(status=0, counts=Counts(None, 0, 0, 0)))
    assert line.startswith("nothing matched, success")


def test_failures_are_counted_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The first twenty, unless there is a `-v`."""
    uids = tuple(f"1.2.{number}" for number in range(30))
    result = RetrieveResult(status=0xB000, counts=Counts(None, 1, 30, 2), failed_instances=uids)
    report, [line] = told(result)
    shown = capsys.readouterr().err.splitlines()
    told(result, verbose=1)
    assert line.startswith("1 completed, 30 failed, 2 with a warning, sub-operations complete")
    assert len(shown) == 21
    assert shown[0] == "dicomtls: warning: not retrieved: 1.2.0"
    assert "10 more" in shown[-1]
    assert len(capsys.readouterr().err.splitlines()) == 30
    assert report.values["failed_instances"] == list(uids)


def test_cancelled_retrieval_says_what_remains() -> None:
    """So that people know what is missing."""
    _, [line] = told(RetrieveResult(status=0xFE00, counts=Counts(7, 3, 0, 0)))
    assert line == "3 completed, 7 remaining, cancelled (0xFE00), no TLS"


def test_remarks_are_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be true of the counts."""
    told(RetrieveResult(status=0, counts=Counts(None, 1, 0, 0), remarks=("the counts are odd",)))
    assert capsys.readouterr().err == "dicomtls: warning: the counts are odd\n"


def test_what_never_ended_has_no_status() -> None:
    """The error says why."""
    report, lines = told(RetrieveResult())
    assert lines == []
    assert (report.values["status"], report.values["status_meaning"]) == (None, None)


def test_received_instances_have_a_line() -> None:
    """With their bytes and their speed."""
    so_far = Report()
    RetrieveReport(Output("get"), so_far).received(1, 2_000_000, 0.5)
    assert so_far.lines == ["received 1 instance, 2.0 MB in 0.50 s (4 MB/s)"]
    assert (so_far.values["received"], so_far.values["bytes"], so_far.values["seconds"]) == (1, 2_000_000, 0.5)
