"""Where the matches of `find` go, in the form that was asked for, and what is said of them besides."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from dicomtls.association.dimse import CommandField
from dicomtls.association.status import status_meaning
from dicomtls.cli.find_cells import csv_cells, csv_line
from dicomtls.cli.find_table import open_table
from dicomtls.cli.output import Output
from dicomtls.cli.running import Report
from dicomtls.dataset.json_model import to_line
from dicomtls.dataset.keys import paths_of
from dicomtls.scu.query import FindResult

if TYPE_CHECKING:
    from dicomtls.cli.find_files import MatchFolder
    from dicomtls.cli.options.find import Format
    from dicomtls.dataset.identifier import Identifier
    from dicomtls.dataset.keys import Path
    from dicomtls.scu.query import Match

_NOT_GRANTED: Final = {
    "relational": "the peer does not agree to relational queries: keys above the level may be refused or ignored",
    "fuzzy": "the peer does not agree to fuzzy matching: names have to match as they are",
}


class Taker(Protocol):
    """Writes matches in their order."""

    def add(self, identifier: "Identifier") -> None:
        """Write one match, now or a little later."""

    def close(self, *, is_whole: bool) -> None:
        """Write what was held back; there is more that never came unless `is_whole`."""


class FindReport:
    """Writes matches as they come; `result` has what is said of them in the end."""

    def __init__(self, output: Output, report: Report, form: "Format") -> None:
        self.result = FindResult()
        self._output = output
        self._report = report
        self._form = form
        self._tell_result()

    @contextmanager
    def taking(self, shown: "Identifier", folder: "MatchFolder | None") -> "Iterator[Callable[[Match], None]]":
        """Take the matches of the block, whose columns are the keys `shown`; a folder gets each as a file, too."""
        taker = self._taker(list(paths_of(shown)))
        is_whole = False

        def take(match: "Match") -> None:
            if folder is not None:
                folder.add(match)
            taker.add(match.identifier)

        try:
            yield take
            is_whole = True
        finally:
            taker.close(is_whole=is_whole)
            self._tell_result()
            self._remark()
        self._report.is_told = True
        if not self.result.matches and self._form == "table":
            self._output.notice("no match")

    def _taker(self, paths: "Sequence[Path]") -> Taker:
        if self._form == "json":
            return JSONLines(self._output)
        return CSV(self._output, paths) if self._form == "csv" else open_table(self._output, paths)

    def _tell_result(self) -> None:
        """What the document has where the query failed."""
        status = self.result.status
        self._report.values.update(
            matches=self.result.matches,
            status=None if status is None else f"0x{status:04X}",
            status_meaning=None if status is None else status_meaning(status, CommandField.C_FIND_RSP),
        )

    def _remark(self) -> None:
        for name in self.result.not_granted:
            self._output.warning(_NOT_GRANTED[name])
        if self.result.ignored_keys:
            self._output.warning("the peer does not match by all of the keys (0xFF01): there may be too many matches")
        if self.result.warning is not None:
            self._output.warning(f"the peer answered with a warning: {self.result.warning}")


class JSONLines:
    """One object of the DICOM JSON Model a line."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def add(self, identifier: "Identifier") -> None:
        """Write one match."""
        self._output.record(to_line(identifier))

    def close(self, *, is_whole: bool) -> None:
        """Nothing is held back."""


class CSV:
    """A line for each match below one that names the columns.

    That is there without any match, too: what reads CSV wants to know the columns. Not so after a failure.
    """

    def __init__(self, output: Output, paths: "Sequence[Path]") -> None:
        self._output = output
        self._paths = paths
        self._has_heading = False

    def add(self, identifier: "Identifier") -> None:
        """Write one match."""
        self._add_heading()
        self._output.record(csv_line(csv_cells(identifier, self._paths)))

    def close(self, *, is_whole: bool) -> None:
        """Name the columns where no match has come, and none will."""
        if is_whole:
            self._add_heading()

    def _add_heading(self) -> None:
        if not self._has_heading:
            self._has_heading = True
            self._output.record(csv_line([str(path) for path in self._paths]))
