"""Follow-up attempts about certificates: all that is wrong with the peer's, what the peer may have against ours."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from dicomtls.certificates.distinguished import distinguished_name
from dicomtls.diagnosis import Diagnosis, diagnose
from dicomtls.diagnosis.findings import findings_about, with_all_findings
from dicomtls.diagnosis.peer_certificate import leaf, server_name_to_give
from dicomtls.errors import HandshakeError, LocalError
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.probe.inquiry import Inquiry, Outcome
from dicomtls.probe.target import WENT_AWAY, WITHOUT_OURS
from dicomtls.tls import TLSSettings

_MOST_HINTS: Final = 3
_NAME_MAY_MATTER: Final = frozenset({"name-mismatch", "unknown-issuer", "self-signed", "incomplete-chain", "expired"})
_MOST_REPEATED: Final = 2


def look_at_peer_certificate(diagnosis: Diagnosis, facts: HandshakeFacts, inquiry: Inquiry) -> Diagnosis:
    """Collect all findings about the chain that we refused, and see whether another name would change the answer."""
    settings = inquiry.target.tls
    assert settings is not None  # noqa: S101 -- only a handshake shows a certificate
    diagnosis = _with_fingerprint(diagnosis, facts)
    if not settings.pins and settings.remember is None:  # which stand for chain and name
        diagnosis = with_all_findings(
            diagnosis, facts.chain_der, settings, purpose="server", host=_host(facts, settings)
        )
    if diagnosis.code == "name-mismatch" and (name := server_name_to_give(facts)) is not None:
        if inquiry.may_ask and inquiry.behind_tls(f"with --server-name {name}", server_name=name).tls_works:
            hint = f"if that is the peer that you mean: it connects with --server-name {name}"
            return replace(diagnosis, hints=(hint, *diagnosis.hints[1:]))
    elif diagnosis.code in _NAME_MAY_MATTER and _sends_name(settings, inquiry) and inquiry.may_ask:
        outcome = inquiry.behind_tls("without the server's name (SNI)", sni=False)
        if outcome.tls_works:
            return _with_hint(diagnosis, "it shows another certificate without the server's name: --no-sni")
    return diagnosis


def look_at_own_certificate(diagnosis: Diagnosis, facts: HandshakeFacts, inquiry: Inquiry) -> Diagnosis:
    """Find out what the peer may have against our certificate, and whether it lets us in without one."""
    if diagnosis.code in WENT_AWAY:
        diagnosis, facts = _hear_the_alert(diagnosis, facts, inquiry)
    if facts.own_chain:
        diagnosis = _with_own_faults(diagnosis, facts)
        if inquiry.may_ask:
            outcome = inquiry.behind_tls(WITHOUT_OURS, cert=(), key=())
            if outcome.tls_works:
                return _with_hint(diagnosis, "it connects without our certificate: leave out --cert and --key")
    return diagnosis


def _host(facts: HandshakeFacts, settings: TLSSettings) -> str | None:
    return facts.reference_name if settings.verify_name else None


def _with_fingerprint(diagnosis: Diagnosis, facts: HandshakeFacts) -> Diagnosis:
    """Make the pin ready to be compared: whoever trusts it unseen trusts anybody."""
    if diagnosis.code != "self-signed":
        return diagnosis
    pin = f"--pin sha256:{leaf(facts).get('fingerprint_sha256', '')}"
    hint = f"or, once its owner has confirmed the fingerprint, give {pin}"
    first = "if you know it for the peer's, give that certificate with --ca"
    return replace(diagnosis, hints=(first, hint))


def _sends_name(settings: TLSSettings, inquiry: Inquiry) -> bool:
    from dicomtls.tls.negotiated import is_ip_address

    return settings.sni and not is_ip_address(settings.server_name or inquiry.target.peer.host)


def _hear_the_alert(diagnosis: Diagnosis, facts: HandshakeFacts, inquiry: Inquiry) -> tuple[Diagnosis, HandshakeFacts]:
    """A reset may overtake the alert that came before it: another try often hears it."""
    for _ in range(_MOST_REPEATED):
        if not inquiry.may_ask or facts.client_certificate == "not requested":
            break
        outcome = inquiry.behind_tls("the same again, for the alert that a reset may have overtaken")
        again = _failure(outcome)
        if again is not None and again.code not in WENT_AWAY and isinstance(outcome.error, HandshakeError):
            return again, outcome.error.facts
    return diagnosis, facts


def _failure(outcome: Outcome) -> Diagnosis | None:
    return diagnose(outcome.error) if outcome.error is not None and not outcome.tls_works else None


def _with_own_faults(diagnosis: Diagnosis, facts: HandshakeFacts) -> Diagnosis:
    faults = list(_own_faults(facts))
    if not faults:
        return diagnosis
    return replace(
        diagnosis,
        message=f"{diagnosis.message}; our own: {'; '.join(faults)}",
        evidence={**diagnosis.evidence, "own_certificate": faults},
    )


def _own_faults(facts: HandshakeFacts) -> Iterator[str]:
    try:
        # No anchors: whom the peer trusts is not known here.
        findings = findings_about(facts.own_chain, TLSSettings(), purpose="client")
    except LocalError:
        findings = ()
    yield from (finding.message for finding in findings if finding.severity == "error")
    if facts.authorities and not fits(facts.own_chain, facts.authorities):
        yield f"it was issued by {_issuer(facts.own_chain[-1])}, which is none of those that the peer names"


def fits(own_chain: tuple[bytes, ...], authorities: tuple[bytes, ...]) -> bool | None:
    """Whether a chain goes back to one of the authorities that a server names; None where it names none."""
    from dicomtls.certificates.fields import CertificateFields

    if not authorities or not own_chain:
        return None
    try:
        return any(CertificateFields.parse(der).issuer in authorities for der in own_chain)
    except LocalError:
        return None


def _issuer(der: bytes) -> str:
    from dicomtls.certificates.fields import CertificateFields

    try:
        return distinguished_name(CertificateFields.parse(der).issuer)
    except LocalError:
        return "somebody unknown"


def _with_hint(diagnosis: Diagnosis, hint: str) -> Diagnosis:
    """Put what was tried and works before what might."""
    return replace(diagnosis, hints=(hint, *diagnosis.hints)[:_MOST_HINTS])
