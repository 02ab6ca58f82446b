"""DICOM elements without pydicom and without I/O: the file meta information, a few attributes, a DICOMDIR.

All bytes are taken for hostile: what cannot be read raises `errors.DataError`, in time linear in what was given.
"""

from dicomtls.dataset import tags
from dicomtls.dataset.elements import Attributes, read_attributes
from dicomtls.dataset.encoding import Buffer
from dicomtls.dataset.file_meta import FileMeta, HeadTooShort, NotDICOM, encode_file_meta, read_file_meta
from dicomtls.dataset.uids import (
    DEFLATED,
    EXPLICIT_VR_BE,
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
    MEDIA_STORAGE_DIRECTORY,
    check_uid,
    is_deflated,
    is_encapsulated,
    is_native,
    text,
)

__all__ = [
    "DEFLATED",
    "EXPLICIT_VR_BE",
    "EXPLICIT_VR_LE",
    "IMPLICIT_VR_LE",
    "MEDIA_STORAGE_DIRECTORY",
    "Attributes",
    "Buffer",
    "FileMeta",
    "HeadTooShort",
    "NotDICOM",
    "check_uid",
    "encode_file_meta",
    "is_deflated",
    "is_encapsulated",
    "is_native",
    "read_attributes",
    "read_file_meta",
    "tags",
    "text",
]
