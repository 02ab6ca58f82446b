"""Which criterion a key becomes, and what it matches."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.dataset.identifier import Element, Value
from dicomtls.scp.matching import Exactly, criteria, criterion, identifier_matches
from dicomtls.scp.patterns import FuzzyName, Name, Wildcard

MODALITY, STATION, STEPS = 0x00080060, 0x00400001, 0x00400100
VRS = ["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "TM", "UI", "UN", "US", "SQ", "FD", "XX"]
VALUES = st.one_of(st.text(max_size=12), st.integers(), st.floats(), st.binary(max_size=4))


def matches(vr: str, key: str | tuple[Value, ...], *values: Value, fuzzy: bool = False) -> bool:
    """Whether values match a key; everything matches one that is universal."""
    found = criterion(Element(vr, (key,) if isinstance(key, str) else key), fuzzy=fuzzy)
    return found is None or found.matches(values)


@pytest.mark.parametrize("vr", [vr for vr in VRS if vr != "SQ"])
@pytest.mark.parametrize("values", [(), ("",), ("  ",), ("*",), ("***",), ("", "*")])
def test_empty_key_matches_everything(vr: str, values: Sequence[str]) -> None:
    """Universal matching, and a lone asterisk is that too."""
    assert criterion(Element(vr, tuple(values))) is None


def test_criteria_leave_out_what_matches_everything() -> None:
    """Return keys cost nothing."""
    keys = {MODALITY: Element("CS", ("CT",)), STATION: Element("AE"), STEPS: Element("SQ", ({STATION: Element("AE")},))}
    assert criteria(keys) == {MODALITY: Exactly(frozenset({"CT"}))}


@pytest.mark.parametrize(
    ("vr", "key", "value", "expected"),
    [
        ("CS", "CT", "CT", True),
        ("CS", "ct", "CT", False),
        ("LO", "A b", "A b", True),
        ("LO", "A", "A b", False),
        ("LO", " A ", "A", True),
        ("UI", ("1.2", "1.3"), "1.3", True),
        ("UI", ("1.2", "1.3"), "1.30", False),
        ("UI", "1.2.*", "1.2.3", True),
        ("SH", ("A*", "B"), "B", True),
        ("SH", ("A*", "B"), "C", False),
        ("IS", "1", "01", True),
        ("IS", "1", "+1", True),
        ("IS", "x", "1", False),
        ("DS", "1.50", "1.5", True),
        ("DS", "nan", "1", False),
        ("US", (512,), 512, True),
        ("US", (512,), 513, False),
        ("UL", (1234567,), 1234568, False),
        ("UL", (1234567,), 1234567, True),
        ("UV", (2**63,), 2**63 + 1, False),
        ("SV", (-(2**62) - 1,), -(2**62), False),
        ("FD", (1.0000001,), 1.0000002, False),
        ("FD", (1e300,), 1e300, True),
        ("FD", (2.0,), 2.0, True),
        ("FL", (0.1,), 0.1, True),
        ("AT", (0x00100010,), 0x00100010, True),
        ("AT", (0x00100010,), 0x00100020, False),
        ("IS", ("9" * 5000,), "1", False),
        ("CS", (1234567,), 1234568, False),
        ("PN", "^", "Smith^John", True),
        ("PN", "^^^^=^", "Smith^John", True),
        ("PN", "^John", "Smith^John", False),
        ("PN", "smith*", "SMITH^J", True),
        ("DA", "2020*", "20201231", True),
        ("DA", "20200101-20201231", "20200601", True),
        ("TM", "2300-0100", "0030", True),
        ("DT", "2020", "20200601", True),
        ("UN", (b"x",), b"y", True),
    ],
)
def test_key_matches_by_its_vr(vr: str, key: str | tuple[Value, ...], value: Value, expected: bool) -> None:  # noqa: FBT001 -- a table
    """Case counts in everything but names, numbers are numbers, several values are alternatives."""
    assert matches(vr, key, value) is expected


def test_any_of_several_values_is_enough() -> None:
    """As for modalities in study; nothing matches no value."""
    assert matches("CS", "MR", "CT", "MR")
    assert not matches("CS", "MR")


def test_names_are_fuzzy_where_that_was_agreed() -> None:
    """And plain names otherwise."""
    assert isinstance(criterion(Element("PN", ("jo",))), Name)
    assert isinstance(criterion(Element("PN", ("jo",)), fuzzy=True), FuzzyName)
    assert isinstance(criterion(Element("LO", ("jo*",)), fuzzy=True), Wildcard)


def step(modality: str, station: str) -> dict[int, Element]:
    """An item of a scheduled procedure step sequence."""
    return {MODALITY: Element("CS", (modality,)), STATION: Element("AE", (station,))}


def test_item_matches_all_keys_at_once() -> None:
    """One item has to match everything: not this key in one, that key in another."""
    key = Element("SQ", (step("CT", "CT1"),))
    wanted = criterion(key)
    assert wanted is not None
    assert wanted.matches((step("MR", "MR1"), step("CT", "CT1")))
    assert not wanted.matches((step("MR", "CT1"), step("CT", "MR1")))
    assert not wanted.matches(())
    assert not wanted.matches(("CT",))


def test_sequence_without_keys_matches_everything() -> None:
    """An empty sequence, an empty item, and an item of empty keys."""
    for values in ((), ({},), ({STATION: Element("AE")},)):
        assert criterion(Element("SQ", values)) is None


def test_identifier_matches_when_all_keys_do() -> None:
    """A missing attribute is an empty one."""
    wanted = criteria({MODALITY: Element("CS", ("CT",)), STATION: Element("AE", ("CT1",))})
    assert identifier_matches(wanted, step("CT", "CT1"))
    assert not identifier_matches(wanted, step("CT", "CT2"))
    assert not identifier_matches(wanted, {MODALITY: Element("CS", ("CT",))})


@given(
    vr=st.sampled_from(VRS),
    key=st.lists(VALUES, max_size=3),
    values=st.lists(VALUES, max_size=3),
    fuzzy=st.booleans(),
)
def test_nothing_is_raised_for_any_key(vr: str, key: list[Value], values: list[Value], *, fuzzy: bool) -> None:
    """Whatever the VR says and the values are."""
    found = criterion(Element(vr, tuple(key)), fuzzy=fuzzy)
    assert found is None or found.matches(values) in {True, False}
