"""The attributes that an index knows, against pydicom's dictionary and the standard's required keys."""

import pytest
from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag

from dicomtls.association.query import UNIQUE_KEYS, Level
from dicomtls.scp.index_attributes import ATTRIBUTES, DERIVED, READ_TAGS, UNIQUE_COLUMNS, folded

REQUIRED = {
    Level.PATIENT: {"PatientName", "PatientID"},
    Level.STUDY: {"StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyInstanceUID"},
    Level.SERIES: {"Modality", "SeriesNumber", "SeriesInstanceUID"},
    Level.IMAGE: {"InstanceNumber", "SOPInstanceUID"},
}


@pytest.mark.parametrize("level", list(Level))
def test_attributes_are_those_of_the_dictionary(level: Level) -> None:
    """Keyword, VR, and whether there may be several values."""
    for attribute in (*ATTRIBUTES[level], *DERIVED[level]):
        assert attribute.keyword == keyword_for_tag(attribute.tag)
        assert attribute.vr == dictionary_VR(attribute.tag)
    for attribute in ATTRIBUTES[level]:
        assert attribute.has_many is ("n" in dictionary_VM(attribute.tag)), attribute.keyword
        assert attribute.tag in READ_TAGS


@pytest.mark.parametrize("level", list(Level))
def test_required_keys_are_known(level: Level) -> None:
    """Tables C.6-1 to C.6-4 of PS3.4; the unique key is the first."""
    assert REQUIRED[level] <= {attribute.keyword for attribute in ATTRIBUTES[level]}
    assert ATTRIBUTES[level][0].tag == UNIQUE_KEYS[level]
    assert UNIQUE_COLUMNS[level] == keyword_for_tag(UNIQUE_KEYS[level])


def test_no_attribute_is_known_twice() -> None:
    """Each belongs to one level."""
    tags = [one.tag for level in Level for one in (*ATTRIBUTES[level], *DERIVED[level])]
    assert len(tags) == len(set(tags))


def test_single_names_have_a_column_for_comparing() -> None:
    """Others have none."""
    by_keyword = {one.keyword: one for level in Level for one in ATTRIBUTES[level]}
    assert folded(by_keyword["PatientName"]) == "PatientName_folded"
    assert folded(by_keyword["OtherPatientNames"]) is None
    assert folded(by_keyword["PatientID"]) is None
    assert folded(DERIVED[Level.STUDY][0]) is None
