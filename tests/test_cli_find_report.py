"""Where matches go: each form, and what is said beside them."""

from pathlib import Path

import pytest

from dicomtls.cli.find_files import MatchFolder
from dicomtls.cli.find_report import FindReport
from dicomtls.cli.output import Output
from dicomtls.cli.running import Report
from dicomtls.dataset import EXPLICIT_VR_LE
from dicomtls.dataset.identifier import Element, Identifier, encode
from dicomtls.scu.query import Match

IDENTIFIER: Identifier = {0x00100020: Element("LO", ("P1",))}
MATCH = Match(dict(IDENTIFIER), encode(IDENTIFIER, EXPLICIT_VR_LE), EXPLICIT_VR_LE)
SHOWN: Identifier = {0x00100020: Element("LO")}


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("table", "P1\n"),
        ("csv", "PatientID\nP1\n"),
        ("json", '{"00100020":{"vr":"LO","Value":["P1"]}}\n'),
    ],
)
def test_each_form_has_each_match(form: str, written: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """And a folder has its files beside that."""
    so_far = Report()
    report = FindReport(Output("find", json=form == "json"), so_far, form)  # type: ignore[arg-type]  # one of the three
    folder = MatchFolder(tmp_path, "1.2.3")
    with report.taking(SHOWN, folder) as take:
        take(MATCH)
        report.result.matches, report.result.status = 1, 0x0000
    assert capsys.readouterr() == (written, "")
    assert so_far.is_told
    assert so_far.values == {"matches": 1, "status": "0x0000", "status_meaning": "success"}
    assert [path.name for path in tmp_path.iterdir()] == ["000001.dcm"]


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_failure_leaves_the_rest_to_say(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No heading and no word of matches where nothing came; the status so far is in the document."""
    so_far = Report()
    report = FindReport(Output("find", json=form == "json"), so_far, form)  # type: ignore[arg-type]  # one of the three

    def fail() -> None:
        with report.taking(SHOWN, None):
            report.result.status = 0xA700
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fail()
    assert capsys.readouterr() == ("", "")
    assert not so_far.is_told
    assert so_far.values == {"matches": 0, "status": "0xA700", "status_meaning": "refused: out of resources"}


def test_what_is_odd_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """Each on a line of its own."""
    report = FindReport(Output("find"), Report(), "table")
    with report.taking(SHOWN, None) as take:
        take(MATCH)
        report.result.matches = 1
        report.result.not_granted = ("relational", "fuzzy")
        report.result.ignored_keys = True
        report.result.warning = "response limit reached (0xB001)"
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("dicomtls: warning: the peer ") for line in lines)
