"""Reading the values of options: each function says in one sentence what it would have taken."""

from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer._click.core import Parameter
from typer._click.types import StringParamType
from typer.models import TyperPath

from dicomtls.cli.declaring import option

_LONGEST_TIME = 86_400
_MOST = 999_999_999


def seconds(text: object) -> float:
    """Read a time in seconds, above 0 and at most a day; raises `typer.BadParameter`."""
    value = _number(text)
    if not 0 < value <= _LONGEST_TIME:
        msg = f"{str(text)!r} is not a number of seconds above 0 and up to {_LONGEST_TIME}"
        raise typer.BadParameter(msg)
    return value


def seconds_or_zero(text: object) -> float:
    """Read a time in seconds, at most a day; raises `typer.BadParameter`."""
    return 0.0 if _number(text) == 0 else seconds(text)


def name(text: object) -> str:
    """Read a name; raises `typer.BadParameter` for an empty one, as from an unset variable in a script."""
    if not text:
        msg = "the name is empty"
        raise typer.BadParameter(msg)
    return str(text)


def _number(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        return float("nan")  # which no comparison accepts


def whole_number(lowest: int, highest: int | None = None) -> Callable[[object], int]:
    """Return what reads a whole number in that range; it raises `typer.BadParameter`."""
    most = _MOST if highest is None else highest

    def read(text: object) -> int:
        digits = str(text)
        is_number = digits.isascii() and digits.isdigit()
        # However many digits there are, no more of them are read than the bound has.
        significant = digits.lstrip("0") or "0"
        is_too_much = is_number and (len(significant) > len(str(most)) or int(significant) > most)
        if not is_number or is_too_much or int(significant) < lowest:
            bounds = f"from {lowest} on" if highest is None and not is_too_much else f"from {lowest} to {most}"
            msg = f"{digits!r} is not a whole number {bounds}"
            raise typer.BadParameter(msg)
        return int(significant)

    return read


pdu_length = whole_number(4096, 1_048_576)
"""Reads a maximum PDU length in bytes (PS3.8 section D.1); 0, no limit, is refused: a peer could fill our memory."""


class OneOf(StringParamType):
    """Text whose usual values a shell's TAB offers; what else it may be is for its reader to say."""

    def __init__(self, values: Sequence[str]) -> None:
        self.values = tuple(values)


class Found(StringParamType):
    """Text whose values a shell's TAB has to look for; `by` names the function of `candidates` that does."""

    def __init__(self, by: str) -> None:
        self.by = by


class NonEmptyPath(TyperPath):
    """A path; an empty one, as from an unset variable in a script, would be the current folder."""

    def convert(self, value: Any, param: Parameter | None, ctx: Any) -> Any:
        """Return the path; raises `typer.BadParameter` where it is empty."""
        if value == "":
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """Split a list of paths as PATH is split, but for empty parts, which mean nothing here."""
        return [part for part in super().split_envvar_value(rv) if part]


def path_option(name: str, *, help: str, panel: str | None = None) -> Any:  # noqa: A002 -- Typer's own name
    """Declare an option that takes a path, or several where its type is a tuple."""
    return option(name, metavar="PATH", panel=panel, help=help, click_type=NonEmptyPath())
