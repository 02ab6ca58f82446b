"""All that is wrong with a chain that was refused, beside what the handshake said first."""

from dataclasses import replace
from typing import TYPE_CHECKING

from dicomtls.diagnosis.record import Diagnosis, shortened
from dicomtls.errors import LocalError
from dicomtls.tls.settings import TLSSettings

if TYPE_CHECKING:
    from dicomtls.certificates.findings import Finding


def findings_about(
    chain: tuple[bytes, ...], settings: TLSSettings, *, purpose: str, host: str | None = None
) -> "tuple[Finding, ...]":
    """Every finding about a chain as it was sent, leaf first; raises `LocalError` where it cannot be looked at.

    `purpose` is the sender's, "server" or "client"; `host` the name that a server was called by, None where it is not
    to be checked.
    """
    from dicomtls.certificates.describe import describe  # 65 ms that only a failure may cost
    from dicomtls.diagnosis.inspection import Expectation, inspect_certificates

    expectation = Expectation(settings=settings, host=host, purpose=purpose)
    return inspect_certificates([describe(der) for der in chain], expectation, leaf=0).findings


def with_all_findings(
    diagnosis: Diagnosis, chain: tuple[bytes, ...], settings: TLSSettings, *, purpose: str, host: str | None = None
) -> Diagnosis:
    """Add to a diagnosis about a certificate what else is wrong with it; `findings` in the evidence has all errors.

    The chain has one certificate at least. Raises nothing: where it cannot be looked at, nothing is added.
    """
    try:
        findings = findings_about(chain, settings, purpose=purpose, host=host)
    except LocalError:  # a chain that cannot be read: what OpenSSL said of it stands
        return diagnosis
    errors = [finding for finding in findings if finding.severity == "error"]
    others = [finding.message for finding in errors if finding.code != diagnosis.code]
    evidence = {**diagnosis.evidence, "findings": [finding.as_json() for finding in errors]}
    message = "; besides: ".join((diagnosis.message, "; ".join(others))) if others else diagnosis.message
    hints = (*_hint_at_namesake(errors, diagnosis.code), *diagnosis.hints)
    return replace(diagnosis, message=shortened(message), evidence=evidence, hints=hints)


def _hint_at_namesake(errors: "list[Finding]", code: str) -> tuple[str, ...]:
    """Whoever gave an authority with that very name wants to hear more than that it is unknown."""
    from dicomtls.diagnosis.inspection import NAMESAKE

    is_there = any(NAMESAKE in finding.hints for finding in errors if finding.code == code)
    return (NAMESAKE,) if is_there else ()
