"""The tables of the index. All that is in them can be read from the files again: another schema means a rebuild.

`PRAGMA user_version` is set last, when all files have been read: without it an index is not whole.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from dicomtls.association.query import Level
from dicomtls.scp.index_attributes import TABLES
from dicomtls.scp.kept_file import column_names

if TYPE_CHECKING:
    import sqlite3

FILE_NAME: Final = ".dicomtls-index.sqlite"
SCHEMA_VERSION: Final = 1
_BUSY_SECONDS: Final = 30.0
_DAMAGED: Final = frozenset((1, 11, 26))
"""SQLITE_ERROR (a table is missing), SQLITE_CORRUPT and SQLITE_NOTADB: what a whole index never says."""

_CANNOT_WRITE: Final = "let us write in the folder, or keep no index with --no-index"
_HINTS: Final = {
    3: _CANNOT_WRITE,
    8: _CANNOT_WRITE,
    13: "make room on the disk, or keep no index with --no-index",
    14: _CANNOT_WRITE,
}
"""By what SQLite says: SQLITE_PERM, SQLITE_READONLY, SQLITE_FULL and SQLITE_CANTOPEN."""

_COLUMNS: Final = {
    Level.PATIENT: "",
    Level.STUDY: "patient INTEGER NOT NULL,",
    Level.SERIES: "study INTEGER NOT NULL,",
    Level.IMAGE: "series INTEGER NOT NULL, path TEXT NOT NULL, transfer_syntax TEXT NOT NULL,",
}
_INDEXES: Final = (
    "CREATE UNIQUE INDEX patient_unique ON patient(PatientID)",
    "CREATE UNIQUE INDEX study_unique ON study(StudyInstanceUID, patient)",
    "CREATE INDEX study_parent ON study(patient)",
    "CREATE INDEX study_date ON study(StudyDate)",
    "CREATE INDEX study_accession ON study(AccessionNumber)",
    "CREATE UNIQUE INDEX series_unique ON series(SeriesInstanceUID, study)",
    "CREATE INDEX series_parent ON series(study)",
    "CREATE UNIQUE INDEX instance_unique ON instance(SOPInstanceUID)",
    "CREATE INDEX instance_parent ON instance(series)",
)


def open_database(path: Path, *, durable: bool = False, is_new: bool = True) -> "sqlite3.Connection":
    """Open the database for one thread at a time; where it is missing, it is made if it `is_new`.

    Raises `sqlite3.Error`.
    """
    import sqlite3

    connection = sqlite3.connect(
        _address(path, "rwc" if is_new else "rw"),
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    except BaseException:  # an interrupt too: nobody else knows the connection
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> "sqlite3.Connection":
    """Open the database for queries only; raises `sqlite3.Error`, also where there is none."""
    import sqlite3

    connection = sqlite3.connect(_address(path, "rw"), uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)
    try:
        connection.execute("PRAGMA query_only = 1")
    except BaseException:  # an interrupt too: nobody else knows the connection
        connection.close()
        raise
    return connection


def _address(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def is_whole(connection: "sqlite3.Connection") -> bool:
    """Whether the index is of this schema and was built to its end."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0]) == SCHEMA_VERSION


def make_tables(connection: "sqlite3.Connection") -> None:
    """Make all tables anew, empty; whatever was there goes."""
    connection.execute("PRAGMA user_version = 0")
    connection.execute("BEGIN IMMEDIATE")
    for level, table in TABLES.items():
        columns = ", ".join(f"{name} TEXT NOT NULL" for name in column_names(level))
        connection.execute(f"DROP TABLE IF EXISTS {table}")
        connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, {_COLUMNS[level]} {columns})")
    for statement in _INDEXES:
        connection.execute(statement)
    connection.execute("COMMIT")


def mark_whole(connection: "sqlite3.Connection") -> None:
    """All files are in."""
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def is_damage(error: "sqlite3.Error") -> bool:
    """Whether an error says that the file is not what it should be; else the disk, or another process, is the cause."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED


def hint(error: "sqlite3.Error", path: Path) -> str:
    """What to do about an error of the database at `path`: only a damaged index is better for being built anew."""
    if path.is_dir():
        return f"a folder stands in the place of the index: move {path.name} away, or keep no index with --no-index"
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    return _HINTS.get(code, "build it from the files with --reindex")


def set_aside(path: Path) -> Path:
    """Rename a damaged database, with what belongs to it; returns its new name. Raises `OSError`."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
    path.replace(aside)
    return aside


def check(connection: "sqlite3.Connection") -> None:
    """Look at the pages of each table's root; raises `sqlite3.Error`. What lies deeper shows when it is used."""
    for table in TABLES.values():
        connection.execute(f"SELECT * FROM {table} ORDER BY id DESC LIMIT 1").fetchone()
