"""Puts kept files into the tables, in transactions; for one thread."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from dicomtls.association.query import Level
from dicomtls.errors import DataError
from dicomtls.scp.index_attributes import ORDER, TABLES, UNIQUE_COLUMNS
from dicomtls.scp.kept_file import KeptFile, KeptFileReader, column_names

if TYPE_CHECKING:
    import sqlite3

BATCH: Final = 500
"""Files in one transaction."""
_MOST_KNOWN: Final = 10_000


def _insert(level: Level, *others: str) -> str:
    names = (*others, *column_names(level))
    return f"INSERT OR IGNORE INTO {TABLES[level]} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _select(level: Level, parent: str | None) -> str:
    of_parent = f" AND {parent} = ?" if parent else ""
    return f"SELECT id FROM {TABLES[level]} WHERE {UNIQUE_COLUMNS[level]} = ?{of_parent}"


_PARENTS: Final = {Level.PATIENT: None, Level.STUDY: "patient", Level.SERIES: "study"}
_SELECT: Final = {level: _select(level, parent) for level, parent in _PARENTS.items()}
_INSERT: Final = {level: _insert(level, *filter(None, [parent])) for level, parent in _PARENTS.items()}
_INSERT_INSTANCE: Final = _insert(Level.IMAGE, "series", "path", "transfer_syntax")


class IndexWriter:
    """Adds files by their paths below `root`; the first of a patient, study or series says what is known of it."""

    def __init__(self, connection: "sqlite3.Connection", root: str) -> None:
        self._connection = connection
        self._root = root
        self._reader = KeptFileReader()
        self._known: dict[tuple[Level, int, str], int] = {}

    def put_all(self, places: Iterable[str]) -> int:
        """Add files in one transaction; says how many could be read. Raises `sqlite3.Error`, and nothing is in then."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            count = sum(map(self._put, places))
            self._connection.execute("COMMIT")
        except BaseException:  # an interrupt too: half a transaction must not stay open
            self._known.clear()
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return count

    def _put(self, place: str) -> bool:
        try:
            kept = self._reader.read(f"{self._root}/{place}")
        except (OSError, DataError):  # gone by now, or no instance: there is nothing to find
            return False
        parent = 0
        for level in ORDER[:-1]:
            parent = self._entity(level, parent, kept)
        values = (parent, place, kept.meta.transfer_syntax, *kept.columns(Level.IMAGE))
        if not self._connection.execute(_INSERT_INSTANCE, values).rowcount:
            self._replace_lost(kept.meta.sop_instance_uid, place, parent, kept.meta.transfer_syntax)
        return True

    def _entity(self, level: Level, parent: int, kept: KeptFile) -> int:
        """The number of the patient, study or series that a file belongs to."""
        key = (level, parent, kept.unique(level))
        found = self._known.get(key)
        if found is not None:
            return found
        wanted = key[2:] if level is Level.PATIENT else (key[2], parent)
        row = self._connection.execute(_SELECT[level], wanted).fetchone()
        if row is None:
            values = kept.columns(level) if level is Level.PATIENT else (parent, *kept.columns(level))
            row = (self._connection.execute(_INSERT[level], values).lastrowid,)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        number = self._known[key] = int(row[0])
        return number

    def _replace_lost(self, uid: str, place: str, series: int, transfer_syntax: str) -> None:
        """An instance that is known already: its place counts, unless there is nothing any more."""
        select = "SELECT path FROM instance WHERE SOPInstanceUID = ?"
        [known] = self._connection.execute(select, (uid,)).fetchone()
        if known != place and not os.path.isfile(f"{self._root}/{known}"):  # noqa: PTH113 -- plain strings, as in `storage`
            update = "UPDATE instance SET path = ?, series = ?, transfer_syntax = ? WHERE SOPInstanceUID = ?"
            self._connection.execute(update, (place, series, transfer_syntax, uid))


def all_places(root: str) -> Iterable[str]:
    """The paths below `root` of all files that may be kept instances, in an order that stays."""
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(f"{root}/{folder}"), key=lambda entry: entry.name)
        except OSError:  # gone, or another user's
            continue
        inner: list[str] = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                inner.append(f"{folder}{entry.name}/")
            elif entry.name.endswith(".dcm") and entry.is_file(follow_symlinks=False):
                yield f"{folder}{entry.name}"
        folders += reversed(inner)
