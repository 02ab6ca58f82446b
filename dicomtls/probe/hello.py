"""Raw hellos: what would the peer choose, from everything that there is? No key is exchanged and nothing is agreed.

A hello of our own can offer what the local OpenSSL has no more, and stops where the choice is known.
"""

from dataclasses import dataclass
from typing import Final

from dicomtls.probe.inquiry import Inquiry
from dicomtls.tls.hello import (
    HANDSHAKE,
    SERVER_HELLO,
    TLS_1_0,
    TLS_1_2,
    TLS_1_3,
    ClientHello,
    ServerHello,
    records,
    version_name,
)
from dicomtls.tls.suites import is_tls13_suite, known_suites, suite_name
from dicomtls.tls.transcript import ALERTS

# Of IANA's registry: x25519, the NIST curves, x448, the brainpool curves, ffdhe2048 to 8192.
_GROUPS: Final = (
    0x001D,
    0x0017,
    0x0018,
    0x0019,
    0x001E,
    0x001A,
    0x001B,
    0x001C,
    0x0100,
    0x0101,
    0x0102,
    0x0103,
    0x0104,
)
_ECDSA: Final = (0x0403, 0x0503, 0x0603)
_RSA_PSS: Final = (0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B)
_EDDSA: Final = (0x0807, 0x0808)
_RSA: Final = (0x0401, 0x0501, 0x0601)
_WEAK: Final = (0x0203, 0x0201, 0x0402, 0x0202)  # SHA-1, DSA
_SCHEMES: Final = (*_ECDSA, *_RSA_PSS, *_EDDSA, *_RSA, *_WEAK)
_ALERT: Final = 21
_RECORD_HEADER, _MESSAGE_HEADER = 5, 4


@dataclass(frozen=True)
class Answer:
    """What a peer made of a hello: a choice, an alert, or neither; `how` it ended is one of the words of `say`."""

    chosen: ServerHello | None
    alert: str | None
    how: str

    @property
    def hung_up(self) -> bool:
        """Whether it ended the connection without having chosen or refused anything."""
        return self.chosen is None and self.alert is None and self.how in ("eof", "reset")

    @property
    def words(self) -> str:
        """For the log of attempts."""
        if self.chosen is not None:
            return f"it chooses {version_name(self.chosen.version)} with {suite_name(self.chosen.suite)}"
        if self.alert is not None:
            return f"it refuses with the alert {self.alert}"
        return _WORDS.get(self.how, self.how)


_WORDS: Final = {
    "answered": "it answers with something else",
    "eof": "it closes the connection",
    "reset": "it resets the connection",
    "timeout": "it says nothing",
}


def offer_everything(inquiry: Inquiry, *, tls13: bool, server_name: str | None, alpn: tuple[str, ...]) -> Answer:
    """Offer every suite, group and scheme, at TLS 1.3 only or below it only; raises `Interrupted`.

    `server_name` is ASCII, None where none is to be sent. The answer is noted.
    """
    hello = ClientHello(
        versions=(TLS_1_3,) if tls13 else (),
        suites=tuple(suite for suite in known_suites() if is_tls13_suite(suite) == tls13),
        groups=_GROUPS,
        schemes=_SCHEMES,
        server_name=server_name,
        alpn=alpn,
        version=TLS_1_2,
    )
    heard, how = inquiry.say(records(hello.encode(), TLS_1_0), _is_complete)
    answer = read_answer(heard, how)
    inquiry.note(f"a hello that offers everything {'at TLS 1.3' if tls13 else 'up to TLS 1.2'}", answer.words)
    return answer


def read_answer(heard: bytes, how: str) -> Answer:
    """Read the first message of an answer; what does not add up is no choice."""
    kind, content = _first(heard)
    if kind == _ALERT and len(content) == 2:  # noqa: PLR2004 -- level and description
        return Answer(None, ALERTS.get(content[1], str(content[1])), how)
    if kind == HANDSHAKE and content[:1] == bytes([SERVER_HELLO]):
        try:
            return Answer(ServerHello.parse(content[_MESSAGE_HEADER:]), None, how)
        except ValueError:
            return Answer(None, None, how)
    return Answer(None, None, how)


def _is_complete(heard: bytes) -> bool:
    kind, content = _first(heard)
    if kind == HANDSHAKE:
        return len(content) >= _MESSAGE_HEADER and len(content) >= _MESSAGE_HEADER + int.from_bytes(content[1:4])
    # Whatever is not TLS will not become it.
    return kind == _ALERT if kind is not None else bool(heard) and heard[0] not in (HANDSHAKE, _ALERT)


def _first(heard: bytes) -> tuple[int | None, bytes]:
    """The type of the first record and its first message, put together from as many records as it needs."""
    kind: int | None = None
    content = b""
    while len(heard) >= _RECORD_HEADER:
        length = int.from_bytes(heard[3:5])
        record = heard[_RECORD_HEADER : _RECORD_HEADER + length]
        if kind not in (None, heard[0]) or len(record) < length:
            break
        kind = heard[0]
        content += record
        heard = heard[_RECORD_HEADER + length :]
        if kind != HANDSHAKE or len(content) >= _MESSAGE_HEADER + int.from_bytes(content[1:4]):
            break
    if kind == HANDSHAKE:
        content = content[: _MESSAGE_HEADER + int.from_bytes(content[1:4])]
    return kind, content
