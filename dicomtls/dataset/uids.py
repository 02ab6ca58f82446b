"""UIDs: what makes one valid, and which transfer syntax encodes a dataset how (PS3.5 chapter 9 and annex A)."""

from dicomtls.errors import DataError
from dicomtls.uid import is_uid

IMPLICIT_VR_LE = "1.2.840.10008.1.2"
EXPLICIT_VR_LE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BE = "1.2.840.10008.1.2.2"
GE_PRIVATE_IMPLICIT = "1.2.840.113619.5.2"
"""Implicit VR Little Endian but for its pixel data, which are big endian."""
JPIP_DEFLATED = frozenset({"1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
"""JPIP Referenced: the pixel data are elsewhere, and the whole dataset is deflated."""

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
"""The SOP class of a DICOMDIR."""

_NATIVE = frozenset({IMPLICIT_VR_LE, EXPLICIT_VR_LE, DEFLATED, EXPLICIT_VR_BE, GE_PRIVATE_IMPLICIT})

_SHOWN = 80


def is_native(transfer_syntax: str) -> bool:
    """Whether pixel data stand in the dataset uncompressed (PS3.5 section A.1 to A.3, A.5)."""
    return transfer_syntax in _NATIVE


def is_encapsulated(transfer_syntax: str) -> bool:
    """Whether pixel data are fragments that need a decoder: every syntax that is not native (PS3.5 section A.4)."""
    return transfer_syntax not in _NATIVE


def is_deflated(transfer_syntax: str) -> bool:
    """Whether the dataset as a whole is compressed (PS3.5 section A.5)."""
    return transfer_syntax == DEFLATED or transfer_syntax in JPIP_DEFLATED


def text(value: bytes) -> str:
    """A UID or an identifier without its padding; what is not ASCII becomes U+FFFD, so that this never fails."""
    return value.decode("ascii", "replace").strip("\0 ")


def check_uid(uid: str, name: str) -> str:
    """Return the UID if it passes as one; raises `DataError` with `name` for what it was to be."""
    if not is_uid(uid):
        shown = uid if len(uid) <= _SHOWN else uid[:_SHOWN] + "..."
        msg = f"not a valid {name}: {shown!a}"
        raise DataError(msg)
    return uid
