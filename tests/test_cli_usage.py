"""Mistakes on the command line; what the user sees of them is in test_cli_app."""

import pytest
import typer
from typer._click.exceptions import NoSuchOption

from dicomtls.cli.app import COMMANDS
from dicomtls.cli.echo import echo
from dicomtls.cli.usage import ParserError, no_such_command, too_many_arguments, usage_error
from tests.support.cli import run_dicomtls


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
        (["+crl", "x"], "here it is --crl"),
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


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["echo", "x", "--tls"], "here it is nothing: TLS is on"),
        (["echo", "x", "--tls12"], "here it is --tls-max 1.2"),
        (["echo", "-c", "PACS@x:1"], "here it is the peer itself: AET@HOST:PORT"),
        (["echo", "-connect", "x:1", "-CAfile", "ca.pem"], "here it is the peer itself: HOST:PORT"),
        (["echo", "x", "--tlsv1"], "did you mean --tls-min?"),
        (["serve", "--worklist", "x", "--grase", "3"], "did you mean --grace?"),
    ],
)
def test_option_of_another_tool_is_translated(words: list[str], hint: str) -> None:
    """None that means TLS leads to one that leaves it out, and none of ours is taken for another's."""
    said = run_dicomtls(*words)
    assert said.exit_status == 2
    assert hint in said.stderr
    assert "--no-tls" not in said.stderr
