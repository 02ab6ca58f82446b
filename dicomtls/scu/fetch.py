"""Fetching the chain that a peer sends, whether or not anybody would trust it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from dicomtls.errors import HandshakeError
from dicomtls.scu.attempt import Attempt
from dicomtls.waiting import Interrupt, deadline_in

if TYPE_CHECKING:
    from dicomtls.tls import TLSSettings


def fetch_chain(
    attempt: Attempt, tls: "TLSSettings", *, timeout: float, interrupt: Interrupt | None = None
) -> tuple[bytes, ...]:
    """Return the chain that the peer sends, leaf first; `attempt` is filled on the way.

    Nothing is verified, and no profile limits what is offered, so that old peers can be looked at too. A peer that
    ends the handshake because it wants a certificate of ours has sent its own before that. Raises `NetworkError`,
    `HandshakeError`, `Interrupted`.
    """
    from dicomtls.tls import client_context, client_handshake

    # From TLS 1.0 on, at security level 0; "ALL" leaves out what has no certificate.
    lenient = replace(
        tls, insecure=True, ca=(), crl=(), profile="bcp195-2015", tls_min="1.0", tls_max="1.3", ciphers=("ALL",)
    )
    ssl_context = client_context(lenient)
    deadline = deadline_in(timeout)
    sock = attempt.connect(deadline, interrupt)
    try:
        with attempt.timed("handshake"):
            stream, attempt.negotiated = client_handshake(
                sock, ssl_context, lenient, host=attempt.peer.host, deadline=deadline, interrupt=interrupt
            )
    except HandshakeError as error:
        if not error.facts.chain_der:
            raise
        return error.facts.chain_der
    stream.close()
    return attempt.negotiated.chain_der
