"""The index in SQLite, one hidden file beside the instances; made, migrated and mended from them by itself."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from dicomtls.dataset.identifier import Element
from dicomtls.errors import MachineError
from dicomtls.files import machine_errors
from dicomtls.scp import index_schema
from dicomtls.scp.events import Event, Listener, Severity
from dicomtls.scp.index import KeptInstance, Query
from dicomtls.scp.index_plan import Plan
from dicomtls.scp.index_writer import BATCH, IndexWriter, all_places, drop_removed
from dicomtls.scp.indexing import Indexing
from dicomtls.scp.journal import Journal, replay_abandoned
from dicomtls.scp.patience import watched
from dicomtls.scp.storage import StoredInstance

if TYPE_CHECKING:
    import sqlite3

_LOOK_UP: Final = (
    "SELECT path, SOPClassUID, SOPInstanceUID, transfer_syntax FROM instance"
    " WHERE SOPInstanceUID IN (SELECT value FROM json_each(?))"
)


class SQLiteIndex:
    """Finds what a folder keeps.

    What `add` took is found from then on, also by the next process after this one was killed. `durable` makes that true
    of a power failure, too. Any thread may call any method.
    """

    def __init__(
        self, directory: Path, *, durable: bool = False, reindex: bool = False, on_event: Listener | None = None
    ) -> None:
        """Open the index of a folder, or build it from the files where it is missing, damaged or of another schema.

        `reindex` builds it in any case. Raises `MachineError`.
        """
        self.path = directory / index_schema.FILE_NAME
        self._directory = directory
        self._root = str(directory)
        self._durable = durable
        self._on_event = on_event or _ignore
        with self._machine_errors():
            self._connection = self._open(reindex=reindex)
            self._writer = IndexWriter(self._connection, self._root)
            replay_abandoned(directory, self._put_lines)
        self._journal = Journal(directory, durable=durable)
        self._indexing = Indexing(self._journal, lambda: self._writer, self._mend)

    def add(self, stored: StoredInstance) -> None:
        """Take note of an instance that is kept; raises `MachineError` where the journal does not take it."""
        self._journal.append(stored.location[len(self._root) + 1 :])
        self._indexing.notice()

    def find(self, query: Query) -> Iterator[dict[int, Element]]:
        """Yield the matches as they are found: those keys that are known here, each with its values, or with none.

        Raises `MachineError`.
        """
        plan = Plan(query)
        for row in self._rows(plan, query.unwanted):
            yield plan.identifier(row)

    def instances(self, query: Query) -> Iterator[KeptInstance]:
        """Yield all instances below the matches, in the order in which they came; raises `MachineError`."""
        for row in self._rows(Plan(query, for_instances=True), query.unwanted):
            yield self._kept(*row[-4:])

    def look_up(self, sop_instance_uids: Sequence[str]) -> Iterator[KeptInstance]:
        """Yield those that are known; nothing is waited for: a retrieval asks while others send. `MachineError`."""
        with self._reading() as connection:
            rows = connection.execute(_LOOK_UP, (json.dumps(sop_instance_uids),)).fetchall()
        for row in rows:
            yield self._kept(*row)

    def drop_removed(self, sop_instance_uids: Sequence[str]) -> int:
        """Forget these instances as far as their files were removed, and what has none any more; says how many.

        Files on a disk that is not mounted may come back, and stay (`Removal`). What is received meanwhile is not
        lost: its file is there before its line is read. Raises `MachineError`.
        """
        with (
            self._machine_errors(),
            closing(index_schema.open_database(self.path, durable=self._durable, is_new=False)) as connection,
        ):
            return drop_removed(connection, self._root, sop_instance_uids)

    def _kept(self, path: str, *others: str) -> KeptInstance:
        return KeptInstance(f"{self._root}/{path}", *others)

    def close(self) -> None:
        """Bring in what the journal has, and close the files."""
        self._indexing.close()
        self._journal.close()
        self._connection.close()

    def _rows(self, plan: Plan, unwanted: Callable[[], bool] | None) -> "Iterator[sqlite3.Row]":
        """The rows of a plan, to their end, or until nobody wants them any more."""
        self._indexing.catch_up(unwanted)
        with self._reading() as connection, watched(connection, unwanted):
            yield from plan.rows(connection)

    @contextmanager
    def _reading(self) -> "Iterator[sqlite3.Connection]":
        import sqlite3

        with self._machine_errors():
            try:
                with closing(index_schema.open_reader(self.path)) as connection:
                    yield connection
            except sqlite3.Error as error:
                self._indexing.report(error)
                raise

    @contextmanager
    def _machine_errors(self) -> Iterator[None]:
        import sqlite3

        try:
            with machine_errors(self.path):
                yield
        except sqlite3.Error as error:
            msg = f"the index cannot be used: {self.path}: {error}"
            raise MachineError(msg, hints=(index_schema.hint(error, self.path),)) from error

    # Building

    def _open(self, *, reindex: bool) -> "sqlite3.Connection":
        import sqlite3

        try:
            connection = index_schema.open_database(self.path, durable=self._durable)
        except sqlite3.Error as error:
            if not index_schema.is_damage(error):
                raise
            return self._rebuild_aside(error)
        try:
            if reindex or not index_schema.is_whole(connection):
                self._rebuild(connection)
            else:
                index_schema.check(connection)
        except sqlite3.Error as error:
            connection.close()
            if not index_schema.is_damage(error):
                raise
            return self._rebuild_aside(error)
        return connection

    def _rebuild_aside(self, error: "sqlite3.Error") -> "sqlite3.Connection":
        """Keep what is damaged for whoever wants to look at it, and begin anew."""
        aside = index_schema.set_aside(self.path)
        facts = {"path": str(aside), "reason": str(error)}
        message = f"the index was damaged, and is now {aside}: {error}"
        self._on_event(Event("index-damaged", message, Severity.WARNING, facts=facts))
        connection = index_schema.open_database(self.path, durable=self._durable)
        self._rebuild(connection)
        return connection

    def _rebuild(self, connection: "sqlite3.Connection") -> None:
        started = monotonic()
        index_schema.make_tables(connection)
        count = _put_all(IndexWriter(connection, self._root), all_places(self._root))
        index_schema.mark_whole(connection)
        if count:
            seconds = monotonic() - started
            facts = {"instances": count, "seconds": round(seconds, 3)}
            self._on_event(Event("indexed", f"{count} instances indexed in {seconds:.1f} s", facts=facts))

    def _put_lines(self, lines: Iterable[str]) -> None:
        _put_all(self._writer, lines)

    def _mend(self, error: "sqlite3.Error") -> None:
        """What the indexing thread does about an error: build anew what is damaged, and tell of everything else."""
        if not index_schema.is_damage(error):
            self._on_event(Event("index-failed", f"the index takes nothing: {error}", Severity.ERROR))
            return
        import sqlite3

        try:
            self._connection.close()
            self._connection = self._rebuild_aside(error)
            self._writer = IndexWriter(self._connection, self._root)
        except (sqlite3.Error, OSError) as failure:
            self._on_event(Event("index-failed", f"the index cannot be built: {failure}", Severity.ERROR))


def _put_all(writer: IndexWriter, places: Iterable[str]) -> int:
    left, count = iter(places), 0
    while batch := list(islice(left, BATCH)):
        count += writer.put_all(batch)
    return count


def _ignore(event: Event) -> None:
    """Nobody wants to know."""
