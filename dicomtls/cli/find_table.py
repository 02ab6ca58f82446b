"""Matches as a table: on a terminal it fits, in a pipe every match is one line with tabs between its values."""

import shutil
import sys
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from dicomtls.cli.find_cells import cells_of
from dicomtls.cli.text import Style, Styled
from dicomtls.dataset.attributes import DICTIONARY, name_of

if TYPE_CHECKING:
    from dicomtls.cli.output import Output
    from dicomtls.dataset.identifier import Identifier
    from dicomtls.dataset.keys import Path

_GAP = "  "
_CUT = "\u2026"
_USUAL = 80
_CUT_HEADING = 6
_CUT_CELL = 12
"""What is left of a heading, and of a cell, that is cut as far as it goes: a date or a number is not cut at all."""
_SAMPLE = 100
"""Matches after which the widths of columns are decided."""
_SAMPLE_SECONDS = 0.3
_SHORT_NAMES = {
    "NumberOfPatientRelatedStudies": "Studies",
    "NumberOfPatientRelatedSeries": "Series",
    "NumberOfPatientRelatedInstances": "Instances",
    "NumberOfStudyRelatedSeries": "Series",
    "NumberOfStudyRelatedInstances": "Instances",
    "NumberOfSeriesRelatedInstances": "Instances",
    "ModalitiesInStudy": "Modalities",
    "ScheduledProcedureStepStartDate": "StartDate",
    "ScheduledProcedureStepStartTime": "StartTime",
    "ScheduledStationAETitle": "StationAET",
}


class Piped:
    """Lines for a pipe or a file, each written as its match comes, without a heading."""

    def __init__(self, output: "Output", paths: "Sequence[Path]") -> None:
        self._output = output
        self._paths = paths

    def add(self, identifier: "Identifier") -> None:
        """Write one match."""
        if not self._output.quiet:
            self._output.record("\t".join(cells_of(identifier, self._paths)))

    def close(self, *, is_whole: bool) -> None:
        """Nothing is held back."""


class Table:
    """A table for a terminal of `width` columns; the first matches decide how wide its own are."""

    def __init__(self, output: "Output", paths: "Sequence[Path]", width: int) -> None:
        self._output = output
        self._paths = list(paths)
        self._width = width
        self._held: list[list[str]] = []
        self._widths: list[int] | None = None
        self._decide_at = 0.0

    def add(self, identifier: "Identifier") -> None:
        """Write one match, or hold it back as long as the widths are not decided."""
        cells = cells_of(identifier, self._paths)
        if self._widths is not None:
            self._write(cells, self._widths)
            return
        self._decide_at = self._decide_at or monotonic() + _SAMPLE_SECONDS
        self._held.append(cells)
        if len(self._held) >= _SAMPLE or monotonic() >= self._decide_at:
            self._decide()

    def close(self, *, is_whole: bool) -> None:  # noqa: ARG002 -- what came is shown in either case
        """Write what is held back."""
        if self._widths is None and self._held:
            self._decide()

    def _decide(self) -> None:
        names = [_heading(path) for path in self._paths]
        widest = [max(map(width_of, column)) for column in zip(*self._held, strict=True)]
        self._widths = fit(widest, [*map(width_of, names)], self._width)
        left_out = len(self._paths) - len(self._widths)
        if left_out:
            columns = f"{left_out} {'column does' if left_out == 1 else 'columns do'}"
            self._output.notice(f"{columns} not fit: a pipe and --format csv have all")
        headings = [_cell(name, width) for name, width in zip(names, self._widths, strict=False)]
        self._output.line((Styled(_GAP.join(headings).rstrip(), Style.STRONG),))
        for cells in self._held:
            self._write(cells, self._widths)
        self._held.clear()

    def _write(self, cells: Sequence[str], widths: Sequence[int]) -> None:
        parts = (
            _cell(cell, width, keep_end=DICTIONARY.vr(path.tag) == "UI")
            for cell, width, path in zip(cells, widths, self._paths, strict=False)
        )
        self._output.line(_GAP.join(parts).rstrip())


def open_table(output: "Output", paths: "Sequence[Path]") -> Piped | Table:
    """The table for where the output goes."""
    if not sys.stdout.isatty():
        return Piped(output, paths)
    return Table(output, paths, shutil.get_terminal_size((_USUAL, 24)).columns)


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes: characters of East Asia take two, combining ones none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def fit(cells: Sequence[int], headings: Sequence[int], width: int) -> list[int]:
    """The widths of as many columns as fit, for cells and headings that wide.

    Headings are cut first, then the widest cells; where every column has shrunk as far as it goes, those on the right
    are left out.
    """
    natural = [max(pair) for pair in zip(cells, headings, strict=True)]
    needed = [max(cell, min(heading, _CUT_HEADING)) for cell, heading in zip(cells, headings, strict=True)]
    least = [min(column, _CUT_CELL) for column in needed]
    while len(least) > 1 and sum(least) + len(_GAP) * (len(least) - 1) > width:
        least.pop()
    room = width - len(_GAP) * (len(least) - 1)
    if len(least) == 1:
        return [min(natural[0], width)]
    widths: list[int] = []
    for longest in range(min(max(needed), width), 0, -1):
        widths = [max(low, min(column, longest)) for low, column in zip(least, needed, strict=False)]
        if sum(widths) <= room:
            break
    for place, column in enumerate(widths):
        widths[place] += min(natural[place] - column, room - sum(widths))
    return widths


def _heading(path: "Path") -> str:
    name = name_of(path.tag)
    return _SHORT_NAMES.get(name, name)


def _cell(text: str, width: int, *, keep_end: bool = False) -> str:
    """A text in just so many columns; UIDs differ at their end, so they keep that."""
    taken = width_of(text)
    if taken <= width:
        return text + " " * (width - taken)
    characters = text[::-1] if keep_end else text
    kept, used = [], 1
    for character in characters:
        used += width_of(character)
        if used > width:
            used -= width_of(character)
            break
        kept.append(character)
    cut = "".join(kept)
    return (_CUT + cut[::-1] if keep_end else cut + _CUT) + " " * (width - used)
