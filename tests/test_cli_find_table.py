"""The table of matches: widths, what is cut, when it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.cli import find_table
from dicomtls.cli.find_table import Piped, Table, fit, width_of
from dicomtls.cli.output import Output
from dicomtls.dataset.identifier import Element
from dicomtls.dataset.keys import Path, identifier_of, parse_keys, paths_of

PATIENT_ID, STUDY_UID = 0x00100020, 0x0020000D


def paths(*keys: str) -> list[Path]:
    """The columns of these keys."""
    return list(paths_of(identifier_of(parse_keys(keys))))


def study(name: str, uid: str = "1.2.3") -> dict[int, Element]:
    """A match."""
    return {PATIENT_ID: Element("LO", (name,)), STUDY_UID: Element("UI", (uid,))}


@pytest.mark.parametrize(
    ("cells", "headings", "width", "expected"),
    [
        ([5, 5], [3, 9], 80, [5, 9]),
        ([5, 5], [9, 9], 16, [8, 6]),
        ([5, 50], [5, 5], 40, [5, 33]),
        ([30, 30], [1, 1], 42, [20, 20]),
        ([30, 20], [1, 1], 42, [20, 20]),
        ([3, 90, 90], [3, 3, 3], 67, [3, 30, 30]),
        ([20, 20, 20], [9, 9, 9], 30, [14, 14]),
        ([8, 8, 8], [9, 9, 9], 20, [9, 9]),
        ([20], [5], 4, [4]),
        ([2, 2, 2, 30], [2, 2, 2, 2], 12, [2, 2, 2]),
        ([0, 0], [30, 30], 20, [12, 6]),
    ],
)
def test_headings_and_the_widest_columns_are_shrunk_first(
    cells: list[int], headings: list[int], width: int, expected: list[int]
) -> None:
    """A date is not cut: columns on the right are left out instead."""
    assert fit(cells, headings, width) == expected


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 60)), min_size=1, max_size=30), st.integers(1, 300))
def test_columns_never_take_more_than_there_is(columns: list[tuple[int, int]], width: int) -> None:
    """Nor more than they want; one is always there, and the room is used."""
    cells, headings = zip(*columns, strict=True)
    widths = fit(cells, headings, width)
    natural = [max(pair) for pair in columns]
    assert 1 <= len(widths) <= len(columns)
    assert sum(widths) + 2 * (len(widths) - 1) <= width
    assert all(0 <= given <= wanted for given, wanted in zip(widths, natural, strict=False))
    assert widths == natural[: len(widths)] or sum(widths) + 2 * (len(widths) - 1) == width


def test_table_is_written_when_its_widths_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    """After enough matches, or at the end; from then on each as it comes."""
    table = Table(Output("find"), paths("PatientID", "StudyInstanceUID"), 80)
    for number in range(find_table._SAMPLE - 1):
        table.add(study(f"P{number}"))
    assert capsys.readouterr().out == ""
    table.add(study("last"))
    heading, first, *_, last = capsys.readouterr().out.splitlines()
    assert (heading, first, last) == ("PatientID  StudyInstanceUID", "P0         1.2.3", "last       1.2.3")
    table.add(study("one that is too long"))
    table.close(is_whole=True)
    assert capsys.readouterr().out == "one that\u2026  1.2.3\n"


def test_slow_peer_does_not_hold_the_table_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came is written with the first match after a moment."""
    monkeypatch.setattr(find_table, "_SAMPLE_SECONDS", 0.0)
    table = Table(Output("find"), paths("PatientID"), 80)
    table.add(study("P1"))
    assert capsys.readouterr().out == "PatientID\nP1\n"


def test_table_without_matches_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """No heading either."""
    table = Table(Output("find"), paths("PatientID"), 80)
    table.close(is_whole=True)
    assert capsys.readouterr() == ("", "")


def test_columns_that_do_not_fit_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr; UIDs keep their end, counts have short names, and quiet is quiet."""
    table = Table(Output("find"), paths("NumberOfStudyRelatedSeries", "StudyInstanceUID", "PatientID"), 20)
    table.add(study("a" * 30, "1.2.840.10008.777"))
    table.close(is_whole=False)
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["Series  StudyInstan\u2026", "        \u20260.10008.777"]
    assert "1 column does not fit" in captured.err


def test_wide_and_combining_characters_are_counted_as_a_terminal_does() -> None:
    """Two columns, and none; a wide one that would be cut in half is left out."""
    assert [width_of(text) for text in ("abc", "\u5c71\u7530", "e\u0301")] == [3, 4, 1]
    assert find_table._cell("\u5c71\u7530\u592a\u90ce", 6) == "\u5c71\u7530\u2026 "


def test_pipe_gets_each_match_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Whole, with tabs between; nothing where the output is quiet."""
    piped = Piped(Output("find"), paths("PatientID", "StudyInstanceUID"))
    piped.add(study("a" * 100))
    assert capsys.readouterr().out == "a" * 100 + "\t1.2.3\n"
    piped.close(is_whole=True)
    Piped(Output("find", quiet=True), paths("PatientID")).add(study("a"))
    assert capsys.readouterr().out == ""
