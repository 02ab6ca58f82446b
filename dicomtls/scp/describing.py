"""What events say of a connection that came about: its TLS, its association, and what came of it."""

from time import monotonic

from dicomtls.association.association import Association
from dicomtls.quantities import size_in_words
from dicomtls.scp.services import Services
from dicomtls.tls import Negotiated
from dicomtls.tls.hello import ClientHello


def describe_tls(negotiated: Negotiated | None) -> str:
    """TLS in a few words: its version, and whom we talk to."""
    if negotiated is None:
        return "in clear"
    if negotiated.peer is None:
        return f"{negotiated.protocol}, no client certificate"
    return f"{negotiated.protocol}, client {negotiated.peer.name}"


def describe_handshake(negotiated: Negotiated, seconds: float) -> str:
    """The stage as a line of its own, with all that was agreed on and its time."""
    asked = _server_name(negotiated)
    phrases = (
        negotiated.protocol,
        negotiated.cipher,
        negotiated.group,
        f"client certificate {negotiated.client_certificate}" if negotiated.client_certificate else None,
        f"{negotiated.peer.subject}, issued by {negotiated.peer.issuer}" if negotiated.peer else None,
        f"it calls us {asked}" if asked else None,
    )
    return f"tls: {', '.join(filter(None, phrases))} ({seconds * 1000:.1f} ms)"


def tls_facts(negotiated: Negotiated | None) -> dict[str, object]:
    """The same for programs; None throughout in clear."""
    peer = negotiated.peer if negotiated is not None else None
    return {
        "protocol": negotiated.protocol if negotiated else None,
        "cipher": negotiated.cipher if negotiated else None,
        "group": negotiated.group if negotiated else None,
        "alpn": negotiated.alpn if negotiated else None,
        "server_name": _server_name(negotiated) if negotiated else None,
        "client": peer.subject if peer else None,
        "client_fingerprint_sha256": peer.fingerprint_sha256 if peer else None,
    }


def association_facts(association: Association, negotiated: Negotiated | None) -> dict[str, object]:
    """Who associates for what, and over which TLS."""
    parameters = association.parameters
    return {
        "calling_aet": parameters.calling_ae_title,
        "called_aet": parameters.called_ae_title,
        "implementation": parameters.peer_implementation,
        "contexts": len(parameters.contexts),
        **tls_facts(negotiated),
    }


def summary(how: str, services: Services, start: float) -> str:
    """What an association came to, in words; `start` is when it began."""
    tally = services.tally
    parts = [how]
    if tally.stored or tally.refused:
        parts.append(f"{tally.stored} instance{'' if tally.stored == 1 else 's'} stored ({size_in_words(tally.bytes)})")
    if tally.refused:
        parts.append(f"{tally.refused} not stored")
    return f"{', '.join(parts)} in {monotonic() - start:.2f} s"


def numbers(services: Services, start: float) -> dict[str, object]:
    """The same for programs."""
    tally = services.tally
    return {
        "stored": tally.stored,
        "refused": tally.refused,
        "echoed": tally.echoed,
        "bytes": tally.bytes,
        "seconds": round(monotonic() - start, 3),
    }


def _server_name(negotiated: Negotiated) -> str | None:
    """The name that the client called us by (SNI)."""
    try:
        return ClientHello.parse(negotiated.client_hello).server_name
    except ValueError:
        return None
