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
_NAME_DELIMITERS: Final = re.compile(rb"([=^\\])")
_TEXT_DELIMITERS: Final = re.compile(rb"([\r\n\t\f\\])")
_ONE_TEXT_DELIMITERS: Final = re.compile(rb"([\r\n\t\f])")
_G1: Final = re.compile(rb"([\x80-\xff]+)")
_JAPANESE_KANA: Final = re.compile("[\x00-\x7f\uff61-\uff9f]*")
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

    def decode(self, value: bytes, *, is_name: bool = False, is_one: bool = False) -> str:
        """Decode the bytes of one element; what is not of its character set becomes U+FFFD, and nothing is raised.

        With `is_one` a backslash is a character of the text, and does not begin another value.
        """
        if _ESCAPE_BYTE not in value:
            if value.isascii():
                return value.decode("ascii")
            return _undeclared(value) if self._first == "ascii" else value.decode(self._first, "replace")
        return "".join(self._decode_extended(value, _delimiters(is_name=is_name, is_one=is_one)))

    def _decode_extended(self, value: bytes, delimiters: re.Pattern[bytes]) -> Iterator[str]:
        g0, g1, position = b"", self._first, 0
        for match in (*_ESCAPE.finditer(value), None):
            run = value[position : match.start() if match else len(value)]
            if g0:  # two bytes a character: what looks like a delimiter is none
                yield from (_decode_pairs(part, g0, g1) for part in _G1.split(run) if part)
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
        """Encode one value; raises `DataError` for characters that these sets do not have."""
        if text.isascii():
            return text.encode("ascii")
        delimiters = _delimiters(is_name=is_name, is_one=True)
        parts = re.split(delimiters.pattern.decode(), text) if self._is_extended else [text]
        return b"".join(map(self._encode_part, parts))

    def _encode_part(self, part: str) -> bytes:
        """In one set where one has all of it, else in as many as it takes."""
        whole = self._encode_run(part)
        if whole is None and self._is_extended:
            whole = self._encode_mixed(part)
        if whole is None:
            named = "\\".join(self.names) or "the default repertoire (ASCII)"
            msg = f"{part!r} has characters that {named} does not have"
            raise DataError(msg, hints=(f"{UTF_8} has all of them",))
        return whole

    def _encode_run(self, run: str, *, is_first: bool = True) -> bytes | None:
        """Text in the first of the sets that has all of it; None where none has.

        Unless it `is_first` of its part, other sets may stand in G0 or G1 by now, so that an escape sequence is needed.
        """
        if run.isascii():
            return run.encode("ascii")
        for escape, codec in ((b"" if is_first else self._first_escape(), self._first), *self._others()):
            if escape is None or not _may_take(codec, run):
                continue
            try:
                encoded = escape + run.encode(codec)
            except UnicodeError:
                continue
            if self._declares(_ESCAPE.findall(encoded), encoded.count(_ESCAPE_BYTE)):
                return encoded.replace(b"\x1b(B", b"\x1b(J") if self._first == "shift_jis" else encoded
        return None

    def _encode_mixed(self, part: str) -> bytes | None:
        """Runs of characters that one set has, each as long as it gets."""
        runs: list[bytes] = []
        held = ""
        for character in part:
            if held and self._encode_run(held + character, is_first=not runs) is None:
                runs.append(self._encode_run(held, is_first=not runs) or b"")
                held = ""
            held += character
            if self._encode_run(held, is_first=not runs) is None:
                return None
        return b"".join((*runs, self._encode_run(held, is_first=not runs) or b""))

    def _declares(self, escapes: Sequence[bytes], count: int) -> bool:
        """Whether (0008,0005) has these: Python's codecs of Japanese write such as were not declared, too."""
        declared = {extension.escape for name in self.names if (extension := _EXTENSIONS.get(name)) is not None}
        return len(escapes) == count and declared.issuperset(set(escapes) - _TO_ASCII)

    def _first_escape(self) -> bytes | None:
        """What puts the first set back into G1; None where it has no escape sequence, and no characters there."""
        extension = _EXTENSIONS.get(self.names[0].replace("ISO_IR", "ISO 2022 IR")) if self.names else None
        return extension.escape if extension is not None and not extension.is_g0 else None

    def _others(self) -> Iterator[tuple[bytes, str]]:
        """The sets that an escape sequence switches to; Python's codecs of Japanese write theirs themselves."""
        for name in self.names if self._is_extended else ():
            extension = _EXTENSIONS.get(name)
            if extension is not None:
                yield b"" if extension.is_g0 else extension.escape, extension.codec


def _may_take(codec: str, run: str) -> bool:
    """Whether a codec of Python's is to be asked: those of Japanese have more than the sets that they stand for.

    JIS X 0201 has no kanji; in its code the yen sign is the backslash, which delimits values.
    """
    if codec == "shift_jis":
        return _JAPANESE_KANA.fullmatch(run) is not None
    return not (codec.startswith("iso2022_jp") and ("\xa5" in run or "\u203e" in run))


def _delimiters(*, is_name: bool, is_one: bool) -> re.Pattern[bytes]:
    if is_name:
        return _NAME_DELIMITERS
    return _ONE_TEXT_DELIMITERS if is_one else _TEXT_DELIMITERS


def _decode_pairs(run: bytes, g0: bytes, g1: str) -> str:
    """While G0 has a set of two bytes a character, the codes above 128 are those of G1 as ever."""
    return (g0 + run).decode("iso2022_jp_2", "replace") if run.isascii() else _decode_run(run, g1)


def _decode_run(run: bytes, codec: str) -> str:
    return run.decode(codec if codec != "ascii" else "latin_1", "replace")


def _undeclared(value: bytes) -> str:
    """Text beyond ASCII without a declaration: UTF-8 where it is valid, hardly by chance, else Latin-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin_1")
