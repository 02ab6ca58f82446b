"""A worklist from files in a folder: every file is one scheduled procedure step, looked at anew when it has changed.

Files are DICOM files, or bare datasets; what cannot be read is told of once and passed over. Matching is that of
PS3.4 annex K, with the keys of sequences item by item.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from dicomtls.dataset import tags
from dicomtls.dataset.encoding import guess_transfer_syntax
from dicomtls.dataset.file_meta import NotDICOM, locate_dataset
from dicomtls.dataset.identifier import Element, Identifier, Value, decode
from dicomtls.dataset.value_representations import SEQUENCE
from dicomtls.errors import DataError
from dicomtls.files import machine_errors
from dicomtls.scp.events import Event, Listener, Severity
from dicomtls.scp.index import Query
from dicomtls.scp.matching import Items, criteria, criterion, identifier_matches
from dicomtls.scp.patience import ASK_EVERY, Patience

_LONGEST_FILE: Final = 1 << 20
_SCHEDULED_STEPS: Final = 0x00400100


class _Version(NamedTuple):
    """What becomes another where a file is replaced or written to, whatever time it is then given."""

    size: int
    modified: int
    changed: int
    number: int


class _Known(NamedTuple):
    """A file as it was read; `item` is None where it cannot be."""

    version: _Version | None
    item: Identifier | None


class Worklist:
    """Finds in the files of a folder; any thread may ask."""

    def __init__(self, directory: Path, *, on_event: Listener) -> None:
        self._directory = directory
        self._on_event = on_event
        self._known: dict[str, _Known] = {}
        self._guard = threading.Lock()

    def find(self, query: Query) -> Iterator[dict[int, Element]]:
        """Yield the matches, each with the attributes that were asked for; raises `MachineError`."""
        wanted = criteria(query.keys, fuzzy=query.fuzzy, date_time=query.date_time)
        patience = Patience(query.unwanted)
        for item in self._items(patience):
            if patience.is_over():
                return
            if identifier_matches(wanted, item):
                yield _shown(query.keys, item, query)

    def _items(self, patience: Patience) -> list[Identifier]:
        """All items, or those that could be read before nobody wanted them any more."""
        while not self._guard.acquire(timeout=ASK_EVERY):  # another association reads the folder
            if patience.is_over():
                return []
        try:
            return self._read_all(patience)
        finally:
            self._guard.release()

    def _read_all(self, patience: Patience) -> list[Identifier]:
        with machine_errors(self._directory), os.scandir(self._directory) as entries:
            names = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda one: one.name)
        found: dict[str, _Known] = {}
        for entry in names:
            if patience.is_over():
                self._known |= found  # the next one need not read these again
                break
            if entry.is_file():
                found[entry.name] = self._look_at(entry)
        else:
            self._known = found
        return [known.item for known in found.values() if known.item is not None]

    def _look_at(self, entry: "os.DirEntry[str]") -> _Known:
        version = None
        try:
            version = _version(entry.stat())
            known = self._known.get(entry.name)
            if known is not None and known.version == version:
                return known
            return _Known(version, _read(Path(entry.path)))
        except (OSError, DataError) as error:
            reason = error.message if isinstance(error, DataError) else (error.strerror or str(error)).lower()
            message = f"no worklist item: {entry.path}: {reason}"
            facts = {"path": entry.path, "reason": reason}
            self._on_event(Event("worklist-file-skipped", message, Severity.WARNING, facts=facts))
            return _Known(version, None)


def _version(status: os.stat_result) -> _Version:
    return _Version(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _read(path: Path) -> Identifier:
    with path.open("rb") as file:
        data = file.read(_LONGEST_FILE + 1)
    if len(data) > _LONGEST_FILE:
        msg = f"the file has more than {_LONGEST_FILE} bytes"
        raise DataError(msg)
    try:
        _, transfer_syntax, offset = locate_dataset(data, len(data))
    except NotDICOM:
        if (item := _read_bare(data)) is not None:
            return item
        raise
    return decode(memoryview(data)[offset:], transfer_syntax)


def _read_bare(data: bytes) -> Identifier | None:
    """A dataset that does not begin as instances do: items need nothing of group 0008."""
    with suppress(DataError):
        item = decode(data, guess_transfer_syntax(data, 0))
        if _SCHEDULED_STEPS in item:
            return item
    return None


def _shown(keys: Identifier, item: Mapping[int, Element], query: Query) -> dict[int, Element]:
    """What was asked for; attributes that the item does not have are empty."""
    return {tag: _value(key, item.get(tag), query) for tag, key in keys.items() if tag != tags.SPECIFIC_CHARACTER_SET}


def _value(key: Element, found: Element | None, query: Query) -> Element:
    if found is None:
        return Element(key.vr)
    inner = [one for one in key.values if isinstance(one, Mapping)]
    if found.vr != SEQUENCE or not inner or not any(inner):
        return found
    wanted = criterion(key, fuzzy=query.fuzzy, date_time=query.date_time)
    shown: tuple[Value, ...] = tuple(
        _shown({tag: one for part in inner for tag, one in part.items()}, item, query)
        for item in found.values
        if isinstance(item, Mapping) and (not isinstance(wanted, Items) or wanted.matches_item(item))
    )
    return Element(SEQUENCE, shown)
