"""Breaking off a search for somebody who does not wait any more: in a database, or step by step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

_STEPS: Final = 10_000
"""Of SQLite's virtual machine, a millisecond or less, between two looks at the clock."""
ASK_EVERY: Final = 0.05
"""Seconds between two questions whether what is found is still wanted."""


class Patience:
    """Asks now and then whether a search is still wanted; `unwanted` may raise. Once it is over, it stays so."""

    def __init__(self, unwanted: Callable[[], bool] | None) -> None:
        self._unwanted = unwanted
        self._is_over = False
        self._due = monotonic() + ASK_EVERY

    def is_over(self, *, at_once: bool = False) -> bool:
        """Whether nobody wants it any more, asked `at_once` or when it is time; raises what `unwanted` raises."""
        if self._unwanted is not None and not self._is_over and (at_once or monotonic() >= self._due):
            self._is_over = self._unwanted()
            self._due = monotonic() + ASK_EVERY
        return self._is_over


@contextmanager
def watched(connection: "sqlite3.Connection", unwanted: Callable[[], bool] | None) -> Iterator[None]:
    """Within, `unwanted` is asked again and again while the database works; where it says so, the block just ends.

    Raises what `unwanted` raises.
    """
    import sqlite3

    if unwanted is None:
        yield
        return
    watch = _Watch(unwanted)
    connection.set_progress_handler(watch.look, _STEPS)
    try:
        yield
    except sqlite3.OperationalError:
        if watch.error is not None:
            raise watch.error from None
        if not watch.is_over:
            raise
    finally:
        connection.set_progress_handler(None, 0)


class _Watch:
    def __init__(self, unwanted: Callable[[], bool]) -> None:
        self.is_over = False
        self.error: BaseException | None = None
        self._patience = Patience(unwanted)

    def look(self) -> bool:
        """Whether SQLite is to break off: it asks, and what is raised here would be lost in it."""
        if not self.is_over:
            try:
                self.is_over = self._patience.is_over()
            except BaseException as error:  # noqa: BLE001 -- raised where the block ends
                self.error, self.is_over = error, True
        return self.is_over
