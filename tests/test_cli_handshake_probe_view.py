"""What handshake-probe shows to people of one peer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dicomtls.cli.handshake_probe_view import follow_ups, sop_class_count, tree, verdict, warnings
from dicomtls.cli.text import Line, render
from dicomtls.errors import AssociationAborted, By, Stage
from dicomtls.probe.contexts import Survey
from dicomtls.probe.handshake import ClientAuthentication, ProbeResult
from dicomtls.tls import TLSSettings
from tests.support.probes import CERTIFICATE, HOSTILE, failed_result, good_result, negotiated, refusal
from tests.support.servers import CT, MR, VERIFICATION

STEP = {"attempt": "in clear", "outcome": "it closes"}


def shown(result: ProbeResult, title: str = "pacs") -> list[str]:
    """The tree without colours."""
    return [plain(line) for line in tree(title, result)]


def plain(line: Line) -> str:
    """One line without colours."""
    return render(line, colour=False)


def test_road_that_works_has_a_mark_a_time_and_a_fact_for_each_stage() -> None:
    """Below TLS stands what it brought to light."""
    assert shown(good_result()) == [
        "pacs",
        "  ✓ name            1.5 ms  detail of name",
        "  ✓ tcp             1.5 ms  detail of tcp",
        "  ✓ tls             1.5 ms  detail of tls",
        "                            peer pacs.example, verified, 400 days left",
        "                            client authentication: required, ours was taken",
        "  ✓ association     1.5 ms  detail of association",
        "  ✓ echo            1.5 ms  detail of echo",
    ]


def test_road_that_ends_shows_who_refused_and_what_was_tried_there() -> None:
    """What lies behind was not reached."""
    result = failed_result(diagnosis=refusal(evidence={"follow_up": [STEP]}))
    assert shown(result)[3:] == [
        "  ✗ tls             1.5 ms  client-certificate-required, refused by the peer",
        "                            looked further: in clear: it closes",
        "  · association             not reached",
        "  · echo                    not reached",
    ]


def test_further_attempt_at_a_peer_that_works_is_told_by_its_code() -> None:
    """It was only to see whether the peer insists on our certificate; what that means stands above it."""
    step = {"attempt": "without ours", "outcome": "client-certificate-required: a whole sentence"}
    assert (
        shown(good_result(follow_up=[step]))[6].strip() == "looked further: without ours: client-certificate-required"
    )


@pytest.mark.parametrize(
    ("by", "expected"), [(By.US, "x, refused by us"), (By.PEER, "x, refused by the peer"), (By.NEITHER, "x")]
)
def test_failed_stage_says_who_refused(by: By, expected: str) -> None:
    """Nobody did where there was no answer, or where it is for us to mend."""
    assert shown(failed_result(diagnosis=refusal("x", by=by)))[3].endswith(f"  {expected}")
    assert shown(failed_result(diagnosis=refusal("x", by=by, stage=Stage.LOCAL)))[3].endswith("  x")


@pytest.mark.parametrize(
    ("told", "sent", "expected"),
    [
        ("optional", "sent", "client authentication: optional, ours was taken"),
        ("optional", "requested", "client authentication: optional, none was sent"),
        ("none", "not requested", "client authentication: none, it asks for no certificate"),
        ("unknown", "sent", "client authentication: asked for, whether required is not known, ours was taken"),
    ],
)
def test_client_authentication_is_told_with_what_became_of_ours(told: str, sent: str, expected: str) -> None:
    """Whether it is asked for, whether it is demanded, and whether we showed one."""
    seen = negotiated(client_certificate=sent)
    assert expected in "\n".join(shown(good_result(seen, client_authentication=ClientAuthentication(told))))


def test_authorities_are_named_and_ours_is_missed_among_them() -> None:
    """No more than a few of many."""
    many = tuple(f"CN={number}" for number in range(8))
    text = "\n".join(shown(good_result(certificate_authorities=many, certificate_fits=False)))
    assert "client authorities: CN=0; CN=1; CN=2; CN=3; CN=4 and 3 more\n" in text
    assert "our certificate comes from none of these\n" in text
    fitting = "\n".join(shown(good_result(certificate_authorities=many[:1], certificate_fits=True)))
    assert "client authorities: CN=0\n" in fitting
    assert "none of these" not in fitting


def test_table_of_contexts_puts_together_what_is_taken_alike() -> None:
    """SOP classes and transfer syntaxes by UID and name; how many associations that took."""
    implicit, explicit = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
    survey = Survey({VERIFICATION: [implicit], CT: [implicit, explicit], MR: [implicit, explicit]}, associations=4)
    lines = shown(good_result(contexts=survey))[8:]
    assert lines[0] == "accepts 3 SOP classes, asked over 4 associations"
    assert lines[1] == "  1 SOP class with 1 transfer syntax:"
    assert lines[4] == "  2 SOP classes with 2 transfer syntaxes:"
    assert [line.split() for line in lines[5:7]] == [
        ["transfer", "syntax", implicit, "Implicit", "VR", "Little", "Endian"],
        ["transfer", "syntax", explicit, "Explicit", "VR", "Little", "Endian"],
    ]
    assert lines[7].endswith(f"{CT:<30}  CT Image Storage")
    broken = Survey({CT: [implicit]}, associations=1, error=AssociationAborted("it aborted"))
    assert "accepts 1 SOP class, asked over 1 association, until it broke off" in shown(good_result(contexts=broken))
    assert sop_class_count(Survey()) == "0 SOP classes"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (good_result(), "pacs: works, TLSv1.3, both sides are authenticated, 7.5 ms"),
        (
            good_result(negotiated(client_certificate="not requested")),
            "pacs: works, TLSv1.3, the peer is authenticated, we are not, 7.5 ms",
        ),
        (
            good_result(negotiated(verified=False)),
            "pacs: works, TLSv1.3, the peer is not verified (--insecure), 7.5 ms",
        ),
        (good_result(in_clear=True), "pacs: works, in clear: nobody is authenticated, 7.5 ms"),
        (failed_result(), "pacs: failed, client-certificate-required"),
    ],
)
def test_verdict_is_one_line(result: ProbeResult, expected: str) -> None:
    """Whether it works, and who is authenticated then."""
    assert plain(verdict("pacs", result)) == expected


def test_road_in_clear_says_nothing_of_certificates() -> None:
    """There are none."""
    assert len(shown(good_result(in_clear=True))) == 5


def test_working_peer_may_have_something_to_be_warned_of() -> None:
    """A certificate that ends soon, or one for another name that we let pass."""
    soon = replace(CERTIFICATE, not_after=datetime.now(UTC) + timedelta(days=10, hours=1))
    assert list(warnings(good_result(), 30)) == []
    assert list(warnings(good_result(negotiated(peer=soon)), 30)) == ["the peer's certificate has 10 days left"]
    unmatched = good_result(negotiated(name_matched=False))
    assert list(warnings(unmatched, 30)) == ["the peer's certificate is not for the name pacs.example"]
    unmatched.target = replace(unmatched.target, tls=TLSSettings(server_name="other.example"))
    assert list(warnings(unmatched, 30)) == ["the peer's certificate is not for the name other.example"]


def test_further_attempts_are_those_of_the_probe_and_of_its_diagnosis() -> None:
    """Evidence of another shape is passed over."""
    mine = {"attempt": "mine", "outcome": "x"}
    result = failed_result(diagnosis=refusal(evidence={"follow_up": [STEP]}), follow_up=[mine])
    assert follow_ups(result) == [mine, STEP]
    assert follow_ups(failed_result(diagnosis=refusal(evidence={"follow_up": "odd"}))) == []


def test_what_a_peer_says_reaches_no_terminal_as_it_is() -> None:
    """Names of authorities, outcomes, the title: control characters are written as escapes."""
    step = {"attempt": HOSTILE, "outcome": HOSTILE}
    result = good_result(certificate_authorities=(HOSTILE,), follow_up=[step])
    assert all(line.isprintable() for line in shown(result, HOSTILE))
