"""dicomtls.dataset.value_representations: the table of PS3.5 section 6.2, held against pydicom's."""

from pydicom.valuerep import VR

from dicomtls.dataset.value_representations import BINARY, FORMATS, KNOWN, LONG_FORM, ONE_VALUE, TEXT, padding


def test_every_vr_of_the_standard_is_known() -> None:
    """And nothing else."""
    assert {str(vr) for vr in VR if len(vr) == 2} == KNOWN


def test_sets_hold_what_there_is() -> None:
    """Each of its own."""
    assert BINARY | ONE_VALUE | {"SQ", "UC", "SV", "UV"} >= LONG_FORM
    assert not BINARY & TEXT
    assert set(FORMATS) < KNOWN


def test_padding_is_that_of_the_standard() -> None:
    """A null for UIDs and bytes, a blank for text."""
    assert (padding("UI"), padding("OB"), padding("PN"), padding("DA")) == (b"\0", b"\0", b" ", b" ")
