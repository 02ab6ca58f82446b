"""Criteria as SQL: parameters only, and never less than what matches."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.association.query import Level
from dicomtls.dataset.identifier import Element
from dicomtls.scp.conditions import condition
from dicomtls.scp.index_attributes import ATTRIBUTES, DERIVED, Attribute
from dicomtls.scp.matching import criterion
from dicomtls.scp.patterns import fold_name

KNOWN = {one.keyword: one for level in Level for one in ATTRIBUTES[level]}
KEYWORDS = ["PatientName", "PatientID", "StudyDate", "StudyTime", "StudyInstanceUID", "SeriesNumber"]
STUDY_DERIVED = {one.keyword: one for one in DERIVED[Level.STUDY]}
PIECES = st.sampled_from(
    ["a", "B", "ü", "^", "=", "*", "?", "[", "]", "%", "_", "'", "-", "10", "2020", "0101", ".", ":"]
)
TEXTS = st.lists(PIECES, max_size=6).map("".join)


def rows_kept(attribute: Attribute, key: str, stored: str) -> tuple[bool, bool]:
    """Whether a stored text matches a key, and whether the database lets it through."""
    wanted = criterion(Element(attribute.vr, (key,)))
    if wanted is None:
        return True, True
    found = condition("t", attribute, wanted)
    if found is None:
        return wanted.matches((stored,) if stored else ()), True
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE t ({attribute.keyword} TEXT, {attribute.keyword}_folded TEXT)")
        connection.execute("INSERT INTO t VALUES (?, ?)", (stored, fold_name(stored)))
        row = connection.execute(f"SELECT 1 FROM t WHERE {found.sql}", found.parameters).fetchone()  # noqa: S608 -- names of ours
    return wanted.matches((stored,) if stored else ()), row is not None


@given(keyword=st.sampled_from(KEYWORDS), key=TEXTS, stored=TEXTS)
def test_condition_lets_through_what_matches(keyword: str, key: str, stored: str) -> None:
    """Whatever key and value are."""
    matches, is_kept = rows_kept(KNOWN[keyword], key, stored.strip())
    assert is_kept or not matches


@pytest.mark.parametrize(
    ("keyword", "key", "stored"),
    [
        ("PatientID", "A", "B"),
        ("PatientID", "A*", "B"),
        ("PatientName", "smi*", "jones"),
        ("PatientName", "smith^j*", "smith^paul"),
        ("StudyDate", "20200101-20200131", "20210101"),
        ("StudyTime", "10-11", "23"),
        ("StudyTime", "23-01", "12"),
    ],
)
def test_condition_sorts_out_what_does_not_match(keyword: str, key: str, stored: str) -> None:
    """The negative twin: it is worth its while."""
    assert rows_kept(KNOWN[keyword], key, stored) == (False, False)


def test_values_of_a_peer_are_parameters() -> None:
    """None of them is in the SQL, whatever the criterion; long lists are one parameter."""
    evil = "x' OR 1=1 --"
    keywords = ["PatientID", "PatientName", "StudyDate", "StudyTime", "StudyInstanceUID"]
    for keyword in keywords:
        for key in ((evil,), (f"{evil}*",), (evil, "y"), tuple(f"{evil}{number}" for number in range(1000))):
            wanted = criterion(Element(KNOWN[keyword].vr, key))
            assert wanted is not None
            found = condition("t", KNOWN[keyword], wanted)
            assert found is None or ("1=1" not in found.sql and found.sql.count("?") == len(found.parameters) < 20)


def test_some_things_only_matching_can_tell() -> None:
    """Attributes with several values, numbers, fuzzy names, hostile patterns, NUL."""
    for keyword, key in [
        ("ImageType", "ORIGINAL"),
        ("SeriesNumber", "1"),
        ("PatientID", "*a" * 100),
        ("PatientID", "a\0*"),
        ("PatientName", "=a*"),
    ]:
        wanted = criterion(Element(KNOWN[keyword].vr, (key,)))
        assert wanted is not None
        assert condition("t", KNOWN[keyword], wanted) is None
    fuzzy = criterion(Element("PN", ("a",)), fuzzy=True)
    assert fuzzy is not None
    assert condition("t", KNOWN["PatientName"], fuzzy) is None


def test_modalities_are_looked_for_in_the_series() -> None:
    """Other derived attributes are not."""
    wanted = criterion(Element("CS", ("CT",)))
    assert wanted is not None
    found = condition("study", STUDY_DERIVED["ModalitiesInStudy"], wanted)
    assert found is not None
    assert found.parameters == ("CT",)
    assert condition("study", STUDY_DERIVED["SOPClassesInStudy"], wanted) is None
