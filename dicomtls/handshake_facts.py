"""What was seen of a handshake that failed: what `tls` gathers, `HandshakeError` carries and `diagnosis` decides by."""

from dataclasses import dataclass, field


@dataclass
class HandshakeFacts:
    """What was seen of a handshake that failed; `diagnosis` decides by these, never by English text.

    `reason`, `verify_code` and `verify_message` are OpenSSL's. `alert_received` and `alert_sent` are spelled as
    in RFC 8446 section 6. `first_bytes` is the beginning of an answer that is not TLS. `closed` is "eof" or
    "reset" where the peer went away without an alert. `client_certificate` is "sent", "requested" (and none was
    sent) or "not requested". `chain_der` is what the peer sent, leaf first, `own_chain` what we did; `authorities` are
    the names (DER) of those that a server accepts for clients; `client_hello` is the body of what the client offered.
    """

    role: str = "client"
    reason: str | None = None
    verify_code: int | None = None
    verify_message: str | None = None
    alert_received: str | None = None
    alert_sent: str | None = None
    first_bytes: bytes = b""
    closed: str | None = None
    timed_out: bool = False
    after_handshake: bool = False
    protocol: str | None = None
    client_certificate: str | None = None
    reference_name: str | None = None
    chain_der: tuple[bytes, ...] = field(default=(), repr=False)
    authorities: tuple[bytes, ...] = field(default=(), repr=False)
    own_chain: tuple[bytes, ...] = field(default=(), repr=False)
    client_hello: bytes = field(default=b"", repr=False)
