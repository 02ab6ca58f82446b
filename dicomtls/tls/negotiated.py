"""What a handshake agreed on, frozen at once: nothing has to be asked of it later."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dicomtls.tls.ciphers import to_iana
from dicomtls.tls.transcript import Transcript

_SHORT_NAMES = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "domainComponent": "DC",
}


@dataclass(frozen=True)
class PeerCertificate:
    """The few facts of the peer's certificate that one line needs; nothing here says that it was verified."""

    subject: str
    issuer: str
    not_before: datetime | None
    not_after: datetime | None
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    der: bytes = field(repr=False)

    @property
    def fingerprint_sha256(self) -> str:
        """SHA-256 of the certificate, in lower-case hexadecimal."""
        from hashlib import sha256  # 4 ms that the line for people does not need

        return sha256(self.der).hexdigest()

    @property
    def name(self) -> str:
        """What to call the peer: its first DNS name or address, else its subject."""
        return next(iter((*self.dns_names, *self.ip_addresses)), None) or self.subject or "(no name)"

    def days_left(self, now: datetime | None = None) -> int | None:
        """Whole days until the certificate expires, negative afterwards; None where the date is unreadable."""
        if self.not_after is None:
            return None
        return (self.not_after - (now or datetime.now(UTC))).days

    def matches(self, reference: str) -> bool:
        """Whether a presented identifier is the reference identity, a DNS name or an IP address (RFC 9525 6)."""
        address = _packed_address(reference)
        if address is not None:
            return any(_packed_address(text) == address for text in self.ip_addresses)
        wanted = _ascii_name(reference)
        return any(_dns_matches(pattern.rstrip(".").casefold(), wanted) for pattern in self.dns_names)


@dataclass(frozen=True)
class Negotiated:
    """The facts of one TLS connection.

    `cipher` is IANA's name, `cipher_openssl` OpenSSL's; `group`, `client_certificate` are None where this Python
    does not tell. `verified` says whether the peer's certificate was checked and found good, `verified_by` how:
    "chain", "pin", or None. `name_matched` is None where there was no name to match. `chain_der` is what the
    peer sent, leaf first; `authorities` the names (DER) of those that a server accepts for clients, `own_chain` what
    we sent, `client_hello` the body of what the client offered.
    """

    protocol: str
    cipher: str
    cipher_openssl: str
    bits: int
    group: str | None
    alpn: str | None
    resumed: bool
    client_certificate: str | None
    verified: bool
    verified_by: str | None
    name_matched: bool | None
    peer: PeerCertificate | None
    chain_der: tuple[bytes, ...] = field(default=(), repr=False)
    authorities: tuple[bytes, ...] = field(default=(), repr=False)
    own_chain: tuple[bytes, ...] = field(default=(), repr=False)
    client_hello: bytes = field(default=b"", repr=False)

    @property
    def certificate_authorities(self) -> tuple[str, ...]:
        """The authorities that the server accepts for clients, by name (RFC 8446 section 4.2.4); it may name none."""
        from dicomtls.certificates.distinguished import distinguished_name

        return tuple(map(distinguished_name, self.authorities))


def negotiated_from(
    tls: ssl.SSLObject, transcript: Transcript, *, verified_by: str | None, reference: str | None
) -> Negotiated:
    """Read everything off an `SSLObject` whose handshake is done."""
    name, _, bits = tls.cipher() or ("(none)", "", 0)
    peer = peer_certificate(tls)
    return Negotiated(
        protocol=tls.version() or "unknown",
        cipher=to_iana(name),
        cipher_openssl=name,
        bits=bits,
        group=transcript.group or _public_group(tls),
        alpn=tls.selected_alpn_protocol(),
        resumed=bool(tls.session_reused),
        client_certificate=transcript.client_certificate,
        verified=verified_by is not None and peer is not None,
        verified_by=verified_by if peer is not None else None,
        name_matched=peer.matches(reference) if peer is not None and reference else None,
        peer=peer,
        chain_der=transcript.peer_chain or ((peer.der,) if peer else ()),
        authorities=transcript.authorities,
        own_chain=transcript.own_chain,
        client_hello=transcript.client_hello,
    )


def _public_group(tls: ssl.SSLObject) -> str | None:
    group = getattr(tls, "group", None)  # from Python 3.15 on
    return str(group()) if callable(group) else None


def peer_certificate(tls: ssl.SSLObject) -> PeerCertificate | None:
    """Return the certificate that the peer sent, verified or not; None where it sent none."""
    der = tls.getpeercert(binary_form=True)
    if der is None:
        return None
    info: dict[str, Any] = dict(tls.getpeercert() or _unverified_info(tls))
    names = info.get("subjectAltName", ())
    return PeerCertificate(
        subject=_distinguished_name(info.get("subject", ())),
        issuer=_distinguished_name(info.get("issuer", ())),
        not_before=_time(info.get("notBefore")),
        not_after=_time(info.get("notAfter")),
        dns_names=tuple(value for kind, value in names if kind == "DNS"),
        ip_addresses=tuple(_address(value) for kind, value in names if kind == "IP Address"),
        der=der,
    )


def _unverified_info(tls: ssl.SSLObject) -> dict[str, Any]:
    """Decode a certificate that was not verified, for which `getpeercert` gives nothing.

    The private object is there from Python 3.10 on; where it should ever be missing, the certificate is shown by
    its fingerprint alone.
    """
    read_chain: Callable[[], Any] = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", list)
    read_info: Callable[[], Any] = getattr(next(iter(read_chain() or ()), None), "get_info", dict)
    return dict(read_info())


def _distinguished_name(name: Any) -> str:
    """Write a name as RFC 4514 does, but in the order of the certificate."""
    return ", ".join(f"{_SHORT_NAMES.get(kind, kind)}={value}" for relative in name for kind, value in relative)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _time(text: str | None) -> datetime | None:
    """Read a time as OpenSSL prints it, `Jan  5 09:34:43 2018 GMT`; None where it cannot be computed with.

    `ssl.cert_time_to_seconds` does the same by strptime, whose modules take 3 ms to import.
    """
    try:
        month, day, clock, year, _ = (text or "").split()
        hour, minute, second = map(int, clock.split(":"))
        return datetime(int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _address(text: str) -> str:
    packed = _packed_address(text)
    if packed is None:
        return text
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)  # noqa: PLR2004 -- bytes of IPv4


def _packed_address(text: str) -> bytes | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, text.strip())
        except (OSError, ValueError):
            continue
    return None


def is_ip_address(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    return _packed_address(text) is not None


def is_host_name(name: str) -> bool:
    """Whether a name, an address too, can be looked for in a certificate: `ssl` has no clear word for others.

    Without a full stop at its end, 253 characters at most, in labels of 63 (RFC 1035 section 2.3.4), as it is sent.
    """
    if len(name) > _LONGEST_NAME:  # IDNA's cost grows with the square of the length
        return False
    try:
        sent = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return False
    is_short = len(sent) <= _LONGEST_NAME and all(0 < len(label) <= _LONGEST_LABEL for label in sent.split("."))
    return is_short and sent.isprintable()


_LONGEST_NAME = 253
_LONGEST_LABEL = 63


def _ascii_name(name: str) -> str:
    """Write a DNS name as it stands in certificates and as `ssl` looks for it: lower case, each label in ASCII."""
    if not name.isascii():
        with suppress(UnicodeError):  # no name at all, so no certificate has it
            name = name.encode("idna").decode()
    return name.rstrip(".").casefold()


def _dns_matches(pattern: str, wanted: str) -> bool:
    """Match a presented DNS name; a wildcard stands for exactly one whole label, the leftmost."""
    if not pattern.startswith("*."):
        return pattern == wanted
    _, _, rest = wanted.partition(".")
    return bool(rest) and "." in rest and rest == pattern[2:]
