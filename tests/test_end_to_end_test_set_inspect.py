"""The test set as files: what `inspect-cert` says of each is what the index says, and so what a handshake says."""

import json
from typing import Any

import pytest

from dicomtls.cli.app import main
from tests.support.cases import Entry


def inspected(entry: Entry, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any]]:
    """The exit status, and the document about a case, verified as the other side would."""
    host = () if entry.host is None else ("--host", entry.host)
    arguments = [entry.file, *entry.trust, *host, "--purpose", entry.purpose, *options, "--json"]
    status = main(["inspect-cert", *map(str, arguments)])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return status, json.loads(captured.out)


def errors_of(document: dict[str, Any]) -> list[str]:
    """The codes of severity error, in their order."""
    return [finding["code"] for finding in document["findings"] if finding["severity"] == "error"]


def test_inspection_finds_what_the_index_says_and_no_other_error(
    cases: list[Entry], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of every case, with exit status 1; what is good has no finding that is an error, and status 0."""
    found: dict[str, list[str]] = {}
    for entry in cases:
        status, document = inspected(entry, capsys, "--key", str(entry.key))
        found[entry.name] = errors_of(document)
        assert status == (1 if found[entry.name] else 0), entry.name
        assert document["certificates"], entry.name
    assert len(found) > 90
    assert found == {entry.name: [] if entry.code is None else [entry.code] for entry in cases}


def test_wrong_order_is_a_warning(cases: list[Entry], capsys: pytest.CaptureFixture[str]) -> None:
    """It connects with OpenSSL, but not with everybody; the same chain in order has none."""
    severities = {}
    for name in ("wrong-order", "two-intermediates"):
        entry = next(entry for entry in cases if entry.name == f"server/{name}")
        _, document = inspected(entry, capsys)
        severities[name] = {finding["code"]: finding["severity"] for finding in document["findings"]}
    additional = severities["wrong-order"].items() - severities["two-intermediates"].items()
    assert {severity for _, severity in additional} == {"warning"}


def test_key_is_compared_only_where_it_is_given(cases: list[Entry], capsys: pytest.CaptureFixture[str]) -> None:
    """Without it, the certificate of that case is good."""
    entry = next(entry for entry in cases if entry.name == "server/key-mismatch")
    assert errors_of(inspected(entry, capsys)[1]) == []
