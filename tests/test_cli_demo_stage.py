"""The commands of the demo; the whole of it is in test_cli_demo."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dicomtls.cli import demo_stage
from dicomtls.cli.demo_stage import Playground, ended_by_signals
from dicomtls.cli.output import Output
from dicomtls.diagnosis import diagnose
from dicomtls.errors import LocalError


@pytest.fixture
def playground(tmp_path: Path) -> Playground:
    """One that shows everything."""
    return Playground(tmp_path, Output("demo"))


def use(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let a piece of Python stand in for dicomtls."""
    monkeypatch.setattr(demo_stage, "_command", lambda arguments: [sys.executable, "-c", code, *arguments])


def test_command_is_shown_with_what_it_says(playground: Playground, capsys: pytest.CaptureFixture[str]) -> None:
    """Quoted for a shell, its output below it; the step is remembered."""
    playground.run("Who is it?", "--version", status=0)
    version = capsys.readouterr().out
    assert version.startswith("\nWho is it?\n  $ dicomtls --version\n  dicomtls ")
    with pytest.raises(LocalError):
        playground.run("A name with a space", "echo", "a b")
    assert "  $ dicomtls echo 'a b'\n  dicomtls: error: " in capsys.readouterr().out
    assert [step["exit_status"] for step in playground.steps] == [0, 2]
    assert playground.steps[1]["command"] == ["dicomtls", "echo", "a b"]


@pytest.mark.parametrize(
    ("status", "expected"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (130, 2), (77, 2), (-9, 2)]
)
def test_failure_of_a_command_is_that_of_the_demo(
    playground: Playground, monkeypatch: pytest.MonkeyPatch, status: int, expected: int
) -> None:
    """Its own words in one line, and its exit status."""
    end = f"import os; os.kill(os.getpid(), {-status})" if status < 0 else f"raise SystemExit({status})"
    use(monkeypatch, f"import sys; print('dicomtls: error: no room: none', file=sys.stderr, flush=True); {end}")
    with pytest.raises(LocalError) as caught:
        playground.run("Does it work?", "store")
    assert caught.value.message == "dicomtls store did not do what it should here: no room: none"
    assert diagnose(caught.value).exit_status == expected


def test_success_is_a_failure_where_a_refusal_was_due(playground: Playground) -> None:
    """A server that lets everybody in is nothing to show."""
    with pytest.raises(LocalError, match="it was not refused, as it should have been"):
        playground.run("Refused?", "--version", status=4)


def test_command_that_hangs_is_ended(playground: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, with a line that says so."""
    use(monkeypatch, "import sys; sys.stdin.read(); input() if sys.stdin.isatty() else __import__('signal').pause()")
    monkeypatch.setattr(demo_stage, "_PATIENCE_SECONDS", 0.3)
    with pytest.raises(LocalError, match=r"dicomtls echo did not end within 0\.3 s"):
        playground.run("Does it end?", "echo")


def test_server_that_does_not_start_says_why(playground: Playground) -> None:
    """By its own log, and its own exit status."""
    with playground, pytest.raises(LocalError) as caught:
        playground.serve("Does it start?", "--directory", "in", "--ca", "nix.pem")
    assert "cannot read nix.pem: no such file or directory" in caught.value.message
    assert diagnose(caught.value).exit_status == 2


def test_server_that_keeps_silent_is_ended(playground: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    """It had its time."""
    use(monkeypatch, "import signal; signal.pause()")
    monkeypatch.setattr(demo_stage, "_PATIENCE_SECONDS", 0.3)
    with playground, pytest.raises(LocalError, match="dicomtls serve did not do what it should here"):
        playground.serve("Does it start?")


def test_server_that_does_not_stop_is_killed(playground: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be left behind."""
    code = (
        "import pathlib, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "pathlib.Path('ready').write_text('here'); print('listening', flush=True); signal.pause()"
    )
    use(monkeypatch, code)
    monkeypatch.setattr(demo_stage, "_ENDING_SECONDS", 0.1)
    with playground:
        assert playground.serve("Does it stop?") == "here"
        server = playground._server
    assert server is not None
    assert server.returncode == -signal.SIGKILL
    playground.stop_server()


def test_playground_without_a_server_has_none_to_stop(playground: Playground) -> None:
    """As when the first command fails already."""
    with playground:
        playground.say("nothing")
    assert playground.steps == []


def test_server_log_is_shown(playground: Playground, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under a title of its own."""
    (tmp_path / "serve.log").write_text("one\ntwo\n")
    playground.show_server_log("The log")
    playground.say("so it was")
    assert capsys.readouterr().out == "\nThe log\n  one\n  two\n  -> so it was\n"


def test_first_signal_interrupts_and_the_others_do_not_disturb() -> None:
    """What follows the first one is the tidying up."""
    before = signal.getsignal(signal.SIGTERM)
    tidied = False
    with ended_by_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGHUP)
            tidied = True
    assert tidied
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_that_is_just_being_started_is_ended_too(
    playground: Playground, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The signal comes when the process is there, and nobody knows of it yet."""
    started: list[subprocess.Popen[str]] = []
    start = Playground._start

    def start_and_be_asked_to_end(self: Playground, *arguments: Any, **options: Any) -> subprocess.Popen[str]:
        started.append(start(self, *arguments, **options))
        signal.raise_signal(number)
        return started[0]

    monkeypatch.setattr(Playground, "_start", start_and_be_asked_to_end)
    use(monkeypatch, "import signal; signal.pause()")
    with ended_by_signals(), pytest.raises(KeyboardInterrupt):
        playground.run("Does it end?", "echo")
    assert started[0].returncode == -signal.SIGKILL
