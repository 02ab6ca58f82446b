"""The progress bar of a transfer, or of many peers that are probed; on a terminal only."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from time import monotonic
from typing import TYPE_CHECKING

from dicomtls.cli.output import Output

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn, TaskID

_QUIET_TIME = 0.5
"""Seconds before a bar appears: most transfers are over by then, and spared the 0.1 s that rich takes to load."""
_REDRAWS_PER_SECOND = 4


class _LateBar(ABC):
    """A bar that appears when there has been something to wait for."""

    def __init__(self, output: Output, *, total: int) -> None:
        self._total = total
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._appears = monotonic() + _QUIET_TIME if output.shows_progress else float("inf")

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.stop()

    @abstractmethod
    def _columns(self) -> "list[ProgressColumn]":
        """What stands in the line, from left to right."""

    def _draw(self, completed: int, count: int) -> None:
        """Show what was done of the total, and a count beside it, which columns call `task.fields[count]`."""
        if self._bar is None and monotonic() >= self._appears:
            self._start()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=completed, count=count)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bar

        self._bar = Bar(
            *self._columns(), console=Console(stderr=True), refresh_per_second=_REDRAWS_PER_SECOND, transient=True
        )
        self._task = self._bar.add_task("", total=self._total, count=0)
        self._bar.start()


class Progress(_LateBar):
    """What has been done of a transfer; call its methods as often as is convenient, they cost next to nothing."""

    def __init__(self, output: Output, *, instances: int, octets: int) -> None:
        super().__init__(output, total=octets)
        self._instances = instances
        self._done = 0
        self._done_octets = 0
        self._sent_octets = 0

    def advance(self, instances: int, octets: int) -> None:
        """Add what was done since the last call."""
        self._done += instances
        self._done_octets += octets
        self._show()

    def sending(self, octets: int) -> None:
        """Add what is on its way since the last call, before it is done or after."""
        self._sent_octets += octets
        self._show()

    def _show(self) -> None:
        # More was sent than there is where some of it was sent again.
        self._draw(max(self._done_octets, min(self._sent_octets, self._total)), self._done)

    def _columns(self) -> "list[ProgressColumn]":
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

        return [
            BarColumn(),
            TextColumn(f"{{task.fields[count]}}/{self._instances}"),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
        ]


class PeerCount(_LateBar):
    """How many of several peers have been looked at, and how many of them failed.

    It appears by itself, since the first of them may keep us waiting.
    """

    def __init__(self, output: Output, *, peers: int) -> None:
        super().__init__(output, total=peers)
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
            self._draw(self._done, self._failed)

    def _columns(self) -> "list[ProgressColumn]":
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

        return [BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[count]} failed"), TimeElapsedColumn()]


@contextmanager
def progress(output: Output, *, instances: int, octets: int) -> Iterator[Progress]:
    """Show how much of so many instances and bytes has been done, for as long as the block lasts."""
    shown = Progress(output, instances=instances, octets=octets)
    try:
        yield shown
    finally:
        shown.close()
