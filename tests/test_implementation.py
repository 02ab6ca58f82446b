"""The identity of the implementation."""

from pydicom.uid import UID

from dicomtls import __version__
from dicomtls.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME


def test_class_uid_is_valid() -> None:
    """The implementation class UID is one that pydicom accepts, made from a UUID."""
    assert UID(IMPLEMENTATION_CLASS_UID).is_valid
    assert 0 < int(IMPLEMENTATION_CLASS_UID.removeprefix("2.25.")) < 2**128


def test_version_name_fits_its_vr_and_names_the_version() -> None:
    """The version name has at most 16 characters and follows the version of the package."""
    major, minor, *_ = __version__.split(".")
    assert f"DICOMTLS_{major}_{minor}" == IMPLEMENTATION_VERSION_NAME
    assert len(IMPLEMENTATION_VERSION_NAME) <= 16
