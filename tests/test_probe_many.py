"""dicomtls.probe.many: many pieces of work at once, and none of the same key."""

import sys
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.probe.many import affordable, each_once_at_a_time

PATIENCE = 20.0


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(0, 8))
def test_each_is_done_once_and_none_of_one_key_at_the_same_time(items: list[int], jobs: int) -> None:
    """Each item's place with its own result; the items of one key in their order."""
    running: Counter[int] = Counter()
    order: list[tuple[int, int]] = []
    lock = threading.Lock()
    numbered = list(enumerate(items))

    def work(item: tuple[int, int]) -> int:
        place, key = item
        with lock:
            running[key] += 1
            assert running[key] == 1
            order.append((key, place))
        with lock:
            running[key] -= 1
        return place * 2

    done = dict(each_once_at_a_time(numbered, work, key=lambda item: item[1], jobs=jobs))
    assert done == {place: place * 2 for place in range(len(items))}
    for key in set(items):
        places = [place for other, place in order if other == key]
        assert places == sorted(places)


def test_as_many_run_at_once_as_there_are_jobs() -> None:
    """They wait for each other, which would last for ever if they ran one after the other."""
    barrier = threading.Barrier(4)
    done = each_once_at_a_time(range(8), lambda _item: barrier.wait(PATIENCE), key=lambda item: item, jobs=4)
    assert len(list(done)) == 8


@pytest.mark.parametrize(
    ("limit", "jobs", "expected"),
    [(1024, 32, 32), (256, 500, 74), (36, 8, 1), (8, 8, 1), (8, 0, 0), (-1, 500, 500)],
)
def test_there_are_no_more_jobs_than_descriptors_for_them(
    monkeypatch: pytest.MonkeyPatch, limit: int, jobs: int, expected: int
) -> None:
    """256 is what macOS gives a process; -1 stands for any number."""
    monkeypatch.setattr("resource.getrlimit", lambda _which: (limit, limit))
    assert affordable(jobs) == expected


def test_jobs_are_not_limited_where_there_is_no_limit_to_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows."""
    monkeypatch.setitem(sys.modules, "resource", None)
    assert affordable(500) == 500


def test_nothing_new_is_begun_once_it_is_stopped() -> None:
    """What was begun is brought to its end, within a group of one key too."""
    stopped = threading.Event()

    def work(item: int) -> int:
        stopped.set()
        return item

    assert len(list(each_once_at_a_time(range(9), work, key=lambda _item: 1, jobs=3, is_stopped=stopped.is_set))) == 1
    assert list(each_once_at_a_time(range(9), work, key=lambda item: item, jobs=3, is_stopped=stopped.is_set)) == []


@pytest.mark.parametrize("error", [RuntimeError("a bug"), IndexError("another")])
def test_what_the_work_raises_is_raised(error: Exception) -> None:
    """A bug in a thread must not look like work that ended."""

    def work(_item: int) -> int:
        raise error

    with pytest.raises(type(error), match=str(error)):
        list(each_once_at_a_time([1], work, key=lambda item: item, jobs=1))
