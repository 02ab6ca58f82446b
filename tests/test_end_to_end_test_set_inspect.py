"""The test set as files: what `inspect-cert` says of each is what the index says, and so what a handshake says."""

import json
import re
from dataclasses import replace
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


# Where the fault is elsewhere than in the leaf; None: in an anchor or a list, which is no certificate of the file.
_PLACES = {
    **dict.fromkeys(("expired-intermediate", "weak-intermediate", "sha1-intermediate", "bad-intermediate"), 1),
    **dict.fromkeys(("wrong-intermediate", "not-a-ca", "no-basic-constraints", "version-1-intermediate"), 1),
    **dict.fromkeys(("no-key-cert-sign", "constraint-not-known"), 1),
    "path-length-exceeded": 2,
    **dict.fromkeys(("unknown-root", "missing-upper-intermediate", "other-anchor"), 1),
    **dict.fromkeys(("expired-root", "weak-root", "root-no-key-cert-sign"), None),
    **dict.fromkeys(("crl-expired", "crl-early", "crl-forged"), None),
}


def test_finding_names_the_certificate_that_has_the_fault(
    cases: list[Entry], capsys: pytest.CaptureFixture[str]
) -> None:
    """By its index; the message names it too where it is not the leaf, or says that it is an anchor or a list."""
    faults = [entry for entry in cases if entry.code is not None]
    found = {}
    for entry in faults:
        _, document = inspected(entry, capsys, "--key", str(entry.key))
        (error,) = (finding for finding in document["findings"] if finding["severity"] == "error")
        found[entry.name] = error["certificate"]
        if error["certificate"] is None:
            assert re.search("anchors|revocation list", error["message"]), error
        elif error["certificate"]:
            subject = document["certificates"][error["certificate"]]
            assert subject["subject"] in error["message"] or subject["issuer"] in error["message"], error
        assert error["hints"], error
    assert {entry.file.stem for entry in faults} > set(_PLACES)
    assert found == {entry.name: _PLACES.get(entry.file.stem, 0) for entry in faults}


@pytest.mark.parametrize("side", ["server", "client"])
def test_forged_list_is_said_to_be_one(cases: list[Entry], capsys: pytest.CaptureFixture[str], side: str) -> None:
    """Nobody is told to have the certificate issued anew, and what is behind it is found."""
    entry = next(entry for entry in cases if entry.name == f"{side}/crl-forged")
    _, document = inspected(entry, capsys)
    (error,) = (finding for finding in document["findings"] if finding["severity"] == "error")
    assert "revocation list" in error["message"]
    assert not any("issued anew" in hint for hint in error["hints"])
    other = replace(entry, file=entry.file.with_name("expired.pem"))
    assert errors_of(inspected(other, capsys)[1]) == [entry.code, "expired"]


def test_leaf_that_is_not_first_is_a_warning_that_says_so(
    cases: list[Entry], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the key and without it."""
    entry = next(entry for entry in cases if entry.name == "server/leaf-last")
    for options in ((), ("--key", str(entry.key))):
        status, document = inspected(entry, capsys, *options)
        (warning,) = (finding for finding in document["findings"] if finding["severity"] == "warning")
        assert (status, warning["code"]) == (0, "wrong-order")
        assert "the leaf is certificate 2 of the file" in warning["message"]


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
