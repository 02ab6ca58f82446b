"""What the alerts of TLS mean where they end a handshake (RFC 8446 section 6.2, RFC 5246 7.2.2), and what to do."""

from typing import Final

from dicomtls.handshake_facts import HandshakeFacts

# About the certificate of the side that received the alert.
CERTIFICATE_ALERTS: Final = {
    "unknown_ca": "it does not know who issued it",
    "certificate_expired": "it takes it for expired",
    "certificate_revoked": "it takes it for revoked",
    "unsupported_certificate": "it is not made for this role, or of a kind that it does not take",
    "bad_certificate": "it found it broken, not valid yet, or for another name",
    "certificate_unknown": "it does not say why",
    "access_denied": "it knows it and does not let it in",
    "decrypt_error": "it could not verify a signature: the key may not belong to the certificate",
    "handshake_failure": "it does not say why",
}

_MEANINGS: Final = {
    "unrecognized_name": "it does not answer to the name that we sent",
    "no_application_protocol": "it knows no protocol called 'dicom' (ALPN)",
    "internal_error": "something is broken on its side, often its own certificate or key",
    "handshake_failure": "it could not agree, and does not say on what",
    "illegal_parameter": "it cannot take something that was offered",
    "decode_error": "it cannot read what was sent to it",
    "unexpected_message": "it expected another message, as broken TLS libraries do",
    "user_canceled": "its user, or its program, broke off",
    "inappropriate_fallback": "it could do better than the version that was offered",
    "insufficient_security": "it demands stronger cipher suites",
    "missing_extension": "it misses an extension that TLS demands",
    "unsupported_extension": "it got an extension that it did not ask for",
    "close_notify": "it said goodbye in the middle",
    "bad_record_mac": "a record was damaged on the way, or the keys differ",
    "record_overflow": "it got a record longer than it takes",
    "unknown_psk_identity": "it wants a shared key in place of certificates",
}

_HINTS: Final = {
    "unrecognized_name": ("send no name with --no-sni", "or send one that it answers to with --server-name"),
    "no_application_protocol": ("leave the protocol's name out with --no-alpn",),
    "insufficient_security": ("offer the suites of --profile bcp195-modified, or all that there are with --ciphers",),
    "unknown_psk_identity": ("DICOM knows certificates only: the peer must be set to use them",),
}
_SEE_THE_LOG: Final = "the peer's log says more about this alert"


def alert_message(alert: str, facts: HandshakeFacts) -> str:
    """What happened, for an alert that has no error code of its own; `alert` is spelled as in RFC 8446 section 6."""
    who = "peer" if facts.role == "client" else "client"
    if facts.role == "server" and alert in CERTIFICATE_ALERTS and alert != "handshake_failure":
        return f"the client refused our certificate with the alert {alert}: {CERTIFICATE_ALERTS[alert]}"
    meaning = _MEANINGS.get(alert) or CERTIFICATE_ALERTS.get(alert)
    return f"the {who} ended the handshake with the alert {alert}" + (f": {meaning}" if meaning else "")


def alert_hints(alert: str, facts: HandshakeFacts) -> tuple[str, ...]:
    """What to do about an alert that has no error code of its own."""
    if facts.role == "server":
        if alert in CERTIFICATE_ALERTS:
            return _OURS_REFUSED.get(alert, _GIVE_THEM_OUR_CA)
        return ("the client's log says more about this alert",)
    return (*_HINTS.get(alert, ()), _SEE_THE_LOG)


def own_certificate_hint(alert: str | None) -> str:
    """What to do about the certificate of a client that a server refused with this alert; None: without one."""
    return _CLIENTS_REFUSED.get(
        alert or "", "the peer must be given the authority that issued our certificate, or that certificate itself"
    )


_CLIENTS_REFUSED: Final = {
    "certificate_expired": "renew our certificate: dicomtls certgen renew; if it is valid, check the peer's clock",
    "certificate_revoked": "our certificate must be issued anew: dicomtls certgen issue",
    "unsupported_certificate": "our certificate must be one for a client: dicomtls certgen issue --purpose both",
    "access_denied": "the peer knows our certificate, and must be set to let it in",
}
_GIVE_THEM_OUR_CA: Final = (
    "the client must be given the certificate of the authority that issued ours as a trust anchor",
    "or, where ours is self-signed, that certificate itself",
)
_OURS_REFUSED: Final = {
    "certificate_expired": ("renew our certificate: dicomtls certgen renew", "check the clock of the client too"),
    "certificate_revoked": ("our certificate must be issued anew: dicomtls certgen issue",),
    "unsupported_certificate": ("our certificate must be one for a server: dicomtls certgen issue --purpose both",),
    "bad_certificate": (
        "the name that the client calls us by must be in our certificate: dicomtls certgen issue --host NAME",
        "check the clock of the client, and our chain: dicomtls inspect-cert",
    ),
    "access_denied": ("the client knows our certificate, and must be set to trust it",),
    "certificate_unknown": (
        *_GIVE_THEM_OUR_CA,
        "Java clients send this alert for every fault: see the client's log",
    ),
    "handshake_failure": ("the client's log says more about this alert",),
}
