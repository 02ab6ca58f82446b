"""The top of the command line."""

import json
from typing import Any

import pytest

from dicomtls.cli.app import COMMANDS, main

KEYS = ["command", "ok", "version", "peer", "tls", "timing_ms", "error"]


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    """The one document on stdout; what else was said is dropped."""
    return json.loads(capsys.readouterr().out)


def test_top_level_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`dicomtls --help` names each command with a line of its own."""
    assert main(["--help"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    for name in COMMANDS.entries:
        assert any(row[:1] == [name] and len(row) > 2 for row in rows)


def test_nothing_at_all_gets_the_help_as_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help goes to stderr, and the exit status says that nothing was done."""
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Usage: dicomtls COMMAND")


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["ech"], "no such command: ech", "did you mean echo?"),
        (["xyzzy"], "no such command: xyzzy", "'dicomtls --help' lists the commands"),
        (["certgen", "pk"], "no such command: pk", "did you mean pki?"),
        (["echo"], "PEER is missing", "for example: dicomtls echo PACS@pacs.example --ca hospital-ca.pem"),
        (["echo", "h", "--jsn"], "no such option: --jsn", "did you mean --json?"),
        (["echo", "h", "-x"], "no such option: -x", "'dicomtls echo --help' explains it"),
        (["echo", "h", "--ca"], "option '--ca' requires an argument", "'dicomtls echo --help' explains it"),
        (["echo", "h", "--insecure=1"], "option '--insecure' does not take a value", None),
        (["--quiet", "echo"], "no such option: --quiet", "options come after the command: dicomtls COMMAND --quiet"),
        (["echo", "h", "104"], "too many arguments: 104", "a port is written behind its host: HOST:104"),
        (["echo", "h", "-aec", "PACS"], "no such option: -aec", "here it is --called-aet"),
        (["echo", "h", "+tls", "k", "c"], "no such option: +tls", "here it is --key and --cert"),
        (["echo", "h", "--tls-min", "2"], "--tls-min: '2' is not one of '1.0', '1.1', '1.2', '1.3'", None),
        (["echo", "h", "--repeat", "x"], "--repeat: 'x' is not a whole number from 1 on", None),
        (["echo", "a:b:c"], "an IPv6 address needs brackets: 'a:b:c'", "write [a:b:c] or [a:b:c]:2762"),
    ],
)
def test_mistake_on_the_command_line_is_said_in_our_own_form(
    arguments: list[str], error: str, hint: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each mistake gets a sentence and a hint on stderr, nothing on stdout, and exit status 2."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    said = captured.err.splitlines()
    assert said[0] == f"dicomtls: error: {error}"
    assert hint is None or said[1] == f"dicomtls: hint: {hint}"


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["echo", "--json"], "echo"),
        (["--json", "nix"], None),
        (["echo", "h", "--nix", "--json"], "echo"),
        (["echo", "h", "--max-pdu", "1", "--json"], "echo"),
        (["find", "h", "--format", "json", "--limit", "x"], "find"),
        (["find", "h", "--format=json", "--limit", "x"], "find"),
        (["certgen", "pki", "--json"], "certgen"),
        (["echo", "h", "--quiet", "--verbose", "--json"], "echo"),
        (["handshake-probe", "h", "--nix", "--format", "json"], "handshake-probe"),
        (["handshake-probe", "h", "--nix", "--format=json"], "handshake-probe"),
    ],
)
def test_usage_error_with_json_still_writes_a_document(
    arguments: list[str], command: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever `--json` stands, stdout holds a whole document with `ok` false and the error."""
    assert main(arguments) == 2
    written = document(capsys)
    assert list(written) == KEYS
    assert (written["command"], written["ok"], written["error"]["code"]) == (command, False, "configuration")
    assert written["error"]["stage"] == "local"
    assert written["error"]["by"] == "us"
    assert written["peer"] is None


def test_json_can_be_asked_for_by_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DICOMTLS_JSON holds for errors that come before the options are read, too."""
    monkeypatch.setenv("DICOMTLS_JSON", "true")
    assert main(["echo"]) == 2
    assert document(capsys)["ok"] is False


@pytest.mark.parametrize("arguments", [["--version"], ["echo", "--version"], ["certgen", "pki", "--version"]])
def test_version_is_known_everywhere(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` works at the top and behind every command, though arguments are missing."""
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("dicomtls ")
