"""What an index takes from a kept file: its UIDs, and the attributes of each level as text.

The head of the file is read, never the whole; its values are a peer's, and are cut, decoded and cleaned here.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from dicomtls.association.query import Level
from dicomtls.dataset import read_attributes, tags
from dicomtls.dataset.character_sets import CharacterSets, character_sets
from dicomtls.dataset.file_meta import FileMeta, HeadTooShort
from dicomtls.dataset.repeated import AttributeReader, FileMetaReader
from dicomtls.dataset.value_representations import TEXT
from dicomtls.errors import DataError
from dicomtls.files import open_flags
from dicomtls.scp.index_attributes import ATTRIBUTES, ORDER, READ_TAGS, Attribute, folded
from dicomtls.scp.patterns import fold_name
from dicomtls.scp.spans import plain_date, plain_time

_HEADS: Final = (16 << 10, 256 << 10, 2 << 20)
"""Bytes of the head to look at: a few, and more as long as they do not suffice."""
_LONGEST_VALUE: Final = 10_240
_MOST_READERS: Final = 32
_FLAGS: Final = open_flags("O_RDONLY", "O_CLOEXEC")


class KeptFile(NamedTuple):
    """What a file holds; `values` are the attributes as they are encoded."""

    meta: FileMeta
    values: Mapping[int, bytes]

    @property
    def sets(self) -> CharacterSets:
        """How its text is encoded."""
        return _sets(self.values.get(tags.SPECIFIC_CHARACTER_SET, b"")[:_LONGEST_VALUE])

    @property
    def branch(self) -> tuple[bytes, ...]:
        """The unique keys above the instance, as they are encoded, and how: what is alike here is of one series."""
        values = self.values
        return tuple(values.get(tag, b"") for tag in _BRANCH)

    def unique(self, level: Level) -> str:
        """The value of a level's unique key."""
        if level is Level.IMAGE:
            return self.meta.sop_instance_uid
        return self._text(ATTRIBUTES[level][0], self.sets)

    def columns(self, level: Level) -> tuple[str, ...]:
        """The texts of a level, in the order of `column_names`."""
        sets, values = self.sets, self.values
        found: list[str] = []
        for attribute, is_folded in _COLUMNS[level]:
            # What is not there is the most of it, and this is once for each instance.
            text = self._text(attribute, sets) if attribute.tag in values or attribute.tag in _OF_META else ""
            found.append(text)
            if is_folded:
                found.append(fold_name(text))
        return tuple(found)

    def _text(self, attribute: Attribute, sets: CharacterSets) -> str:
        if attribute.tag == tags.SOP_INSTANCE_UID:
            return self.meta.sop_instance_uid
        if attribute.tag == tags.SOP_CLASS_UID:
            return self.meta.sop_class_uid
        value = self.values.get(attribute.tag)
        return _text(attribute, value, sets) if value else ""


_BRANCH: Final = (tags.SPECIFIC_CHARACTER_SET, *(ATTRIBUTES[level][0].tag for level in ORDER[:-1]))
_COLUMNS: Final = {
    level: tuple((attribute, folded(attribute) is not None) for attribute in attributes)
    for level, attributes in ATTRIBUTES.items()
}
_OF_META: Final = frozenset((tags.SOP_INSTANCE_UID, tags.SOP_CLASS_UID))


@lru_cache(maxsize=64)
def _sets(value: bytes) -> CharacterSets:
    names = value.decode("ascii", "replace")
    return character_sets(tuple(name.strip() for name in names.split("\\"))) if names else character_sets(())


def column_names(level: Level) -> tuple[str, ...]:
    """The columns that `KeptFile.columns` fills."""
    names: list[str] = []
    for attribute in ATTRIBUTES[level]:
        names.append(attribute.keyword)
        names += filter(None, [folded(attribute)])
    return tuple(names)


def _text(attribute: Attribute, value: bytes, sets: CharacterSets) -> str:
    vr = attribute.vr
    text = sets.decode(value, is_name=vr == "PN") if vr in TEXT else _ascii(value)
    text = text[:_LONGEST_VALUE].replace("\0", "").strip()
    if vr == "DA":
        return plain_date(text)
    if vr == "TM":
        return plain_time(text)
    return "\\".join(part.strip() for part in text.split("\\")) if attribute.has_many else text


def _ascii(value: bytes) -> str:
    """Text that is to be in ASCII, and is afterwards."""
    return value.decode("ascii", "replace").replace("\ufffd", "?")


class KeptFileReader:
    """Reads kept files, the faster the more alike they are; for one thread."""

    def __init__(self) -> None:
        self._meta = FileMetaReader()
        self._readers: dict[str, AttributeReader] = {}

    def read(self, path: str) -> KeptFile:
        """Read the head of a file; raises `DataError` where it is no instance, `OSError`."""
        descriptor = os.open(path, _FLAGS)
        try:
            return self._read(descriptor)
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int) -> KeptFile:
        for limit in _HEADS:
            os.lseek(descriptor, 0, os.SEEK_SET)
            head = os.read(descriptor, limit)
            is_whole = len(head) < limit
            try:
                meta = self._meta.read(head, len(head) if is_whole else os.fstat(descriptor).st_size)
            except HeadTooShort:
                if is_whole or limit == _HEADS[-1]:
                    raise
                continue
            values = self._attributes(memoryview(head)[meta.dataset_offset :], meta, is_last=limit == _HEADS[-1])
            if values is not None or is_whole:
                return KeptFile(meta, values if values is not None else _all_there_is(head, meta))
        msg = "the file does not end where it should"
        raise DataError(msg)

    def _attributes(self, head: memoryview, meta: FileMeta, *, is_last: bool) -> Mapping[int, bytes] | None:
        """None where more of the file may tell more."""
        if meta.transfer_syntax not in self._readers:
            if len(self._readers) >= _MOST_READERS:
                self._readers.clear()
            self._readers[meta.transfer_syntax] = AttributeReader(meta.transfer_syntax, READ_TAGS)
        try:
            found = self._readers[meta.transfer_syntax].read(head)
        except DataError:
            return {} if is_last else None
        return found.values if found.complete or is_last else None


def _all_there_is(head: bytes, meta: FileMeta) -> Mapping[int, bytes]:
    try:
        dataset = memoryview(head)[meta.dataset_offset :]
        return read_attributes(dataset, meta.transfer_syntax, READ_TAGS, whole=True).values
    except DataError:  # kept all the same, and found by its UID
        return {}
