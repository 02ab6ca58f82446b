"""The group of the commands that make certificates."""

import pytest

from dicomtls.cli.app import main
from dicomtls.cli.certgen import certgen


def test_group_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """`certgen --help` names each, and `certgen` alone is an error with the same page."""
    assert main(["certgen", "--help"]) == 0
    page = capsys.readouterr().out
    assert all(f"\n  {name} " in page for name in certgen.entries)
    assert main(["certgen"]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", page)
