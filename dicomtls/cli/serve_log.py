"""The log of a server: one line an event, as text or as JSON."""

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dicomtls.cli.output import OutputLostError
from dicomtls.cli.text import Line, Style, Styled
from dicomtls.errors import By
from dicomtls.scp.events import Event, Severity

if TYPE_CHECKING:
    from dicomtls.cli.output import Output

_STYLES = {Severity.WARNING: Style.STRONG, Severity.ERROR: Style.BAD}
_VERBOSITY = {Severity.DETAIL: 1, Severity.TRACE: 2}
"""How often `-v` must be given for an event to be told on stderr."""


class Log:
    """Writes events; called from many threads at once.

    stderr gets the log; with `--json` stdout gets every event too, one object a line. A server does not end because
    its log cannot be written.
    """

    def __init__(self, output: "Output", *, as_json: bool) -> None:
        self._output = output
        self._as_json = as_json
        self._lock = threading.Lock()

    @property
    def wants_details(self) -> bool:
        """Whether anybody sees the events about single instances."""
        return self._output.json or self._is_wanted(Severity.DETAIL)

    def __call__(self, event: Event) -> None:
        """Write one event, unless it is a detail that nobody asked for."""
        with self._lock:
            if self._output.json:
                self._write_document(event)
            if self._is_wanted(event.severity):
                self._write(event)

    def result(self, event: Event) -> None:
        """Write what a script waits for: to stdout, as a document or as a line, whatever the form of the log."""
        with self._lock:
            if self._output.json:
                self._write_document(event)
            else:
                self._output.line((Styled(event.message, Style.GOOD),))

    def notice(self, text: str) -> None:
        """Say what the user will need."""
        with self._lock:
            self._output.notice(text)

    def _is_wanted(self, severity: Severity) -> bool:
        if severity is Severity.INFO:
            return not self._output.quiet
        return self._output.verbose >= _VERBOSITY.get(severity, 0)

    def _write_document(self, event: Event) -> None:
        try:
            self._output.document(_document(event))
        except OutputLostError as error:  # once: from then on the standard output swallows everything
            self._write(Event("log-lost", error.message, Severity.ERROR))

    def _write(self, event: Event) -> None:
        if self._as_json:
            from json import dumps

            self._output.log(dumps(_document(event)))
        else:
            self._output.log(_text(event))


def _text(event: Event) -> Line:
    where = " ".join(part for part in (f"#{event.association}" if event.association else "", event.peer or "") if part)
    style = _STYLES.get(event.severity)
    mark = (Styled(f"{event.severity}: ", style),) if style else ()
    return (f"{_now()} {where}{': ' if where else ''}", *mark, event.message + _diagnosis(event))


def _diagnosis(event: Event) -> str:
    """The code of a failure, who refused, and the first thing to do about it; JSON has all of them."""
    code, by, hints = (event.facts.get(key) for key in ("code", "by", "hints"))
    if not code:
        return ""
    who = f" by {_REFUSERS[by]}" if isinstance(by, By) and by in _REFUSERS else ""
    hint = f"; hint: {hints[0]}" if isinstance(hints, list) and hints else ""
    return f" [{code}{who}]{hint}"


_REFUSERS = {By.US: "us", By.PEER: "the client"}


def _document(event: Event) -> dict[str, object]:
    return {
        "time": _now(),
        "event": event.name,
        "severity": event.severity,
        "peer": event.peer,
        "association": event.association,
        "message": event.message,
        **event.facts,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
