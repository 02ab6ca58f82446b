"""Every command of the program, found by walking its table: none can be left out of a test that uses this."""

from collections.abc import Iterator

import typer
from typer.core import TyperCommand, TyperGroup

from dicomtls.cli.app import COMMANDS
from dicomtls.cli.command import LazyGroup


def command_at(path: tuple[str, ...]) -> TyperCommand | TyperGroup:
    """The command or group that `path` leads to."""
    found: object = COMMANDS
    for name in path:
        assert isinstance(found, TyperGroup)
        found = found.get_command(typer.Context(found), name)
    assert isinstance(found, TyperCommand | TyperGroup)
    return found


def command_paths() -> list[tuple[str, ...]]:
    """The program itself, and each command and group below it."""
    return [(), *_below((), COMMANDS)]


def _below(path: tuple[str, ...], group: LazyGroup) -> Iterator[tuple[str, ...]]:
    for name in group.entries:
        yield (*path, name)
        found = command_at((*path, name))
        if isinstance(found, LazyGroup):
            yield from _below((*path, name), found)


def examples_of(path: tuple[str, ...]) -> list[str]:
    """The command lines at the end of its help page."""
    found = command_at(path)
    return list(found.examples) if isinstance(found, LazyGroup) else (found.epilog or "").splitlines()
