"""The values of keys as people type them, checked against their VR (PS3.5 table 6.2-1, PS3.4 section C.2.2.2)."""

import re
from collections.abc import Callable, Sequence
from datetime import date
from math import isfinite
from struct import Struct
from struct import error as StructError  # noqa: N812 -- `struct` names its only exception like a function
from typing import Final

from dicomtls.dataset.attributes import tag_of
from dicomtls.dataset.identifier import Value
from dicomtls.dataset.value_representations import BINARY, FORMATS, ONE_VALUE, TAG, TEXT, UNKNOWN
from dicomtls.errors import UsageError

_LARGEST_IS: Final = 2**31
_LONGEST_DS: Final = 16
_LONGEST_AE: Final = 16
_FLOATS: Final = frozenset({"FL", "FD"})
_LINE_BREAKS: Final = frozenset("\r\n\t\f")

_TIME: Final = r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?"
_DATE: Final = re.compile(r"([0-9]{4})\.?([0-9]{2})\.?([0-9]{2})")
_TIMES: Final = re.compile(rf"{_TIME}|{_TIME}-|-{_TIME}|{_TIME}-{_TIME}")
_DATE_TIME: Final = re.compile(r"[0-9+\-.]{1,54}")
_AGE: Final = re.compile(r"[0-9]{3}[DWMY]")
_CODE: Final = re.compile(r"[A-Z0-9_ *?]+")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[Ee][+-]?[0-9]{1,3})?")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,11}")
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,20}")
_UID: Final = re.compile(r"[0-9][0-9.]{0,63}")
_TAG_NUMBER: Final = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")


def read_values(name: str, vr: str, text: str) -> tuple[Value, ...]:
    """The values that `text` holds for the key `name`; raises `UsageError` where they are none of this VR."""
    _refuse_control_characters(name, vr, text)
    if vr in ONE_VALUE or vr == "UR":
        return (text,)
    if vr in BINARY:
        return (_read_bytes(name, vr, text),)
    parts = text.split("\\")
    if "" in parts:
        msg = f"{name}: one of the values between backslashes is empty"
        raise UsageError(msg, hints=("a key without any value asks for it",))
    return tuple(_read_value(name, vr, part) for part in parts)


def check_values(name: str, vr: str, values: Sequence[Value]) -> None:
    """Raise `UsageError` where values for the key `name`, each read already, are none of this VR.

    Bytes are taken as they are, and what a sequence holds is not looked at.
    """
    for value in values:
        if isinstance(value, str):
            _check_text(name, vr, value)
        elif isinstance(value, int | float) and vr in FORMATS and not _fits(vr, value):
            raise _refused(name, str(value), f"{vr} takes a number in its range")


def _check_text(name: str, vr: str, text: str) -> None:
    _refuse_control_characters(name, vr, text)
    if vr in ONE_VALUE or vr == "UR":
        return
    if not text or "\\" in text:
        raise _refused(name, text, "each value of a list has something in it, and no backslash")
    _read_value(name, vr, text)


def _read_value(name: str, vr: str, text: str) -> Value:
    if vr in FORMATS:
        return _read_number(name, vr, text)
    if vr == TAG:
        return _read_tag(name, text)
    check = _CHECKS.get(vr)
    if check is not None and not check[0](text):
        raise _refused(name, text, *check[1])
    if vr not in TEXT and not text.isascii():
        raise _refused(name, text, f"a {vr} holds ASCII only")
    return text


def _refused(name: str, text: str, *hints: str) -> UsageError:
    return UsageError(f"{name}: {text!r} is no value for it", hints=hints)


def _refuse_control_characters(name: str, vr: str, text: str) -> None:
    allowed: Sequence[str] | frozenset[str] = _LINE_BREAKS if vr in ONE_VALUE else ()
    if any(character < " " or "\x7f" <= character <= "\x9f" for character in text if character not in allowed):
        raise _refused(name, text, "control characters stand in no query")


def _read_bytes(name: str, vr: str, text: str) -> bytes:
    """Text for a private attribute whose VR nobody knows; a query for other binary values has no sense."""
    if vr != UNKNOWN:
        raise _refused(name, text, f"{vr} is binary: leave the value out to ask for it")
    if not text.isascii():
        raise _refused(
            name, text, "an attribute of unknown type takes ASCII; a private creator beside it may tell more"
        )
    data = text.encode("ascii")
    return data + b" " * (len(data) % 2)


def _read_number(name: str, vr: str, text: str) -> int | float:
    is_float = vr in _FLOATS
    if (_DECIMAL if is_float else _WHOLE).fullmatch(text):
        number = float(text) if is_float else int(text)
        if isfinite(number) and _fits(vr, number):
            return number
    raise _refused(name, text, f"{vr} takes {'a number' if is_float else 'a whole number'} in its range, no wildcard")


def _fits(vr: str, number: float) -> bool:
    try:
        Struct("<" + FORMATS[vr]).pack(number)
    except (StructError, OverflowError):
        return False
    return True


def _read_tag(name: str, text: str) -> int:
    match = _TAG_NUMBER.fullmatch(text)
    tag = int(match[1] + match[2], 16) if match else tag_of(text)
    if tag is None:
        raise _refused(name, text, "it takes a tag, (gggg,eeee), or a keyword")
    return tag


def _is_date_or_range(text: str) -> bool:
    """Whether this is a date, or a range with one open end at most (PS3.4 section C.2.2.2.5)."""
    first, dash, last = text.partition("-")
    days = [_day(part) for part in (first, last) if part]
    return bool(days) and None not in days and (dash != "" or bool(first)) and days == sorted(filter(None, days))


def _day(text: str) -> date | None:
    match = _DATE.fullmatch(text)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _is_integer(text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None and -_LARGEST_IS <= int(text) < _LARGEST_IS


def _is_decimal(text: str) -> bool:
    return _DECIMAL.fullmatch(text) is not None and len(text) <= _LONGEST_DS


def _is_ae_title(text: str) -> bool:
    return bool(text.strip()) and len(text) <= _LONGEST_AE


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


_CHECKS: Final[dict[str, tuple[Callable[[str], bool], tuple[str, ...]]]] = {
    "AE": (_is_ae_title, ("an AE title has up to 16 characters",)),
    "AS": (_matches(_AGE), ("an age is three digits and D, W, M or Y: 042Y",)),
    "CS": (_matches(_CODE), ("a code is upper case letters, digits, spaces and underscores: MR",)),
    "DA": (_is_date_or_range, ("a date is YYYYMMDD, a range YYYYMMDD-YYYYMMDD, YYYYMMDD- or -YYYYMMDD",)),
    "DS": (_is_decimal, ("it takes a decimal number of up to 16 characters, no wildcard",)),
    "DT": (_matches(_DATE_TIME), ("a date and time is YYYYMMDDHHMMSS, a range has - between two of them",)),
    "IS": (_is_integer, ("it takes a whole number of 32 bits, no wildcard",)),
    "TM": (_matches(_TIMES), ("a time is HHMMSS or its beginning, a range HHMMSS-HHMMSS, HHMMSS- or -HHMMSS",)),
    "UI": (
        _matches(_UID),
        ("a UID is up to 64 digits and dots; several are joined by a backslash, wildcards are none",),
    ),
}
