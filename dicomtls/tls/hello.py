"""The hello messages of TLS as values: what a client offers, what a server chooses (RFC 5246 7.4.1, RFC 8446 4.1).

Bytes in, bytes out, no I/O. With them one can see what a failed handshake had offered, and ask a peer about versions
and suites that the local OpenSSL does not have.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

HANDSHAKE: Final = 22
"""The content type of a record (RFC 8446 section 5.1)."""
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 1, 2, 11
"""The types of handshake messages (RFC 8446 section 4)."""
LONGEST_RECORD: Final = 1 << 14
"""Bytes of content."""

SSL_2, SSL_3, TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 = 0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304
"""Versions as they stand in records and hellos."""
_VERSION_NAMES: Final = {
    SSL_2: "SSLv2",
    SSL_3: "SSLv3",
    TLS_1_0: "TLSv1",
    TLS_1_1: "TLSv1.1",
    TLS_1_2: "TLSv1.2",
    TLS_1_3: "TLSv1.3",
}

_SERVER_NAME, _GROUPS, _POINT_FORMATS, _SCHEMES, _ALPN = 0, 10, 11, 13, 16
_SUPPORTED_VERSIONS, _KEY_SHARE, _RENEGOTIATION = 43, 51, 0xFF01
_SIGNALS: Final = frozenset({0x00FF, 0x5600})  # secure renegotiation, fallback: no suites, though they stand among them


class ClientHello(NamedTuple):
    """What a client offers, by the numbers of IANA's registries.

    `version` is the highest up to TLS 1.2, `versions` the extension that TLS 1.3 brought (empty: not there). `alpn` has
    protocol names, `server_name` the name sent (SNI).
    """

    version: int = TLS_1_2
    versions: tuple[int, ...] = ()
    suites: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    schemes: tuple[int, ...] = ()
    server_name: str | None = None
    alpn: tuple[str, ...] = ()

    @property
    def offered_versions(self) -> tuple[int, ...]:
        """Every version that the client can be said to offer, newest first; below `version` it may refuse some."""
        return tuple(sorted((v for v in self.versions if v in _VERSION_NAMES), reverse=True)) or (self.version,)

    @classmethod
    def parse(cls, body: bytes) -> "ClientHello":
        """Read the body of a ClientHello; raises `ValueError` where its lengths do not add up."""
        reader = _Reader(body)
        version = reader.number(2)
        reader.take(32)
        reader.sized(1)
        suites = _real_suites(_numbers(reader.sized(2)))
        reader.sized(1)
        found = _extensions(reader)
        return cls(
            version=version,
            versions=_numbers(_Reader(found[_SUPPORTED_VERSIONS]).sized(1)) if _SUPPORTED_VERSIONS in found else (),
            suites=suites,
            groups=_numbers(_Reader(found[_GROUPS]).sized(2)) if _GROUPS in found else (),
            schemes=_numbers(_Reader(found[_SCHEMES]).sized(2)) if _SCHEMES in found else (),
            server_name=_server_name(found.get(_SERVER_NAME, b"")),
            alpn=tuple(_protocols(found.get(_ALPN, b""))),
        )

    @classmethod
    def parse_ssl2(cls, data: bytes) -> "ClientHello":
        """Read a hello in the form of SSL 2.0, from its type on; it may offer newer versions (RFC 5246 appendix E.2).

        Raises `ValueError` where its lengths do not add up.
        """
        reader = _Reader(data)
        reader.number(1)
        version, length = reader.number(2), reader.number(2)
        reader.take(4)
        specs = reader.take(length)
        if length % 3:
            msg = "half a suite at the end of a list"
            raise ValueError(msg)
        numbers = (int.from_bytes(specs[start : start + 3]) for start in range(0, len(specs), 3))
        # Those above two bytes are the suites of SSL 2.0 itself.
        return cls(version=version, suites=_real_suites(number for number in numbers if 0 < number < 1 << 16))

    def encode(self, *, random: bytes | None = None) -> bytes:
        """The handshake message; at TLS 1.3 without a key share, so that the server asks for one and no more.

        `random` has 32 bytes. Raises `ValueError` for a server name that is not ASCII, `OverflowError` for what is
        longer than its length can say.
        """
        extensions = [_extension(_RENEGOTIATION, b"\0")]  # RFC 5746: some servers answer nobody without it
        if self.server_name is not None:
            extensions.append(_extension(_SERVER_NAME, sized(2, b"\0" + sized(2, self.server_name.encode("ascii")))))
        if self.groups:
            extensions += [_extension(_GROUPS, sized(2, _octets(self.groups))), _extension(_POINT_FORMATS, b"\x01\0")]
        if self.schemes:
            extensions.append(_extension(_SCHEMES, sized(2, _octets(self.schemes))))
        if self.alpn:
            extensions.append(_extension(_ALPN, sized(2, b"".join(sized(1, name.encode()) for name in self.alpn))))
        if self.versions:
            extensions.append(_extension(_SUPPORTED_VERSIONS, sized(1, _octets(self.versions))))
            extensions.append(_extension(_KEY_SHARE, sized(2, b"")))
        session = os.urandom(32) if TLS_1_3 in self.versions else b""  # RFC 8446 appendix D.4: for middleboxes
        head = self.version.to_bytes(2) + (random or os.urandom(32)) + sized(1, session)
        body = head + sized(2, _octets(self.suites)) + b"\x01\0"
        # SSL 3.0 knows no extensions; its servers pass over them at best.
        return message(CLIENT_HELLO, body + (sized(2, b"".join(extensions)) if self.version > SSL_3 else b""))


class ServerHello(NamedTuple):
    """What a server chose; a HelloRetryRequest of TLS 1.3 counts as one (RFC 8446 section 4.1.4)."""

    version: int
    suite: int

    @classmethod
    def parse(cls, body: bytes) -> "ServerHello":
        """Read the body of a ServerHello; raises `ValueError` where its lengths do not add up."""
        reader = _Reader(body)
        version = reader.number(2)
        reader.take(32)
        reader.sized(1)
        suite = reader.number(2)
        reader.number(1)
        chosen = _extensions(reader).get(_SUPPORTED_VERSIONS)
        return cls(_Reader(chosen).number(2) if chosen is not None else version, suite)


def version_name(number: int) -> str:
    """A protocol version as Python and OpenSSL spell it; an unknown one by its number."""
    return _VERSION_NAMES.get(number, f"0x{number:04X}")


def version_names(numbers: Sequence[int]) -> str:
    """Versions for a message: `TLSv1.3 and TLSv1.2`."""
    names = [version_name(number) for number in numbers]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:]))) or "none"


def message(kind: int, body: bytes) -> bytes:
    """A handshake message with its header."""
    return bytes([kind]) + sized(3, body)


def records(messages: bytes, version: int = TLS_1_2) -> bytes:
    """Handshake messages in as few records as they need (RFC 8446 section 5.1)."""
    pieces = (messages[start : start + LONGEST_RECORD] for start in range(0, len(messages), LONGEST_RECORD))
    return b"".join(bytes([HANDSHAKE]) + version.to_bytes(2) + sized(2, piece) for piece in pieces)


def sized(octets: int, content: bytes) -> bytes:
    """Content behind its length in so many octets; raises `OverflowError` where those do not hold it."""
    return len(content).to_bytes(octets) + content


def _extension(number: int, content: bytes) -> bytes:
    return number.to_bytes(2) + sized(2, content)


def _octets(numbers: Sequence[int]) -> bytes:
    return b"".join(number.to_bytes(2) for number in numbers)


def _numbers(data: bytes) -> tuple[int, ...]:
    if len(data) % 2:
        msg = "half a number at the end of a list"
        raise ValueError(msg)
    return tuple(int.from_bytes(data[start : start + 2]) for start in range(0, len(data), 2))


def _real_suites(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(number for number in numbers if number not in _SIGNALS and not _is_grease(number))


def _is_grease(number: int) -> bool:
    """Whether it is one of the numbers that browsers throw in to keep servers tolerant (RFC 8701)."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF  # noqa: PLR2004 -- the pattern itself


def _extensions(reader: "_Reader") -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    if reader.is_at_end:  # before TLS 1.2 there need be none
        return found
    block = _Reader(reader.sized(2))
    while not block.is_at_end:
        number = block.number(2)
        found.setdefault(number, block.sized(2))
    return found


def _server_name(data: bytes) -> str | None:
    if not data:
        return None
    names = _Reader(_Reader(data).sized(2))
    kind = names.number(1)
    name = names.sized(2)
    return name.decode("ascii", errors="replace") if kind == 0 else None


def _protocols(data: bytes) -> Iterator[str]:
    if not data:
        return
    names = _Reader(_Reader(data).sized(2))
    while not names.is_at_end:
        yield names.sized(1).decode("utf-8", errors="replace")


class _Reader:
    """Takes bytes off the front; raises `ValueError` where fewer are there than were said to be."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def is_at_end(self) -> bool:
        return self._position >= len(self._data)

    def take(self, length: int) -> bytes:
        end = self._position + length
        if end > len(self._data):
            msg = f"{length} bytes were announced, {len(self._data) - self._position} are there"
            raise ValueError(msg)
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self, octets: int) -> int:
        return int.from_bytes(self.take(octets))

    def sized(self, octets: int) -> bytes:
        return self.take(self.number(octets))
