"""Running a command's body: whatever it ends in becomes one document or a few lines, and an exit status."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomtls.cli.documents import envelope
from dicomtls.cli.output import Output
from dicomtls.cli.sentences import stages
from dicomtls.cli.text import Line
from dicomtls.errors import DicomTLSError, ExitStatus, Interrupted, Stage

if TYPE_CHECKING:
    from dicomtls.diagnosis import Diagnosis
    from dicomtls.probe.explain import Target
    from dicomtls.scu.attempt import Attempt
    from dicomtls.waiting import Interrupt


@dataclass
class Report:
    """What a command has found out so far; its body fills it, also on the way to a failure.

    `is_told` where the body wrote its results as they came, so that only a failure is left to be said. `target` is who
    may be looked at again to explain a failure; None where nobody may.
    """

    attempt: "Attempt | None" = None
    values: dict[str, object] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    is_told: bool = False
    target: "Target | None" = None
    output: Output | None = None
    _logged: set[str] = field(default_factory=set)

    def follow(self, attempt: "Attempt") -> "Attempt":
        """Report on this attempt; with `-v` each stage that it comes through has its line at once."""
        self.attempt = attempt
        if self.output is not None and self.output.verbose:
            attempt.on_stage = self._log
        return attempt

    def log_the_rest(self, failed: Stage | None) -> None:
        """The line of the stage where it ended, if it did; `failed` says which that was."""
        if self.output is not None and self.output.verbose and self.attempt is not None:
            # What has no line by now was not come through, also where nothing but Ctrl-C was the reason.
            for name, line in stages(self.attempt, failed if failed is Stage.TLS else Stage.ASSOCIATION):
                if name not in self._logged:
                    self.output.detail(line)

    def _log(self, stage: str) -> None:
        """Once: a second association of the same command says nothing new."""
        if self.output is not None and self.attempt is not None and stage not in self._logged:
            self._logged.add(stage)
            self.output.detail(dict(stages(self.attempt, None))[stage])


def run(output: Output, body: Callable[[Report], None]) -> int:
    """Run `body`, write what it reported, and return the exit status; a body fails by raising."""
    report = Report(output=output)
    failure = _failure_of(body, report)
    report.log_the_rest(failure.stage if failure is not None else None)
    if failure is None and report.is_told:
        return ExitStatus.SUCCESS
    document = envelope(output.command, report.attempt, failure, report.values) if output.json else {}
    output.result(document, report.lines)
    if failure is None:
        return ExitStatus.SUCCESS
    output.error(failure)
    return failure.exit_status


def refuse(output: Output, error: DicomTLSError, values: Mapping[str, object] | None = None) -> int:
    """Report an error that came before any command's body ran; returns the exit status."""
    failure = _diagnose(error)
    output.result(envelope(output.command, None, failure, values or {}) if output.json else {}, ())
    output.error(failure)
    return failure.exit_status


@contextmanager
def interruptible() -> "Iterator[Interrupt]":
    """Let the first Ctrl-C raise a flag that the library looks at between writes, and the second end at once.

    An exception out of the middle of a write leaves a TLS connection on which no A-ABORT can be sent any more.
    """
    from dicomtls.waiting import Interrupt  # it brings socket, which a usage error does not need

    interrupt = Interrupt()

    def handle(_signal: int, _frame: object) -> None:
        if interrupt.is_set:
            raise KeyboardInterrupt
        interrupt.set()

    previous = signal.getsignal(signal.SIGINT)
    if previous is not signal.SIG_IGN:  # a shell's background job is to go on
        signal.signal(signal.SIGINT, handle)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, previous)
        interrupt.close()


def _failure_of(body: Callable[[Report], None], report: Report) -> "Diagnosis | None":
    try:
        body(report)
    except KeyboardInterrupt:
        return _diagnose(Interrupted())
    except DicomTLSError as error:
        return _diagnose(error) if report.target is None else _explain(error, report.target)
    except (OSError, MemoryError) as error:
        return _diagnose(error)
    return None


def _explain(error: DicomTLSError, target: "Target") -> "Diagnosis":
    from dicomtls.probe.explain import explain

    try:
        with interruptible() as interrupt:
            return explain(error, target, interrupt=interrupt)
    except KeyboardInterrupt:  # a second Ctrl-C; what failed is known all the same
        return _diagnose(error)


def _diagnose(error: DicomTLSError | OSError | MemoryError) -> "Diagnosis":
    from dicomtls.diagnosis import diagnose  # only a failure needs its tables

    return diagnose(error)
