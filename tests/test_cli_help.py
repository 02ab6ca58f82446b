"""Help pages."""

import re

import pytest
from typer.core import TyperArgument, TyperOption

from dicomtls.cli.app import main
from dicomtls.errors import ExitStatus
from tests.support.commands import command_at, command_paths

EXAMPLE = re.compile(r"^  (?:find .* \| )?dicomtls ", re.MULTILINE)

PATHS = command_paths()


@pytest.fixture(params=PATHS, ids=lambda path: " ".join(path) or "dicomtls")
def path(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Each command and group in turn."""
    way: tuple[str, ...] = request.param
    return way


@pytest.fixture
def page(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    """Its help page."""
    assert main([*path, "--help"]) == 0
    return capsys.readouterr().out


def test_help_fits_80_columns_in_plain_text(page: str) -> None:
    """In a pipe no line is wider than 80 columns, and none has colour or trailing spaces."""
    for line in page.splitlines():
        assert len(line) <= 80, line
        assert line == line.rstrip()
    assert page.isprintable() is False
    assert "\x1b" not in page


def test_help_begins_with_the_usage_and_ends_with_examples(page: str, path: tuple[str, ...]) -> None:
    """The first line says how to call it; two or three examples that begin with the program's name end the page."""
    assert page.startswith(" ".join(["Usage: dicomtls", *path]))
    _, _, examples = page.partition("\nExamples:\n")
    assert 2 <= len(EXAMPLE.findall(examples)) <= 3


def test_short_form_of_help_is_the_same(path: tuple[str, ...], page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`-h` is `--help`."""
    assert main([*path, "-h"]) == 0
    assert capsys.readouterr().out == page


def test_every_option_is_on_the_page_with_a_text(path: tuple[str, ...], page: str) -> None:
    """No option is hidden, undocumented, or written as a sentence with a full stop."""
    for parameter in command_at(path).params:
        assert isinstance(parameter, TyperOption | TyperArgument)
        assert parameter.help
        assert not parameter.help.endswith(".")
        names = parameter.opts if isinstance(parameter, TyperOption) else [str(parameter.metavar)]
        for name in names:
            assert name in page


def test_every_kind_of_command_is_among_them() -> None:
    """The instrument itself: the program, its commands, and those of both groups."""
    assert {(), ("echo",), ("certgen", "renew"), ("peers",), ("peers", "forget")} <= set(PATHS)
    assert len(PATHS) == len(set(PATHS)) > 25


def test_exit_statuses_can_be_found(page: str, path: tuple[str, ...]) -> None:
    """The program's own page has all of them, each command's says where they are."""
    if path == ():
        text = " ".join(page.partition("Exit status: ")[2].partition("\n\n")[0].split())
        assert [int(number) for number in re.findall(r"(?:^|; )(\d+) ", text)] == list(ExitStatus)
    else:
        assert "' explains one command" in page or "'dicomtls --help' lists the exit statuses." in " ".join(
            page.split()
        )


def test_every_option_has_its_environment_variable(path: tuple[str, ...]) -> None:
    """DICOMTLS_ and the long name, in capitals."""
    for parameter in command_at(path).params:
        if isinstance(parameter, TyperOption) and parameter.expose_value:
            long = max(parameter.opts, key=len)
            assert parameter.envvar == "DICOMTLS_" + long[2:].upper().replace("-", "_")


def test_options_stand_in_their_panels(capsys: pytest.CaptureFixture[str]) -> None:
    """The command's own come first, then Peer, TLS, Association and Output."""
    main(["echo", "--help"])
    headings = re.findall(r"^(\w+):$", capsys.readouterr().out, re.MULTILINE)
    assert headings == ["Options", "Peer", "TLS", "Association", "Output", "Examples"]


def test_options_of_several_commands_come_in_the_same_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Any two that stand together in a panel of two pages do so in the same order, so that the eye finds them."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for way in PATHS:
        main([*way, "--help"])
        panel, names = "", list[str]()
        for line in capsys.readouterr().out.splitlines():
            if heading := re.fullmatch(r"(\w[\w ]*):", line):
                panel, names = heading[1], []
            elif option := re.match(r"  (?:-\w, )?(--[\w-]+)", line):
                for earlier in names:
                    found.setdefault((panel, earlier, option[1]), []).append(" ".join(way))
                names.append(option[1])
    assert len(found) > 500
    for (panel, earlier, later), where in found.items():
        assert (panel, later, earlier) not in found, (panel, earlier, later, where, found[panel, later, earlier])


def test_defaults_are_shown_shortly(capsys: pytest.CaptureFixture[str]) -> None:
    """A default stands behind the text; flags and empty lists have none."""
    main(["echo", "--help"])
    page = capsys.readouterr().out
    assert "seconds for name, TCP and TLS (default: 10)" in page
    assert "(default: DICOMTLS)" in page
    assert "(default: False)" not in page
    assert "(default: [])" not in page


@pytest.mark.parametrize(("columns", "expected"), [(60, 60), (200, 100)])
def test_help_uses_the_terminal_up_to_100_columns(
    columns: int, expected: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal the page is as wide as that, but no wider than one can read; headings are bold."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    main(["echo", "--help"])
    page = capsys.readouterr().out
    assert "\x1b[1mTLS:\x1b[0m" in page
    plain, _, _ = re.sub(r"\x1b\[\d+m", "", page).partition("Examples:")
    widest = max(map(len, plain.splitlines()))
    assert expected - 15 < widest <= expected
