"""The progress bar."""

import io
import subprocess
import sys
from collections.abc import Callable

import pytest

from dicomtls.cli import progress as module
from dicomtls.cli.output import Output
from dicomtls.cli.progress import PeerCount, progress
from tests.support.cli import dicomtls_environment


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Always."""
        return True


@pytest.fixture
def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Makes stderr a terminal on which a bar shows at once; to be called in the test, since pytest replaces stderr."""

    def use() -> Terminal:
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setattr(module, "_QUIET_TIME", 0)
        return terminal

    return use


def draw(output: Output) -> None:
    """Two of four instances, and two of four megabytes."""
    with progress(output, instances=4, octets=4_000_000) as shown:
        shown.advance(1, 1_000_000)
        shown.advance(1, 1_000_000)


def test_bar_shows_instances_and_bytes(use_terminal: Callable[[], Terminal]) -> None:
    """How many of how many, how much of how much; the line is cleared at the end."""
    terminal = use_terminal()
    draw(Output("store"))
    drawn = terminal.getvalue()
    assert "2/4" in drawn
    assert "2.0/4.0 MB" in drawn
    assert drawn.endswith("\x1b[2K")


def test_narrow_terminal_has_a_bar_of_one_line(
    use_terminal: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar and the count; a line that wraps could not be taken back."""
    terminal = use_terminal()
    monkeypatch.setenv("COLUMNS", "30")
    draw(Output("store"))
    drawn = terminal.getvalue()
    assert "2/4" in drawn
    assert "MB" not in drawn


def test_bar_moves_within_an_instance(use_terminal: Callable[[], Terminal]) -> None:
    """One that is large shows how much of it is on its way; never more than there is, nor less than is done."""
    terminal = use_terminal()
    with progress(Output("store"), instances=2, octets=4_000_000) as shown:
        shown.sending(3_000_000)
        assert shown._bar is not None
        shown._bar.refresh()
        assert "0/2" in terminal.getvalue()
        assert "3.0/4.0 MB" in terminal.getvalue()
        shown.sending(3_000_000)
        shown._bar.refresh()
        assert "4.0/4.0 MB" in terminal.getvalue()


def test_bar_of_many_peers_counts_those_that_failed(use_terminal: Callable[[], Terminal]) -> None:
    """How many of how many, and how many failed; the line is cleared at the end."""
    terminal = use_terminal()
    bar = PeerCount(Output("handshake-probe"), peers=3)
    bar.advance(has_failed=False)
    bar.advance(has_failed=True)
    assert bar._bar is not None
    bar._bar.refresh()
    bar.close()
    assert "2/3" in terminal.getvalue()
    assert "1 failed" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")


def test_bar_of_many_peers_appears_before_the_first_is_done(use_terminal: Callable[[], Terminal]) -> None:
    """A silent one must not look like a program that hangs; once closed no bar appears any more."""
    terminal = use_terminal()
    bar = PeerCount(Output("handshake-probe"), peers=3)
    assert bar._timer is not None
    bar._timer.join(20)
    bar.close()
    assert "0/3" in terminal.getvalue()
    shown = terminal.getvalue()
    bar.advance(has_failed=False)
    assert terminal.getvalue() == shown


def test_one_peer_has_no_bar(use_terminal: Callable[[], Terminal]) -> None:
    """There is nothing to count."""
    terminal = use_terminal()
    bar = PeerCount(Output("handshake-probe"), peers=1)
    bar.advance(has_failed=True)
    bar.close()
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("output", [Output("store", quiet=True), Output("store", json=True)])
def test_no_bar_is_shown_where_none_is_wanted(use_terminal: Callable[[], Terminal], output: Output) -> None:
    """Neither with `--quiet` nor with `--json`."""
    terminal = use_terminal()
    draw(output)
    assert terminal.getvalue() == ""


def test_short_transfer_shows_no_bar(use_terminal: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over within half a second is spared the time that drawing takes, on a terminal too."""
    terminal = use_terminal()
    monkeypatch.setattr(module, "_QUIET_TIME", 60)
    draw(Output("store"))
    assert terminal.getvalue() == ""


def test_pipe_does_not_load_rich() -> None:
    """Where no bar is shown, the library that draws it stays out."""
    code = (
        "import sys\nfrom dicomtls.cli.output import Output\nfrom dicomtls.cli.progress import progress\n"
        "with progress(Output('store'), instances=1, octets=1) as shown: shown.advance(1, 1)\n"
        "print('rich' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dicomtls_environment()
    )
    assert done.stdout == "False\n"
