"""What handshake-probe shows to people of many peers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dicomtls.cli.handshake_probe_table import summary, table, tell_failures, tell_warnings
from dicomtls.cli.output import Output
from dicomtls.cli.text import render
from dicomtls.probe.contexts import Survey
from dicomtls.probe.handshake import ProbeResult
from tests.support.probes import CERTIFICATE, HOSTILE, failed_result, good_result, negotiated, refusal
from tests.support.servers import CT

GOOD, BAD = ("pacs", good_result()), ("ct1.example:11112", failed_result())


def shown(results: list[tuple[str, ProbeResult]]) -> list[str]:
    """The table without colours."""
    return [render(line, colour=False) for line in table(results)]


def test_table_has_a_line_for_each_peer() -> None:
    """Aligned, with dashes for what is not known."""
    assert shown([GOOD, BAD]) == [
        "target             result  code                         protocol  cipher                  days left   ms",
        "pacs               ok      -                            TLSv1.3   TLS_AES_256_GCM_SHA384        400  7.5",
        "ct1.example:11112  failed  client-certificate-required  -         -                               -  7.5",
    ]


def test_table_counts_what_is_accepted_where_that_was_asked() -> None:
    """A column more; the UIDs are in the document."""
    head, first, second = shown([("a", good_result(contexts=Survey({CT: ["1"]}))), ("b", failed_result())])
    assert head.endswith("  accepts")
    assert first.endswith("  1 SOP class")
    assert second.endswith("  -")


def test_target_is_made_harmless_and_cut() -> None:
    """It came from a file."""
    lines = shown([(HOSTILE, good_result()), ("x" * 99, good_result())])
    assert all(line.isprintable() for line in lines)
    assert lines[2].startswith("x" * 59 + "…  ok")


def test_summary_counts_each_way_to_fail() -> None:
    """The most frequent first."""
    refused = refusal("connection-refused")
    results = [GOOD, *[("a", failed_result(diagnosis=refused))] * 2, BAD]
    expected = "1 of 4 work, 2 connection-refused, 1 client-certificate-required; 1.2 s"
    assert render(summary(results, 1.23), colour=False) == expected
    assert render(summary([GOOD] * 2000, 1.23), colour=False) == "2,000 of 2,000 work; 1.2 s"


def test_failures_of_one_kind_stand_together_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """A few of them by name, and each hint once."""
    other = failed_result(diagnosis=refusal("connection-refused", message="nobody", hints=("start it",)))
    tell_failures(Output("handshake-probe"), [GOOD, BAD, ("b", other), *[(f"c{n}", failed_result()) for n in range(6)]])
    assert capsys.readouterr().err.splitlines() == [
        "dicomtls: error: ct1.example:11112: it refused",
        *(f"dicomtls: error: c{number}: it refused" for number in range(4)),
        "dicomtls: error: and 2 more with client-certificate-required",
        "dicomtls: hint: do",
        "dicomtls: error: b: nobody",
        "dicomtls: hint: start it",
    ]


def test_warnings_name_the_peer_and_come_to_an_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever looks after a thousand devices reads twenty lines of them."""
    soon = replace(CERTIFICATE, not_after=datetime.now(UTC) + timedelta(days=3, hours=1))
    expiring = good_result(negotiated(peer=soon))
    tell_warnings(Output("handshake-probe"), [GOOD, *[("old", expiring)] * 23], 30)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "dicomtls: warning: old: the peer's certificate has 3 days left"
    assert lines[20] == "dicomtls: warning: and 3 more like this: the table has the days left"
    assert len(lines) == 21
