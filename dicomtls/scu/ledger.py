"""What is still to be sent and what became of the rest, shared by all associations of one `store`."""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple, Protocol

from dicomtls.association.dimse import CommandField
from dicomtls.association.status import StatusCategory, category, status_meaning
from dicomtls.errors import DicomTLSError
from dicomtls.scu.instances import Instance


class InstanceReport(NamedTuple):
    """What became of one instance: `status` is None where no response came, and `reason` says why.

    `code` is the error code for it; a warning has the one of a status too.
    """

    path: str
    sop_instance_uid: str | None
    status: int | None
    reason: str
    code: str = "status-failure"


class StoreObserver(Protocol):
    """Hears of the progress, from the threads that send."""

    def sending(self, octets: int) -> None:
        """So many bytes more are on their way, of whatever instances."""

    def done(self, instance: Instance, report: InstanceReport | None) -> None:
        """An instance is settled: stored where `report` is None, or with the warning or failure in it."""


@dataclass
class StoreResult:
    """What became of the instances; `bytes` counts the datasets stored.

    `seconds` is the time from the first A-ASSOCIATE-RQ to the last response. `error` is what kept us from sending
    the rest, if anything did; the instances that it left behind are among `failed`.
    """

    sent: int = 0
    warnings: list[InstanceReport] = field(default_factory=list)
    failed: list[InstanceReport] = field(default_factory=list)
    bytes: int = 0
    seconds: float = 0.0
    error: DicomTLSError | None = None


class Ledger:
    """Hands out instances, each to one association at a time, and books what became of them."""

    def __init__(self, observer: StoreObserver | None, *, stop_on_error: bool) -> None:
        self.result = StoreResult()
        self._observer = observer
        self._stop_on_error = stop_on_error
        self._stopped = False
        self._obstacle: DicomTLSError | None = None
        self._waiting: deque[Instance] = deque()
        self._lock = threading.Lock()
        self._started: float | None = None

    def open(self, instances: Iterable[Instance]) -> None:
        """Add what is to be sent next; what kept us from sending the last of it may not matter to this."""
        self._obstacle = None
        self._waiting.extend(instances)

    def take(self) -> Instance | None:
        """The next instance, or None where there is none or no more is to be sent."""
        with self._lock:
            return self._waiting.popleft() if self._waiting and not self._stopped else None

    def give_back(self, instances: Iterable[Instance]) -> None:
        """Return what was taken but not answered; it comes first again."""
        with self._lock:
            self._waiting.extendleft(reversed(list(instances)))

    def stop(self) -> None:
        """Hand out no more; what is on its way comes to its end."""
        self._stopped = True

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._stopped or not self._waiting

    def start_clock(self) -> None:
        """An A-ASSOCIATE-RQ is about to be sent."""
        if self._started is None:
            self._started = monotonic()

    def answered(self, instance: Instance, status: int, size: int) -> None:
        """Book a response; `size` is what the dataset had, in bytes."""
        kind = category(status)
        report = None
        if kind is not StatusCategory.SUCCESS:
            meaning = status_meaning(status, CommandField.C_STORE_RSP)
            report = InstanceReport(instance.path, instance.sop_instance_uid, status, meaning)
        with self._lock:
            self.result.seconds = monotonic() - (self._started or monotonic())
            if kind in (StatusCategory.SUCCESS, StatusCategory.WARNING):
                self.result.sent += 1
                self.result.bytes += size
                if report is not None:
                    self.result.warnings.append(report)
            elif report is not None:
                self._fail(report)
        self._tell(instance, report)

    def not_sent(self, instance: Instance, reason: str, *, code: str) -> None:
        """Book an instance for which there will be no response."""
        report = InstanceReport(instance.path, instance.sop_instance_uid, None, reason, code)
        with self._lock:
            self._fail(report)
        self._tell(instance, report)

    def broken(self, error: DicomTLSError) -> None:
        """Book what ended an association for good; the first counts."""
        with self._lock:
            self._obstacle = self._obstacle or error

    def close(self) -> None:
        """Book everything that is left as failed; where other associations have sent it all, nothing is lost."""
        error = self._obstacle
        if self._waiting:
            self.result.error = self.result.error or error
        reason = error.message if error else "not sent after the first failure"
        while self._waiting:
            self.not_sent(self._waiting.popleft(), reason, code=error.code if error else "status-failure")

    def _fail(self, report: InstanceReport) -> None:
        self.result.failed.append(report)
        self._stopped = self._stopped or self._stop_on_error

    def sending(self, octets: int) -> None:
        """Tell the observer of bytes that are about to be written."""
        if self._observer is not None:
            self._observer.sending(octets)

    def _tell(self, instance: Instance, report: InstanceReport | None) -> None:
        if self._observer is not None:
            self._observer.done(instance, report)
