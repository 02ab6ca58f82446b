"""`python -m dicomtls.cli.completion_making DIRECTORY`: writes the shells' scripts, and the table for their TABs.

The table is made of the commands as they are declared, so that it cannot say anything else than they do.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import fill
from typing import TypeAlias

from typer._click.core import Parameter
from typer.core import TyperCommand, TyperOption

from dicomtls.cli.app import COMMANDS
from dicomtls.cli.command import LazyGroup
from dicomtls.cli.completion_scripts import FILE_NAMES, script
from dicomtls.cli.options.values import Found, OneOf

Commands: TypeAlias = Iterator[tuple[str, TyperCommand | LazyGroup]]

_HEAD = '''"""What may stand behind each command: made by `make completions`, held to the declarations by a test."""

Takes = None | str | tuple[tuple[str, str], ...]
"""Of which values: none for a flag, a name in `candidates.BY_NAME`, or these, each with its meaning."""
Option = tuple[tuple[str, ...], str, Takes, bool]
"""Its names, what it means, which values it takes, whether it may be given again."""
Argument = tuple[Takes, bool]
"""Which values it takes, whether they may be many."""

'''


def write_scripts(directory: Path) -> None:
    """Write one script for each shell into the folder, which is made where it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    for shell, name in FILE_NAMES.items():
        (directory / name).write_text(script(shell), encoding="utf-8")


def table() -> str:
    """Return the text of `completion_table`."""
    every = [*_all_commands("", COMMANDS)]
    groups = [(path, each) for path, each in every if isinstance(each, LazyGroup)]
    commands = [(path, each) for path, each in every if isinstance(each, TyperCommand)]
    return "".join((_HEAD, *_group_lines(groups), *_command_lines(commands)))


def _all_commands(path: str, command: TyperCommand | LazyGroup) -> Commands:
    yield path, command
    if isinstance(command, LazyGroup):
        for name, entry in command.entries.items():
            yield from _all_commands(f"{path} {name}".lstrip(), entry.load(name))


def _group_lines(groups: list[tuple[str, LazyGroup]]) -> Iterator[str]:
    yield "GROUP_OPTIONS: tuple[Option, ...] = (\n"
    yield from (f"    {_option(each)},\n" for each in COMMANDS.params if isinstance(each, TyperOption))
    yield ")\nGROUPS: dict[str, tuple[tuple[str, str], ...]] = {\n"
    for path, group in groups:
        yield f"    {_text(path)}: (\n"
        yield from (f"        ({_text(name)}, {_text(entry.help)}),\n" for name, entry in group.entries.items())
        yield "    ),\n"
    yield "}\n"


def _command_lines(commands: list[tuple[str, TyperCommand]]) -> Iterator[str]:
    options = {path: [each for each in command.params if isinstance(each, TyperOption)] for path, command in commands}
    keys = _keys(options)
    yield "OPTIONS: dict[str, Option] = {\n"
    yield from (f"    {_text(key)}: {written},\n" for written, key in keys.items())
    yield "}\nCOMMANDS: dict[str, tuple[tuple[str, ...], tuple[Argument, ...]]] = {\n"
    for path, command in commands:
        arguments = [each for each in command.params if not isinstance(each, TyperOption)]
        yield f"    {_text(path)}: ((\n"
        yield _wrapped(f"{_text(keys[_option(each)])}," for each in options[path])
        yield f"    ), {_tuple(f'({_takes(each)}, {each.nargs < 0})' for each in arguments)}),\n"
    yield "}\n"


def _keys(options: Mapping[str, Iterable[TyperOption]]) -> dict[str, str]:
    """Each option as it is written, once for all commands that have it alike, and what the table calls it by."""
    keys: dict[str, str] = {}
    for path, some in options.items():
        for each in some:
            name = max(each.opts, key=len)
            unlike = f"{name}@{path.replace(' ', '-')}" if name in keys.values() else name
            keys.setdefault(_option(each), unlike)
    return keys


def _wrapped(parts: Iterable[str]) -> str:
    indent = " " * 8
    return fill(" ".join(parts), 120, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False) + "\n"


def _option(option: TyperOption) -> str:
    names = _tuple(map(_text, [*option.opts, *option.secondary_opts]))
    takes = "None" if option.is_flag or option.count else _takes(option)
    return f"({names}, {_text(option.help or '')}, {takes}, {option.multiple or bool(option.count)})"


def _takes(parameter: Parameter) -> str:
    kind = parameter.type
    if isinstance(kind, Found):
        return _text(kind.by)
    values = kind.values if isinstance(kind, OneOf) else getattr(kind, "choices", ())
    return _tuple(f'({_text(str(value))}, "")' for value in values)


def _tuple(parts: Iterable[str]) -> str:
    written = list(parts)
    return f"({', '.join(written)}{',' if len(written) == 1 else ''})"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # in double quotes, as Python reads them too


if __name__ == "__main__":
    write_scripts(Path(sys.argv[1]))
    Path(__file__).with_name("completion_table.py").write_text(table(), encoding="utf-8")
