"""A folder of certificates as a table, the one that expires first at its top."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dicomtls.cli.text import Line, Style, Styled, visible

if TYPE_CHECKING:
    from dicomtls.diagnosis.inspection import Inspection

_WIDEST = 48


@dataclass(frozen=True)
class Row:
    """One file of the folder."""

    path: Path
    inspection: "Inspection"

    def order(self) -> tuple[bool, int, str]:
        """Sort by days left, what has no readable date first of all."""
        days = self.inspection.days_left
        return days is not None, days or 0, str(self.path)

    def cells(self) -> tuple[str, str, str, str]:
        """Days left, file, whom it is for, the worst finding."""
        days = self.inspection.days_left
        leaf = self.inspection.certificates[self.inspection.arrangement.path[0]]
        name = next(iter((*leaf.dns_names, *leaf.ip_addresses)), None) or leaf.subject
        worst = next((one for one in self.inspection.findings if one.severity != "info"), None)
        verdict = f"{worst.severity}: {worst.code}" if worst else "nothing wrong was found"
        return "?" if days is None else str(days), _cut(self.path.name), _cut(name), verdict


def table(folder: Path, rows: Sequence[Row]) -> Iterator[Line]:
    """Write the table, and how to see more of one."""
    cells = [("days left", "file", "for", ""), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(3)]
    for number, line in enumerate(cells):
        padded = [line[0].rjust(widths[0]), line[1].ljust(widths[1]), line[2].ljust(widths[2])]
        is_bad = number > 0 and rows[number - 1].inspection.has_errors
        last: str | Styled = Styled(line[3], Style.BAD) if is_bad else line[3]
        yield ("  ".join(padded) + "  ", last) if last else "  ".join(padded).rstrip()
    yield f"each by itself: dicomtls inspect-cert {shlex.quote(str(folder))}/FILE"


def _cut(text: str) -> str:
    text = visible(text)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
