"""Where reports wait that come over associations of the archive's own; how one is read is in test_scu_commit."""

import threading

from dicomtls.association.commitment import Reference, Transaction
from dicomtls.scu.reports import Reports
from tests.support.servers import CT, DEADLINE

REPORT = Transaction("1.2.3", (Reference(CT, "1.2.3.1"),))


def test_report_that_is_expected_is_kept() -> None:
    """It may come before anybody asks for it; it is there as often as it is asked for."""
    reports = Reports()
    reports.expect(REPORT.uid)
    assert reports.take(REPORT.uid, 0) is None
    assert reports.put(REPORT)
    assert reports.take(REPORT.uid, 0) == REPORT


def test_others_and_second_ones_are_not_kept() -> None:
    """Whatever a peer sends, no more is held than was asked for."""
    reports = Reports()
    assert not reports.put(REPORT)
    reports.expect(REPORT.uid)
    assert not reports.put(Transaction("1.2.4", REPORT.references))
    assert reports.put(REPORT)
    assert not reports.put(Transaction(REPORT.uid, ()))
    assert reports.take(REPORT.uid, 0) == REPORT
    assert reports.take("1.2.4", 0) is None


def test_who_waits_is_woken() -> None:
    """As soon as it comes."""
    reports = Reports()
    reports.expect(REPORT.uid)
    taken: list[Transaction | None] = []
    waiting = threading.Thread(target=lambda: taken.append(reports.take(REPORT.uid, DEADLINE)))
    waiting.start()
    assert reports.put(REPORT)
    waiting.join(DEADLINE)
    assert taken == [REPORT]
