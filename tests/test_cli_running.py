"""Running a command's body."""

import errno
import json
import os
import signal

import pytest

from dicomtls.cli.output import Output
from dicomtls.cli.running import Report, interruptible, run
from dicomtls.errors import (
    AssociationTimeout,
    CredentialError,
    DicomTLSError,
    HandshakeError,
    Interrupted,
    MachineError,
    NetworkError,
    RemoteProtocolError,
    StatusFailure,
    UsageError,
)

STATUSES: list[tuple[BaseException, int]] = [
    (StatusFailure("no", status=0x0122), 1),
    (UsageError("no"), 2),
    (CredentialError("no"), 2),
    (NetworkError("no"), 3),
    (RemoteProtocolError("no"), 5),
    (AssociationTimeout("no"), 5),
    (MachineError("no"), 6),
    (OSError(errno.ENOSPC, "no space left on device"), 6),
    (Interrupted(), 130),
    (KeyboardInterrupt(), 130),
]


@pytest.mark.parametrize(("error", "expected"), STATUSES, ids=lambda value: type(value).__name__)
def test_error_of_a_body_becomes_its_exit_status(
    error: BaseException, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each kind of failure has its exit status, a line on stderr and a document on stdout."""

    def body(report: Report) -> None:
        report.values["sent"] = 3
        raise error

    assert run(Output("store", json=True), body) == expected
    captured = capsys.readouterr()
    written = json.loads(captured.out)
    assert (written["command"], written["ok"], written["sent"]) == ("store", False, 3)
    assert captured.err.startswith("dicomtls: error: ")


def test_every_error_class_is_known() -> None:
    """The table above leaves out only base classes and those whose parents it has."""
    tried = {type(error) for error, _ in STATUSES}
    families = {cls for cls in DicomTLSError.__subclasses__() if not any(issubclass(one, cls) for one in tried)}
    assert families == {HandshakeError}


def test_success_is_a_document_or_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A body that comes to its end is a success, whatever it reported."""

    def body(report: Report) -> None:
        report.lines.append("done")
        report.values["sent"] = 3

    assert run(Output("store"), body) == 0
    assert capsys.readouterr().out == "done\n"
    assert run(Output("store", json=True), body) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_mistake_of_ours_is_not_swallowed() -> None:
    """What no user, file or peer can cause is a bug, and has to look like one."""

    def body(_report: Report) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(Output("store"), body)


def test_first_interrupt_sets_a_flag_and_the_second_ends_at_once() -> None:
    """Between writes the library looks at the flag; who presses Ctrl-C twice does not want to wait for that."""
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.is_set
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_job_in_the_background_stays_deaf_to_interrupts() -> None:
    """A shell starts it with SIGINT ignored, so that Ctrl-C ends what is in the foreground only."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible() as interrupt:
            os.kill(os.getpid(), signal.SIGINT)
            assert not interrupt.is_set
    finally:
        signal.signal(signal.SIGINT, previous)
