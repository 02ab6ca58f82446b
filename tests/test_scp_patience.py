"""Breaking off a search: a query without end ends when nobody wants it any more."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from dicomtls.errors import AssociationAborted
from dicomtls.scp.patience import Patience, watched

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


def test_patience_asks_now_and_then_and_is_over_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at each step; and nobody is asked again who has said that it is over."""
    asked: list[int] = []

    def unwanted() -> bool:
        asked.append(1)
        return len(asked) == 3

    assert not any(Patience(unwanted).is_over() for _ in range(100))  # within a few microseconds
    assert asked == []
    monkeypatch.setattr("dicomtls.scp.patience.ASK_EVERY", 0.0)
    patience = Patience(unwanted)
    assert [patience.is_over() for _ in range(5)] == [False, False, True, True, True]
    assert len(asked) == 3
    assert not Patience(None).is_over()
