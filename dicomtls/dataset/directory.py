"""The files that a DICOMDIR lists (PS3.3 annex F, PS3.10 section 8.6)."""

import re
from collections.abc import Iterator

from dicomtls.dataset import tags
from dicomtls.dataset.elements import scan, want
from dicomtls.dataset.encoding import HEADER_LENGTH, UNDEFINED_LENGTH, Source, open_source, read_header
from dicomtls.dataset.file_meta import locate_dataset
from dicomtls.dataset.uids import is_deflated
from dicomtls.errors import DataError

_TO_SEQUENCE = want(frozenset(), tags.DIRECTORY_RECORD_SEQUENCE)
_RECORD = want(frozenset({tags.RECORD_IN_USE_FLAG, tags.REFERENCED_FILE_ID}), tags.ITEM_DELIMITATION_ITEM)
# 0000H is all padding to `scan`; in use is FFFFH, in either byte order.
_INACTIVE = b""

# More than PS3.10 section 8.5 allows, as discs are; never a separator, a drive, a control character, `.` or `..`.
_COMPONENT = re.compile(r"(?=.*[^. ])[^\\/:\x00-\x1f\x7f-\U0010ffff]+")


def read_directory(data: bytes) -> list[tuple[str, ...]]:
    """The components of the Referenced File ID of every record in use, in the order of the records.

    `data` is the whole DICOMDIR. Each component is one plain name in printable ASCII, so that joined to the folder of
    the DICOMDIR they stay below it. A file ID that is anything else (`..`, empty, with a separator, a drive letter or
    a control character) raises `DataError` for the whole directory, as one that is cut short does: leaving out a
    file that the disc was to hold would go unnoticed.
    """
    source, position, delimited = _find_records(data)
    return [_split(file_id) for file_id in _file_ids(source, position, delimited=delimited)]


def _find_records(data: bytes) -> tuple[Source, int, bool]:
    """The Directory Record Sequence: its bytes, where its first item begins, and whether a delimiter has to end it."""
    _, transfer_syntax, offset = locate_dataset(data, len(data))
    if is_deflated(transfer_syntax):
        msg = "a DICOMDIR cannot be deflated"
        raise DataError(msg)
    source = open_source(data, offset, transfer_syntax)
    position = scan(source, offset, _TO_SEQUENCE, {})
    if position + HEADER_LENGTH > source.end:
        msg = "no directory record sequence: the file is no DICOMDIR, or cut short"
        raise DataError(msg)
    tag, value, length = read_header(source, position)
    if tag != tags.DIRECTORY_RECORD_SEQUENCE:
        msg = "no directory record sequence: the file is no DICOMDIR"
        raise DataError(msg)
    if length == UNDEFINED_LENGTH:
        return source, value, True
    if value + length > source.end:
        raise DataError(_CUT_SHORT)
    return source._replace(end=value + length), value, False


def _file_ids(source: Source, position: int, *, delimited: bool) -> Iterator[bytes]:
    """The Referenced File ID of each item that has one and is in use."""
    while delimited or position != source.end:
        if position + HEADER_LENGTH > source.end:
            raise DataError(_CUT_SHORT)
        tag, value, length = read_header(source, position)
        if tag == tags.SEQUENCE_DELIMITATION_ITEM:
            return
        if tag != tags.ITEM:
            msg = "the directory record sequence holds something else than items"
            raise DataError(msg)
        values, position = _read_record(source, value, length)
        file_id = values.get(tags.REFERENCED_FILE_ID)
        if file_id and values.get(tags.RECORD_IN_USE_FLAG) != _INACTIVE:
            yield file_id


def _read_record(source: Source, value: int, length: int) -> tuple[dict[int, bytes], int]:
    """The values of one record, and where the next one begins."""
    values: dict[int, bytes] = {}
    if length == UNDEFINED_LENGTH:
        position = scan(source, value, _RECORD, values)
        if position + HEADER_LENGTH > source.end or read_header(source, position)[0] != tags.ITEM_DELIMITATION_ITEM:
            raise DataError(_CUT_SHORT)
        return values, position + HEADER_LENGTH
    # Directories edited by hand have a last record that claims more than the sequence, which is all there, holds.
    end = min(source.end, value + length)
    if scan(source._replace(end=end), value, _RECORD, values) != end:
        raise DataError(_CUT_SHORT)
    return values, end


_CUT_SHORT = "the directory record sequence is cut short"


def _split(file_id: bytes) -> tuple[str, ...]:
    components = tuple(part.decode("ascii", "replace").strip(" \0") for part in file_id.split(b"\\"))
    for component in components:
        if not _COMPONENT.fullmatch(component):
            msg = f"the DICOMDIR names a file by what is no file name: {component!a}"
            raise DataError(msg)
    return components
