"""Which error code the facts of a failed handshake stand for, and who refused.

Decided by OpenSSL's reasons and verify codes and by the alerts on the wire, never by English text.
"""

import re
from typing import Final

from dicomtls.certificates.distinguished import distinguished_name
from dicomtls.diagnosis.alerts import CERTIFICATE_ALERTS
from dicomtls.diagnosis.foreign import foreign_code
from dicomtls.diagnosis.offers import offer_evidence
from dicomtls.diagnosis.peer_certificate import describe_or_none, names_issuer_address
from dicomtls.errors import By
from dicomtls.handshake_facts import HandshakeFacts


def classify(facts: HandshakeFacts) -> str:
    """The error code for the facts of a handshake that failed; `tls-error` where they stand for none."""
    if facts.first_bytes:
        return foreign_code(facts.first_bytes)
    if facts.timed_out:
        return "handshake-timeout"
    if facts.verify_code:
        return _verify_failure(facts)
    alert = facts.alert_received or alert_of_reason(facts.reason)
    if alert and facts.reason not in _REASONS:
        return _alert(alert, facts)
    return _REASONS.get(facts.reason or "", _CLOSED.get(facts.closed or "", "tls-error"))


_CLOSED: Final = {"eof": "peer-closed", "reset": "connection-reset"}


CRL_SIGNATURE_FAILURE: Final = 8
"""OpenSSL's X509_V_ERR_CRL_SIGNATURE_FAILURE: it is the revocation list that is not signed as it should be."""

# X509_V_ERR_… of OpenSSL; of these only "invalid CA" has changed its number: 24 up to 1.1.1, 79 from 3.0 on.
_VERIFY_CODES: Final = {
    3: "crl-missing",
    7: "bad-signature",
    CRL_SIGNATURE_FAILURE: "bad-signature",
    9: "not-yet-valid",
    10: "expired",
    11: "crl-expired",
    12: "crl-expired",
    18: "self-signed",
    19: "unknown-issuer",
    20: "unknown-issuer",
    21: "unknown-issuer",
    23: "revoked",
    24: "invalid-ca",
    25: "path-length-exceeded",
    26: "wrong-purpose",
    34: "unknown-critical-extension",
    47: "name-not-permitted",
    48: "name-not-permitted",
    62: "name-mismatch",
    64: "name-mismatch",
    66: "weak-key",
    67: "weak-key",
    68: "weak-signature",
    79: "invalid-ca",
}


def _verify_failure(facts: HandshakeFacts) -> str:
    code = _VERIFY_CODES.get(facts.verify_code or 0, "certificate-refused")
    if code == "unknown-issuer" and facts.verify_code != _SELF_SIGNED_IN_CHAIN and _lacks_an_issuer(facts):
        return "incomplete-chain"
    return code


_SELF_SIGNED_IN_CHAIN: Final = 19


def _lacks_an_issuer(facts: HandshakeFacts) -> bool:
    """Whether the chain ends in an authority that somebody else issued, or in a leaf that says where its issuer is."""
    if len(facts.chain_der) == 1:
        return names_issuer_address(facts.chain_der[0])
    last = describe_or_none(facts.chain_der[-1]) if facts.chain_der else None
    return last is not None and bool(last["is_ca"]) and not last["self_signed"]


_REASONS: Final = {
    "WRONG_VERSION_NUMBER": "peer-is-not-tls",
    "HTTP_REQUEST": "peer-speaks-http",
    "HTTPS_PROXY_REQUEST": "peer-speaks-http",
    "PACKET_LENGTH_TOO_LONG": "peer-is-not-tls",
    "NO_SHARED_CIPHER": "no-shared-cipher",
    "NO_CIPHERS_AVAILABLE": "no-shared-cipher",
    "UNSUPPORTED_PROTOCOL": "no-shared-protocol",
    "NO_PROTOCOLS_AVAILABLE": "no-shared-protocol",
    "UNKNOWN_PROTOCOL": "no-shared-protocol",  # SSL 2.0 itself, not only its form of a hello
    "WRONG_SSL_VERSION": "no-shared-protocol",
    "VERSION_TOO_LOW": "no-shared-protocol",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": "unsafe-renegotiation",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "client-certificate-required",
    "EE_KEY_TOO_SMALL": "weak-key",
    "CA_KEY_TOO_SMALL": "weak-key",
    "DH_KEY_TOO_SMALL": "weak-key",
    "CA_MD_TOO_WEAK": "weak-signature",
    "BAD_SIGNATURE": "bad-signature",
}

# Alert 40 is one about a certificate only where nothing else speaks against it.
_CERTIFICATE_ALERTS: Final = frozenset(CERTIFICATE_ALERTS) - {"handshake_failure"}


def alert_of_reason(reason: str | None) -> str | None:
    """The alert that OpenSSL's reason names: it is all there is of an alert after the handshake."""
    match = re.fullmatch(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(\w+)", reason or "")
    return _RFC_SPELLINGS.get(match[1].lower(), match[1].lower()) if match else None


_RFC_SPELLINGS: Final = {"user_cancelled": "user_canceled"}


def _alert(alert: str, facts: HandshakeFacts) -> str:
    if alert == "protocol_version":
        return "no-shared-protocol"
    if facts.role == "client":
        if alert == "certificate_required":
            return "client-certificate-required"
        if alert in _CERTIFICATE_ALERTS and facts.client_certificate in ("sent", "requested"):
            return (
                "client-certificate-refused" if facts.client_certificate == "sent" else ("client-certificate-required")
            )
        if alert in ("handshake_failure", "insufficient_security"):
            return _handshake_failure(facts)
    return f"alert-{alert}"


def _handshake_failure(facts: HandshakeFacts) -> str:
    """Alert 40 of TLS 1.2 means many things; once the peer has asked for a certificate, it means that."""
    if facts.client_certificate == "requested":
        return "client-certificate-required"
    if facts.client_certificate == "sent":
        return "client-certificate-refused"
    return "no-shared-cipher" if not facts.chain_der else "alert-handshake_failure"


def refuser(code: str, facts: HandshakeFacts, usual: By) -> By:
    """Who refused: `usual` is seen from a client, and some codes are the other way round on a server."""
    alert = facts.alert_received or (alert_of_reason(facts.reason) if facts.after_handshake else None)
    if code in _NEGOTIATION_CODES:
        return By.PEER if alert else By.US
    if code.startswith("client-certificate-"):
        return By.US if facts.role == "server" else By.PEER
    return usual


_NEGOTIATION_CODES: Final = frozenset({"no-shared-protocol", "no-shared-cipher"})


def evidence_of(facts: HandshakeFacts) -> dict[str, object]:
    """What was seen, for `--json`; what is not known is left out."""
    evidence: dict[str, object] = {
        "reason": facts.reason,
        "verify_code": facts.verify_code,
        "verify_message": facts.verify_message,
        "alert_received": facts.alert_received or alert_of_reason(facts.reason),
        "alert_sent": facts.alert_sent,
        "first_bytes": facts.first_bytes.hex() or None,
        "closed": facts.closed,
        "protocol": facts.protocol,
        "client_certificate": facts.client_certificate,
        "after_handshake": facts.after_handshake,
        "certificate_authorities": [distinguished_name(name) for name in facts.authorities] or None,
        **offer_evidence(facts),
    }
    return {name: value for name, value in evidence.items() if value is not None}
