"""The result of handshake-probe for CI."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.cli.handshake_probe_junit import junit
from dicomtls.probe.handshake import ProbeResult
from tests.support.probes import HOSTILE, failed_result, good_result, refusal

# What Jenkins' schema (junit-10.xsd) allows where: attributes, those among them that must be there, and children.
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time"},
        {"name", "tests"},
        {"testcase"},
    ),
    "testcase": ({"name", "classname", "time"}, {"name", "classname"}, {"skipped", "failure"}),
    "failure": ({"message", "type"}, set(), set()),
    "skipped": ({"message"}, set(), set()),
}


def read(results: list[tuple[str, ProbeResult]]) -> ET.Element:
    """The document, which must be as the schema has it, and its numbers what is in it."""
    root = ET.fromstring(junit(results))  # noqa: S314 -- our own document
    assert root.tag == "testsuites"
    for element in root.iter():
        allowed, needed, children = SCHEMA[element.tag]
        assert needed <= set(element.attrib) <= allowed
        assert {child.tag for child in element} <= children
    for suite in [root, *root]:
        for name, path in (("tests", ".//testcase"), ("failures", ".//failure"), ("skipped", ".//skipped")):
            assert int(suite.get(name, len(suite.findall(path)))) == len(suite.findall(path))
    return root


def outcomes(suite: ET.Element) -> Iterator[str]:
    """What became of each test case."""
    yield from (next((child.tag for child in case), "passed") for case in suite)


def test_suite_is_a_peer_and_case_a_stage() -> None:
    """Passed, failed or skipped, with the time in seconds."""
    root = read([("pacs", good_result()), ("ct1", failed_result()), ("old", good_result(in_clear=True))])
    assert [suite.get("name") for suite in root] == ["pacs", "ct1", "old"]
    assert [case.get("name") for case in root[0]] == ["name", "tcp", "tls", "association", "echo"]
    assert list(outcomes(root[0])) == ["passed"] * 5
    assert list(outcomes(root[1])) == ["passed", "passed", "failure", "skipped", "skipped"]
    assert list(outcomes(root[2])) == ["passed"] * 4
    assert (root[0].get("time"), root[0][0].get("time")) == ("0.007500", "0.001500")


def test_failure_says_what_the_diagnosis_says() -> None:
    """Its code is the type; who refused and the hints stand in the text."""
    failure = read([("ct1", failed_result(diagnosis=refusal(hints=("do <this>", "or that"))))]).find(".//failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("client-certificate-required", "it refused")
    assert failure.text == "refused by: peer\nhint: do <this>\nhint: or that"


def test_failure_beside_the_stages_is_a_case_of_its_own() -> None:
    """A peer that broke off the survey has passed all stages."""
    root = read([("ct1", good_result(diagnosis=refusal("association-aborted")))])
    assert list(outcomes(root[0])) == ["passed"] * 5 + ["failure"]
    assert root[0][5].get("name") == "further questions"


@pytest.mark.parametrize("text", [HOSTILE, "]]>", "&amp;", "\ud800", "\ufffe"])
def test_no_text_breaks_the_document(text: str) -> None:
    """Whatever a peer or a file wrote: what XML has no character for is escaped."""
    diagnosis = refusal(message=text, hints=(text,))
    root = read([(text, failed_result(diagnosis=diagnosis))])
    assert root[0].get("name") == root.findall(".//failure")[0].get("message")


@given(st.text())
def test_any_text_makes_a_document(text: str) -> None:
    """Also those that nobody thought of."""
    read([(text, failed_result(diagnosis=refusal(message=text, hints=(text,))))])


def test_nothing_probed_is_a_document_too() -> None:
    """An interrupt may come at once."""
    assert len(read([])) == 0
