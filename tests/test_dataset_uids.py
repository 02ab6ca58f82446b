"""Which UIDs are valid, and what transfer syntaxes mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID

from dicomtls.dataset import uids
from dicomtls.errors import DataError

TRANSFER_SYNTAXES = sorted(uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax")


@pytest.mark.parametrize("uid", TRANSFER_SYNTAXES)
def test_transfer_syntax_is_encapsulated_as_pydicom_has_it(uid: str) -> None:
    """Every registered transfer syntax is native or encapsulated, as it is for pydicom."""
    assert uids.is_encapsulated(uid) is UID(uid).is_encapsulated
    assert uids.is_native(uid) is not uids.is_encapsulated(uid)


def test_private_implicit_syntax_of_ge_is_native() -> None:
    """The one private syntax that is in wide use is not taken for a compressed one."""
    assert uids.is_native(uids.GE_PRIVATE_IMPLICIT)


def test_deflated_syntaxes_are_those_with_deflate_in_their_name() -> None:
    """The dataset as a whole is deflated where the name of the syntax says so, and does not say it of frames."""
    names = {uid: UID_dictionary[uid][0] for uid in TRANSFER_SYNTAXES}
    named = {uid for uid, name in names.items() if "Deflate" in name and "Frame" not in name}
    assert {uid for uid in TRANSFER_SYNTAXES if uids.is_deflated(uid)} == named


@pytest.mark.parametrize("uid", ["1", "1.2.840.10008.1.1", "2.25." + "9" * 39, "0.0", "1.02.3", "9" * 64])
def test_uid_passes_when_it_has_digits_and_dots(uid: str) -> None:
    """A UID comes back as it is."""
    assert uids.check_uid(uid, "SOP instance UID") == uid


@pytest.mark.parametrize(
    "uid",
    ["", ".", "..", ".1", "1/2", "1.2\n", "1.2 ", "1\\2", "1.2\0", "a", "1" * 65, "1.\u0662", "1.2.\ufffd", "../1"],
)
def test_uid_is_refused_when_it_could_not_be_one(uid: str) -> None:
    """Anything but 1 to 64 digits and dots with a digit first is an error that names what it was to be."""
    with pytest.raises(DataError, match="not a valid SOP instance UID"):
        uids.check_uid(uid, "SOP instance UID")


def test_refusal_stays_short_when_the_uid_is_long() -> None:
    """A message quotes only the beginning of a hostile value, without its control characters."""
    with pytest.raises(DataError) as caught:
        uids.check_uid("\x1b" * 100_000, "SOP class UID")
    assert len(caught.value.message) < 500
    assert "\x1b" not in caught.value.message


@given(st.binary(max_size=100))
def test_text_is_made_of_any_bytes(value: bytes) -> None:
    """Decoding never fails, and outer padding goes."""
    decoded = uids.text(value)
    assert decoded == decoded.strip("\0 ")
    assert len(decoded) <= len(value)


def test_text_of_a_padded_uid_is_the_uid() -> None:
    """NUL as PS3.5 wants it and the blank that many writers use both go."""
    assert uids.text(b"1.2.3\0") == uids.text(b"1.2.3 ") == "1.2.3"
