"""Queries as SQL: which tables and columns they touch, and their pages."""

from typing import Any

import pytest

from dicomtls.association.query import INSTANCE_AVAILABILITY, RETRIEVE_AE_TITLE, Level
from dicomtls.dataset.identifier import Element
from dicomtls.scp.index_plan import Plan
from tests.support.keeping import MODALITY, PATIENT_ID, PATIENT_NAME, STUDY_UID, query


class Pages:
    """A database that has so many rows, and remembers what it was asked."""

    def __init__(self, count: int) -> None:
        self.rows = [(number, f"1.2.{number}") for number in range(1, count + 1)]
        self.asked: list[tuple[int, int]] = []

    def execute(self, _sql: str, parameters: tuple[Any, ...]) -> "Pages":
        """Remember where the page begins and how long it is."""
        self.asked.append((parameters[-2], parameters[-1]))
        return self

    def fetchall(self) -> list[tuple[int, str]]:
        """The page."""
        last, size = self.asked[-1]
        return [row for row in self.rows if row[0] > last][:size]


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 250, 20_000])
def test_pages_follow_each_other(count: int) -> None:
    """The first is short, so that the first match comes soon; none is longer than 5,000."""
    pages = Pages(count)
    plan = Plan(query(Level.STUDY, {}))
    assert [row[0] for row in plan.rows(pages)] == list(range(1, count + 1))  # type: ignore[arg-type]  # a stand-in
    assert pages.asked[0] == (0, 50)
    assert max(size for _, size in pages.asked) <= 5000


@pytest.mark.parametrize(
    ("level", "tables"),
    [
        (Level.PATIENT, ["patient"]),
        (Level.STUDY, ["study", "patient"]),
        (Level.SERIES, ["series", "study", "patient"]),
        (Level.IMAGE, ["instance", "series", "study", "patient"]),
    ],
)
def test_tables_of_the_level_and_above_are_joined(level: Level, tables: list[str]) -> None:
    """In that order."""
    sql = Plan(query(level, {})).sql
    joined = sql.partition(" FROM ")[2].partition(" WHERE ")[0]
    assert [part.split()[0] for part in joined.split("JOIN ")] == tables


def test_what_is_unknown_or_below_the_level_is_left_out() -> None:
    """Nothing of a peer's becomes a name in SQL."""
    plan = Plan(query(Level.STUDY, {MODALITY: "CT", 0x00091001: "x", 0x00081140: None}))
    assert "Modality" not in plan.sql
    assert plan.parameters == ()


def test_match_has_the_constants_that_were_asked_for() -> None:
    """The AE title is the service's matter."""
    plan = Plan(query(Level.STUDY, {INSTANCE_AVAILABILITY: None, RETRIEVE_AE_TITLE: None, PATIENT_NAME: None}))
    assert plan.identifier((1, "1.2", "A^B")) == {  # type: ignore[arg-type]  # a tuple does for a row
        STUDY_UID: Element("UI", ("1.2",)),
        PATIENT_NAME: Element("PN", ("A^B",)),
        INSTANCE_AVAILABILITY: Element("CS", ("ONLINE",)),
    }


def test_instances_need_only_what_is_matched() -> None:
    """Return keys are nobody's concern in a retrieval."""
    plan = Plan(query(Level.STUDY, {PATIENT_ID: "P1", PATIENT_NAME: None}), for_instances=True)
    assert plan.sql.startswith("SELECT instance.id, patient.PatientID, instance.path")
    assert plan.parameters == ("P1",)
