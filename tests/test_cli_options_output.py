"""The options about what a command says."""

import pytest

from dicomtls.cli.options import OutputOptions
from dicomtls.errors import UsageError


def test_options_reach_the_output() -> None:
    """The output knows its command, and how much to say in which form."""
    output = OutputOptions(json=True, verbose=2).open("echo")
    assert (output.command, output.json, output.quiet, output.verbose) == ("echo", True, False, 2)


def test_quiet_and_verbose_contradict_each_other() -> None:
    """Saying nothing and saying more cannot be had at once."""
    with pytest.raises(UsageError, match="--quiet and --verbose contradict each other"):
        OutputOptions(quiet=True, verbose=1).open("echo")
