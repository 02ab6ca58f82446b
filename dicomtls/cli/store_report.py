"""What `store` says of the files: which are left out, what became of the others, and how that ends."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dicomtls.cli.output import Output
from dicomtls.cli.running import Report
from dicomtls.cli.sentences import join, tls_phrases, warn_of_expiry
from dicomtls.cli.text import Line, Style, Styled
from dicomtls.errors import DataError, DicomTLSError, NoPresentationContext, StatusFailure
from dicomtls.quantities import rate_in_words, size_in_words

if TYPE_CHECKING:
    from dicomtls.diagnosis import Diagnosis
    from dicomtls.scu.attempt import Attempt
    from dicomtls.scu.commit import CommitResult
    from dicomtls.scu.instances import Found, Instance
    from dicomtls.scu.ledger import InstanceReport, StoreResult
    from dicomtls.scu.store import StoreOptions

_MOST_NAMED = 20
"""Files of one kind that are named on stderr without `-v`."""


class StoreReport:
    """Tells what is found out, as it is found out; `path` is where `--report` goes."""

    def __init__(self, output: Output, report: Report, path: Path | None) -> None:
        self._output = output
        self._report = report
        self._path = path
        report.values.update(sent=0, failed=[], skipped=[], bytes=0, seconds=0.0)

    def found(self, found: "Found") -> None:
        """Name each file that is no DICOM; raises `DataError` where nothing is left to send."""
        self._report.values.update(
            failed=[_failure(report) for report in _unreadable(found)],
            skipped=[{"path": skipped.path, "reason": skipped.reason} for skipped in found.skipped],
        )
        self._name([f"skipped {skipped.path}: {skipped.reason}" for skipped in found.skipped])
        if not found.instances:
            self._name_failures(_unreadable(found))
            msg = "there is no DICOM file to send"
            raise DataError(msg, hints=("check the paths: folders are searched with all below them",))

    def planned(self, found: "Found", options: "StoreOptions") -> None:
        """Say what would be sent; raises `DataError` where some of it cannot be read."""
        from dicomtls.scu.store import plan

        kinds = Counter((instance.sop_class_uid, instance.transfer_syntax) for instance in found.instances)
        associations = len(plan(found.instances, transcode=options.transcode))
        self._report.values["would_send"] = {
            "instances": len(found.instances),
            "bytes": found.bytes,
            "associations": associations,
            "contexts": [_kind(kind, count) for kind, count in sorted(kinds.items())],
        }
        self._report.lines += _plan_lines(found, kinds, associations)
        unreadable = _unreadable(found)
        if unreadable:
            self._name_failures(unreadable)
            msg = f"{_count(len(unreadable), 'file')} cannot be read as DICOM, and would not be stored"
            raise DataError(msg)

    def sent(self, found: "Found", result: "StoreResult", attempt: "Attempt", *, warn_days: int) -> None:
        """Say what became of the instances; raises `MachineError` where the report cannot be written."""
        _explain(result)
        self._report.values.update(
            sent=result.sent,
            failed=[_failure(report) for report in (*_unreadable(found), *result.failed)],
            bytes=result.bytes,
            seconds=round(result.seconds, 3),
        )
        self._report.lines.append(join(_summary(result, attempt)))
        warn_of_expiry(self._output, attempt.negotiated, warn_days)
        if self._path is not None:
            _write_rows(self._path, _rows(found, result))

    def committed(self, result: "CommitResult | None") -> None:
        """Say what the peer has committed to, where it was asked."""
        if result is None:
            return
        missing = len(result.failed) + len(result.unanswered)
        self._report.values.update(
            committed=len(result.committed),
            commit_failed=[
                *(
                    _uncommitted(failed.reference.sop_instance_uid, f"0x{failed.reason:04X}", failed.meaning)
                    for failed in result.failed
                ),
                *(_uncommitted(reference.sop_instance_uid, None, _UNANSWERED) for reference in result.unanswered),
            ],
        )
        parts: list[str | Styled] = [Styled(f"{len(result.committed)} committed", Style.BAD if missing else Style.GOOD)]
        if missing:
            parts += [", ", Styled(f"{missing} not committed", Style.BAD)]
        self._report.lines.append(tuple(parts))
        self._name(
            [f"not committed: {failed.reference.sop_instance_uid}: {failed.meaning}" for failed in result.failed]
        )

    def judge(self, found: "Found", result: "StoreResult", options: "StoreOptions") -> None:
        """Name what failed; raises the error that weighs most, which decides the exit status."""
        self._name([f"stored with a warning: {_sentence(report)}" for report in result.warnings])
        failed, obstacle = [*_unreadable(found), *result.failed], result.error
        # What the obstacle kept from being sent is not named file by file: the obstacle is.
        why = _diagnosis(obstacle).message if obstacle is not None else None
        self._name_failures([report for report in failed if report.reason != why])
        errors = [*([obstacle] if obstacle else []), *_errors(failed, len(failed) + result.sent, options)]
        if not errors:
            return
        weightiest = max(errors, key=lambda error: _diagnosis(error).exit_status)
        if why is not None and weightiest is not obstacle:
            self._output.warning(f"the sending was broken off: {why}")
        raise weightiest

    def _name_failures(self, failed: "Sequence[InstanceReport]") -> None:
        self._name([f"not stored: {_sentence(report)}" for report in failed])

    def _name(self, texts: Sequence[str]) -> None:
        limit = len(texts) if self._output.verbose else _MOST_NAMED
        for text in texts[:limit]:
            self._output.warning(text)
        if len(texts) > limit:
            self._output.warning(f"and {len(texts) - limit} more like this: -v, --json and --report name them all")


def _diagnosis(error: DicomTLSError) -> "Diagnosis":
    from dicomtls.diagnosis import diagnose  # only a failure needs its tables

    return diagnose(error)


def _explain(result: "StoreResult") -> None:
    """Let the instances that an obstacle left behind say what the diagnosis of it says."""
    if result.error is not None:
        raw, why = result.error.message, _diagnosis(result.error).message
        result.failed = [report._replace(reason=why) if report.reason == raw else report for report in result.failed]


def _sentence(report: "InstanceReport") -> str:
    status = "" if report.status is None else f" (0x{report.status:04X})"
    return f"{report.path}: {report.reason}{status}"


_UNANSWERED = "the peer has not said that it is"


def _uncommitted(uid: str, status: str | None, meaning: str) -> dict[str, object]:
    return {"sop_instance_uid": uid, "status": status, "status_meaning": meaning}


def _unreadable(found: "Found") -> "list[InstanceReport]":
    from dicomtls.scu.ledger import InstanceReport

    return [InstanceReport(file.path, None, None, file.reason, "unreadable-file") for file in found.unreadable]


def _errors(failed: "Sequence[InstanceReport]", total: int, options: "StoreOptions") -> Iterator[DicomTLSError]:
    """One error for each way in which instances failed, each about all of them."""
    codes = {report.code for report in failed}
    message = f"{len(failed)} of {_count(total, 'instance')} {'was' if len(failed) == 1 else 'were'} not stored"
    if "no-presentation-context" in codes:
        yield NoPresentationContext(message, hints=() if options.transcode else ("--transcode may help",))
    if "unreadable-file" in codes:
        yield DataError(message)
    statuses = [report.status for report in failed if report.status is not None]
    if statuses:
        yield StatusFailure(message, status=statuses[0])


def _kind(kind: tuple[str, str], count: int) -> dict[str, object]:
    sop_class, transfer_syntax = kind
    return {"sop_class_uid": sop_class, "transfer_syntax": transfer_syntax, "instances": count}


def _plan_lines(found: "Found", kinds: Mapping[tuple[str, str], int], associations: int) -> Iterator[Line]:
    yield f"would send {_count(len(found.instances), 'instance')}, {size_in_words(found.bytes)}"
    yield f"{_count(len(kinds), 'presentation context')}, at least {_count(associations, 'association')}"
    for (sop_class, transfer_syntax), count in sorted(kinds.items()):
        yield f"  {count:6} {_uid_name(sop_class)}, {_uid_name(transfer_syntax)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _uid_name(uid: str) -> str:
    from pydicom.uid import UID  # names for people, in a run that sends nothing

    name = UID(uid).name
    return uid if name == uid else f"{name} ({uid})"


def _summary(result: "StoreResult", attempt: "Attempt") -> Iterator[str | Styled]:
    """The one line for people."""
    yield Styled(f"{result.sent} stored", Style.BAD if result.failed else Style.GOOD)
    if result.failed:
        yield Styled(f"{len(result.failed)} not stored", Style.BAD)
    if result.warnings:
        yield f"{len(result.warnings)} with a warning"
    if result.sent:
        rate = rate_in_words(result.bytes, result.seconds)
        yield f"{size_in_words(result.bytes)} in {result.seconds:.2f} s{rate}"
    if attempt.negotiated is not None or result.sent:
        yield from tls_phrases(attempt.negotiated)


def _failure(report: "InstanceReport") -> dict[str, object]:
    return {
        "path": report.path,
        "sop_instance_uid": report.sop_instance_uid,
        "status": None if report.status is None else f"0x{report.status:04X}",
        "status_meaning": report.reason,
    }


def _write_rows(path: Path, rows: Iterator[dict[str, object]]) -> None:
    from json import dumps

    from dicomtls.cli.writing import replace_file

    replace_file(path, "".join(dumps(row) + "\n" for row in rows).encode())


def _rows(found: "Found", result: "StoreResult") -> Iterator[dict[str, object]]:
    """What became of each file, one row each."""
    told = {report.path: report for report in (*result.warnings, *result.failed)}
    for instance in found.instances:
        yield _row(instance, told.get(instance.path))
    for unreadable in _unreadable(found):
        yield _failure(unreadable)
    for skipped in found.skipped:
        yield {"path": skipped.path, "skipped": skipped.reason}


def _row(instance: "Instance", report: "InstanceReport | None") -> dict[str, object]:
    status = report.status if report else 0
    return {
        "path": instance.path,
        "sop_class_uid": instance.sop_class_uid,
        "sop_instance_uid": instance.sop_instance_uid,
        "transfer_syntax": instance.transfer_syntax,
        "status": None if status is None else f"0x{status:04X}",
        "status_meaning": report.reason if report else "success",
    }
