"""The books of one `store`: what is to be sent, and what became of it."""

import threading

import pytest

from dicomtls.errors import AssociationAborted, NetworkError
from dicomtls.scu.instances import Instance
from dicomtls.scu.ledger import InstanceReport, Ledger
from tests.support.receivers import Watcher


def make(count: int) -> list[Instance]:
    """Instances that are nowhere."""
    return [Instance(f"/{number}", "1.2", f"1.2.{number}", "1.2.840.10008.1.2", 100, 300) for number in range(count)]


def opened(instances: list[Instance], *, stop_on_error: bool = False, observer: Watcher | None = None) -> Ledger:
    """A ledger with these to send."""
    ledger = Ledger(observer, stop_on_error=stop_on_error)
    ledger.open(instances)
    ledger.start_clock()
    return ledger


def test_instances_are_handed_out_once_in_their_order() -> None:
    """What is given back comes first again."""
    instances = make(4)
    ledger = opened(instances)
    assert [ledger.take(), ledger.take()] == instances[:2]
    ledger.give_back(instances[:2])
    assert [ledger.take() for _ in range(5)] == [*instances, None]
    assert ledger.is_done


def test_instances_are_handed_out_once_to_many() -> None:
    """Eight threads share them, and each gets others."""
    instances = make(2000)
    ledger = opened(instances)
    taken: list[Instance] = []

    def run() -> None:
        while (instance := ledger.take()) is not None:
            taken.append(instance)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=lambda instance: int(instance.path[1:])) == instances


@pytest.mark.parametrize(
    ("status", "meaning", "kind"),
    [
        (0x0000, "", "sent"),
        (0xB000, "coercion of data elements", "warning"),
        (0xB007, "dataset does not match SOP class", "warning"),
        (0x0107, "attribute list error", "warning"),
        (0xA700, "refused: out of resources", "failed"),
        (0xA900, "dataset does not match SOP class", "failed"),
        (0xC123, "cannot understand", "failed"),
        (0x0122, "refused: SOP class not supported", "failed"),
        (0xFF00, "pending", "failed"),
        (0xFE00, "cancelled", "failed"),
    ],
)
def test_answer_is_booked_as_what_it_means_for_storage(status: int, meaning: str, kind: str) -> None:
    """Success and warnings count as sent, everything else as failed, in the words of PS3.4 annex B."""
    [instance] = make(1)
    watcher = Watcher()
    ledger = opened([instance], observer=watcher)
    ledger.take()
    ledger.answered(instance, status, 200)
    ledger.close()
    result = ledger.result
    report = InstanceReport(instance.path, instance.sop_instance_uid, status, meaning)
    assert result.sent == (kind != "failed")
    assert result.bytes == (0 if kind == "failed" else 200)
    assert result.warnings == ([report] if kind == "warning" else [])
    assert result.failed == ([report] if kind == "failed" else [])
    assert watcher.told == [(instance, None if kind == "sent" else report)]
    assert result.error is None
    assert result.seconds >= 0


def test_instance_that_was_not_sent_is_failed_with_its_reason() -> None:
    """There is no status, and a code instead."""
    [instance] = make(1)
    watcher = Watcher()
    ledger = opened([instance], observer=watcher)
    ledger.take()
    ledger.not_sent(instance, "permission denied", code="unreadable-file")
    [report] = ledger.result.failed
    assert (report.status, report.reason, report.code) == (None, "permission denied", "unreadable-file")
    assert watcher.told == [(instance, report)]


@pytest.mark.parametrize("stops", [True, False])
def test_first_failure_stops_only_when_it_is_to(*, stops: bool) -> None:
    """What is left then is booked as not sent; warnings stop nothing."""
    instances = make(3)
    ledger = opened(instances, stop_on_error=stops)
    ledger.take()
    ledger.answered(instances[0], 0xB000, 1)
    assert ledger.take() is instances[1]
    ledger.answered(instances[1], 0xA700, 1)
    assert ledger.is_done is stops
    assert ledger.take() is (None if stops else instances[2])
    ledger.close()
    reasons = [report.reason for report in ledger.result.failed]
    assert reasons == ["refused: out of resources", "not sent after the first failure"][: 2 if stops else 1]


def test_what_an_error_leaves_behind_is_booked_with_it() -> None:
    """The first error counts, and says why the rest was not sent."""
    instances = make(2)
    ledger = opened(instances)
    first, second = AssociationAborted("gone"), NetworkError("no way")
    ledger.broken(first)
    ledger.broken(second)
    ledger.close()
    assert ledger.result.error is first
    assert [(report.reason, report.code) for report in ledger.result.failed] == [("gone", "association-aborted")] * 2


def test_error_of_one_association_does_not_count_when_others_have_sent_everything() -> None:
    """The peer takes fewer associations than we make: nothing is lost, so nothing failed."""
    instances = make(2)
    ledger = opened(instances)
    ledger.broken(AssociationAborted("too many"))
    for instance in instances:
        ledger.take()
        ledger.answered(instance, 0x0000, 1)
    ledger.close()
    assert ledger.result.error is None
    assert ledger.result.failed == []


def test_next_batch_is_not_booked_with_the_error_of_the_last() -> None:
    """Each has its own; the first of all is the result's."""
    one, other = make(2)
    first, second = AssociationAborted("first"), AssociationAborted("second")
    ledger = opened([one])
    ledger.broken(first)
    ledger.close()
    ledger.open([other])
    ledger.broken(second)
    ledger.close()
    assert [report.reason for report in ledger.result.failed] == ["first", "second"]
    assert ledger.result.error is first


def test_clock_starts_with_the_first_request() -> None:
    """Later associations do not reset it, and without one there are no seconds."""
    instances = make(2)
    ledger = Ledger(None, stop_on_error=False)
    ledger.open(instances)
    ledger.answered(instances[0], 0x0000, 1)
    assert ledger.result.seconds == pytest.approx(0, abs=0.01)
    ledger.start_clock()
    started = ledger._started
    ledger.start_clock()
    assert ledger._started == started
