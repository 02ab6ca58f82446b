"""A distinguished name as text, straight from its DER: `cryptography` reads none without a certificate around it.

Written as RFC 4514 says, and as `describe.readable_name` writes the names of certificates.
"""

from typing import Final

from dicomtls.certificates.der import SEQUENCE, DERError, children
from dicomtls.certificates.escaping import escaped
from dicomtls.certificates.fields import UNREADABLE, object_identifier

_SHORT_NAMES: Final = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "E",
}
_ENCODINGS: Final = {12: "utf-8", 19: "ascii", 22: "ascii", 20: "latin-1", 30: "utf-16-be", 28: "utf-32-be"}


def distinguished_name(der: bytes) -> str:
    """Write a Name (RFC 5280 section 4.1.2.4); `(unreadable)` for one that cannot be read. Raises nothing."""
    try:
        (name,) = children(der)
        if name.tag != SEQUENCE:
            return UNREADABLE
        return ",".join(_relative(part.content) for part in reversed(children(name.content)))
    except (DERError, ValueError):
        return UNREADABLE


def _relative(content: bytes) -> str:
    pairs = [children(attribute.content) for attribute in children(content)]
    return "+".join(f"{_kind(kind.content)}={_value(value.tag, value.content)}" for kind, value in pairs)


def _kind(content: bytes) -> str:
    dotted = object_identifier(content)
    return _SHORT_NAMES.get(dotted, dotted)


def _value(tag: int, content: bytes) -> str:
    encoding = _ENCODINGS.get(tag)
    if encoding is None:
        return f"#{content.hex()}"
    return escaped(content.decode(encoding, errors="replace"))
