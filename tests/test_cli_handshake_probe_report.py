"""Where the results of handshake-probe go."""

import json
from pathlib import Path

import pytest

from dicomtls.cli.handshake_probe_report import ProbeReport
from dicomtls.cli.output import Output
from dicomtls.errors import ExitStatus, Interrupted, Stage
from dicomtls.probe.contexts import Survey
from dicomtls.probe.handshake import ProbeResult
from tests.support.documents import assert_document
from tests.support.probes import failed_result, good_result, refusal
from tests.support.servers import CT

GOOD = good_result(in_clear=True)
REFUSED = failed_result()
UNREACHABLE = failed_result("tcp", refusal("connection-refused", stage=Stage.TCP))
INTERRUPTED = failed_result(diagnosis=refusal("interrupted", stage=Stage.LOCAL))


def finished(
    results: list[ProbeResult],
    form: str = "text",
    path: Path | None = None,
    *,
    is_interrupted: bool = False,
    **out: bool,
) -> int:
    """The exit status of a run with these results, which come last first."""
    output = Output("handshake-probe", json=form == "json", **out)
    told = ProbeReport(output, form, path, peers=len(results), warn_days=30)
    for place in reversed(range(len(results))):
        told.add(place, f"peer{place}", results[place])
    return told.finish(is_interrupted=is_interrupted)


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([GOOD], ExitStatus.SUCCESS),
        ([GOOD, GOOD], ExitStatus.SUCCESS),
        ([REFUSED], ExitStatus.TLS),
        ([UNREACHABLE, GOOD], ExitStatus.NETWORK),
        ([UNREACHABLE, REFUSED, GOOD], ExitStatus.TLS),
    ],
)
def test_exit_status_is_the_highest(results: list[ProbeResult], status: ExitStatus) -> None:
    """Whatever is shown."""
    for form in ("text", "json", "junit"):
        assert finished(results, form) == status


def test_one_peer_gets_the_tree_and_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """The reason of a failure goes to stderr."""
    finished([REFUSED])
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0] == "peer0"
    assert captured.out.splitlines()[-1] == "peer0: failed, client-certificate-required"
    assert captured.err == "dicomtls: error: it refused\ndicomtls: hint: do\n"


def test_quiet_leaves_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for one peer, one for many."""
    finished([GOOD], quiet=True)
    assert capsys.readouterr().out == "peer0: works, in clear: nobody is authenticated, 7.5 ms\n"
    finished([GOOD, UNREACHABLE], quiet=True)
    assert capsys.readouterr().out.startswith("1 of 2 work, 1 connection-refused; ")


def test_many_peers_get_a_table_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    """With `-v` each has its tree before that, as it comes."""
    finished([GOOD, REFUSED, UNREACHABLE])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["peer0", "peer1", "peer2"]
    assert len(lines) == 5
    finished([GOOD, REFUSED], verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in {"peer0", "peer1"}] == ["peer1", "peer0"]


def test_documents_come_one_a_line_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    """Each is as the contract has it; contexts are in it where they were asked for."""
    survey = Survey({CT: ["1.2.840.10008.1.2"]}, associations=2)
    finished([GOOD, UNREACHABLE, good_result(in_clear=True, contexts=survey)], "json")
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["target"] for document in documents] == ["peer2", "peer1", "peer0"]
    assert documents[0].pop("contexts") == [
        {
            "sop_class_uid": CT,
            "sop_class_name": "CT Image Storage",
            "transfer_syntaxes": [{"uid": "1.2.840.10008.1.2", "name": "Implicit VR Little Endian"}],
        }
    ]
    for document in documents:
        assert_document(document, "handshake-probe")
    assert [stage["ok"] for stage in documents[1]["stages"]] == [True, False, None, None, None]


@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_file_has_what_stdout_would_have(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Written at the end, over what was there; stdout stays empty then."""
    path = tmp_path / "result"
    path.write_text("old")
    finished([GOOD], form)
    expected = capsys.readouterr().out
    finished([GOOD], form, path)
    assert path.read_text() == expected
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == [path]


def test_interrupt_leaves_what_was_learnt(capsys: pytest.CaptureFixture[str]) -> None:
    """Of many, those that were done; of one, how far it came; the exit status says what happened."""
    assert finished([GOOD, INTERRUPTED, INTERRUPTED], is_interrupted=True) == ExitStatus.INTERRUPTED
    captured = capsys.readouterr()
    assert [line.split()[0] for line in captured.out.splitlines()] == ["target", "peer0", "1"]
    assert captured.err == "dicomtls: error: interrupted: 1 of 3 peers were probed\n"
    assert finished([INTERRUPTED], is_interrupted=True) == ExitStatus.INTERRUPTED
    assert capsys.readouterr().out.splitlines()[-1] == "peer0: failed, interrupted"


def test_interrupt_before_anything_is_an_error() -> None:
    """There is nothing to tell of one peer."""
    told = ProbeReport(Output("handshake-probe"), "text", None, peers=1, warn_days=30)
    with pytest.raises(Interrupted):
        told.finish(is_interrupted=True)
