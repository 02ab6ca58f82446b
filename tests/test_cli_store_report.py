"""What `store` says of the files; how it reads on a terminal is in test_cli_store."""

from pathlib import Path

import pytest

from dicomtls.cli.output import Output
from dicomtls.cli.running import Report
from dicomtls.cli.store_report import StoreReport
from dicomtls.errors import (
    AssociationAborted,
    DataError,
    DicomTLSError,
    DIMSETimeout,
    Interrupted,
    MachineError,
    StatusFailure,
)
from dicomtls.peer import Peer
from dicomtls.scu import Attempt
from dicomtls.scu.instances import Found, Instance, SkippedFile
from dicomtls.scu.ledger import InstanceReport, StoreResult
from dicomtls.scu.store import StoreOptions


def instance(name: str) -> Instance:
    """An instance that is nowhere."""
    return Instance(name, "1.2.840.10008.5.1.4.1.1.2", f"2.25.{len(name)}", "1.2.840.10008.1.2.1", 300, 1300)


def judged(result: StoreResult, options: StoreOptions | None = None, *, verbose: int = 0) -> DicomTLSError:
    """The error in which a result ends."""
    report = StoreReport(Output("store", verbose=verbose), Report(), None)
    with pytest.raises(DicomTLSError) as caught:
        report.judge(Found(), result, options or StoreOptions())
    return caught.value


def refused(count: int, status: int = 0xA700) -> list[InstanceReport]:
    """So many refusals."""
    return [InstanceReport(f"{number}.dcm", "2.25.1", status, "no room") for number in range(count)]


def test_many_failures_are_counted_after_the_first_twenty(capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal stays readable; `-v` names them all."""
    judged(StoreResult(failed=refused(30)))
    shown = capsys.readouterr().err.splitlines()
    judged(StoreResult(failed=refused(30)), verbose=1)
    assert len(shown) == 21
    assert shown[0] == "dicomtls: warning: not stored: 0.dcm: no room (0xA700)"
    assert shown[-1] == "dicomtls: warning: and 10 more like this: -v, --json and --report name them all"
    assert len(capsys.readouterr().err.splitlines()) == 30


def test_obstacle_is_said_once_and_not_for_each_file(capsys: pytest.CaptureFixture[str]) -> None:
    """What was left behind by a broken association is no news of its own."""
    obstacle = AssociationAborted("the peer went away")
    left = [InstanceReport("a.dcm", "2.25.1", None, "the peer went away", obstacle.code)]
    assert judged(StoreResult(failed=left, error=obstacle)) is obstacle
    assert capsys.readouterr().err == ""


def test_heavier_failure_wins_over_the_obstacle(capsys: pytest.CaptureFixture[str]) -> None:
    """Silence is exit 1, a context that nobody accepts is 5; the silence is said too."""
    failed = [InstanceReport("a.dcm", "2.25.1", None, "nobody accepts it", "no-presentation-context")]
    error = judged(StoreResult(failed=failed, error=DIMSETimeout("the peer kept silent")))
    assert error.code == "no-presentation-context"
    assert "warning: the sending was broken off: the peer kept silent\n" in capsys.readouterr().err


def test_interrupt_wins_over_everything() -> None:
    """Exit 130 says that the user ended it, whatever went wrong before."""
    failed = [InstanceReport("a.dcm", "2.25.1", None, "nobody accepts it", "no-presentation-context")]
    assert isinstance(judged(StoreResult(failed=failed, error=Interrupted())), Interrupted)


def test_refusals_alone_are_a_status_failure() -> None:
    """With the first status as evidence."""
    error = judged(StoreResult(sent=5, failed=refused(1, 0xC001)))
    assert isinstance(error, StatusFailure)
    assert (error.status, error.message) == (0xC001, "1 of 6 instances was not stored")


def test_who_transcodes_already_is_not_told_to() -> None:
    """The hint would lead nowhere."""
    failed = [InstanceReport("a.dcm", "2.25.1", None, "nobody accepts it", "no-presentation-context")]
    assert judged(StoreResult(failed=failed)).hints == ("--transcode may help",)
    assert judged(StoreResult(failed=failed), StoreOptions(transcode=True)).hints == ()


def test_files_left_after_the_first_failure_change_nothing() -> None:
    """With `--stop-on-error` the others have neither status nor fault."""
    left = [InstanceReport("b.dcm", "2.25.2", None, "not sent after the first failure")]
    assert isinstance(judged(StoreResult(failed=[*refused(1), *left])), StatusFailure)


def test_success_is_no_error() -> None:
    """Nothing failed, nothing is raised."""
    StoreReport(Output("store"), Report(), None).judge(Found(), StoreResult(sent=1), StoreOptions())


def test_folder_without_dicom_names_what_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    """Both what is no DICOM and what cannot be read, before the error."""
    found = Found(skipped=[SkippedFile("a.txt", "text")], unreadable=[SkippedFile("b.dcm", "permission denied")])
    told = Report()
    with pytest.raises(DataError, match="there is no DICOM file to send"):
        StoreReport(Output("store"), told, None).found(found)
    assert capsys.readouterr().err.splitlines() == [
        "dicomtls: warning: skipped a.txt: text",
        "dicomtls: warning: not stored: b.dcm: permission denied",
    ]
    assert told.values["skipped"] == [{"path": "a.txt", "reason": "text"}]
    assert told.values["failed"] == [
        {"path": "b.dcm", "sop_instance_uid": None, "status": None, "status_meaning": "permission denied"}
    ]


def test_plan_names_what_it_knows_and_shows_what_it_does_not() -> None:
    """A private SOP class has no name; thousands of kinds need several associations."""
    kinds = [Instance(f"{n}.dcm", f"1.2.3.{n}", f"2.25.{n}", "1.2.840.10008.1.2.1", 300, 1300) for n in range(130)]
    told = Report()
    StoreReport(Output("store"), told, None).planned(Found(instances=kinds), StoreOptions())
    lines = [str(line) for line in told.lines]
    assert lines[:2] == ["would send 130 instances, 130.0 kB", "130 presentation contexts, at least 2 associations"]
    assert lines[2] == "       1 1.2.3.0, Explicit VR Little Endian (1.2.840.10008.1.2.1)"


def test_report_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    """The document is complete by then."""
    told = Report()
    report = StoreReport(Output("store"), told, tmp_path / "gone" / "report")
    (tmp_path / "gone").write_text("a file where the folder was")
    with pytest.raises(MachineError):
        report.sent(Found(), StoreResult(sent=1), Attempt(Peer("h", 1), "A"), warn_days=30)
    assert told.values["sent"] == 1
