"""The progress bar of a transfer, or of many peers that are probed; on a terminal only."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from dicomtls.cli.output import Output

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn, TaskID

    from dicomtls.scu.suboperations import Counts

_QUIET_TIME = 0.5
"""Seconds before a bar appears: most transfers are over by then, and spared the 0.1 s that rich takes to load."""
_REDRAWS_PER_SECOND = 4
_ROOM_FOR_ALL = 60
"""Columns of a terminal in which every text of a bar has its place; in less it has only the bar and the count."""


class _LateBar(ABC):
    """A bar that appears when there has been something to wait for."""

    def __init__(self, output: Output) -> None:
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._appears = monotonic() + _QUIET_TIME if output.shows_progress else float("inf")

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.stop()

    @abstractmethod
    def _columns(self) -> "list[ProgressColumn]":
        """What stands in the line, from left to right: the bar, a count, and what there may be no room for."""

    def _draw(self, total: int | None, completed: int, **fields: int | str) -> None:
        """Show what was done of the total (None: not known), and what else the columns call `task.fields[NAME]`."""
        if self._bar is None and monotonic() >= self._appears:
            self._start(total, fields)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=total, completed=completed, **cast("Any", fields))

    def _start(self, total: int | None, fields: dict[str, int | str]) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        columns = self._columns()[: None if console.width >= _ROOM_FOR_ALL else 2]
        self._bar = Bar(*columns, console=console, refresh_per_second=_REDRAWS_PER_SECOND, transient=True)
        self._task = self._bar.add_task("", total=total, **cast("Any", fields))
        self._bar.start()


class SubOperationsProgress(_LateBar):
    """How many sub-operations of a retrieval have ended, as the peer counts them, or as they come."""

    def progress(self, counts: "Counts", received: int) -> None:
        """Something has changed."""
        failed = f"{counts.failed} failed" if counts.failed else ""
        done = max(counts.done, received)
        self._draw(counts.total, done, done=done, failed=failed)

    def _columns(self) -> "list[ProgressColumn]":
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

        return [
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[failed]}"),
        ]


class Progress(_LateBar):
    """What has been done of a transfer; call its methods as often as is convenient, they cost next to nothing."""

    def __init__(self, output: Output, *, instances: int, octets: int) -> None:
        super().__init__(output)
        self._instances = instances
        self._octets = octets
        self._done = 0
        self._done_octets = 0
        self._sent_octets = 0

    def advance(self, instances: int, octets: int) -> None:
        """Add what was done since the last call."""
        self._done += instances
        self._done_octets += octets
        self._redraw()

    def sending(self, octets: int) -> None:
        """Add what is on its way since the last call, before it is done or after."""
        self._sent_octets += octets
        self._redraw()

    def _redraw(self) -> None:
        # More was sent than there is where some of it was sent again.
        completed = max(self._done_octets, min(self._sent_octets, self._octets))
        self._draw(self._octets, completed, done=self._done, instances=self._instances)

    def _columns(self) -> "list[ProgressColumn]":
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

        return [
            BarColumn(),
            TextColumn("{task.fields[done]}/{task.fields[instances]}"),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
        ]


class PeerCount(_LateBar):
    """How many of several peers have been looked at, and how many of them failed.

    It appears by itself, since the first of them may keep us waiting.
    """

    def __init__(self, output: Output, *, peers: int) -> None:
        super().__init__(output)
        self._peers = peers
        self._done = 0
        self._failed = 0
        self._lock = Lock()
        self._timer: Timer | None = None
        if output.shows_progress and peers > 1:
            self._timer = Timer(_QUIET_TIME, self._show)
            self._timer.daemon = True
            self._timer.start()

    def advance(self, *, has_failed: bool) -> None:
        """Add one."""
        self._done += 1
        self._failed += has_failed
        if self._timer is not None:
            self._show()

    def close(self) -> None:
        """Take the bar off the terminal, and let none appear any more."""
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            super().close()
            self._appears = float("inf")

    def _show(self) -> None:
        with self._lock:
            self._draw(self._peers, self._done, failed=self._failed)

    def _columns(self) -> "list[ProgressColumn]":
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

        return [BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"), TimeElapsedColumn()]


@contextmanager
def progress(output: Output, *, instances: int, octets: int) -> Iterator[Progress]:
    """Show how much of so many instances and bytes has been done, for as long as the block lasts."""
    shown = Progress(output, instances=instances, octets=octets)
    try:
        yield shown
    finally:
        shown.close()


@contextmanager
def suboperations_progress(output: Output) -> Iterator[SubOperationsProgress]:
    """Show how far a retrieval has come, for as long as the block lasts."""
    shown = SubOperationsProgress(output)
    try:
        yield shown
    finally:
        shown.close()
