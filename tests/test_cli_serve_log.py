"""The log of a server; what a real one looks like is in test_cli_serve."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from dicomtls.cli.output import Output
from dicomtls.cli.serve_log import Log
from dicomtls.errors import By
from dicomtls.scp.events import Event, Severity

EVENT = Event("association-accepted", "association accepted", peer="192.0.2.1:4711 CT1", association=3)


def written(capsys: pytest.CaptureFixture[str], *events: Event, as_json: bool = False, **output: Any) -> list[str]:
    """What the log puts onto stderr."""
    log = Log(Output("serve", **output), as_json=as_json)
    for event in events:
        log(event)
    return capsys.readouterr().err.splitlines()


def test_line_has_time_association_peer_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    """The time is UTC, with milliseconds; what does not concern an association has none."""
    first, second, third = written(
        capsys, EVENT, Event("stopped", "stopped"), Event("dropped", "said nothing", Severity.WARNING, "192.0.2.1:1")
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z #3 192\.0\.2\.1:4711 CT1: association accepted", first)
    assert second.endswith("Z stopped")
    assert third.endswith("Z 192.0.2.1:1: warning: said nothing")


@pytest.mark.parametrize(
    ("severity", "shown"),
    [
        (Severity.TRACE, [False, False, False, True]),
        (Severity.DETAIL, [False, False, True, True]),
        (Severity.INFO, [False, True, True, True]),
        (Severity.WARNING, [True, True, True, True]),
        (Severity.ERROR, [True, True, True, True]),
    ],
)
def test_severity_decides_how_often_v_must_be_given(
    severity: Severity, shown: list[bool], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order -q, nothing, -v, -vv."""
    event = Event("x", "x", severity)
    settings: list[dict[str, Any]] = [{"quiet": True}, {}, {"verbose": 1}, {"verbose": 2}]
    assert [bool(written(capsys, event, **setting)) for setting in settings] == shown


def test_json_line_has_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line."""
    event = Event("stored", "instance stored", Severity.DETAIL, "192.0.2.1:1", 1, {"path": "a", "is_new": True})
    (line,) = written(capsys, event, as_json=True, verbose=1)
    document = json.loads(line)
    del document["time"]
    assert document == {
        "event": "stored",
        "severity": "detail",
        "peer": "192.0.2.1:1",
        "association": 1,
        "message": "instance stored",
        "path": "a",
        "is_new": True,
    }


@pytest.mark.parametrize(
    ("by", "hints", "expected"),
    [
        (By.US, ["do this", "or that"], "no [expired by us]; hint: do this"),
        (By.PEER, ["do this"], "no [expired by the client]; hint: do this"),
        (By.NEITHER, [], "no [expired]"),
    ],
)
def test_failure_has_its_code_who_refused_and_one_hint(
    by: By, hints: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the line for people; JSON has all hints. What is no failure has none of it."""
    event = Event("x", "no", Severity.WARNING, facts={"code": "expired", "by": by, "hints": hints})
    [line] = written(capsys, event)
    assert line.endswith(f"warning: {expected}")
    [document] = map(json.loads, written(capsys, event, as_json=True))
    assert (document["code"], document["by"], document["hints"]) == ("expired", by, hints)
    [plain] = written(capsys, Event("x", "no", Severity.WARNING))
    assert plain.endswith("warning: no")


def test_hostile_text_is_shown_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    """An AE title with a line break begins no line of its own."""
    (line,) = written(capsys, Event("x", "from \x1b[31mA\nB"))
    assert line.endswith(r"from \x1b[31mA\nB")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (Output("serve"), False),
        (Output("serve", verbose=1), True),
        (Output("serve", json=True, quiet=True), True),
    ],
)
def test_details_are_wanted_where_somebody_sees_them(output: Output, *, expected: bool) -> None:
    """Making them costs time for every instance."""
    assert Log(output, as_json=False).wants_details is expected


class FullDisk(io.TextIOWrapper):
    """A stdout that takes nothing."""

    def write(self, _text: str) -> int:
        """As on a full disk."""
        raise OSError(28, "No space left on device")


def test_full_disk_below_stdout_does_not_end_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said on stderr, and the associations go on."""
    with (tmp_path / "out").open("wb") as file:
        monkeypatch.setattr("sys.stdout", FullDisk(file))
        Log(Output("serve", json=True), as_json=False)(EVENT)
    lost, event = capsys.readouterr().err.splitlines()
    assert lost.endswith("error: cannot write to the standard output: no space left on device")
    assert event.endswith("association accepted")
