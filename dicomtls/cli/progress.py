"""The progress bar of a transfer, on a terminal only."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from dicomtls.cli.output import Output

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_QUIET_TIME = 0.5
"""Seconds before a bar appears: most transfers are over by then, and spared the 0.1 s that rich takes to load."""
_REDRAWS_PER_SECOND = 4


class Progress:
    """What has been done of a transfer; call its methods as often as is convenient, they cost next to nothing."""

    def __init__(self, output: Output, *, instances: int, octets: int) -> None:
        self._instances = instances
        self._octets = octets
        self._done = 0
        self._done_octets = 0
        self._sent_octets = 0
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._appears = monotonic() + _QUIET_TIME if output.shows_progress else float("inf")

    def advance(self, instances: int, octets: int) -> None:
        """Add what was done since the last call."""
        self._done += instances
        self._done_octets += octets
        self._draw()

    def sending(self, octets: int) -> None:
        """Add what is on its way since the last call, before it is done or after."""
        self._sent_octets += octets
        self._draw()

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.stop()

    def _draw(self) -> None:
        if self._bar is None and monotonic() >= self._appears:
            self._start()
        if self._bar is not None and self._task is not None:
            # More was sent than there is where some of it was sent again.
            completed = max(self._done_octets, min(self._sent_octets, self._octets))
            self._bar.update(self._task, completed=completed, done=self._done)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            BarColumn(),
            TextColumn("{task.fields[done]}/{task.fields[instances]}"),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            refresh_per_second=_REDRAWS_PER_SECOND,
            transient=True,
        )
        self._task = self._bar.add_task("", total=self._octets, done=0, instances=self._instances)
        self._bar.start()


@contextmanager
def progress(output: Output, *, instances: int, octets: int) -> Iterator[Progress]:
    """Show how much of so many instances and bytes has been done, for as long as the block lasts."""
    shown = Progress(output, instances=instances, octets=octets)
    try:
        yield shown
    finally:
        shown.close()
