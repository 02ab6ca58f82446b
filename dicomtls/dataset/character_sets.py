"""Text and the character sets of (0008,0005) (PS3.3 section C.12.1.1.2, PS3.5 section 6.1), by Python's own codecs.

A single set is one codec. With code extensions (ISO 2022) a value switches sets by escape sequences: G0 has the codes
below 128, G1 those above; both are reset at each delimiter. Reading never fails; writing refuses what a set lacks.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from dicomtls.errors import DataError

UTF_8: Final = "ISO_IR 192"

# Defined terms of PS3.3 tables C.12-2 and C.12-5, and how Python calls them.
_CODECS: Final = {
    "ISO_IR 6": "ascii",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 100": "latin_1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 126": "iso8859_7",
    "ISO_IR 127": "iso8859_6",
    "ISO_IR 138": "iso8859_8",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 148": "iso8859_9",
    "ISO_IR 166": "iso8859_11",
    "ISO_IR 203": "iso8859_15",
    UTF_8: "utf_8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}


class _Extension(NamedTuple):
    """A set that an escape sequence puts into G0 or G1 (PS3.3 tables C.12-3 and C.12-4)."""

    escape: bytes
    codec: str
    is_g0: bool = False


_EXTENSIONS: Final = {
    "ISO 2022 IR 13": _Extension(b"\x1b)I", "shift_jis"),
    "ISO 2022 IR 58": _Extension(b"\x1b$)A", "gb2312"),
    "ISO 2022 IR 87": _Extension(b"\x1b$B", "iso2022_jp", is_g0=True),
    "ISO 2022 IR 100": _Extension(b"\x1b-A", "latin_1"),
    "ISO 2022 IR 101": _Extension(b"\x1b-B", "iso8859_2"),
    "ISO 2022 IR 109": _Extension(b"\x1b-C", "iso8859_3"),
    "ISO 2022 IR 110": _Extension(b"\x1b-D", "iso8859_4"),
    "ISO 2022 IR 126": _Extension(b"\x1b-F", "iso8859_7"),
    "ISO 2022 IR 127": _Extension(b"\x1b-G", "iso8859_6"),
    "ISO 2022 IR 138": _Extension(b"\x1b-H", "iso8859_8"),
    "ISO 2022 IR 144": _Extension(b"\x1b-L", "iso8859_5"),
    "ISO 2022 IR 148": _Extension(b"\x1b-M", "iso8859_9"),
    "ISO 2022 IR 149": _Extension(b"\x1b$)C", "euc_kr"),
    "ISO 2022 IR 159": _Extension(b"\x1b$(D", "iso2022_jp_2", is_g0=True),
    "ISO 2022 IR 166": _Extension(b"\x1b-T", "iso8859_11"),
    "ISO 2022 IR 203": _Extension(b"\x1b-b", "iso8859_15"),
}
NAMES: Final = frozenset((*_CODECS, *_EXTENSIONS, "ISO 2022 IR 6"))
"""The values of (0008,0005) that can be read and written."""
_BY_ESCAPE: Final = {extension.escape: extension for extension in _EXTENSIONS.values()}
_TO_ASCII: Final = frozenset((b"\x1b(B", b"\x1b(J"))  # ISO 646 and JIS X 0201 romaji
_ESCAPE: Final = re.compile(rb"\x1b(?:\$[()]?[A-D]|[()\-][A-Za-z])")
_ESCAPE_BYTE: Final = b"\x1b"
# Whatever resets the sets within a value (PS3.5 section 6.1.2.5.3).
_NAME_DELIMITERS: Final = re.compile(b"([=^])")
_TEXT_DELIMITERS: Final = re.compile(b"([\r\n\t\f])")
_JAPANESE_KANA: Final = re.compile("[\x00-\x7f\uff61-\uff9f]*")
_ROMAJI: Final = b"\x1b(J"
_MOST_SETS: Final = 8


@lru_cache(maxsize=64)
def character_sets(names: tuple[str, ...]) -> "CharacterSets":
    """The character sets of a dataset by the values of its (0008,0005); none means ASCII."""
    return CharacterSets(names)


class CharacterSets:
    """Decodes and encodes text; unknown names are read as well as can be, and refused for writing."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names: Final = tuple(name.strip() for name in names[:_MOST_SETS])
        first = self.names[0].replace("ISO 2022 IR", "ISO_IR") if self.names else ""
        self._first = _CODECS.get(first or "ISO_IR 6", "ascii")
        self._is_extended = len(self.names) > 1 or self.names[:1] != (first,) if self.names else False

    def decode(self, value: bytes, *, is_name: bool = False) -> str:
        """Decode the bytes of one element; what is not of its character set becomes U+FFFD, and nothing is raised."""
        if _ESCAPE_BYTE not in value:
            if value.isascii():
                return value.decode("ascii")
            return _undeclared(value) if self._first == "ascii" else value.decode(self._first, "replace")
        return "".join(self._decode_extended(value, _NAME_DELIMITERS if is_name else _TEXT_DELIMITERS))

    def _decode_extended(self, value: bytes, delimiters: re.Pattern[bytes]) -> Iterator[str]:
        g0, g1, position = b"", self._first, 0
        for match in (*_ESCAPE.finditer(value), None):
            run = value[position : match.start() if match else len(value)]
            if g0:  # two bytes a character: what looks like a delimiter is none
                yield (g0 + run).decode("iso2022_jp_2", "replace")
            else:
                first, *others = delimiters.split(run)
                yield _decode_run(first, g1)
                yield from (_decode_run(other, self._first) for other in others)
                g1 = self._first if others else g1
            if match is None:
                return
            escape, position = match.group(), match.end()
            extension = _BY_ESCAPE.get(escape)
            if escape in _TO_ASCII:
                g0 = b""
            elif extension is not None and extension.is_g0:
                g0 = escape
            elif extension is not None:
                g1 = extension.codec

    def encode(self, text: str, *, is_name: bool = False) -> bytes:
        """Encode text; raises `DataError` for characters that these sets do not have."""
        if text.isascii():
            return text.encode("ascii")
        delimiters = _NAME_DELIMITERS if is_name else _TEXT_DELIMITERS
        parts = re.split(delimiters.pattern.decode(), text) if self._is_extended else [text]
        return b"".join(map(self._encode_part, parts))

    def _encode_part(self, part: str) -> bytes:
        for escape, codec in (("", self._first), *self._others()):
            if codec == "shift_jis" and not _JAPANESE_KANA.fullmatch(part):
                continue  # JIS X 0201 has no kanji, though Python's codec does
            try:
                encoded = part.encode(codec)
            except UnicodeError:
                continue
            if _ROMAJI not in encoded:  # its yen sign is the byte that separates values, which every reader would see
                return escape.encode("ascii") + encoded
        named = "\\".join(self.names) or "the default repertoire (ASCII)"
        msg = f"{part!r} has characters that {named} does not have"
        raise DataError(msg, hints=(f"{UTF_8} has all of them",))

    def _others(self) -> Iterator[tuple[str, str]]:
        """The sets that an escape sequence switches to; Python's codecs of Japanese write theirs themselves."""
        for name in self.names if self._is_extended else ():
            extension = _EXTENSIONS.get(name)
            if extension is not None:
                yield "" if extension.is_g0 else extension.escape.decode("ascii"), extension.codec


def _decode_run(run: bytes, codec: str) -> str:
    return run.decode(codec if codec != "ascii" else "latin_1", "replace")


def _undeclared(value: bytes) -> str:
    """Text beyond ASCII without a declaration: UTF-8 where it is valid, hardly by chance, else Latin-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin_1")
