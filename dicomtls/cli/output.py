"""The rules of what dicomtls says, and the only code that says it.

stdout holds results and nothing else: lines for people, or one JSON document. Everything else goes to stderr
as `dicomtls: error: …`, `dicomtls: warning: …`, `dicomtls: hint: …`: lower case, no full stop, readable without
colour. What comes from a peer or a file is shown with its control characters escaped. A reader that has gone
away is no error: the rest is dropped in silence.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import IO, TYPE_CHECKING

from dicomtls.cli.text import Line, Style, Styled, render, wants_colour
from dicomtls.errors import MachineError

if TYPE_CHECKING:
    from dicomtls.diagnosis import Diagnosis

_PREFIX = "dicomtls: "
_EVERY_PDU = 2
_MARKS = {"error": Style.BAD, "warning": Style.STRONG}


class Output:
    """Writes for one invocation of one command."""

    def __init__(self, command: str | None, *, json: bool = False, quiet: bool = False, verbose: int = 0) -> None:
        self.command = command
        self.json = json
        self.quiet = quiet
        self.verbose = verbose

    def result(self, document: Mapping[str, object], lines: Iterable[Line]) -> None:
        """Write the result: the document with `--json`, else the lines unless `--quiet`."""
        if self.json:
            self.document(document)
        else:
            for line in lines:
                self.line(line)

    def document(self, document: Mapping[str, object]) -> None:
        """Write one JSON object on a line of its own."""
        from json import dumps  # only where it is asked for

        # ASCII only: a pipe's reader need not share our locale.
        _write(sys.stdout, dumps(document) + "\n")

    def line(self, line: Line) -> None:
        """Write one line of the result for people."""
        if not (self.quiet or self.json):
            _write(sys.stdout, render(line, colour=wants_colour(sys.stdout)) + "\n")

    def error(self, diagnosis: "Diagnosis") -> None:
        """Say what went wrong and what to do next; with `-v` also the facts behind it."""
        self.failure(diagnosis.message)
        for hint in diagnosis.hints:
            self.hint(hint)
        if self.verbose:
            self._facts({"code": diagnosis.code, "stage": diagnosis.stage, "by": diagnosis.by, **diagnosis.evidence})

    def _facts(self, facts: Mapping[str, object]) -> None:
        """Write the evidence: what is short on one line, each of a list's entries that have parts on its own."""
        lists = {name: value for name, value in facts.items() if isinstance(value, list) and value}
        plain = {name: value for name, value in facts.items() if not isinstance(value, list)}
        self.detail(", ".join(f"{name} {value}" for name, value in plain.items() if value is not None))
        for name, entries in lists.items():
            if isinstance(entries[0], dict):
                for entry in entries:
                    self.detail(f"{name}: {'; '.join(part for part in entry.values() if isinstance(part, str))}")
            else:
                self.detail(f"{name}: {' '.join(map(str, entries))}")

    def failure(self, text: str) -> None:
        """Say what went wrong, where what to do about it follows for several failures together."""
        self._say("error", text)

    def hint(self, text: str) -> None:
        """Say what to do next."""
        self._say("hint", text)

    def warning(self, text: str) -> None:
        """Say what the user should know though nothing failed; `--quiet` does not silence it."""
        self._say("warning", text)

    def notice(self, text: str) -> None:
        """Say what the user will need, unless `--quiet`."""
        if not self.quiet:
            self._say("info", text)

    def log(self, line: Line) -> None:
        """Write one line of a server's log, which has its own form."""
        _write(sys.stderr, render(line, colour=wants_colour(sys.stderr)) + "\n")

    def detail(self, text: str, *, level: int = 1) -> None:
        """Write one line of the log that `-v` (level 1) or `-vv` (level 2) asks for."""
        if self.verbose >= level:
            self._say("info", text)

    @property
    def trace(self) -> Callable[[str], None] | None:
        """What writes a line about each PDU; None unless `-vv` asks for it, so that it costs nothing."""
        return self._trace if self.verbose >= _EVERY_PDU else None

    def _trace(self, text: str) -> None:
        self.detail(text, level=_EVERY_PDU)

    @property
    def shows_progress(self) -> bool:
        """Whether a progress bar would be seen and is wanted."""
        return not (self.quiet or self.json) and sys.stderr.isatty()

    def _say(self, kind: str, text: str) -> None:
        style = _MARKS.get(kind)
        mark = Styled(f"{kind}:", style) if style else f"{kind}:"
        _write(sys.stderr, render((_PREFIX, mark, " ", text), colour=wants_colour(sys.stderr)) + "\n")


def write_page(text: str, *, failed: bool = False) -> None:
    """Write a help page or the like: to stdout where it was asked for, to stderr where it stands for an error."""
    _write(sys.stderr if failed else sys.stdout, text)


class OutputLostError(MachineError):
    """The standard output could not be written, for another reason than a reader that has gone away."""


def _write(stream: IO[str], text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # Without this the interpreter would try again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if isinstance(error, BrokenPipeError) or stream is sys.stderr:
            return
        msg = f"cannot write to the standard output: {(error.strerror or str(error)).lower()}"
        raise OutputLostError(msg, code="disk-full" if error.errno == errno.ENOSPC else "no-permission") from error
