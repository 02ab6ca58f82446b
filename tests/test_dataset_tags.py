"""Tags are what PS3.6 says they are."""

import pytest
from pydicom.datadict import keyword_for_tag

from dicomtls.dataset import tags

NAMES = sorted(name for name in vars(tags) if name.isupper())


@pytest.mark.parametrize("name", NAMES)
def test_tag_has_the_name_of_the_data_dictionary(name: str) -> None:
    """The constant's name is the keyword of its tag in pydicom's dictionary."""
    assert keyword_for_tag(getattr(tags, name)).upper() == name.replace("_", "")
