"""What each TLS error code means in the user's words, with the facts in it, and what to do."""

from collections.abc import Callable
from typing import Final, NamedTuple

from dicomtls.certificates.distinguished import distinguished_name
from dicomtls.diagnosis.alerts import CERTIFICATE_ALERTS, alert_hints, alert_message, own_certificate_hint
from dicomtls.diagnosis.handshake import CRL_SIGNATURE_FAILURE, alert_of_reason
from dicomtls.diagnosis.negotiation import (
    by_role,
    closed_hints,
    hints_by_role,
    no_shared_cipher,
    no_shared_protocol,
    plain_dicom,
    plain_dicom_hints,
    suite_hints,
    version_hints,
    went_away,
)
from dicomtls.diagnosis.peer_certificate import (
    describe_or_none,
    first_expired,
    first_not_yet_valid,
    has_address_as_name,
    issuer_key_identifier,
    leaf,
    leaf_permits_role,
    names,
    our_clock,
    server_name_to_give,
    strings,
)
from dicomtls.errors import By
from dicomtls.handshake_facts import HandshakeFacts


class Cause(NamedTuple):
    """What one error code means: who refused as a client sees it, the message, what to do."""

    by: By
    message: Callable[[HandshakeFacts], str]
    hints: Callable[[HandshakeFacts], tuple[str, ...]]


def _whose(facts: HandshakeFacts) -> str:
    return "peer's" if facts.role == "client" else "client's"


def _about(text: str) -> Callable[[HandshakeFacts], str]:
    """A message about the certificate that the peer sent; `{}` in the text take its facts."""

    def message(facts: HandshakeFacts) -> str:
        certificate = leaf(facts)
        return f"the {_whose(facts)} certificate " + text.format(
            subject=certificate.get("subject", "(unknown)"),
            issuer=certificate.get("issuer", "(unknown)"),
            reason=facts.verify_message or facts.reason or "unknown",
        )

    return message


def _fixed(text: str) -> Callable[[HandshakeFacts], str]:
    return lambda _facts: text


def _hints(*texts: str) -> Callable[[HandshakeFacts], tuple[str, ...]]:
    return lambda _facts: texts


def _expired(facts: HandshakeFacts) -> str:
    culprit = first_expired(facts)
    if culprit is None and facts.chain_der:
        return f"the {_whose(facts)} certificate goes back to an authority among our trust anchors that has expired"
    return f"{_in_chain(culprit, facts)} expired on {_date(culprit, 'not_after')}{our_clock(culprit, 'not_after')}"


def _not_yet_valid(facts: HandshakeFacts) -> str:
    culprit = first_not_yet_valid(facts)
    if culprit is None and facts.chain_der:
        return (
            f"the {_whose(facts)} certificate goes back to an authority among our trust anchors that is not valid yet"
        )
    begins = _date(culprit, "not_before")
    return f"{_in_chain(culprit, facts)} is not valid before {begins}{our_clock(culprit, 'not_before')}"


def _in_chain(culprit: dict[str, object] | None, facts: HandshakeFacts) -> str:
    """What to call a certificate of the chain: the leaf is the peer's own, the others are authorities'."""
    if culprit is None or culprit == leaf(facts):
        return f"the {_whose(facts)} certificate"
    return f"the certificate of {culprit['subject']}, which comes with the {_whose(facts)} certificate,"


def _date(culprit: dict[str, object] | None, name: str) -> object:
    return (culprit or {}).get(name) or "an unknown date"


def _incomplete_chain(facts: HandshakeFacts) -> str:
    last = (describe_or_none(facts.chain_der[-1]) if facts.chain_der else None) or {}
    missing = last.get("issuer", "(unknown)")
    return f"the chain of the {_whose(facts)} certificate ends before a trust anchor: {missing} is missing"


def _name_mismatch(facts: HandshakeFacts) -> str:
    return f"the peer's certificate is not made out to {facts.reference_name}: it has {names(facts)}"


def _name_hints(facts: HandshakeFacts) -> tuple[str, ...]:
    name = server_name_to_give(facts)
    if has_address_as_name(facts):
        check = "an address counts among the IP addresses only: let the peer's certificate be issued with it there"
    elif name:
        check = f"if that is the peer that you mean, give --server-name {name}"
    elif strings(leaf(facts).get("dns_names")):
        check = "let the peer's certificate be issued with that name, or call the peer by one that the certificate has"
    else:
        check = (
            "a name in the subject alone does not count (RFC 9525): let the peer's certificate be issued with its name"
        )
    return check, "or check the chain alone with --no-verify-name"


def _wrong_purpose(facts: HandshakeFacts) -> str:
    role = "server" if facts.role == "client" else "client"
    if leaf_permits_role(facts):
        return f"an authority of the {_whose(facts)} certificate may not issue for a TLS {role}"
    return f"the {_whose(facts)} certificate is not made for a TLS {role}"


def _bad_signature(facts: HandshakeFacts) -> str:
    if facts.verify_code == CRL_SIGNATURE_FAILURE:
        return "the revocation list given with --crl is not signed by the authority whose name it bears"
    return f"the {_whose(facts)} certificate or one of its issuers bears a signature that is not right"


def _bad_signature_hints(facts: HandshakeFacts) -> tuple[str, ...]:
    if facts.verify_code == CRL_SIGNATURE_FAILURE:
        from dicomtls.certificates.checks import CRL_FORGED_HINTS

        return CRL_FORGED_HINTS
    return (
        "if the authority has a new key by now, give its new certificate with --ca",
        "else the owner of that certificate must have it issued anew",
    )


def _weak_key(facts: HandshakeFacts) -> str:
    if facts.reason == "DH_KEY_TOO_SMALL":
        return "the peer's Diffie-Hellman key is too small"
    return f"the {_whose(facts)} certificate or one of its issuers has a key that is too small"


def _alert(facts: HandshakeFacts) -> str | None:
    return facts.alert_received or alert_of_reason(facts.reason)


def _refused_certificate(facts: HandshakeFacts) -> str:
    alert = _alert(facts) or "no alert"
    meaning = CERTIFICATE_ALERTS.get(alert, "")
    return f"the peer refused our client certificate with the alert {alert}" + (f": {meaning}" if meaning else "")


def _certificate_hints(facts: HandshakeFacts) -> tuple[str, ...]:
    """What to do where the peer wants a certificate, or another one; who it accepts, where it has said so."""
    accepted = [distinguished_name(name) for name in facts.authorities[:_NAMED]]
    more = len(facts.authorities) - len(accepted)
    named = "; ".join(accepted) + (f" and {more} more" if more > 0 else "")
    whom = (f"it takes certificates issued by {named}",) if accepted else ()
    if facts.client_certificate == "sent":
        return (
            *whom,
            own_certificate_hint(_alert(facts)),
            "or give another one with --cert and --key",
        )
    return *whom, "give a certificate that the peer trusts with --cert and --key"


_NAMED: Final = 3


def _alert_cause(code: str) -> Cause:
    alert = code.removeprefix("alert-")
    return Cause(By.PEER, lambda facts: alert_message(alert, facts), lambda facts: alert_hints(alert, facts))


def _unknown_issuer(facts: HandshakeFacts) -> str:
    identifier = issuer_key_identifier(facts)
    key = f" (key identifier {identifier})" if identifier else ""
    return _about(f"was issued by {{issuer}}{key}, whom we do not trust")(facts)


def _anchor_hints(facts: HandshakeFacts) -> tuple[str, ...]:
    first = "give the certificate of the authority that issued it with --ca"
    if facts.role == "server":
        return first, "if an intermediate is missing in between, the device must be set to send its whole chain"
    return (
        first,
        "if an intermediate is missing in between, the peer must be set to send its whole chain",
        "look at what it sends: dicomtls inspect-cert HOST:PORT",
    )


def _self_signed_hints(facts: HandshakeFacts) -> tuple[str, ...]:
    if facts.role == "server":
        return ("if you know it for the device's, give that certificate with --ca",)
    return ("if you know it for the peer's, give that certificate with --ca, or its fingerprint with --pin",)


_RENEW: Final = _hints("the owner of that certificate must renew it", "check the clock of this machine too")
_REISSUE: Final = _hints("the owner of that certificate must have it issued anew")

_CAUSES: Final[dict[str, Cause]] = {
    "peer-speaks-plain-dicom": Cause(By.NEITHER, plain_dicom, plain_dicom_hints),
    "peer-speaks-http": Cause(
        By.NEITHER,
        by_role("the peer speaks HTTP at this port, not DICOM", "the client speaks HTTP, not DICOM"),
        hints_by_role(
            ("this may be the port of a web interface: ask for the DICOM TLS port",),
            ("a browser or a health check: give it another port",),
        ),
    ),
    "peer-is-not-tls": Cause(
        By.NEITHER,
        by_role("the peer does not speak TLS at this port", "what the client sends is not TLS"),
        hints_by_role(
            (
                "check the port",
                "if it is plain DICOM, connect with --no-tls, in place of the other TLS options",
            ),
            ("a port scanner, or a device that speaks another protocol: check its port",),
        ),
    ),
    "handshake-timeout": Cause(
        By.NEITHER,
        by_role("the TLS handshake was not finished in time", "the client did not finish the TLS handshake in time"),
        hints_by_role(
            (
                "the peer may wait for plain DICOM at this port: try --no-tls, in place of the other TLS options",
                "or be busy: give a slow peer more time with --connect-timeout",
            ),
            ("the client or the network is slow, or a port check holds the connection",),
        ),
    ),
    "peer-closed": Cause(
        By.PEER,
        went_away("closed"),
        closed_hints,
    ),
    "connection-reset": Cause(
        By.PEER,
        went_away("reset"),
        closed_hints,
    ),
    "no-shared-protocol": Cause(By.PEER, no_shared_protocol, version_hints),
    "no-shared-cipher": Cause(By.PEER, no_shared_cipher, suite_hints),
    "unsafe-renegotiation": Cause(
        By.US,
        _fixed("the peer lacks secure renegotiation (RFC 5746), so we do not talk to it"),
        _hints("the peer's TLS library is too old: it must be updated"),
    ),
    "tls-error": Cause(
        By.NEITHER,
        lambda facts: f"the TLS handshake failed: {facts.reason or 'no reason given'}",
        hints_by_role(("the peer's log may say more",), ("the log of the client may say more",)),
    ),
    "unknown-issuer": Cause(By.US, _unknown_issuer, _anchor_hints),
    "incomplete-chain": Cause(
        By.US,
        _incomplete_chain,
        _hints(
            "give the root, or the missing intermediate, with --ca",
            "better: let the peer send its whole chain",
        ),
    ),
    "self-signed": Cause(
        By.US,
        _about("is self-signed ({subject}), and not among our trust anchors"),
        _self_signed_hints,
    ),
    "expired": Cause(By.US, _expired, _RENEW),
    "not-yet-valid": Cause(
        By.US,
        _not_yet_valid,
        _hints(
            "check the clock of this machine and of the machine that issued it",
            "if both are right, the owner of that certificate must have it issued anew",
        ),
    ),
    "name-mismatch": Cause(By.US, _name_mismatch, _name_hints),
    "wrong-purpose": Cause(
        By.US,
        _wrong_purpose,
        _hints("it must be issued anew with the right extended key usage (serverAuth, clientAuth, or both)"),
    ),
    "revoked": Cause(By.US, _about("has been revoked"), _REISSUE),
    "crl-missing": Cause(
        By.US,
        _about("was issued by {issuer}, whose revocation list we lack"),
        _hints("give the list of that authority with --crl too"),
    ),
    "crl-expired": Cause(
        By.US,
        _fixed("the revocation list given with --crl is not current"),
        _hints("fetch the current list from the authority, and give it with --crl in place of the old one"),
    ),
    "weak-key": Cause(
        By.US,
        _weak_key,
        _hints(
            "it must be made anew with RSA or Diffie-Hellman of 2048 bits or more, or EC",
            "old devices: --profile bcp195-2015",
        ),
    ),
    "weak-signature": Cause(
        By.US,
        _about("or one of its issuers is signed with a hash that is too weak"),
        _hints("it must be issued anew with SHA-256", "old devices: --profile bcp195-2015"),
    ),
    "bad-signature": Cause(
        By.US,
        _bad_signature,
        _bad_signature_hints,
    ),
    "invalid-ca": Cause(By.US, _about("was issued by a certificate that is no authority's"), _REISSUE),
    "path-length-exceeded": Cause(By.US, _about("comes with a longer chain than its authority allows"), _REISSUE),
    "name-not-permitted": Cause(By.US, _about("has a name that its authority may not give"), _REISSUE),
    "unknown-critical-extension": Cause(By.US, _about("has a critical extension that OpenSSL does not know"), _REISSUE),
    "certificate-refused": Cause(By.US, _about("was refused: {reason}"), _REISSUE),
    "pin-mismatch": Cause(
        By.US,
        lambda facts: (
            "the peer's certificate matches no pin: its fingerprint is sha256:"
            + str(leaf(facts).get("fingerprint_sha256", "(none)"))
        ),
        _hints(
            "if the peer was given a new certificate, ask its owner for the fingerprint and change --pin",
            "where it was remembered (--trust-on-first-use): dicomtls peers forget HOST:PORT, and meet it anew",
        ),
    ),
    "client-certificate-required": Cause(
        By.PEER,
        lambda facts: (
            "the peer requires a client certificate, and we sent none"
            if facts.role == "client"
            else "the client sent no certificate, and we require one"
        ),
        lambda facts: (
            _certificate_hints(facts)
            if facts.role == "client"
            else ("the device must be given a certificate, or serve be started with --client-auth optional",)
        ),
    ),
    "client-certificate-refused": Cause(
        By.PEER,
        _refused_certificate,
        _certificate_hints,
    ),
}


def cause_of(code: str) -> Cause:
    """What an error code of stage TLS means; any `alert-NAME` included."""
    return _CAUSES.get(code) or _alert_cause(code)
