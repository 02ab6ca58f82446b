"""The package of the options that commands share."""

import subprocess
import sys

import pytest

from dicomtls.cli import options
from tests.support.cli import dicomtls_environment


@pytest.mark.parametrize("name", options.__all__)
def test_every_group_is_there_by_its_name(name: str) -> None:
    """What the package promises, it has."""
    assert getattr(options, name).__name__ == name


def test_unknown_name_is_an_attribute_error() -> None:
    """As with any module."""
    with pytest.raises(AttributeError, match="has no attribute 'nix'"):
        options.nix  # noqa: B018 -- the access is the test


def test_group_is_imported_when_it_is_first_named() -> None:
    """A client is spared the server's options."""
    code = "import sys; from dicomtls.cli.options import TLSOptions; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dicomtls_environment()
    )
    loaded = set(done.stdout.split())
    assert "dicomtls.cli.options.tls" in loaded
    assert "dicomtls.cli.options.server_tls" not in loaded
