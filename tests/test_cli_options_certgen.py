"""The options that the commands of `certgen` share."""

import pytest

from dicomtls.certificates.building import KeyType, Purpose
from dicomtls.certificates.record import REASONS as RECORDED
from dicomtls.cli.options.certgen import KEY_TYPES, PURPOSES, REASONS, NewKeyOptions, file_stem
from dicomtls.errors import UsageError


@pytest.mark.parametrize("name", ["ct2", "CT 2", "dév", "a.b"])
def test_name_becomes_a_file(name: str) -> None:
    """Whatever a person calls a device."""
    assert file_stem(f" {name} ") == name


@pytest.mark.parametrize("name", ["", " ", "../x", "a/b", "a\\b", ".x", "a:b", "a\nb", "what?"])
def test_name_that_leads_elsewhere_is_refused(name: str) -> None:
    """Files stay in the folder that was named, on any system."""
    with pytest.raises(UsageError, match="not a name for a file"):
        file_stem(name)


def test_key_type_is_read() -> None:
    """Or refused with the known ones."""
    assert NewKeyOptions(key_type="EC:P256").kind() == "ec:p256"
    with pytest.raises(UsageError, match="not a key type"):
        NewKeyOptions(key_type="dsa").kind()


def test_names_are_those_that_the_library_knows() -> None:
    """They are written down twice, since reading them from there takes longer than a help page may."""
    assert tuple(KeyType) == KEY_TYPES
    assert tuple(RECORDED) == REASONS
    assert tuple(Purpose) == PURPOSES
