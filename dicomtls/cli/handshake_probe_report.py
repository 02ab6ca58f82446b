"""Where the results of handshake-probe go, as they come and at the end: one peer's, or those of many."""

import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from dicomtls.cli.documents import envelope
from dicomtls.cli.handshake_probe_view import follow_ups, tree, verdict, warnings
from dicomtls.cli.output import Output, write_page
from dicomtls.cli.text import Line, render, wants_colour
from dicomtls.errors import ExitStatus, Interrupted

if TYPE_CHECKING:
    from dicomtls.probe.contexts import Survey
    from dicomtls.probe.handshake import ProbeResult

EMPTY: Mapping[str, object] = {
    "target": None,
    "stages": [],
    "client_authentication": "unknown",
    "certificate_authorities": [],
    "certificate_fits": None,
    "follow_up": [],
}
"""What the document of a run adds that has probed nobody."""


class Sink:
    """Takes results: to stdout at once, or into a file at the end, whole."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._parts: list[str] = []

    def line(self, line: Line) -> None:
        """Take one line for people."""
        colour = self._path is None and wants_colour(sys.stdout)
        self.text(render(line, colour=colour) + "\n")

    def document(self, document: Mapping[str, object]) -> None:
        """Take one JSON object."""
        from json import dumps

        self.text(dumps(document) + "\n")

    def text(self, text: str) -> None:
        """Take what is written as it is."""
        if self._path is None:
            write_page(text)
        else:
            self._parts.append(text)

    def close(self) -> None:
        """Write the file, if one is wanted; raises `MachineError`."""
        if self._path is not None:
            from dicomtls.cli.writing import replace_file

            replace_file(self._path, "".join(self._parts).encode(errors="surrogateescape"))


class ProbeReport:
    """Tells what the probes find out; `form` is one of "text", "json" and "junit"."""

    def __init__(self, output: Output, form: str, path: Path | None, *, peers: int, warn_days: int) -> None:
        self._output = output
        self._form = form
        self._sink = Sink(path)
        self._peers = peers
        self._warn_days = warn_days
        self._results: dict[int, tuple[str, ProbeResult]] = {}
        self._start = monotonic()

    def add(self, place: int, text: str, result: "ProbeResult") -> None:
        """Take the result of one peer, and tell it at once where that is of use."""
        if self._peers > 1 and _was_interrupted(result):
            return
        self._results[place] = text, result
        if self._form == "json":
            self._sink.document(_document(self._output.command, text, result))
        elif self._form == "text" and (self._output.verbose or self._peers == 1):
            self._tell(text, result)

    def finish(self, *, is_interrupted: bool) -> int:
        """Tell the rest, and return the exit status.

        Raises `MachineError` where a file cannot be written, `Interrupted` where there is nothing to tell of one peer.
        """
        if is_interrupted and self._peers == 1 and not self._results:
            raise Interrupted
        results = [self._results[place] for place in sorted(self._results)]
        if self._form == "junit":
            from dicomtls.cli.handshake_probe_junit import junit

            self._sink.text(junit(results))
        if self._peers > 1:
            self._finish_many(results)
        self._sink.close()
        if self._peers == 1:
            self._finish_one(results)
        elif is_interrupted:
            self._output.failure(f"interrupted: {len(results):,} of {self._peers:,} peers were probed")
        if is_interrupted:
            return ExitStatus.INTERRUPTED
        return max((_status(result) for _, result in results), default=ExitStatus.SUCCESS)

    def _tell(self, text: str, result: "ProbeResult") -> None:
        if not self._output.quiet:
            for line in tree(text, result):
                self._sink.line(line)
        if self._peers == 1:
            self._sink.line(verdict(text, result))

    def _finish_one(self, results: "list[tuple[str, ProbeResult]]") -> None:
        for _, result in results:
            for warning in warnings(result, self._warn_days):
                self._output.warning(warning)
            if result.diagnosis is not None:
                self._output.error(result.diagnosis)

    def _finish_many(self, results: "list[tuple[str, ProbeResult]]") -> None:
        from dicomtls.cli.handshake_probe_table import summary, table, tell_failures, tell_warnings

        if self._form == "text":
            for line in () if self._output.quiet else table(results):
                self._sink.line(line)
            self._sink.line(summary(results, monotonic() - self._start))
        tell_warnings(self._output, results, self._warn_days)
        tell_failures(self._output, results)


def _status(result: "ProbeResult") -> ExitStatus:
    return ExitStatus.SUCCESS if result.diagnosis is None else result.diagnosis.exit_status


def _was_interrupted(result: "ProbeResult") -> bool:
    return result.diagnosis is not None and result.diagnosis.code == "interrupted"


def _document(command: str | None, text: str, result: "ProbeResult") -> dict[str, object]:
    values: dict[str, object] = {
        **EMPTY,
        "target": text,
        "stages": [
            {
                "name": stage.name,
                "ok": stage.ok,
                "ms": None if stage.ms is None else round(stage.ms, 3),
                "detail": stage.detail,
            }
            for stage in result.stages
        ],
        "client_authentication": result.client_authentication,
        "certificate_authorities": list(result.certificate_authorities),
        "certificate_fits": result.certificate_fits,
        "follow_up": follow_ups(result),
    }
    if result.contexts is not None:
        values["contexts"] = _contexts(result.contexts)
    return envelope(command, result.attempt, result.diagnosis, values)


def _contexts(survey: "Survey") -> list[dict[str, object]]:
    from dicomtls.probe.contexts import uid_name

    return [
        {
            "sop_class_uid": sop_class,
            "sop_class_name": uid_name(sop_class),
            "transfer_syntaxes": [{"uid": uid, "name": uid_name(uid)} for uid in syntaxes],
        }
        for sop_class, syntaxes in survey.accepted.items()
    ]
