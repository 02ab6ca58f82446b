"""Text for people: what a peer or a file sent made harmless, and the few colours that we use."""

import os
from enum import StrEnum
from typing import IO, NamedTuple, TypeAlias

_SURROGATES = range(0xDC80, 0xDD00)
_ESCAPED_BYTES = 0xDC00
_WIDE_SPACE = "\u3000"
"""Stands between the parts of Japanese names; Python does not count it as printable, but it is only a space."""


class Style(StrEnum):
    """What a word means; the value is the terminal's code for it (ECMA-48)."""

    GOOD = "32"
    BAD = "31"
    STRONG = "1"


class Styled(NamedTuple):
    """A word with a meaning, to be coloured on a terminal and readable without."""

    text: str
    style: Style


Line: TypeAlias = str | tuple[str | Styled, ...]
"""One line of output: plain, or in parts of which some are coloured."""


def visible(text: str) -> str:
    """Return the text with everything that is not printable written as an escape.

    A certificate subject or a file name may hold terminal control sequences, line ends or characters that turn
    the direction of writing; none of them may reach a terminal or break a line in two.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == _WIDE_SPACE else _escape(character) for character in text
    )


def _escape(character: str) -> str:
    if ord(character) in _SURROGATES:  # a byte of a path that is not UTF-8
        return f"\\x{ord(character) - _ESCAPED_BYTES:02x}"
    return character.encode("unicode_escape").decode("ascii")


def render(line: Line, *, colour: bool) -> str:
    """Return the line as it goes to a stream: harmless, and coloured where that is wanted."""
    if isinstance(line, str):
        return visible(line)
    return "".join(_render_part(part, colour=colour) for part in line)


def _render_part(part: str | Styled, *, colour: bool) -> str:
    if isinstance(part, str):
        return visible(part)
    text = visible(part.text)
    return f"\x1b[{part.style}m{text}\x1b[0m" if colour else text


def wants_colour(stream: IO[str]) -> bool:
    """Whether to colour what goes to this stream (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
