"""The only code that writes."""

import json

import pytest

from dicomtls.cli.output import Output, write_page
from dicomtls.diagnosis import diagnose
from dicomtls.errors import UsageError

FAILURE = diagnose(UsageError("no \x1b[31m here", hints=("do this", "or that"), evidence={"path": "a\nb"}))


def test_result_is_lines_or_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Without `--json` the lines are written, with it the document alone, on one line."""
    Output("echo").result({"ok": True}, ["one", "two"])
    assert capsys.readouterr().out == "one\ntwo\n"
    Output("echo", json=True).result({"ok": True, "name": "Zürich\udcff"}, ["one"])
    written = capsys.readouterr().out
    assert written.isascii()
    assert written.count("\n") == 1
    assert json.loads(written) == {"ok": True, "name": "Zürich\udcff"}


def test_errors_and_hints_go_to_stderr_made_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for the error, one for each hint, nothing on stdout, and no control character from outside."""
    Output("echo").error(FAILURE)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == ("dicomtls: error: no \\x1b[31m here\ndicomtls: hint: do this\ndicomtls: hint: or that\n")


def test_facts_of_an_error_are_for_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """`-v` adds code, stage, who refused and the evidence, on one line."""
    Output("echo", verbose=1).error(FAILURE)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == r"dicomtls: info: code configuration, stage local, by us, path a\nb"


def test_quiet_silences_results_but_neither_warnings_nor_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    """A relaxation is said on every run, and a document that was asked for is written."""
    quiet = Output("echo", quiet=True)
    quiet.line("one")
    quiet.warning("anybody may read this")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "dicomtls: warning: anybody may read this\n")
    Output("echo", quiet=True, json=True).result({"ok": True}, [])
    assert json.loads(capsys.readouterr().out) == {"ok": True}


@pytest.mark.parametrize(("verbose", "expected"), [(0, []), (1, ["stage"]), (2, ["stage", "PDU"])])
def test_log_says_as_much_as_was_asked_for(
    verbose: int, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Level 1 needs `-v`, level 2 needs `-vv`."""
    output = Output("echo", verbose=verbose)
    output.detail("stage")
    output.detail("PDU", level=2)
    assert capsys.readouterr().err.splitlines() == [f"dicomtls: info: {text}" for text in expected]


def test_no_progress_is_shown_where_stderr_is_no_terminal() -> None:
    """A bar in a log file would be noise."""
    assert not Output("store").shows_progress


@pytest.mark.parametrize(("failed", "expected"), [(False, ("page\n", "")), (True, ("", "page\n"))])
def test_page_goes_to_stderr_when_it_stands_for_an_error(
    *, failed: bool, expected: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Help that was asked for is a result; help in place of a command is not."""
    write_page("page\n", failed=failed)
    assert tuple(capsys.readouterr()) == expected


def test_pdus_are_traced_only_where_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Without `-vv` there is nothing to call, so that bulk data pays nothing for it."""
    assert Output("echo", verbose=1).trace is None
    trace = Output("echo", verbose=2).trace
    assert trace is not None
    trace("sent P-DATA-TF, 74 bytes")
    assert capsys.readouterr().err == "dicomtls: info: sent P-DATA-TF, 74 bytes\n"


def test_record_is_written_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever makes it has seen to it that it is harmless; `--quiet` is for people."""
    output = Output("find", quiet=True)
    output.record("a\tb")
    assert capsys.readouterr() == ("a\tb\n", "")
    assert not output.reader_is_gone
