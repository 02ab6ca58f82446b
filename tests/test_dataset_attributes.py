"""Keywords, tags and VRs, held against pydicom's tables."""

import subprocess
import sys

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicomtls.dataset.attributes import DICTIONARY, USUAL, all_keywords, name_of, nearest, private_vr, tag_of
from tests.support.cli import dicomtls_environment


@pytest.mark.parametrize("keyword", USUAL)
def test_usual_attributes_are_those_of_the_standard(keyword: str) -> None:
    """Each has the tag and the VR that pydicom knows, and is found by both."""
    tag, vr = USUAL[keyword]
    assert (tag, vr) == (tag_for_keyword(keyword), dictionary_VR(tag))
    assert (tag_of(keyword), name_of(tag), DICTIONARY.vr(tag)) == (tag, keyword, vr)


def test_other_attributes_are_found_too() -> None:
    """In the whole dictionary."""
    assert tag_of("EchoTime") == 0x00180081
    assert name_of(0x00180081) == "EchoTime"
    assert DICTIONARY.vr(0x00180081) == "DS"


@pytest.mark.parametrize(
    ("tag", "name"), [(0x00091001, "(0009,1001)"), (0x00180001, "(0018,0001)"), (0xFFFFFFFF, "(FFFF,FFFF)")]
)
def test_what_has_no_keyword_is_named_by_its_numbers(tag: int, name: str) -> None:
    """Private attributes, and tags that nobody has defined."""
    assert name_of(tag) == name


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("PatientNme", "PatientName"),
        ("patientname", "PatientName"),
        ("StudyInstanceUid", "StudyInstanceUID"),
        ("EchoTimes", "EchoTime"),
        ("Xyzzy", None),
    ],
)
def test_nearest_keyword_is_what_was_meant(typed: str, meant: str | None) -> None:
    """Whatever the case; nothing where nothing is near."""
    assert tag_of(typed) is None
    assert nearest(typed) == meant


def test_every_keyword_stands_for_a_tag() -> None:
    """None twice."""
    keywords = list(all_keywords())
    assert len(keywords) == len(set(keywords)) > 4000
    assert tag_of(keywords[-1]) is not None


def test_private_attributes_have_a_type_where_their_creator_is_known() -> None:
    """By pydicom's private dictionary."""
    assert private_vr(0x00091002, "GEMS_IDEN_01") == "SH"
    assert private_vr(0x00091002, "NOBODY") is None


def test_usual_attributes_need_no_pydicom() -> None:
    """It takes a tenth of a second to load; nor does the list of all, for which a shell's TAB waits."""
    code = (
        "import sys; from dicomtls.dataset.attributes import *;"
        "print(tag_of('PatientName'), name_of(0x00100010), DICTIONARY.vr(0x00100010),"
        " len(list(all_keywords())) > 4000, 'pydicom' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dicomtls_environment()
    )
    assert done.stdout.split() == ["1048592", "PatientName", "PN", "True", "False"]
