"""Command lines read as the program reads them, without being run."""

from collections.abc import Sequence

import typer
from typer.core import TyperCommand, TyperGroup

from dicomtls.cli.app import COMMANDS


def parse(words: Sequence[str]) -> None:
    """Read what follows `dicomtls`; raises what the parser raises, `AssertionError` where there is no such command."""
    found: object = COMMANDS
    left = list(words)
    while isinstance(found, TyperGroup):
        found = found.get_command(typer.Context(found), left.pop(0))
    assert isinstance(found, TyperCommand), words
    found.make_parser(typer.Context(found)).parse_args(args=left)
