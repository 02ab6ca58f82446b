"""dicomtls.certificates.quiet: no warnings about what users' files contain."""

import warnings

import pytest

from dicomtls.certificates.quiet import quiet


def test_warnings_are_silent_inside_and_heard_again_after() -> None:
    """What `cryptography` thinks of a file reaches neither stderr nor, nested, anything around."""
    with quiet(), quiet():
        warnings.warn("negative serial number", UserWarning, stacklevel=1)
    with pytest.warns(UserWarning, match="again"):
        warnings.warn("heard again", UserWarning, stacklevel=1)
