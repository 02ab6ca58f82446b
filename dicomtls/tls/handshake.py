"""The handshake under a deadline, in both roles, and every way in which it fails turned into facts.

A handshake that returns is not yet proven: at TLS 1.3 a refused client certificate arrives as an alert on the
first read. Whoever reads first hands an `ssl.SSLError` to `read_failure`, which makes the same facts of it.
"""

import socket
import ssl
from datetime import UTC, datetime
from time import monotonic

from dicomtls.errors import CredentialError, HandshakeError, UsageError
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.tls.negotiated import Negotiated, PeerCertificate, is_ip_address, negotiated_from
from dicomtls.tls.server_name import LONGEST_NAME, checked_server_name
from dicomtls.tls.settings import TLSSettings
from dicomtls.tls.stream import TLSStream
from dicomtls.tls.transcript import Transcript, stop_watching
from dicomtls.waiting import Interrupt, Waiter


def client_handshake(
    sock: socket.socket,
    context: ssl.SSLContext,
    settings: TLSSettings,
    *,
    host: str,
    deadline: float,
    interrupt: Interrupt | None = None,
) -> tuple[TLSStream, Negotiated]:
    """Handshake as a client over a connected, non-blocking socket; verified when it returns.

    The chain and the name are checked by OpenSSL; pins, and a name that is not sent, by us, before anything is
    sent. `context` is what `client_context` made of the same `settings`, `host` the reference identity where they have
    no server name. The socket is closed on failure. Raises `HandshakeError`, `Interrupted`, `UsageError` for a server
    name that is none, and whatever `settings.remember` raises.
    """
    reference = settings.server_name or host
    try:
        name = _name_to_send(context, settings, reference)
    except UsageError:
        sock.close()
        raise
    stream = _begin(sock, context, server_hostname=name)
    try:
        _shake(stream, deadline, interrupt, reference=reference)
        stop_watching(stream.tls)
        transcript = stream.transcript
        negotiated = negotiated_from(
            stream.tls, transcript, verified_by=_verified_by(context, settings), reference=reference
        )
        _check_ourselves(negotiated, settings, transcript, reference)
    except BaseException:  # an interrupt too: nobody else knows the socket
        stream.close()
        raise
    return stream, negotiated


def server_handshake(
    sock: socket.socket, context: ssl.SSLContext, *, deadline: float, interrupt: Interrupt | None = None
) -> tuple[TLSStream, Negotiated]:
    """Handshake as a server over an accepted, non-blocking socket, which is closed on failure.

    Raises `HandshakeError`, `Interrupted`.
    """
    stream = _begin(sock, context, server_side=True)
    try:
        _shake(stream, deadline, interrupt, reference=None)
        stop_watching(stream.tls)
        verified_by = None if context.verify_mode == ssl.CERT_NONE else "chain"
        return stream, negotiated_from(stream.tls, stream.transcript, verified_by=verified_by, reference=None)
    except BaseException:  # an interrupt too: nobody else knows the socket
        stream.close()
        raise


def read_failure(error: OSError | None, negotiated: Negotiated) -> HandshakeError:
    """The first read after a handshake failed, by an alert or (None) by an end of file: who refused, and why.

    Returns the error for the caller to raise.
    """
    facts = HandshakeFacts(
        after_handshake=True,
        protocol=negotiated.protocol,
        client_certificate=negotiated.client_certificate,
        chain_der=negotiated.chain_der,
        authorities=negotiated.authorities,
        own_chain=negotiated.own_chain,
        client_hello=negotiated.client_hello,
    )
    _add_error(facts, error)
    return HandshakeError("the peer refused after the handshake", facts)


def _begin(
    sock: socket.socket,
    context: ssl.SSLContext,
    *,
    server_hostname: str | bytes | None = None,
    server_side: bool = False,
) -> TLSStream:
    try:
        sock.getpeername()
    except OSError as error:  # the peer was gone before we began
        sock.close()
        facts = HandshakeFacts(role="server" if server_side else "client", closed="reset")
        msg = "the peer went away before the handshake"
        raise HandshakeError(msg, facts) from error
    return TLSStream(sock, context, server_side=server_side, server_hostname=server_hostname)


def _name_to_send(context: ssl.SSLContext, settings: TLSSettings, reference: str) -> str | bytes | None:
    name = reference.removesuffix(".")
    # With `check_hostname` an address too, which the ssl module itself does not send (RFC 6066 section 3).
    is_sendable = settings.sni and not is_ip_address(name) and 0 < len(name) <= LONGEST_NAME
    return checked_server_name(name) if context.check_hostname or is_sendable else None


def _shake(stream: TLSStream, deadline: float, interrupt: Interrupt | None, *, reference: str | None) -> None:
    waiter = Waiter(stream.sock, interrupt)
    while True:
        wait = _look_at_the_clock
        try:
            if stream.do_handshake():
                return
        except BlockingIOError:
            wait = waiter.readable
        except ssl.SSLWantWriteError:
            wait = waiter.writable
        except OSError as error:
            raise _failure(error, stream, reference) from error
        try:
            wait(deadline)
        except TimeoutError as error:
            raise _failure(error, stream, reference) from None
        if stream.transcript.is_flooded:
            raise _failure(None, stream, reference)


def _look_at_the_clock(deadline: float | None) -> None:
    """A peer that always has one more record is as late as one that has none."""
    if deadline is not None and monotonic() > deadline:
        raise TimeoutError


def _failure(error: OSError | None, stream: TLSStream, reference: str | None) -> HandshakeError:
    transcript = stream.transcript
    facts = HandshakeFacts(
        role="server" if transcript.server_side else "client",
        alert_received=transcript.alert_received,
        alert_sent=transcript.alert_sent,
        first_bytes=stream.foreign,
        protocol=stream.tls.version(),
        client_certificate=transcript.client_certificate,
        reference_name=reference,
        chain_der=transcript.peer_chain,
        authorities=transcript.authorities,
        own_chain=transcript.own_chain,
        client_hello=transcript.client_hello,
    )
    if transcript.is_flooded:
        facts.reason = _FLOODED
    else:
        _add_error(facts, error)
    return HandshakeError("the TLS handshake failed", facts)


def _add_error(facts: HandshakeFacts, error: OSError | None) -> None:
    if isinstance(error, TimeoutError):
        facts.timed_out = True
    elif isinstance(error, ssl.SSLError):
        facts.reason = error.reason
        facts.verify_code = getattr(error, "verify_code", None)
        facts.verify_message = getattr(error, "verify_message", None)
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or error.reason == _UNEXPECTED_EOF:
            facts.closed = "eof"
    elif isinstance(error, ConnectionResetError | BrokenPipeError):  # EPIPE: the reset was there before we wrote
        facts.closed = "reset"
    else:
        facts.closed = "eof"


_UNEXPECTED_EOF = "UNEXPECTED_EOF_WHILE_READING"
_FLOODED = "TOO_MANY_RECORDS"  # ours, in the spelling of OpenSSL's


def _verified_by(context: ssl.SSLContext, settings: TLSSettings) -> str | None:
    if settings.pins:
        return "pin"
    if settings.remember is not None:
        return "first use"
    # What the context did counts, and not what the settings would have had it do.
    return None if context.verify_mode == ssl.CERT_NONE else "chain"


def _check_ourselves(negotiated: Negotiated, settings: TLSSettings, transcript: Transcript, reference: str) -> None:
    """Do what was taken from OpenSSL: the pins, and the name where it was not to be sent."""
    facts = HandshakeFacts(
        protocol=negotiated.protocol,
        client_certificate=transcript.client_certificate,
        reference_name=reference,
        chain_der=negotiated.chain_der,
    )
    if settings.pins or settings.remember is not None:
        _check_pins(negotiated.peer, settings, facts)
    elif settings.verify_name and not settings.insecure and not settings.sni and not negotiated.name_matched:
        msg = "the name is not in the peer's certificate"
        raise HandshakeError(msg, facts, code="name-mismatch")


def _check_pins(peer: PeerCertificate | None, settings: TLSSettings, facts: HandshakeFacts) -> None:
    """A pin stands for the chain and the name, not for the dates and the purpose; a first meeting makes one."""
    if peer is None:
        msg = "the peer sent no certificate that could have a pin"
        raise HandshakeError(msg, facts, code="pin-mismatch")
    try:
        _check_pinned(peer, settings, facts)
    except CredentialError as error:  # a certificate that we cannot read is the peer's fault, and no file of ours
        facts.verify_message = error.message
        raise HandshakeError(error.message, facts, code="certificate-refused") from None
    if settings.remember is not None and not settings.pins:
        settings.remember(peer.fingerprint_sha256, peer.subject)


def _check_pinned(peer: PeerCertificate, settings: TLSSettings, facts: HandshakeFacts) -> None:
    from dicomtls.certificates.describe import permits_server, spki_sha256, validity

    if settings.pins and not settings.pin_digests() & {peer.fingerprint_sha256, spki_sha256(peer.der)}:
        msg = "the peer's certificate is not the pinned one"
        raise HandshakeError(msg, facts, code="pin-mismatch")
    not_before, not_after = validity(peer.der)
    now = datetime.now(UTC)
    if now > not_after:
        msg = "the peer's certificate has expired"
        raise HandshakeError(msg, facts, code="expired")
    if now < not_before:
        msg = "the peer's certificate is not valid yet"
        raise HandshakeError(msg, facts, code="not-yet-valid")
    if not permits_server(peer.der):
        msg = "the peer's certificate is not made for a server"
        raise HandshakeError(msg, facts, code="wrong-purpose")
