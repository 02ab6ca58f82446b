"""Puts kept files into the tables, in transactions; for one thread."""

import errno
import os
from collections.abc import Iterable
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Final

from dicomtls.association.query import Level
from dicomtls.connection import TOO_MANY_FILES
from dicomtls.errors import DataError
from dicomtls.scp.index_attributes import ORDER, TABLES, UNIQUE_COLUMNS
from dicomtls.scp.kept_file import KeptFile, KeptFileReader, column_names
from dicomtls.scp.removal import Removal

if TYPE_CHECKING:
    import sqlite3

BATCH: Final = 500
"""Files in one transaction."""
_MOST_KNOWN: Final = 10_000
_LONGEST_BRANCH: Final = 1024
_FOR_NOW: Final = TOO_MANY_FILES | {errno.ENOMEM}
"""What says nothing of the file: it can be read when there are descriptors, or memory, again."""


def _insert(level: Level, *others: str) -> str:
    names = (*others, *column_names(level))
    return f"INSERT OR IGNORE INTO {TABLES[level]} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _select(level: Level, parent: str | None) -> str:
    of_parent = f" AND {parent} = ?" if parent else ""
    return f"SELECT id FROM {TABLES[level]} WHERE {UNIQUE_COLUMNS[level]} = ?{of_parent}"


_PARENTS: Final = {Level.PATIENT: None, Level.STUDY: "patient", Level.SERIES: "study"}
_SELECT: Final = {level: _select(level, parent) for level, parent in _PARENTS.items()}
_INSERT: Final = {level: _insert(level, *filter(None, [parent])) for level, parent in _PARENTS.items()}
_OF_INSTANCE: Final = ("series", "path", "transfer_syntax")
_INSERT_INSTANCE: Final = _insert(Level.IMAGE, *_OF_INSTANCE)
_UPDATE_INSTANCE: Final = (
    f"UPDATE instance SET {', '.join(f'{name} = ?' for name in (*_OF_INSTANCE, *column_names(Level.IMAGE)))}"
    " WHERE SOPInstanceUID = ?"
)
_SELECT_KNOWN: Final = "SELECT path, series FROM instance WHERE SOPInstanceUID = ?"


class IndexWriter:
    """Adds files by their paths below `root`; the first of a patient, study or series says what is known of it."""

    def __init__(self, connection: "sqlite3.Connection", root: str) -> None:
        self._connection = connection
        self._root = root
        self._reader = KeptFileReader()
        self._series: dict[tuple[bytes, ...], int] = {}
        self._version = 0

    def put_all(self, places: Iterable[str]) -> int:
        """Add files in one transaction; says how many could be read.

        Raises `sqlite3.Error`, and `OSError` where this machine lacks what it takes to read any; nothing is in then.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._forget_if_changed()
            count = sum(map(self._put, places))
            self._connection.execute("COMMIT")
        except BaseException:  # an interrupt too: half a transaction must not stay open
            self._series.clear()
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return count

    def _remember(self, branch: tuple[bytes, ...], series: int) -> None:
        """For the next of the same series; what a peer makes long is not held."""
        if sum(map(len, branch)) <= _LONGEST_BRANCH:
            if len(self._series) >= _MOST_KNOWN:
                self._series.clear()
            self._series[branch] = series

    def _forget_if_changed(self) -> None:
        """Numbers are known as long as nobody else writes: another process may have built all tables anew."""
        [version] = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._series.clear()
            self._version = version

    def _put(self, place: str) -> bool:
        try:
            kept = self._reader.read(f"{self._root}/{place}")
        except (OSError, DataError) as error:  # gone by now, or no instance: there is nothing to find
            if isinstance(error, OSError) and error.errno in _FOR_NOW:
                raise
            return False
        branch = kept.branch
        series = self._series.get(branch)
        if series is None:
            series = 0
            for level in ORDER[:-1]:
                series = self._entity(level, series, kept)
            self._remember(branch, series)
        values = (series, place, kept.meta.transfer_syntax, *kept.columns(Level.IMAGE))
        if not self._connection.execute(_INSERT_INSTANCE, values).rowcount:
            self._replace_lost(kept.meta.sop_instance_uid, place, values)
        return True

    def _entity(self, level: Level, parent: int, kept: KeptFile) -> int:
        """The number of the patient, study or series that a file belongs to."""
        unique = kept.unique(level)
        wanted = (unique,) if level is Level.PATIENT else (unique, parent)
        row = self._connection.execute(_SELECT[level], wanted).fetchone()
        if row is None:
            values = kept.columns(level) if level is Level.PATIENT else (parent, *kept.columns(level))
            row = (self._connection.execute(_INSERT[level], values).lastrowid,)
        return int(row[0])

    def _replace_lost(self, uid: str, place: str, values: tuple[object, ...]) -> None:
        """An instance that is known already: its place counts, unless there is nothing, or another file, any more."""
        [known, series] = self._connection.execute(_SELECT_KNOWN, (uid,)).fetchone()
        if known == place or not os.path.isfile(f"{self._root}/{known}"):  # noqa: PTH113 -- plain strings, as in `storage`
            self._connection.execute(_UPDATE_INSTANCE, (*values, uid))
            if series != values[0]:
                _drop_empty(self._connection, {series})
                self._series.clear()


def drop_removed(connection: "sqlite3.Connection", root: str, sop_instance_uids: Iterable[str]) -> int:
    """Take out instances whose files were removed, and what has none left above them; says how many instances.

    Raises `sqlite3.Error`, `OSError`.
    """
    removal = Removal(root)
    left, count = iter(sop_instance_uids), 0
    while batch := list(islice(left, BATCH)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            dropped = _drop_batch(connection, removal, batch)
            connection.execute("COMMIT")
            count += dropped
        finally:  # an interrupt too
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    return count


def _drop_batch(connection: "sqlite3.Connection", removal: Removal, uids: list[str]) -> int:
    emptied: set[int] = set()
    count = 0
    for uid in uids:
        row = connection.execute(_SELECT_KNOWN, (uid,)).fetchone()
        if row is not None and removal.is_of(row[0]):
            count += connection.execute("DELETE FROM instance WHERE SOPInstanceUID = ?", (uid,)).rowcount
            emptied.add(row[1])
    _drop_empty(connection, emptied)
    return count


def _drop_empty(connection: "sqlite3.Connection", numbers: set[int]) -> None:
    """Take out these series where they have no instance, and then what they were in."""
    for level, below in reversed(list(pairwise(ORDER))):
        table, child = TABLES[level], TABLES[below]
        above = _PARENTS[level]
        parents: set[int] = set()
        for number in numbers:
            if connection.execute(f"SELECT 1 FROM {child} WHERE {table} = ? LIMIT 1", (number,)).fetchone() is None:
                if above is not None:
                    row = connection.execute(f"SELECT {above} FROM {table} WHERE id = ?", (number,)).fetchone()
                    parents.update(row or ())
                connection.execute(f"DELETE FROM {table} WHERE id = ?", (number,))
        numbers = parents


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
