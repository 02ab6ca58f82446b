"""Reading the values of options."""

import pytest
import typer

from dicomtls.cli.app import main
from dicomtls.cli.options.values import pdu_length, seconds, seconds_or_zero, whole_number


@pytest.mark.parametrize(("text", "expected"), [("1", 1.0), ("0.5", 0.5), (10.0, 10.0), ("86400", 86400.0)])
def test_seconds_are_read(text: object, expected: float) -> None:
    """A number above 0 and up to a day, whole or not; a default comes as a number already."""
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e9", "x", "", "1 s"])
def test_seconds_are_refused_when_nobody_could_wait_them(text: str) -> None:
    """Neither nothing, nor forever, nor what is no number."""
    with pytest.raises(typer.BadParameter, match="is not a number of seconds above 0"):
        seconds(text)


def test_pause_may_be_nothing() -> None:
    """An interval of 0 is no pause; below 0 there is none."""
    assert seconds_or_zero("0") == 0
    assert seconds_or_zero("0.0") == 0
    with pytest.raises(typer.BadParameter):
        seconds_or_zero("-0.1")


@pytest.mark.parametrize("text", ["4096", "131072", "1048576"])
def test_pdu_length_is_read(text: str) -> None:
    """What DCMTK allows and up to eight times more."""
    assert pdu_length(text) == int(text)


@pytest.mark.parametrize("text", ["0", "4095", "1048577", "-4096", "16k", "", "٤٠٩٦", "9" * 5000])
def test_pdu_length_is_refused_outside_the_range(text: str) -> None:
    """No limit, too short, too long, not a number, and a number that would take long to read."""
    with pytest.raises(typer.BadParameter, match="is not a whole number from 4096 to 1048576"):
        pdu_length(text)


def test_whole_number_without_an_upper_end() -> None:
    """The sentence names the only bound there is."""
    assert whole_number(1)("7") == 7
    with pytest.raises(typer.BadParameter, match="'0' is not a whole number from 1 on"):
        whole_number(1)("0")


@pytest.mark.parametrize("text", ["1000000000000", "1000000000", "9" * 5000])
def test_whole_number_that_is_too_much_is_told_the_end_that_there_is(text: str) -> None:
    """It is a whole number, and not below the lowest: the bound that it breaks is the other one."""
    with pytest.raises(typer.BadParameter, match="is not a whole number from 0 to 999999999"):
        whole_number(0)(text)
    assert whole_number(0)("999999999") == 999_999_999
    assert whole_number(0)("0" * 5000 + "7") == 7


@pytest.mark.parametrize("arguments", [["--ca", ""], ["--cert", ""], ["--passphrase-file", ""]])
def test_empty_path_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`--ca "$CA"` with CA unset would otherwise trust every certificate in the current folder."""
    assert main(["echo", "localhost", *arguments]) == 2
    assert f"{arguments[0]}: the path is empty" in capsys.readouterr().err


def test_error_names_the_variable_that_the_value_came_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who did not type an option is told where it stands."""
    monkeypatch.setenv("DICOMTLS_CONNECT_TIMEOUT", "soon")
    assert main(["echo", "localhost"]) == 2
    assert "dicomtls: error: DICOMTLS_CONNECT_TIMEOUT: 'soon' is not a number of seconds" in capsys.readouterr().err
