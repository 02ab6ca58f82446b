"""What passes as a UID."""

import pytest

from dicomtls.uid import is_uid


@pytest.mark.parametrize("uid", ["1", "1.2.840.10008.1.1", "2.25." + "9" * 39, "0.0", "1.02.3", "1..2", "9" * 64])
def test_digits_and_dots_pass(uid: str) -> None:
    """Leading zeros and empty components included: instances bear such UIDs."""
    assert is_uid(uid)


@pytest.mark.parametrize(
    "text", ["", ".", "..", ".1", "1/2", "1.2\n", "1.2 ", "1\\2", "1.2\0", "a", "1" * 65, "1.\u0662"]
)
def test_what_could_leave_a_folder_does_not(text: str) -> None:
    """Nor does anything else that is no UID."""
    assert not is_uid(text)
