"""Where an instance goes: templates that say it, and values that cannot turn them against us."""

import tracemalloc
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.dataset import tags
from dicomtls.errors import UsageError
from dicomtls.scp.layout import DEFAULT_LAYOUT, Layout, safe_name

COMMAND = {"SOPClassUID": "1.2.840", "SOPInstanceUID": "1.2.3", "CallingAETitle": "MODALITY", "CalledAETitle": "PACS"}
ALL_FIELDS = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "PatientName",
    "StudyDate",
    "StudyID",
    "Modality",
    "SeriesNumber",
    "InstanceNumber",
    "SOPClassUID",
    "CallingAETitle",
    "CalledAETitle",
)
VALUES = st.text(max_size=100) | st.binary(max_size=100).map(lambda value: value.decode("latin-1"))
NASTY = (
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "C:\\x",
    "a\0b",
    "~",
    "-rf",
    ".hidden",
    ".dicomtls-incoming-",
    "con",
    "NUL.txt",
    "com1",
    "LPT9.dcm",
    " ",
    "a b",
    "a\nb",
    "unknown",
    "_unknown",
    "ä",
    "\ud800",
    "x" * 81,
    "x" * 5000,
    "\u202e",
    "a~123456789abc",
)


def test_default_layout_is_study_series_instance() -> None:
    """As users of a PACS would look for it."""
    layout = Layout()
    attributes = {tags.STUDY_INSTANCE_UID: b"1.9", tags.SERIES_INSTANCE_UID: b"1.9.1"}
    assert layout.template == DEFAULT_LAYOUT
    assert layout.tags == attributes.keys()
    assert layout.place(attributes, COMMAND) == "1.9/1.9.1/1.2.3.dcm"


@pytest.mark.parametrize("field", ALL_FIELDS)
def test_every_field_can_be_used(field: str) -> None:
    """Each comes from the dataset, which is then asked for it, or from the command."""
    layout = Layout(f"{{{field}}}/x-{{SOPInstanceUID}}.dcm")
    attributes = dict.fromkeys(layout.tags, b"VALUE")
    assert layout.place(attributes, COMMAND) == f"{COMMAND.get(field, 'VALUE')}/x-1.2.3.dcm"


def test_literals_and_fields_may_share_a_part() -> None:
    """Text stands where it was written."""
    layout = Layout("in/{Modality}_{PatientID}-x/{StudyDate}/{SOPInstanceUID}-{Modality}.dcm")
    attributes = {tags.MODALITY: b"CT", tags.PATIENT_ID: b"P1", tags.STUDY_DATE: b"20240101"}
    assert layout.place(attributes, COMMAND) == "in/CT_P1-x/20240101/1.2.3-CT.dcm"


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("", "does not end in .dcm"),
        ("{SOPInstanceUID}", "does not end in .dcm"),
        ("{SOPInstanceUID}.DCM", "does not end in .dcm"),
        ("{PatientID}.dcm", "many instances one name"),
        ("all.dcm", "many instances one name"),
        ("{Patient}/{SOPInstanceUID}.dcm", "unknown field 'Patient'"),
        ("{patientid}/{SOPInstanceUID}.dcm", "unknown field 'patientid'"),
        ("{}/{SOPInstanceUID}.dcm", "unknown field"),
        ("{SOPInstanceUID/{SOPInstanceUID}.dcm", "unknown field"),
        ("SOPInstanceUID}/{SOPInstanceUID}.dcm", "unknown field"),
        ("{Patient ID}/{SOPInstanceUID}.dcm", "unknown field"),
        ("/{SOPInstanceUID}.dcm", "no folder name"),
        ("../{SOPInstanceUID}.dcm", "no folder name"),
        ("a/../{SOPInstanceUID}.dcm", "no folder name"),
        ("./{SOPInstanceUID}.dcm", "no folder name"),
        (".hidden/{SOPInstanceUID}.dcm", "no folder name"),
        (".{SOPInstanceUID}.dcm", "no folder name"),
        ("a//{SOPInstanceUID}.dcm", "no folder name"),
        ("a\\b/{SOPInstanceUID}.dcm", "no folder name"),
        ("a\0/{SOPInstanceUID}.dcm", "no folder name"),
        ("a\n/{SOPInstanceUID}.dcm", "no folder name"),
        ("{PatientID}{SOPInstanceUID}.dcm", "where {SOPInstanceUID} begins"),
        ("{SOPInstanceUID}.{InstanceNumber}.dcm", "where {SOPInstanceUID} begins"),
        ("{SOPInstanceUID}0{InstanceNumber}.dcm", "where {SOPInstanceUID} begins"),
    ],
)
def test_template_is_refused_with_a_hint(template: str, problem: str) -> None:
    """One that leaves the folder, names nothing or would give two instances one name is a usage error."""
    with pytest.raises(UsageError, match="layout") as caught:
        Layout(template)
    assert problem in caught.value.message
    assert caught.value.hints


def test_hint_for_an_unknown_field_lists_the_known_ones() -> None:
    """All of them, so that nobody has to look them up."""
    with pytest.raises(UsageError) as caught:
        Layout("{Nothing}/{SOPInstanceUID}.dcm")
    assert all(field in caught.value.hints[0] for field in ALL_FIELDS)


@pytest.mark.parametrize("value", ["1.2.3", "PAT-1", "Doe^Jane", "A_b=c+d", "2024", "x" * 80])
def test_plain_value_is_its_own_name(value: str) -> None:
    """What is harmless is found under its own name."""
    assert safe_name(value) == value


def assert_is_harmless(name: str) -> None:
    """It is one short part of a path, in plain ASCII, neither hidden nor an option."""
    assert PurePosixPath(name).parts == (name,)
    assert name.isascii()
    assert name.isprintable()
    assert 0 < len(name) <= 80
    assert name[0] not in ".-~"
    assert not set(name) & set('/\\:*?"<>| ')


@given(VALUES | st.sampled_from(NASTY))
def test_any_value_becomes_one_harmless_part(value: str) -> None:
    """Whatever bytes a peer sends."""
    assert_is_harmless(safe_name(value))


@given(VALUES | st.sampled_from(NASTY), VALUES | st.sampled_from(NASTY))
def test_two_values_never_share_a_name(one: str, other: str) -> None:
    """Nobody's instances end up among another's, nor in the place of what has no value."""
    assert (safe_name(one) == safe_name(other)) == (one == other)


@pytest.mark.parametrize("one", NASTY)
def test_nasty_values_are_kept_apart(one: str) -> None:
    """Each of the well-known tricks, against each other and against the names that they become."""
    assert_is_harmless(safe_name(one))
    names = [safe_name(value) for value in NASTY]
    assert len(set(names)) == len(NASTY)
    assert safe_name(names[NASTY.index(one)] + "x") not in names


@pytest.mark.parametrize("device", ["con", "CON", "nul", "aux.txt", "com1", "LPT9.dcm"])
def test_windows_devices_are_not_opened(device: str) -> None:
    """The folder may lie on a share."""
    assert safe_name(device) != device


def test_missing_and_empty_values_have_a_name_of_their_own() -> None:
    """An attribute that is absent, or empty, is not one whose value is the word for it."""
    layout = Layout("{PatientID}/{SOPInstanceUID}.dcm")
    missing = layout.place({}, COMMAND)
    assert missing == layout.place({tags.PATIENT_ID: b""}, COMMAND) == "_unknown/1.2.3.dcm"
    assert layout.place({tags.PATIENT_ID: b"unknown"}, COMMAND) == "unknown/1.2.3.dcm"
    assert layout.place({tags.PATIENT_ID: b"_unknown"}, COMMAND) != missing


@given(st.dictionaries(st.sampled_from([tags.PATIENT_ID, tags.PATIENT_NAME]), st.binary(max_size=90)))
def test_path_has_the_parts_of_the_template(attributes: dict[int, bytes]) -> None:
    """No value adds a part or takes one away."""
    place = Layout("{PatientID}/{PatientName}/{SOPInstanceUID}.dcm").place(attributes, COMMAND)
    parts = place.split("/")
    assert len(parts) == 3
    assert parts[2] == "1.2.3.dcm"
    for part in parts[:2]:
        assert_is_harmless(part)


def test_huge_values_are_not_remembered() -> None:
    """Names are remembered for speed; a peer with a megabyte for each of them does not fill the memory."""
    tracemalloc.start()
    try:
        for number in range(100):
            safe_name(f"{number}".rjust(100_000))
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()
