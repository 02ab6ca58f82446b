"""Matches as cells: one line each, harmless in a terminal and in a spreadsheet."""

import csv
import json
from contextlib import suppress
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.cli.find_cells import cells_of, csv_cells, csv_line
from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.dataset.identifier import Element, decode, encode
from dicomtls.dataset.json_model import to_line
from dicomtls.dataset.keys import Path, Step, paths_of
from dicomtls.errors import DataError
from tests.support.mutations import mutations

TAG = 0x00100020
HERE = Path((), TAG)

CELLS: list[tuple[Element | None, str, str]] = [
    (None, "", ""),
    (Element("LO"), "", ""),
    (Element("LO", ("a", "b")), "a\\b", "a\\b"),
    (Element("LO", ("a\tb\n\x1b[31m\u202e",)), "a\\tb\\n\\x1b[31m\\u202e", "a\\tb\\n\\x1b[31m\\u202e"),
    (Element("PN", ("\u5c71\u3000\u7530",)), "\u5c71\u3000\u7530", "\u5c71\u3000\u7530"),
    (Element("US", (1, 2)), "1\\2", "1\\2"),
    (Element("FD", (0.5,)), "0.5", "0.5"),
    (Element("AT", (0x00100010,)), "(0010,0010)", "(0010,0010)"),
    (Element("OB", (b"\1\2\3\4",)), "(4 bytes)", "AQIDBA=="),
    (Element("SQ", ({},)), "(1 item)", "[{}]"),
    (
        Element("SQ", ({TAG: Element("LO", ("\u00e4",))}, {})),
        "(2 items)",
        '[{"00100020": {"vr": "LO", "Value": ["\u00e4"]}}, {}]',
    ),
]


@pytest.mark.parametrize(("element", "brief", "whole"), CELLS)
def test_cell_says_what_there_is(element: Element | None, brief: str, whole: str) -> None:
    """In brief for a table, whole for CSV."""
    found = {} if element is None else {TAG: element}
    assert cells_of(found, [HERE]) == [brief]
    assert csv_cells(found, [HERE]) == [whole]


def test_cell_is_found_in_an_item() -> None:
    """Each path has its cell, in its order."""
    found = {0x00400100: Element("SQ", ({TAG: Element("LO", ("in",))},)), TAG: Element("LO", ("out",))}
    assert cells_of(found, [Path((Step(0x00400100, 0),), TAG), HERE, Path((), 0x00080060)]) == ["in", "out", ""]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("plain", "plain"),
        ("=1+1", "'=1+1"),
        ("+49 30 1", "'+49 30 1"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-5", "-5"),
        ("+1.5E-3", "+1.5E-3"),
        ("=\u5c71^\u7530", "'=\u5c71^\u7530"),
        ('say "a", b', '"say ""a"", b"'),
        ("", '""'),
    ],
)
def test_formula_becomes_text(cell: str, written: str) -> None:
    """Numbers stay numbers, and quotes are those of RFC 4180."""
    assert csv_line([cell]) == written


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_csv_is_one_line_that_can_be_read_again(values: list[str]) -> None:
    """Whatever the values are."""
    line = csv_line(csv_cells({TAG: Element("LO", tuple(values))}, [HERE, HERE]))
    assert line.isprintable() or "\u3000" in line
    ((first, second),) = csv.reader(StringIO(line + "\n"))
    assert first == second
    assert first[:1] not in ("=", "@")


MATCH = {
    0x00080020: Element("DA", ("20240101",)),
    0x00100010: Element("PN", ("M\u00fcller=\u5c71",)),
    0x00180050: Element("DS", ("1.5",)),
    0x00200011: Element("IS", ("7",)),
    0x00280009: Element("AT", (0x00181063,)),
    0x00280010: Element("US", (512,)),
    0x00189310: Element("FD", (0.5,)),
    0x00400100: Element("SQ", ({0x00080060: Element("CS", ("CT",))},)),
    0x00420011: Element("OB", (b"\1\2",)),
}
BYTES = {syntax: encode(MATCH, syntax, ("ISO_IR 192",)) for syntax in (EXPLICIT_VR_LE, IMPLICIT_VR_LE)}


@pytest.mark.parametrize("syntax", list(BYTES))
@given(data=st.data())
def test_whatever_a_peer_sends_becomes_one_line(syntax: str, data: st.DataObject) -> None:
    """In every form, if it can be read at all."""
    with suppress(DataError):
        found = decode(data.draw(mutations(BYTES[syntax])), syntax)
        paths = list(paths_of(found))
        assert all(cell.replace("\u3000", "").isprintable() for cell in cells_of(found, paths))
        line = csv_line(csv_cells(found, paths))
        assert "\n" not in line
        json.loads(to_line(found))
