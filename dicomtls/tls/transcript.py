"""What passes in a handshake, also in one that fails: alerts, certificates, the group, bytes that are not TLS.

The `ssl` module tells none of it; its private message callback does, on every CPython from 3.8 on. All use of
that callback is in this module: where it is missing, the answers are None, which means "not known".
Everything read here comes from the peer, so whatever does not add up is passed over: OpenSSL judges it anyway.
"""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from dicomtls.tls.hello import CERTIFICATE, CLIENT_HELLO, HANDSHAKE, SERVER_HELLO, SSL_2, ClientHello

_HEADER = 256  # OpenSSL's pseudo content type for the five bytes before each record
_ALERT = 21

_SERVER_KEY_EXCHANGE = 12
_CERTIFICATE_REQUEST = 13

_KEY_SHARE = 51
_CERTIFICATE_AUTHORITIES = 47
_NAMED_CURVE = 3
_MAXIMUM_CHAIN = 32
_MAXIMUM_AUTHORITIES = 1000
# The longest chain that OpenSSL takes, 100 KiB, in the shortest fragments that anybody sends, is a fraction of it.
_MAXIMUM_RECORDS = 2000

ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}
"""RFC 8446 section 6 and RFC 5246 section 7.2, with their spelling."""

# IANA "TLS Supported Groups".
_GROUPS = {
    0x0017: "secp256r1",
    0x0018: "secp384r1",
    0x0019: "secp521r1",
    0x001A: "brainpoolP256r1",
    0x001B: "brainpoolP384r1",
    0x001C: "brainpoolP512r1",
    0x001D: "x25519",
    0x001E: "x448",
    0x0100: "ffdhe2048",
    0x0101: "ffdhe3072",
    0x0102: "ffdhe4096",
    0x0103: "ffdhe6144",
    0x0104: "ffdhe8192",
    0x11EB: "SecP256r1MLKEM768",
    0x11EC: "X25519MLKEM768",
    0x11ED: "SecP384r1MLKEM1024",
}


@dataclass
class Transcript:
    """What was seen of one handshake, from the side that `server_side` names.

    Alerts are spelled as in RFC 8446 section 6, those without a name there by their number; the last one counts.
    `group` is IANA's name, `dhN` for a prime of N bits that has none. What is None was not seen.
    """

    server_side: bool = False
    alert_received: str | None = None
    alert_sent: str | None = None
    certificate_requested: bool = False
    group: str | None = None
    client_hello: bytes = field(default=b"", repr=False)
    """The body of the last ClientHello, ours or the client's."""
    authorities: tuple[bytes, ...] = field(default=(), repr=False)
    """The names (DER) of the authorities that the server accepts for clients; empty where it named none."""
    peer_chain: tuple[bytes, ...] = field(default=(), repr=False)
    """The certificates that the peer sent (DER), in its order."""
    own_chain: tuple[bytes, ...] = field(default=(), repr=False)
    _records: int = 0

    @property
    def client_certificate(self) -> str | None:
        """One of "sent", "requested" (none was there to send), "not requested"; None where nothing was seen."""
        if not self._records:
            return None
        sent = self.peer_chain if self.server_side else self.own_chain
        return "sent" if sent else "requested" if self.certificate_requested else "not requested"

    @property
    def is_flooded(self) -> bool:
        """Whether the peer has sent more records than a handshake can need."""
        return self._records > _MAXIMUM_RECORDS

    def record(self, direction: str, version: int, content_type: int, data: bytes) -> None:
        """Take in one message as OpenSSL's callback gives it; `direction` is "read" or "write". Raises nothing."""
        received = direction == "read"
        if content_type == _HEADER:
            self._records += received
        elif content_type == _ALERT and len(data) == 2:  # noqa: PLR2004 -- level and description
            name = ALERTS.get(data[1], str(data[1]))
            if received:
                self.alert_received = name
            else:
                self.alert_sent = name
        elif version == SSL_2 and received and data[:1] == bytes([CLIENT_HELLO]):
            self._old_hello(bytes(data))
        elif content_type == HANDSHAKE and len(data) >= _MESSAGE_HEADER:
            self._message(data[0], data[_MESSAGE_HEADER:], version, received=received)

    def _old_hello(self, data: bytes) -> None:
        with suppress(ValueError):
            self.client_hello = ClientHello.parse_ssl2(data).encode()[_MESSAGE_HEADER:]

    def _message(self, kind: int, body: bytes, version: int, *, received: bool) -> None:
        if kind == CLIENT_HELLO:
            self.client_hello = bytes(body)
        elif kind == _CERTIFICATE_REQUEST:
            self.certificate_requested = True
            if received:
                self.authorities = tuple(_authorities(body, is_tls13=version == ssl.TLSVersion.TLSv1_3))
        elif kind == CERTIFICATE:
            chain = _chain(body, has_extensions=version == ssl.TLSVersion.TLSv1_3)
            if received:
                self.peer_chain = chain
            else:
                self.own_chain = chain
        elif kind == SERVER_HELLO:
            self.group = _key_share_group(body) or self.group
        elif kind == _SERVER_KEY_EXCHANGE:
            self.group = _key_exchange_group(body)


_MESSAGE_HEADER = 4

SUPPORTED = hasattr(ssl.SSLContext, "_msg_callback")
"""Whether this Python shows the messages of a handshake at all."""


class WatchedObject(ssl.SSLObject):
    """An `SSLObject` that carries its own transcript, since a server context serves many at once."""

    transcript: Transcript | None = None


def watch(context: ssl.SSLContext) -> None:
    """Make every `SSLObject` of `context` a `WatchedObject`, so that its transcript can be kept."""
    context.sslobject_class = WatchedObject
    if SUPPORTED:
        context._msg_callback = _on_message  # type: ignore[attr-defined]  # noqa: SLF001 -- the only way there is, see above


def stop_watching(tls: ssl.SSLObject) -> None:
    """Take the callback off: it would be called for every record of the bulk data."""
    if SUPPORTED:
        tls.context = _quiet_context()


@cache
def _quiet_context() -> ssl.SSLContext:
    # An `SSLObject` takes the callback over from its context, so it is given one that has none.
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def _on_message(
    conn: Any,
    direction: str,
    version: int,
    content_type: int,
    _message: int,
    data: bytes,
) -> None:
    transcript = getattr(conn, "transcript", None)
    if transcript is not None:
        transcript.record(direction, version, content_type, data)


def _chain(body: bytes, *, has_extensions: bool) -> tuple[bytes, ...]:
    """Read the certificates of a Certificate message (RFC 8446 section 4.4.2, RFC 5246 section 7.4.2)."""
    position = 3
    if has_extensions:
        position += 1 + body[0] if body else 0
    chain: list[bytes] = []
    while position + 3 <= len(body) and len(chain) < _MAXIMUM_CHAIN:
        length = int.from_bytes(body[position : position + 3])
        position += 3
        if not length or position + length > len(body):
            break
        chain.append(bytes(body[position : position + length]))
        position += length
        if has_extensions:
            position += 2 + int.from_bytes(body[position : position + 2])
    return tuple(chain)


def _authorities(body: bytes, *, is_tls13: bool) -> Iterator[bytes]:
    """Read the names in a CertificateRequest (RFC 5246 section 7.4.4, RFC 8446 sections 4.3.2 and 4.2.4)."""
    names = _extension_of_request(body) if is_tls13 else _after_types_and_schemes(body)
    position, end = 2, min(len(names), 2 + int.from_bytes(names[:2]))
    for _ in range(_MAXIMUM_AUTHORITIES):
        length = int.from_bytes(names[position : position + 2])
        position += 2
        if not length or position + length > end:
            return
        yield names[position : position + length]
        position += length


def _extension_of_request(body: bytes) -> bytes:
    position = 3 + body[0] if body else 0  # the context, and the length of all extensions
    while 0 < position <= len(body) - 4:
        kind = int.from_bytes(body[position : position + 2])
        length = int.from_bytes(body[position + 2 : position + 4])
        position += 4
        if kind == _CERTIFICATE_AUTHORITIES:
            return body[position : position + length]
        position += length
    return b""


def _after_types_and_schemes(body: bytes) -> bytes:
    position = 1 + body[0] if body else 0
    if len(body) - position < 4:  # noqa: PLR2004 -- two lengths; TLS 1.0 and 1.1 have no schemes, and are not read
        return b""
    return body[position + 2 + int.from_bytes(body[position : position + 2]) :]


def _key_share_group(body: bytes) -> str | None:
    """Find the group in a ServerHello of TLS 1.3 (RFC 8446 section 4.2.8); None at TLS 1.2."""
    if len(body) < _HELLO_FIXED:
        return None
    position = _HELLO_FIXED + body[_HELLO_FIXED - 1] + 5  # session id, suite, compression, extensions' length
    while position + 4 <= len(body):
        kind = int.from_bytes(body[position : position + 2])
        length = int.from_bytes(body[position + 2 : position + 4])
        if kind == _KEY_SHARE:
            return group_name(int.from_bytes(body[position + 4 : position + 6]))
        position += 4 + length
    return None


_HELLO_FIXED = 35  # version, random, length of the session id


def _key_exchange_group(body: bytes) -> str | None:
    """Find the group in a ServerKeyExchange: a named curve (RFC 8422 section 5.4), else a DH prime."""
    if len(body) >= 3 and body[0] == _NAMED_CURVE:  # noqa: PLR2004 -- type and curve
        return group_name(int.from_bytes(body[1:3]))
    prime_length = int.from_bytes(body[:2])
    return f"dh{prime_length * 8}" if 0 < prime_length <= len(body) - 2 else None


def group_name(number: int) -> str:
    """IANA's name of a group, or its number in hexadecimal."""
    return _GROUPS.get(number, f"0x{number:04X}")
