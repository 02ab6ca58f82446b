"""Breaking off a database: a query without end ends when nobody wants it any more."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from dicomtls.errors import AssociationAborted
from dicomtls.scp.patience import watched

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A database in memory."""
    with closing(sqlite3.connect(":memory:")) as made:
        yield made


def answers(values: str) -> Callable[[], bool]:
    """Says no, or yes, one after the other."""
    left = iter(values)
    return lambda: next(left) == "y"


def test_query_ends_when_nobody_wants_it(connection: sqlite3.Connection) -> None:
    """Asked again as long as somebody does; the connection is as good as before."""
    with watched(connection, answers("nny")):
        connection.execute(ENDLESS).fetchone()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_what_is_raised_while_it_is_asked_is_raised_where_it_ends(connection: sqlite3.Connection) -> None:
    """A peer that aborts, a server that stops."""

    def aborted() -> bool:
        raise AssociationAborted("gone")  # noqa: EM101 -- no message for people

    with pytest.raises(AssociationAborted, match="gone"), watched(connection, aborted):
        connection.execute(ENDLESS).fetchone()


@pytest.mark.parametrize("unwanted", [None, answers("n")])
def test_errors_of_the_database_are_its_own(
    connection: sqlite3.Connection, unwanted: Callable[[], bool] | None
) -> None:
    """Whether anybody is asked or not."""
    with pytest.raises(sqlite3.OperationalError, match="no such table"), watched(connection, unwanted):
        connection.execute("SELECT * FROM nowhere")
