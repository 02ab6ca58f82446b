"""Text for people."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.cli.text import Style, Styled, render, visible, wants_colour

WIDE_SPACE = "\u3000"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Always."""
        return True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CN=pacs, O=Zürich", "CN=pacs, O=Zürich"),
        ("山田\u3000太郎", "山田\u3000太郎"),
        ("\u3000\u2003\n", "\u3000\\u2003\\n"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines", r"two\nlines"),
        ("a\u202egnp.exe", r"a\u202egnp.exe"),
        ("\x9b2J", r"\x9b2J"),
        ("file\udcff", r"file\xff"),
        ("\x7f\x00", r"\x7f\x00"),
    ],
)
def test_text_shows_what_a_terminal_would_obey(text: str, expected: str) -> None:
    """Control characters, line ends, direction marks and bytes that are no text are escaped, letters are not."""
    assert visible(text) == expected


@given(st.text())
def test_visible_text_is_printable_whatever_it_was(text: str) -> None:
    """Nothing that a terminal could act on gets through, and what is harmless stays as it is."""
    shown = visible(text)
    assert shown.replace(WIDE_SPACE, "").isprintable()
    assert shown == text or not text.isprintable()


def test_line_is_coloured_only_where_colour_is_wanted() -> None:
    """The words are the same with and without colour, and foreign text cannot bring its own."""
    line = (Styled("ok\x1b", Style.GOOD), ", ", "CN=\x1b[1m")
    assert render(line, colour=False) == r"ok\x1b, CN=\x1b[1m"
    assert render(line, colour=True) == "\x1b[32mok\\x1b\x1b[0m, CN=\\x1b[1m"


@pytest.mark.parametrize(
    ("stream", "variables", "expected"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    stream: io.StringIO, variables: dict[str, str], *, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Colour is off in a pipe, with NO_COLOR, and on a terminal that says it has none."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wants_colour(stream) is expected
