"""What `store` has done so far: for the progress bar, and for whoever does not want to wait for the end."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dicomtls.association.status import StatusCategory, category
from dicomtls.scu.ledger import InstanceReport, StoreResult

if TYPE_CHECKING:
    from dicomtls.cli.progress import Progress
    from dicomtls.errors import DicomTLSError
    from dicomtls.scu.instances import Instance


class Tally:
    """Hears from all associations at once what became of each instance."""

    def __init__(self, bar: "Progress") -> None:
        self._bar = bar
        self._lock = threading.Lock()
        self._settled: dict[int, InstanceReport | None] = {}

    def sending(self, octets: int) -> None:
        """Move the bar on within an instance: a large one takes its time."""
        with self._lock:
            self._bar.sending(octets)

    def done(self, instance: "Instance", report: InstanceReport | None) -> None:
        """Move the bar on, however the instance ended."""
        with self._lock:
            self._settled[id(instance)] = report
            self._bar.advance(1, instance.size - instance.offset)

    def broken_off(self, instances: "Sequence[Instance]", error: "DicomTLSError") -> StoreResult:
        """What became of the instances so far; `error` is why the others were not sent."""
        result = StoreResult(error=error)
        with self._lock:
            for instance in instances:
                self._add(result, instance, error)
        return result

    def _add(self, result: StoreResult, instance: "Instance", error: "DicomTLSError") -> None:
        unsent = InstanceReport(instance.path, instance.sop_instance_uid, None, error.message, error.code)
        report = self._settled.get(id(instance), unsent)
        if report is not None and not _is_warning(report):
            result.failed.append(report)
            return
        result.sent += 1
        result.bytes += instance.size - instance.offset
        if report is not None:
            result.warnings.append(report)


def _is_warning(report: InstanceReport) -> bool:
    return report.status is not None and category(report.status) is StatusCategory.WARNING
