"""The file meta information before a dataset (PS3.10 section 7.1): read as files have it, written as it should be."""

from functools import lru_cache
from struct import Struct
from typing import NamedTuple, NoReturn

from dicomtls.dataset import tags
from dicomtls.dataset.elements import PADDING, read_dataset
from dicomtls.dataset.encoding import (
    HEADER_LENGTH,
    UNDEFINED_LENGTH,
    Buffer,
    guess_transfer_syntax,
    has_vr,
    open_source,
    read_header,
)
from dicomtls.dataset.uids import (
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
    MEDIA_STORAGE_DIRECTORY,
    check_uid,
    text,
)
from dicomtls.errors import DataError, UsageError
from dicomtls.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicomtls.peer import check_ae_title
from dicomtls.uid import is_uid

PREAMBLE_LENGTH = 128
PREFIX = b"DICM"
_META_GROUP_NUMBER = 0x0002
META_GROUP = b"\2\0"
_META_TAGS = frozenset(
    {tags.MEDIA_STORAGE_SOP_CLASS_UID, tags.MEDIA_STORAGE_SOP_INSTANCE_UID, tags.TRANSFER_SYNTAX_UID}
)
_SOP_UIDS = frozenset({tags.SOP_CLASS_UID, tags.SOP_INSTANCE_UID})
# With an SOP instance UID in it, in ascending order, a dataset cannot begin higher; 0002 would be meta information.
_FIRST_GROUPS = (0x0004, 0x0008)


class FileMeta(NamedTuple):
    """What C-STORE must know of a file: what it holds, how that is encoded, and where it begins."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    dataset_offset: int
    """In bytes from the beginning of the file."""


class NotDICOM(DataError):
    """The file is something else altogether, or empty; any other `DataError` is about DICOM that is broken."""


_FOREIGN = "the file is not DICOM"


class HeadTooShort(DataError):
    """The beginning of the file that was given does not tell; `needed` bytes of it, or more, may.

    `needed` is more than was given and at most the file's size. A caller that reads no further lets this pass: it is
    an error about the file, too.
    """

    def __init__(self, given: int, needed: int) -> None:
        super().__init__(f"no SOP instance UID in the first {given} bytes of the file")
        self.needed = needed


def read_file_meta(head: Buffer, size: int) -> FileMeta:
    """Find what a DICOM file of `size` bytes holds from its beginning, `head`.

    Read are files as PS3.10 has them, such files without preamble or prefix, and bare datasets in any native encoding.
    Elements are believed, the group length is not. The SOP UIDs are those of the dataset, which C-STORE has to name;
    where it has none that is valid, or cannot be read, those of the meta information. A DICOMDIR is told by its SOP
    class. Whether the dataset is all there is not looked at.

    Raises `DataError` for a file that is empty, no DICOM, cut short in its meta information, without dataset or
    without valid UIDs; `HeadTooShort` where a longer head may tell.
    """
    meta, transfer_syntax, offset = locate_dataset(head, size)
    # A DICOMDIR has UIDs in its meta information only, and a dataset that may be longer than any head.
    is_directory = text(meta.get(tags.MEDIA_STORAGE_SOP_CLASS_UID, b"")) == MEDIA_STORAGE_DIRECTORY
    uids = {} if is_directory else _read_sop_uids(head, size, transfer_syntax, offset)
    sop_class = _better(uids.get(tags.SOP_CLASS_UID), meta.get(tags.MEDIA_STORAGE_SOP_CLASS_UID))
    sop_instance = _better(uids.get(tags.SOP_INSTANCE_UID), meta.get(tags.MEDIA_STORAGE_SOP_INSTANCE_UID))
    if not sop_instance:
        msg = "the file has no SOP instance UID"
        raise DataError(msg)
    if not sop_class:
        msg = "the file has no SOP class UID"
        raise DataError(msg)
    return FileMeta(
        check_uid(text(sop_class), "SOP class UID"),
        check_uid(text(sop_instance), "SOP instance UID"),
        transfer_syntax,
        offset,
    )


def _better(of_dataset: bytes | None, of_meta: bytes | None) -> bytes | None:
    """The dataset's, unless that of the meta information alone is a UID."""
    if of_dataset and of_meta and not is_uid(text(of_dataset)) and is_uid(text(of_meta)):
        return of_meta
    return of_dataset or of_meta


def locate_dataset(head: Buffer, size: int) -> tuple[dict[int, bytes], str, int]:
    """The UIDs of the meta information, the transfer syntax, and where the dataset begins.

    Raises as `read_file_meta` does.
    """
    start = _find_meta(head, size)
    meta, offset = _read_meta(head, size, start)
    if offset + HEADER_LENGTH > len(head):
        if not offset and size < HEADER_LENGTH:
            raise NotDICOM(_FOREIGN)
        _demand(head, size, offset + HEADER_LENGTH, "the file ends where its dataset should begin")
    given = meta.get(tags.TRANSFER_SYNTAX_UID)
    if given:
        return meta, check_uid(text(given), "transfer syntax UID"), offset
    guess = guess_transfer_syntax(head, offset)
    _check_first_element(head, size, guess, offset)
    return meta, guess, offset


def _find_meta(head: Buffer, size: int) -> int:
    if not size:
        msg = "the file is empty"
        raise NotDICOM(msg)
    if head[PREAMBLE_LENGTH : PREAMBLE_LENGTH + len(PREFIX)] == PREFIX:
        return PREAMBLE_LENGTH + len(PREFIX)
    if len(head) < min(size, PREAMBLE_LENGTH + len(PREFIX)):
        raise HeadTooShort(len(head), min(size, PREAMBLE_LENGTH + len(PREFIX)))
    return len(PREFIX) if head[: len(PREFIX)] == PREFIX else 0


def _read_meta(head: Buffer, size: int, position: int) -> tuple[dict[int, bytes], int]:
    """The elements of group 0002 from `position` on, and where they end: where another group begins."""
    explicit = has_vr(head, position)
    source = open_source(head, position, EXPLICIT_VR_LE if explicit else IMPLICIT_VR_LE)
    values: dict[int, bytes] = {}
    while head[position : position + 2] == META_GROUP:
        if position + HEADER_LENGTH > source.end:
            _demand(head, size, position + HEADER_LENGTH, _CUT_SHORT)
        tag, value, length = read_header(source, position)
        if length == UNDEFINED_LENGTH:
            msg = "the file meta information holds a value of undefined length"
            raise DataError(msg)
        position = value + length
        if position > source.end:
            _demand(head, size, position, _CUT_SHORT)
        if tag in _META_TAGS:
            values[tag] = bytes(head[value:position]).rstrip(PADDING)
    return values, position


_CUT_SHORT = "the file is cut short in its meta information"


def _demand(head: Buffer, size: int, needed: int, message: str) -> NoReturn:
    """Raise for a `head` that ends before `needed`: more of it may help, or the file itself ends there."""
    if needed > size or len(head) >= size:
        raise DataError(message)
    raise HeadTooShort(len(head), min(size, max(needed, 2 * len(head))))


def _check_first_element(head: Buffer, size: int, transfer_syntax: str, offset: int) -> None:
    """Raise unless a dataset whose encoding had to be guessed begins like one; nothing but this tells a bare one."""
    tag, value, length = read_header(open_source(head, offset, transfer_syntax), offset)
    is_bare = not offset
    too_long = length != UNDEFINED_LENGTH and value + length > size
    if tag >> 16 == _META_GROUP_NUMBER or (is_bare and (tag >> 16 not in _FIRST_GROUPS or too_long)):
        raise NotDICOM(_FOREIGN)


def _read_sop_uids(head: Buffer, size: int, transfer_syntax: str, offset: int) -> dict[int, bytes]:
    whole = len(head) >= size
    try:
        values, complete, reached = read_dataset(head, offset, transfer_syntax, _SOP_UIDS, whole=whole)
    except DataError:
        return {}
    if not complete and not whole and reached <= size:
        raise HeadTooShort(len(head), min(size, max(reached + HEADER_LENGTH, 2 * len(head))))
    return values


_EXPLICIT_SHORT = Struct("<HH2sH").pack
_EXPLICIT_LONG = Struct("<HH2sHL").pack
_VALUE_LENGTH = Struct("<H").pack
_GROUP_LENGTH = Struct("<L").pack
_SOP_INSTANCE_HEADER = b"\x02\x00\x03\x00UI"
_START = bytes(PREAMBLE_LENGTH) + PREFIX + _EXPLICIT_SHORT(2, 0, b"UL", 4)


def encode_file_meta(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax: str, source_ae_title: str | None = None
) -> bytes:
    """Preamble, prefix and file meta information of a file for this instance (PS3.10 section 7.1).

    Raises `DataError` for a UID or AE title that is none: they may come from a peer.
    """
    before, after, fixed_length = _template(sop_class_uid, transfer_syntax, source_ae_title)
    value = check_uid(sop_instance_uid, "SOP instance UID").encode("ascii")
    length = len(value)
    if length & 1:
        value += b"\0"
        length += 1
    return b"".join((_START, _GROUP_LENGTH(fixed_length + length), before, _VALUE_LENGTH(length), value, after))


@lru_cache(maxsize=256)
def _template(sop_class_uid: str, transfer_syntax: str, source_ae_title: str | None) -> tuple[bytes, bytes, int]:
    """What stands before the length of the SOP instance UID and behind its value, and the group length without it."""
    before = _EXPLICIT_LONG(2, 1, b"OB", 0, 2) + b"\x00\x01"
    before += _element(2, b"UI", check_uid(sop_class_uid, "SOP class UID"))
    before += _SOP_INSTANCE_HEADER
    after = _element(0x10, b"UI", check_uid(transfer_syntax, "transfer syntax UID"))
    after += _element(0x12, b"UI", IMPLEMENTATION_CLASS_UID)
    after += _element(0x13, b"SH", IMPLEMENTATION_VERSION_NAME)
    if source_ae_title is not None:
        after += _element(0x16, b"AE", _check_source(source_ae_title))
    return before, after, len(before) + 2 + len(after)


def _element(number: int, vr: bytes, content: str) -> bytes:
    value = content.encode("ascii")
    if len(value) & 1:
        value += b"\0" if vr == b"UI" else b" "
    return _EXPLICIT_SHORT(2, number, vr, len(value)) + value


def _check_source(ae_title: str) -> str:
    try:
        return check_ae_title(ae_title)
    except UsageError as exc:
        raise DataError(exc.message) from exc
