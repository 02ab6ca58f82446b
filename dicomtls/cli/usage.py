"""Mistakes on the command line, in our own words: what is wrong, and what was probably meant."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from typer._click.exceptions import BadParameter, MissingParameter, NoSuchOption
from typer._click.exceptions import UsageError as ParserError

from dicomtls.cli.declaring import ORIGIN
from dicomtls.errors import UsageError

if TYPE_CHECKING:
    from typer._click.core import Parameter

__all__ = ["ParserError", "no_such_command", "too_many_arguments", "usage_error"]

_OUR_WORDS = {"is not a valid boolean": "is neither true nor false", "is not a valid int": "is not a whole number"}


def no_such_command(name: str, path: str, names: Sequence[str]) -> UsageError:
    """The error for a command that does not exist."""
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"'{path} --help' lists the commands"
    return UsageError(f"no such command: {name}", hints=(hint,))


def too_many_arguments(extra: Sequence[str], path: str) -> UsageError:
    """The error for arguments that nothing takes."""
    if extra[0] in foreign_options():
        return _foreign_option(extra[0])
    # DCMTK's tools take the port as an argument of its own.
    hint = f"a port is written behind its host: HOST:{extra[0]}" if extra[0].isdecimal() else _help_hint(path)
    return UsageError(f"too many arguments: {' '.join(extra)}", hints=(hint,))


def foreign_options() -> Mapping[str, str]:
    """What those type who come from other tools."""
    from dicomtls.cli.foreign import OPTIONS  # only on the way to an error

    return OPTIONS


def usage_error(error: ParserError, arguments: Sequence[str], path: str) -> UsageError:
    """Turn what Typer's parser found wrong with the arguments of the command `path` into our own error."""
    if isinstance(error, MissingParameter):
        return UsageError(f"{_name_of(error)} is missing", hints=(*_example_hint(error), _help_hint(path)))
    if isinstance(error, BadParameter):
        return UsageError(f"{_name_of(error)}: {_sentence(error.message)}", hints=(_help_hint(path),))
    if isinstance(error, NoSuchOption):
        ours = {name for parameter in _parameters(error) for name in parameter.opts}
        foreign = next((typed for typed in arguments if typed in foreign_options() and typed not in ours), None)
        return _foreign_option(foreign) if foreign else _no_such_option(error, path)
    return UsageError(_sentence(error.message), hints=(_help_hint(path),))


def _foreign_option(name: str) -> UsageError:
    return UsageError(f"no such option: {name}", hints=(f"here it is {foreign_options()[name]}",))


def _no_such_option(error: NoSuchOption, path: str) -> UsageError:
    if error.ctx is not None and error.ctx.parent is None:
        hint = f"options come after the command: {path} COMMAND {error.option_name}"
    elif near := _begun(error) or _near(error):
        hint = f"did you mean {near[0]}?"
    else:
        hint = _help_hint(path)
    return UsageError(f"no such option: {error.option_name}", hints=(hint,))


def _near(error: NoSuchOption) -> Sequence[str]:
    """What it resembles; nobody who types `--tlsv1` is told to leave TLS out."""
    typed = error.option_name.startswith("--no")
    return [name for name in error.possibilities or () if typed or not name.startswith("--no-")]


def _begun(error: NoSuchOption) -> Sequence[str]:
    """The option that what was typed begins with, as --cafile and --cacert begin with --ca; the longest first."""
    names = [name for parameter in _parameters(error) for name in parameter.opts if name.startswith("--")]
    return sorted((name for name in names if error.option_name.startswith(name)), key=len, reverse=True)


def _parameters(error: ParserError) -> "Sequence[Parameter]":
    return error.ctx.command.params if error.ctx is not None else []


def _name_of(error: BadParameter) -> str:
    """What the user calls it: its option, its argument, its environment variable, its line of the configuration."""
    parameter = error.param
    if parameter is None:
        return "the command line"
    source = error.ctx.get_parameter_source(parameter.name or "") if error.ctx is not None else None
    if source is not None and source.name == "ENVIRONMENT":
        return str(parameter.envvar)
    if source is not None and source.name == "DEFAULT_MAP" and error.ctx is not None:
        return str(error.ctx.meta[ORIGIN](max(parameter.opts, key=len).removeprefix("--")))
    return max(parameter.opts, key=len) if parameter.param_type_name == "option" else parameter.human_readable_name


def _example_hint(error: BadParameter) -> Sequence[str]:
    """The command's first example, for whoever gave too little."""
    epilog = getattr(error.ctx.command, "epilog", None) if error.ctx is not None else None
    return [f"for example: {epilog.splitlines()[0]}"] if epilog else []


def _help_hint(path: str) -> str:
    return f"'{path} --help' explains it"


def _sentence(text: str) -> str:
    """The parser's first sentence as we write them: lower case, no full stop."""
    first = text.partition(". ")[0]
    for theirs, ours in _OUR_WORDS.items():
        first = first.replace(theirs, ours)
    return (first[:1].lower() + first[1:]).rstrip(".")
