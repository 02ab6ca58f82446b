"""What inspect-cert shows to people."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from dicomtls.certificates.describe import describe
from dicomtls.certificates.findings import Finding, Severity
from dicomtls.certificates.inventory import CRLDescription, Inventory, KeyDescription, RequestDescription
from dicomtls.cli.inspect_cert_view import days_left, finding_lines, inspection_lines, other_lines
from dicomtls.cli.text import Line, render
from dicomtls.diagnosis.inspection import Expectation, inspect_certificates
from tests.support.chains import issue


def text(lines: Iterable[Line]) -> list[str]:
    """The lines without colour."""
    return [render(line, colour=False) for line in lines]


def test_chain_is_a_tree() -> None:
    """Each issuer below what it issued; fitness stands once, for the leaf."""
    root = issue("root", is_ca=True)
    leaf = issue("leaf", root)
    shown = text(
        inspection_lines("x.pem", inspect_certificates([describe(leaf.der), describe(root.der)], Expectation()))
    )
    assert shown[0] == "x.pem: 2 certificates"
    assert "CN=leaf" in shown
    assert "└─ CN=root" in shown
    assert sum(line.startswith("as a ") for line in shown) == 2


def test_collection_is_a_list_that_ends() -> None:
    """Forty certificates are shown in part, and fit for nothing as a whole."""
    many = [describe(issue(f"n{number}", hosts=()).der) for number in range(40)]
    shown = text(inspection_lines("x.pem", inspect_certificates(many, Expectation())))
    assert shown[-1] == "and 8 more: --json has them all"


def test_findings_are_bounded_and_end_in_what_was_not_checked() -> None:
    """A hundred findings are forty lines."""
    findings = [Finding("expired", Severity.ERROR, "x" * 500, number) for number in range(100)]
    findings.append(Finding("not-checked-name", Severity.INFO, "the name was not checked", None, ("give --host",)))
    shown = text(finding_lines(findings))
    assert shown[-2:] == ["and 60 more findings: --json has them all", "not checked: name (give --host)"]
    assert len(shown) == 42
    assert max(map(len, shown)) < 300
    assert text(finding_lines([])) == ["nothing wrong was found"]


def test_other_contents_are_shown() -> None:
    """Keys, requests and lists."""
    inventory = Inventory(
        "request",
        (),
        (
            KeyDescription("RSA", 2048, encrypted=False, spki_sha256="ab"),
            KeyDescription(None, None, encrypted=True, spki_sha256=None),
        ),
        (RequestDescription("CN=x", (), "EC", 256, signature_valid=True),),
        (CRLDescription("CN=ca", None, datetime(2026, 1, 2, tzinfo=UTC), None, 1, b""),),
    )
    shown = text(other_lines(inventory))
    assert "private key: RSA 2048" in shown
    assert "private key: encrypted, and not opened: give --passphrase-file PATH or --passphrase-env NAME" in shown
    assert "  signature  valid" in shown
    assert "  updated    2026-01-02 00:00:00 UTC, next (not said)" in shown
    assert "  revoked    1 certificate" in shown


def test_days_left_are_said_in_words() -> None:
    """Also where there are none, and where nobody knows."""
    one = describe(issue("leaf").der)
    assert days_left(replace(one, days_left=3)) == "3 days left"
    assert days_left(replace(one, days_left=-3)) == "expired 3 days ago"
    assert days_left(replace(one, days_left=None)) == "dates that cannot be read"
