"""Options declared once, as fields of a dataclass."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.core import TyperCommand

from dicomtls.cli.command import command
from dicomtls.cli.declaring import option


@dataclass(frozen=True, kw_only=True)
class Colours:
    """A group of options as commands share them."""

    paint: Annotated[tuple[str, ...], option("--paint", metavar="NAME", help="what to paint with")] = ()
    brush: Annotated[Path | None, option("--brush", metavar="PATH", help="what to paint by")] = None
    wet: Annotated[bool, option("--wet", help="leave it wet")] = False
    from_environment: frozenset[str] = frozenset()


@pytest.fixture
def received() -> list[object]:
    """What the command below was called with."""
    return []


@pytest.fixture
def draw(received: list[object]) -> TyperCommand:
    """A command with one argument, one group of options and one option of its own."""

    @command(examples=())
    def draw(
        what: Annotated[str, typer.Argument(help="what to draw")],
        *,
        colours: Colours,
        size: Annotated[int, option("--size", metavar="N", help="how big")] = 1,
    ) -> int:
        """Draw."""
        received.extend([what, colours, size])
        return 7

    return draw


def run(made: TyperCommand, *arguments: str) -> int:
    """Parse the arguments and run the command."""
    with made.make_context("draw", list(arguments)) as context:
        status: int = made.invoke(context)
    return status


def test_command_receives_typed_values(draw: TyperCommand, received: list[object]) -> None:
    """Lists come as tuples, paths as paths, and the group as one value; the status is passed on."""
    assert run(draw, "cat", "--paint", "red", "--paint", "blue", "--brush", "b/c", "--wet", "--size", "3") == 7
    assert received == ["cat", Colours(paint=("red", "blue"), brush=Path("b/c"), wet=True), 3]


def test_defaults_hold_where_nothing_is_given(draw: TyperCommand, received: list[object]) -> None:
    """An option that is left out has the default of its field."""
    run(draw, "cat")
    assert received == ["cat", Colours(), 1]


@pytest.mark.parametrize(("wet", "expected"), [("1", True), ("true", True), ("0", False), ("false", False)])
def test_environment_stands_in_for_options(
    draw: TyperCommand, received: list[object], monkeypatch: pytest.MonkeyPatch, wet: str, *, expected: bool
) -> None:
    """A list splits at white space, a flag reads true, false, 1 and 0, and the group knows where values came from."""
    monkeypatch.setenv("DICOMTLS_PAINT", "red  blue")
    monkeypatch.setenv("DICOMTLS_WET", wet)
    monkeypatch.setenv("DICOMTLS_SIZE", "4")
    run(draw, "cat")
    colours = Colours(paint=("red", "blue"), wet=expected, from_environment=frozenset({"paint", "wet"}))
    assert received == ["cat", colours, 4]


def test_option_wins_over_the_environment(
    draw: TyperCommand, received: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is typed replaces what is set, and does not count as coming from the environment."""
    monkeypatch.setenv("DICOMTLS_PAINT", "red")
    run(draw, "cat", "--paint", "green")
    assert received[1] == Colours(paint=("green",))


def test_empty_variable_counts_as_not_set(
    draw: TyperCommand, received: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that exports an empty variable changes nothing."""
    monkeypatch.setenv("DICOMTLS_PAINT", "")
    monkeypatch.setenv("DICOMTLS_WET", "")
    run(draw, "cat")
    assert received[1] == Colours()
