"""dicomtls.certificates.findings."""

from dicomtls.certificates.findings import Finding, Severity


def test_finding_in_json() -> None:
    """The keys of the contract, and plain values."""
    finding = Finding("expired", Severity.ERROR, "it expired", 1, ("renew it",))
    assert finding.as_json() == {
        "code": "expired",
        "severity": "error",
        "message": "it expired",
        "certificate": 1,
        "hints": ["renew it"],
    }
