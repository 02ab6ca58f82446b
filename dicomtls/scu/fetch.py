"""Fetching the chain that a peer sends, whether or not anybody would trust it."""

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from dicomtls.connection import connect, resolve
from dicomtls.errors import HandshakeError
from dicomtls.peer import format_address
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
    deadline, peer = deadline_in(timeout), attempt.peer
    with attempt.timed("resolve"):
        addresses = resolve(peer.host, peer.port, deadline, interrupt)
    with attempt.timed("connect"):
        sock = connect(addresses, deadline, interrupt)
    with suppress(OSError):  # reset already; the handshake will say so
        attempt.address = format_address(*sock.getpeername()[:2])
    try:
        with attempt.timed("handshake"):
            tls_socket, attempt.negotiated = client_handshake(
                sock, ssl_context, lenient, host=peer.host, deadline=deadline, interrupt=interrupt
            )
    except HandshakeError as error:
        if not error.facts.chain_der:
            raise
        return error.facts.chain_der
    tls_socket.close()
    return attempt.negotiated.chain_der
