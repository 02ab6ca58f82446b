"""What `store` has done so far; the account of a run that is broken off is in test_cli_store."""

import threading

from dicomtls.cli.output import Output
from dicomtls.cli.progress import Progress
from dicomtls.cli.store_tally import Tally
from dicomtls.errors import Interrupted
from dicomtls.scu.instances import Instance

INSTANCES = [Instance(f"{number}.dcm", "1.2.3", f"2.25.{number}", "1.2.4", 100, 1100) for number in range(400)]


class CountingBar(Progress):
    """A bar that nobody sees."""

    def __init__(self) -> None:
        super().__init__(Output("store", quiet=True), instances=len(INSTANCES), octets=0)
        self.calls: list[tuple[int, int]] = []
        self.moved: list[int] = []

    def advance(self, instances: int, octets: int) -> None:
        """Remember it."""
        self.calls.append((instances, octets))

    def sending(self, octets: int) -> None:
        """Remember it."""
        self.moved.append(octets)


def test_bar_moves_by_the_dataset_of_each_instance() -> None:
    """Whatever became of it, and from however many threads."""
    bar = CountingBar()
    tally = Tally(bar)

    def settle(some: list[Instance]) -> None:
        for instance in some:
            tally.done(instance, None)

    threads = [threading.Thread(target=settle, args=(INSTANCES[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bar.calls == [(1, 1000)] * len(INSTANCES)
    assert tally.broken_off(INSTANCES, Interrupted()).sent == len(INSTANCES)


def test_bar_hears_of_what_is_on_its_way() -> None:
    """So that one large instance shows that something happens."""
    bar = CountingBar()
    Tally(bar).sending(1 << 20)
    assert bar.moved == [1 << 20]


def test_file_that_is_named_twice_counts_twice() -> None:
    """It is sent twice too."""
    one, same = (Instance("a.dcm", "1.2.3", "2.25.1", "1.2.4", 100, 1100) for _ in range(2))
    tally = Tally(CountingBar())
    tally.done(one, None)
    result = tally.broken_off([one, same], Interrupted())
    assert (result.sent, [report.path for report in result.failed]) == (1, ["a.dcm"])
