"""Mistakes on the command line; what the user sees of them is in test_cli_app."""

import pytest
import typer
from typer._click.exceptions import NoSuchOption

from dicomtls.cli.app import COMMANDS
from dicomtls.cli.echo import echo
from dicomtls.cli.usage import ParserError, no_such_command, too_many_arguments, usage_error


def test_nearest_command_is_suggested() -> None:
    """A slip of the finger is recognised; what is far from everything gets the way to the list."""
    assert no_such_command("stor", "dicomtls", ["store", "serve"]).hints == ("did you mean store?",)
    assert no_such_command("zz", "dicomtls", ["store"]).hints == ("'dicomtls --help' lists the commands",)


@pytest.mark.parametrize(
    ("extra", "hint"),
    [
        (["104"], "a port is written behind its host: HOST:104"),
        (["a", "b"], "'dicomtls echo --help' explains it"),
        (["+cf"], "here it is --ca"),
    ],
)
def test_argument_that_is_too_much_gets_the_hint_that_fits(extra: list[str], hint: str) -> None:
    """DCMTK's separate port and its options are what people type first."""
    assert too_many_arguments(extra, "dicomtls echo").hints == (hint,)


def test_unforeseen_complaint_is_written_our_way() -> None:
    """Whatever the parser says: its first sentence, lower case, no full stop."""
    error = usage_error(ParserError("Something Odd. And more."), [], "dicomtls echo")
    assert error.message == "something Odd"
    assert error.hints == ("'dicomtls echo --help' explains it",)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("--cafile", "--ca"), ("--certificate", "--cert"), ("--keyfile", "--key"), ("--calling-aets", "--calling-aet")],
)
def test_option_that_what_was_typed_begins_with_is_suggested(typed: str, meant: str) -> None:
    """What another tool calls --cafile is nearer to --ca than to --profile, which has as many letters in common."""
    with pytest.raises(NoSuchOption) as caught:
        echo.make_context("dicomtls echo", ["localhost", typed, "x"], parent=typer.Context(COMMANDS))
    assert usage_error(caught.value, [], "dicomtls echo").hints == (f"did you mean {meant}?",)
