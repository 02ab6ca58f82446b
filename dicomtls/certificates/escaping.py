"""The values of a distinguished name as text (RFC 4514 section 2.4); a module that takes no time to import."""

from typing import Final

_SPECIAL: Final = frozenset('\\",+;<>')


def escaped(value: str) -> str:
    """Write a value so that what it has of commas and the like is not read as the name's own; nothing but one line."""
    last = len(value) - 1
    return "".join(_character(one, is_first=not number, is_last=number == last) for number, one in enumerate(value))


def _character(one: str, *, is_first: bool, is_last: bool) -> str:
    if one in _SPECIAL or (one == " " and (is_first or is_last)) or (one == "#" and is_first):
        return f"\\{one}"
    if one.isprintable():
        return one
    return "".join(f"\\{octet:02X}" for octet in one.encode("utf-8", "surrogatepass"))
