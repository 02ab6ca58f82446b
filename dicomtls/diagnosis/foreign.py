"""What a peer is that does not speak TLS, by its first bytes."""

import re
from typing import Final

# Requests, answers, and pages without a status line, as some web servers answer what is no HTTP at all.
_HTTP_WORDS: Final = frozenset(
    {b"HTTP", b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"DELE", b"<!DO", b"<htm", b"<HTM"}
)
# The types of PDUs are 1 to 7, and the byte after them is reserved and zero (PS3.8 section 9.3.1).
_PDU: Final = re.compile(rb"[\x01-\x07]\0")
_ASSOCIATE_RQ: Final = 1
_CALLING_AE_TITLE: Final = slice(26, 42)


def foreign_code(first_bytes: bytes) -> str:
    """The error code for what began with these bytes, however few: HTTP takes four to be known, DICOM two."""
    if first_bytes[:4] in _HTTP_WORDS:
        return "peer-speaks-http"
    return "peer-speaks-plain-dicom" if _PDU.match(first_bytes) else "peer-is-not-tls"


def calling_ae_title(first_bytes: bytes) -> str | None:
    """Who calls, in the beginning of an A-ASSOCIATE-RQ (PS3.8 table 9-11); None where it is none, or not all there."""
    if first_bytes[:1] != bytes([_ASSOCIATE_RQ]) or len(first_bytes) < _CALLING_AE_TITLE.stop:
        return None
    return first_bytes[_CALLING_AE_TITLE].decode("ascii", "backslashreplace").strip() or None
