"""What a server saw of a client that failed: whose device it is, for whoever reads the log."""

from collections.abc import Iterator
from typing import Final

from dicomtls.diagnosis.foreign import calling_ae_title
from dicomtls.diagnosis.offers import offer
from dicomtls.diagnosis.peer_certificate import leaf
from dicomtls.handshake_facts import HandshakeFacts

_CERTIFICATE_KEYS: Final = ("subject", "issuer", "serial", "not_before", "not_after", "fingerprint_sha256")
_DAY: Final = len("2026-01-31")


def about_client(facts: HandshakeFacts) -> str:
    """Its certificate, and the name that it called us by, to stand behind a message; empty where nothing is known."""
    return "".join(f"; {phrase}" for phrase in (*_certificate(facts), *_name(facts)))


def client_evidence(facts: HandshakeFacts) -> dict[str, object]:
    """The same for `--json`; what is not known is left out."""
    evidence: dict[str, object] = {}
    certificate = leaf(facts)
    if certificate:
        evidence["certificate"] = {key: certificate.get(key) for key in _CERTIFICATE_KEYS}
    calling = calling_ae_title(facts.first_bytes)
    if calling is not None:
        evidence["calling_aet"] = calling
    return evidence


def _certificate(facts: HandshakeFacts) -> Iterator[str]:
    certificate = leaf(facts)
    if certificate:
        begins, ends = (str(certificate.get(key) or "?")[:_DAY] for key in ("not_before", "not_after"))
        subject = certificate.get("subject") or "no subject"
        yield f"its certificate: {subject}, issued by {certificate.get('issuer')}, valid {begins} to {ends}"


def _name(facts: HandshakeFacts) -> Iterator[str]:
    hello = offer(facts)
    if hello is not None and hello.server_name:
        yield f"it calls us {hello.server_name}"
