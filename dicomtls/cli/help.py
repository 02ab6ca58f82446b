"""Help pages in plain text: drawing them with rich takes 0.12 s, four times as long as everything else here."""

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Final, NamedTuple

from typer.core import TyperArgument, TyperCommand, TyperOption

from dicomtls.cli.text import Style, Styled, render, wants_colour

if TYPE_CHECKING:
    from typer._click.core import Context

    from dicomtls.cli.command import LazyGroup

_NARROWEST = 50
_WIDEST = 100
_USUAL = 80
_NAMES_WIDTH = 27
"""Columns for the names of options; longer ones get a line of their own."""
_INDENT = "  "
_OWN_PANEL = "Options"
_FIRST_PANELS = ("Arguments", _OWN_PANEL)
_LAST_PANELS = ("Peer", "TLS", "Association", "Output")
EXIT_STATUSES: Final = (
    "Exit status: 0\xa0success; 1\xa0the other side answered, and the answer is no; 2\xa0usage: options, "
    "configuration, files; 3\xa0network; 4\xa0TLS; 5\xa0association; 6\xa0our own machine; 130\xa0interrupted."
)


class Row(NamedTuple):
    """A name and what it means."""

    name: str
    meaning: str


def command_help(command: TyperCommand, context: "Context") -> str:
    """Return the help page of one command: usage, meaning, its options in their panels, examples."""
    page = _Page()
    page.usage(f"{context.command_path} [OPTIONS]", _required(command))
    page.paragraph(command.help or "")
    for panel, rows in _panels(command):
        page.table(panel, rows)
    page.paragraph(_about_environment(command))
    page.examples((command.epilog or "").splitlines())
    return page.text()


def group_help(group: "LazyGroup", context: "Context") -> str:
    """Return the help page of a group: its commands with a line each."""
    page = _Page()
    path = context.command_path
    page.usage(path, ["COMMAND", "[OPTIONS]", "..."])
    page.paragraph(group.help or "")
    page.table("Commands", (Row(name, entry.help) for name, entry in group.entries.items()))
    page.table(_OWN_PANEL, (_row_of(option) for option in group.params if isinstance(option, TyperOption)))
    page.paragraph(f"'{path} COMMAND --help' explains one command.")
    page.paragraph("" if context.parent is not None else EXIT_STATUSES)
    page.examples(group.examples)
    return page.text()


class _Page:
    """Collects the lines of a page, none wider than the terminal."""

    def __init__(self) -> None:
        self._colour = wants_colour(sys.stdout)
        self._width = _page_width()
        self._lines: list[str] = []

    def usage(self, path: str, arguments: Iterable[str]) -> None:
        self._lines.append(f"{self._strong('Usage:')} {' '.join([path, *arguments])}")

    def paragraph(self, text: str) -> None:
        for part in filter(None, text.split("\n\n")):
            # A number stays with what it stands for.
            self._lines += ["", *(line.replace("\xa0", " ") for line in wrap(part, self._width))]

    def table(self, heading: str, rows: Iterable[Row]) -> None:
        self._heading(heading)
        for row in rows:
            self._lines += self._row(row)

    def examples(self, lines: Sequence[str]) -> None:
        if lines:
            self._heading("Examples")
            self._lines += [f"{_INDENT}{line}" for line in lines]

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"

    def _heading(self, text: str) -> None:
        self._lines += ["", self._strong(f"{text}:")]

    def _row(self, row: Row) -> Iterator[str]:
        indent = " " * (len(_INDENT) + _NAMES_WIDTH)
        meaning = wrap(row.meaning, self._width - len(indent))
        if len(row.name) > _NAMES_WIDTH - 2:
            yield _INDENT + row.name
        elif meaning:
            yield f"{_INDENT}{row.name:{_NAMES_WIDTH}}{meaning.pop(0)}"
        for line in meaning:
            yield indent + line

    def _strong(self, text: str) -> str:
        return render((Styled(text, Style.STRONG),), colour=self._colour)


def _page_width() -> int:
    columns = shutil.get_terminal_size((_USUAL, 24)).columns if sys.stdout.isatty() else _USUAL
    return max(_NARROWEST, min(_WIDEST, columns))


def _panels(command: TyperCommand) -> Iterator[tuple[str, list[Row]]]:
    """A command's own panels stand between the first ones and those that all commands share."""
    rows: dict[str, list[Row]] = {}
    for parameter in command.params:
        if isinstance(parameter, TyperArgument | TyperOption) and not parameter.hidden:
            rows.setdefault(parameter.rich_help_panel or _panel_of(parameter), []).append(_row_of(parameter))
    own = [panel for panel in rows if panel not in (*_FIRST_PANELS, *_LAST_PANELS)]
    return ((panel, rows[panel]) for panel in (*_FIRST_PANELS, *own, *_LAST_PANELS) if panel in rows)


def _panel_of(parameter: TyperArgument | TyperOption) -> str:
    if isinstance(parameter, TyperOption):
        return _OWN_PANEL
    return "Peer" if parameter.metavar == "PEER" else "Arguments"


def _row_of(parameter: TyperArgument | TyperOption) -> Row:
    if isinstance(parameter, TyperArgument):
        return Row(_argument_usage(parameter), parameter.help or "")
    names = ", ".join([*sorted(parameter.opts, key=len), *parameter.secondary_opts])
    metavar = "" if parameter.is_flag or parameter.count else f" {parameter.metavar}"
    return Row(f"{names}{metavar}", (parameter.help or "") + _default_of(parameter))


def _default_of(option: TyperOption) -> str:
    default = option.default
    if default in (None, "", []) or option.is_flag or option.count:
        return ""
    return f" (default: {default:g})" if isinstance(default, float) else f" (default: {default})"


def _required(command: TyperCommand) -> Iterator[str]:
    """What stands in the usage line: options that cannot be left out, then the arguments."""
    for parameter in command.params:
        if isinstance(parameter, TyperOption) and parameter.required:
            yield f"{parameter.opts[0]} {parameter.metavar}"
    for parameter in command.params:
        if isinstance(parameter, TyperArgument):
            yield _argument_usage(parameter)


def _argument_usage(argument: TyperArgument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    name = name if argument.nargs == 1 else f"{name}..."
    return name if argument.required else f"[{name}]"


def _about_environment(command: TyperCommand) -> str:
    option = next(parameter for parameter in command.params if isinstance(parameter, TyperOption) and parameter.envvar)
    by_variable = f"Every option can also be set by an environment variable: {option.opts[-1]} by {option.envvar}."
    return f"{by_variable} 'dicomtls --help' lists the exit statuses."
