"""A bounded reader of ASN.1 DER and BER (ITU-T X.690), and what it is there for: looking before `cryptography` leaps.

Two readings of the same bytes:

* `children` takes definite lengths only, one level at a time: for the fields of a certificate.
* `tokens` is flat and lenient, headers only, indefinite lengths included: for recognising a file and for counting
  what a password derivation would cost, because PKCS#12 files written by NSS are BER and OpenSSL reads them.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

# Universal tags (X.690 section 8.1.2), constructed where they must be.
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OID = 0x06
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30

MAXIMUM_ITERATIONS = 10_000_000
"""In all derivations of one file together.

OWASP asks for 1.3 million at most, and a PKCS#12 archive has three derivations, so honest files stay far below;
ten million take one to two seconds, about what a person bears.
"""
MAXIMUM_SCRYPT_MEMORY = 128 << 20
"""In bytes: scrypt with N = 2^17 and r = 8, the strongest setting that OWASP lists."""

_CONSTRUCTED = 0x20
_TAG_NUMBER = 0x1F
_INDEFINITE = 0x80
_LONGEST_LENGTH = 4
_MAXIMUM_TOKENS = 200_000
_MAXIMUM_NESTING = 8
_SCRYPT_PARAMETERS = 3
_DATA = bytes.fromhex("2a864886f70d010701")
_SCRYPT = bytes.fromhex("2b06010401da47040b")


class DERError(ValueError):
    """The bytes are not the ASN.1 they should be; never leaves `dicomtls.certificates`."""


class Element(NamedTuple):
    """One type-length-value; `raw` is the whole of it, header included."""

    tag: int
    content: bytes
    raw: bytes


class _Header(NamedTuple):
    tag: int
    start: int
    length: int | None  # None: indefinite


def _header(data: bytes, offset: int) -> _Header:
    """Read one tag and length; raises `DERError` where the content would not fit into `data`."""
    if offset + 2 > len(data):
        msg = "ends inside a header"
        raise DERError(msg)
    tag, first = data[offset], data[offset + 1]
    if tag & _TAG_NUMBER == _TAG_NUMBER:
        msg = "uses a tag number above 30"
        raise DERError(msg)
    start, length = offset + 2, first
    if first == _INDEFINITE and tag & _CONSTRUCTED:
        return _Header(tag, start, None)
    if first >= _INDEFINITE:
        digits = first - _INDEFINITE
        if not 0 < digits <= _LONGEST_LENGTH:
            msg = "has a length that makes no sense"
            raise DERError(msg)
        length = int.from_bytes(data[start : start + digits], "big")
        start += digits
    if start + length > len(data):
        msg = "ends inside an element"
        raise DERError(msg)
    return _Header(tag, start, length)


def children(content: bytes) -> list[Element]:
    """Read the elements that stand side by side in `content`; raises `DERError` where they do not fill it exactly."""
    found: list[Element] = []
    offset = 0
    while offset < len(content):
        tag, start, length = _header(content, offset)
        if length is None:
            msg = "has an indefinite length, which DER does not allow"
            raise DERError(msg)
        end = start + length
        found.append(Element(tag, content[start:end], content[offset:end]))
        if len(found) > _MAXIMUM_TOKENS:
            msg = "has too many elements"
            raise DERError(msg)
        offset = end
    return found


def first_element(data: bytes) -> bytes:
    """Return the first element without what follows it (a line feed after a DER file, say); raises `DERError`.

    An element of indefinite length is returned with everything behind it.
    """
    _, start, length = _header(data, 0)
    return data if length is None else data[: start + length]


def tokens(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of every element in reading order, stepping into the constructed ones (content empty).

    Raises `DERError` at the first header that makes no sense, and after 200,000 elements.
    """
    offset = count = 0
    while offset < len(data):
        tag, start, length = _header(data, offset)
        count += 1
        if count > _MAXIMUM_TOKENS:
            msg = "has too many elements"
            raise DERError(msg)
        if tag & _CONSTRUCTED:
            yield tag, b""
            offset = start
        else:
            offset = start + (length or 0)
            yield tag, data[start:offset]


def check_derivation_cost(*parts: bytes) -> None:
    """Raise `DERError` where opening these PKCS#12 archives and encrypted PKCS#8 keys would take too long.

    A hostile file may ask for a billion iterations, or scrypt for gigabytes. The counts stand outside the encrypted
    parts, so they can be added up before any passphrase is tried. What this cannot see is a derivation inside the
    encrypted contents of another: for that there is `trial`.
    """
    if sum(count for part in parts for count in _iterations(part, 0)) > MAXIMUM_ITERATIONS:
        msg = f"asks for more than {MAXIMUM_ITERATIONS} iterations of its password derivation"
        raise DERError(msg)


def _iterations(data: bytes, nesting: int) -> Iterator[int]:
    """Yield every INTEGER outside certificates and keys: versions (0 to 3), iteration counts and key lengths.

    Adding all of them up errs on the safe side, whatever structure a reader more lenient than this one sees.
    The archive's inner structures are wrapped into OCTET STRINGs of the type id-data (RFC 7292 section 4),
    which BER may cut anywhere, so neighbours are joined before they are read.
    """
    if nesting > _MAXIMUM_NESTING:
        msg = "is nested too deeply"
        raise DERError(msg)
    last_oid, wrapped, scrypt = b"", bytearray(), list[int]()
    for tag, content in tokens(data):
        if tag == OCTET_STRING and last_oid == _DATA:
            wrapped += content
        elif tag == SEQUENCE and wrapped:
            yield from _iterations(bytes(wrapped), nesting + 1)
            wrapped.clear()
        elif tag == OID:
            last_oid, scrypt = content, []
        elif tag == INTEGER and last_oid == _SCRYPT and len(scrypt) < _SCRYPT_PARAMETERS:
            scrypt.append(int.from_bytes(content, "big"))
            _check_scrypt(scrypt)
        elif tag == INTEGER:
            yield int.from_bytes(content, "big")
    if wrapped:
        yield from _iterations(bytes(wrapped), nesting + 1)


def _check_scrypt(parameters: list[int]) -> None:
    """Refuse N, r and p that together take more memory (128 N r bytes, RFC 7914 section 2) or time than is sane."""
    if 128 * math.prod(parameters) > MAXIMUM_SCRYPT_MEMORY:
        msg = f"asks for a password derivation in more than {MAXIMUM_SCRYPT_MEMORY >> 20} MB of memory"
        raise DERError(msg)
