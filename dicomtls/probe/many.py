"""Many targets at once, each of them once at a time."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each_once_at_a_time(
    items: Sequence[_Item],
    work: Callable[[_Item], _Result],
    *,
    key: Callable[[_Item], Hashable],
    jobs: int,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[int, _Result]]:
    """Do the work for all items in `jobs` threads; yield the place of an item and its result as they come.

    There is one thread at least, and none more than there are descriptors for. Items of the same key are worked on one
    after the other, in their order. Once `is_stopped`, nothing new is begun. What the work raises, which it should not,
    is raised here. The threads are left behind where the iteration is given up.
    """
    groups: dict[Hashable, list[int]] = {}
    for place, item in enumerate(items):
        groups.setdefault(key(item), []).append(place)
    waiting = deque(groups.values())
    results: queue.SimpleQueue[tuple[int, _Result] | BaseException | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            for place in _until(is_stopped, waiting):
                results.put((place, work(items[place])))
        except BaseException as error:  # noqa: BLE001 -- raised again where somebody looks
            results.put(error)
        finally:
            results.put(None)

    running = min(max(affordable(jobs), 1), len(groups))
    for number in range(running):
        threading.Thread(target=run, name=f"probe {number}", daemon=True).start()
    while running:
        result = results.get()
        if isinstance(result, BaseException):
            raise result
        if result is None:
            running -= 1
        else:
            yield result


def affordable(jobs: int) -> int:
    """As many of these jobs as this process may open files for: a run ends where it cannot even import a module."""
    try:
        from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
    except ImportError:  # Windows, where sockets do not count as files
        return jobs
    most, _ = getrlimit(RLIMIT_NOFILE)
    return jobs if most == RLIM_INFINITY else min(jobs, max(1, (most - _KEPT_FILES) // _FILES_OF_A_JOB))


_KEPT_FILES: Final = 32
"""Descriptors for everything else: the streams, the files of the settings, modules."""
_FILES_OF_A_JOB: Final = 3
"""A connection, and the two ends that a look-up of a name wakes its waiter with."""


def _until(is_stopped: Callable[[], bool], waiting: deque[list[int]]) -> Iterator[int]:
    """What one thread does, one after the other."""
    while waiting and not is_stopped():
        try:
            group = waiting.popleft()
        except IndexError:  # another thread took the last one
            return
        for place in group:
            if is_stopped():
                return
            yield place
