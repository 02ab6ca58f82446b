"""One match as cells of text, for a table and for CSV."""

import csv
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from dicomtls.cli.text import visible
from dicomtls.dataset.attributes import numbers_of
from dicomtls.dataset.identifier import Element, Identifier, Value
from dicomtls.dataset.keys import element_at

if TYPE_CHECKING:
    from dicomtls.dataset.keys import Path

_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[0-9.]+(?:[Ee][+-]?[0-9]+)?")


def cells_of(identifier: Identifier, paths: "Sequence[Path]") -> list[str]:
    """What stands at the paths, for people, in one line each: what is not text is told by its size."""
    return [visible(_text(element_at(identifier, path), _brief)) for path in paths]


def csv_line(cells: Sequence[str]) -> str:
    """One line of CSV (RFC 4180) without its end.

    What a spreadsheet would take for a formula gets an apostrophe in front, which makes it text there: names come
    from whoever wrote them.
    """
    stream = StringIO()
    csv.writer(stream, lineterminator="").writerow([_as_text(cell) for cell in cells])
    return stream.getvalue()


def csv_cells(identifier: Identifier, paths: "Sequence[Path]") -> list[str]:
    """What stands at the paths, whole: sequences as DICOM JSON, bytes in Base64; control characters as escapes."""
    return [visible(_text(element_at(identifier, path), _whole)) for path in paths]


def _as_text(cell: str) -> str:
    is_formula = _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if is_formula else cell


def _text(element: Element | None, write: "_Write") -> str:
    if element is None or not element.values:
        return ""
    return write(*element)


def _brief(vr: str, values: tuple[Value, ...]) -> str:
    if vr == "SQ":
        return "(1 item)" if len(values) == 1 else f"({len(values)} items)"
    return "\\".join(f"({len(v)} bytes)" if isinstance(v, bytes) else _scalar(vr, v) for v in values)


def _whole(vr: str, values: tuple[Value, ...]) -> str:
    if vr == "SQ":
        from json import dumps

        from dicomtls.dataset.json_model import to_json

        return dumps([to_json(item) for item in values if isinstance(item, Mapping)], ensure_ascii=False)
    return "\\".join(b64encode(v).decode("ascii") if isinstance(v, bytes) else _scalar(vr, v) for v in values)


def _scalar(vr: str, value: Value) -> str:
    return numbers_of(value) if vr == "AT" and isinstance(value, int) else str(value)


if TYPE_CHECKING:
    from collections.abc import Callable

    _Write = Callable[[str, tuple[Value, ...]], str]
