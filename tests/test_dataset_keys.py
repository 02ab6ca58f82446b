"""Keys as people type them: what they become, and what is refused with a hint."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.dataset.identifier import Element, Identifier
from dicomtls.dataset.keys import Path, Step, element_at, has_empty_key, identifier_of, parse_keys, paths_of
from dicomtls.errors import UsageError

PATIENT_NAME, PATIENT_ID, MODALITY, STUDY_UID, STEPS, STATION = (
    0x00100010,
    0x00100020,
    0x00080060,
    0x0020000D,
    0x00400100,
    0x00400001,
)


def read(*texts: str) -> dict[int, Element]:
    """The identifier of these keys."""
    return identifier_of(parse_keys(texts))


@pytest.mark.parametrize("name", ["PatientName", "(0010,0010)", "0010,0010", "00100010", "(00100010)", " PatientName"])
def test_key_is_named_by_keyword_or_tag(name: str) -> None:
    """In every usual spelling; the VR is that of the dictionary."""
    assert read(f"{name}=DOE*") == {PATIENT_NAME: Element("PN", ("DOE*",))}


@pytest.mark.parametrize("text", ["PatientName", "PatientName=", "0010,0010="])
def test_key_without_value_asks_for_it(text: str) -> None:
    """With the sign or without."""
    assert read(text) == {PATIENT_NAME: Element("PN")}


def test_backslash_joins_several_values_and_the_first_sign_ends_the_name() -> None:
    """A value may have more of these signs."""
    assert read("Modality=CT\\MR", "PatientName=A=B=C") == {
        MODALITY: Element("CS", ("CT", "MR")),
        PATIENT_NAME: Element("PN", ("A=B=C",)),
    }


def test_path_goes_into_an_item() -> None:
    """Keys of one item stand together; an item without number is the first."""
    found = read(
        "ScheduledProcedureStepSequence[0].Modality=CT",
        "0040,0100[0].ScheduledStationAETitle",
        "ScheduledProcedureStepSequence.ScheduledProtocolCodeSequence[0].CodeValue=X",
    )
    codes = Element("SQ", ({0x00080100: Element("SH", ("X",))},))
    assert found == {
        STEPS: Element("SQ", ({MODALITY: Element("CS", ("CT",)), STATION: Element("AE"), 0x00400008: codes},))
    }


def test_several_items_are_counted_without_gaps() -> None:
    """The second after the first."""
    found = read("ScheduledProcedureStepSequence[0].Modality=CT", "ScheduledProcedureStepSequence[1].Modality=MR")
    assert found[STEPS].values == ({MODALITY: Element("CS", ("CT",))}, {MODALITY: Element("CS", ("MR",))})


@pytest.mark.parametrize(
    "texts", [("0040,0100", "0040,0100[0].Modality=CT"), ("0040,0100[0].Modality=CT", "0040,0100")]
)
def test_sequence_beside_what_is_in_it_asks_for_no_more(texts: tuple[str, str]) -> None:
    """In either order."""
    assert read(*texts) == {STEPS: Element("SQ", ({MODALITY: Element("CS", ("CT",))},))}


def test_private_attribute_gets_its_type_from_its_creator() -> None:
    """Unknown without one; ASCII is all that an unknown type can have."""
    assert read("0009,0010=GEMS_IDEN_01", "0009,1002=CT01") == {
        0x00090010: Element("LO", ("GEMS_IDEN_01",)),
        0x00091002: Element("SH", ("CT01",)),
    }
    assert read("0009,1002=CT0") == {0x00091002: Element("UN", (b"CT0 ",))}
    with pytest.raises(UsageError, match="no value"):
        read("0009,1002=Ü")


def test_typed_keys_win_over_those_of_a_file() -> None:
    """Also within an item; the others stay."""
    base: Identifier = {
        PATIENT_ID: Element("LO", ("P1",)),
        STEPS: Element("SQ", ({MODALITY: Element("CS", ("MR",)), STATION: Element("AE", ("X",))},)),
    }
    found = identifier_of(parse_keys(["ScheduledProcedureStepSequence[0].Modality=CT", "PatientID"]), base)
    assert found == {
        PATIENT_ID: Element("LO"),
        STEPS: Element("SQ", ({MODALITY: Element("CS", ("CT",)), STATION: Element("AE", ("X",))},)),
    }
    assert base[PATIENT_ID].values == ("P1",)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("PatientNme=DOE", "no such keyword: PatientNme", "did you mean PatientName?"),
        ("Qqqqqq", "no such keyword", "PS3.6"),
        ("", "not a key", "a keyword (PatientName)"),
        ("=DOE", "not a key", "a keyword (PatientName)"),
        ("0010,001", "not a key", "a keyword (PatientName)"),
        ("Patient Name", "not a key", "a keyword (PatientName)"),
        ("PatientName[x].PatientID", "not a key", "a keyword (PatientName)"),
        ("PatientName.PatientID", "PatientName is no sequence", "SEQUENCE[0].KEYWORD"),
        ("ScheduledProcedureStepSequence[0]", "ends in an item", "ScheduledProcedureStepSequence[0].KEYWORD"),
        ("ScheduledProcedureStepSequence=X", "is a sequence", "[0].KEYWORD=X"),
        ("ScheduledProcedureStepSequence[1].Modality", "in an item after one", "from 0"),
        ("0000,0002", "no key of a query", ""),
        ("0002,0010=1", "no key of a query", ""),
        ("FFFE,E000", "no key of a query", ""),
        ("0010,0000", "no key of a query", ""),
        ("SpecificCharacterSet=ISO_IR 100", "character set", "--character-set"),
        ("PatientName=\udc80", "UTF-8", ""),
        (".".join(["0040,0100"] * 40), "sequences deep", ""),
    ],
)
def test_what_is_no_key_is_refused_with_a_hint(text: str, message: str, hint: str) -> None:
    """One clear line each."""
    with pytest.raises(UsageError) as caught:
        read(text)
    assert message in caught.value.message
    assert hint in "".join(caught.value.hints)


def test_key_that_is_given_twice_is_refused_unless_it_says_the_same() -> None:
    """Which of the two is meant nobody knows."""
    assert read("Modality=CT", "0008,0060=CT") == {MODALITY: Element("CS", ("CT",))}
    with pytest.raises(UsageError, match="Modality is given twice") as caught:
        read("Modality=CT", "Modality=MR")
    assert "backslash" in caught.value.hints[0]


def test_paths_name_everything_that_is_asked_for() -> None:
    """In the order of the keys; a sequence as a whole where nothing in it is named."""
    found = read("PatientID", "ScheduledProcedureStepSequence[0].Modality=CT", "ReferencedStudySequence")
    paths = list(paths_of(found))
    assert paths == [
        Path((), PATIENT_ID),
        Path((Step(STEPS, 0),), MODALITY),
        Path((), 0x00081110),
    ]
    assert str(paths[1]) == "ScheduledProcedureStepSequence[0].Modality"


def test_element_is_found_by_its_path_or_not_at_all() -> None:
    """An answer may lack the item, or have something else in its place."""
    path = Path((Step(STEPS, 0),), MODALITY)
    element = Element("CS", ("CT",))
    assert element_at({STEPS: Element("SQ", ({MODALITY: element},))}, path) == element
    for answer in ({}, {STEPS: Element("SQ")}, {STEPS: Element("SQ", ({},))}, {STEPS: Element("LO", ("x",))}):
        assert element_at(answer, path) is None


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["PatientID=1"], False),
        (["PatientID=1", "PatientName"], True),
        (["ScheduledProcedureStepSequence[0].Modality"], True),
        (["ScheduledProcedureStepSequence[0].Modality=CT"], False),
        ([], False),
    ],
)
def test_empty_keys_are_seen_at_any_depth(texts: list[str], *, expected: bool) -> None:
    """They say that the user has chosen what to see."""
    assert has_empty_key(read(*texts)) is expected


@given(st.lists(st.text(max_size=40), max_size=4))
def test_whatever_is_typed_is_read_or_refused(texts: list[str]) -> None:
    """Nothing else comes out of it."""
    with suppress(UsageError):
        assert len(list(paths_of(read(*texts)))) <= len(texts)
