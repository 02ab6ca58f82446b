"""What `move` and `get` say of a retrieval: what came of it, what failed, what was odd."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dicomtls.cli.output import Output
from dicomtls.cli.running import Report
from dicomtls.cli.sentences import join, status_word, tls_phrases, warn_of_expiry
from dicomtls.cli.text import Style, Styled
from dicomtls.quantities import rate_in_words, size_in_words

if TYPE_CHECKING:
    from dicomtls.scu.attempt import Attempt
    from dicomtls.scu.retrieve import RetrieveResult

_MOST_NAMED = 20
"""Failed instances that are named on stderr without `-v`."""


class RetrieveReport:
    """Fills a command's report; every key is there from the beginning."""

    def __init__(self, output: Output, report: Report) -> None:
        self._output = output
        self._report = report
        report.values.update(
            status=None,
            status_meaning=None,
            completed=0,
            failed=0,
            warning=0,
            failed_instances=[],
            received=None,
            bytes=None,
            seconds=None,
        )

    def told(self, result: "RetrieveResult", attempt: "Attempt", *, warn_days: int) -> None:
        """Say what the peer answered; names the failed instances, and what cannot be true."""
        from dicomtls.association.dimse import CommandField
        from dicomtls.association.status import status_meaning

        status, counts = result.status, result.counts
        meaning = None if status is None else status_meaning(status, CommandField.C_MOVE_RSP)
        self._report.values.update(
            status=None if status is None else f"0x{status:04X}",
            status_meaning=meaning,
            completed=counts.completed or 0,
            failed=max(counts.failed or 0, len(result.failed_instances)),
            warning=counts.warning or 0,
            failed_instances=list(result.failed_instances),
        )
        if status is not None and meaning is not None:
            self._report.lines.append(join(_phrases(result, status_word(status, meaning), attempt)))
        for remark in result.remarks:
            self._output.warning(remark)
        self._name_failed(result.failed_instances)
        warn_of_expiry(self._output, attempt.negotiated, warn_days)

    def again(self, sop_classes: Sequence[str]) -> None:
        """Say that a second request is made, and for what."""
        self._output.notice(f"asking again, with SOP classes that the archive has: {', '.join(sop_classes)}")

    def received(self, instances: int, octets: int, seconds: float) -> None:
        """Say what has come to us: instances kept, their bytes, and how long it took."""
        self._report.values.update(received=instances, bytes=octets, seconds=round(seconds, 3))
        self._report.lines.append(
            f"received {instances} instance{'' if instances == 1 else 's'}, {size_in_words(octets)}"
            f" in {seconds:.2f} s{rate_in_words(octets, seconds)}"
        )

    def _name_failed(self, uids: tuple[str, ...]) -> None:
        shown = uids if self._output.verbose else uids[:_MOST_NAMED]
        for uid in shown:
            self._output.warning(f"not retrieved: {uid}")
        if len(uids) > len(shown):
            self._output.warning(f"and {len(uids) - len(shown)} more like this: -v and --json name them all")


def _phrases(result: "RetrieveResult", status: Styled, attempt: "Attempt") -> Iterator[str | Styled]:
    from dicomtls.scu.suboperations import MOST_COUNTED

    counts = result.counts
    failed = max(counts.failed or 0, len(result.failed_instances))
    completed = counts.completed or 0
    if not (completed or failed or counts.warning or result.status):
        yield "nothing matched"
    else:
        least = " or more" if completed == MOST_COUNTED else ""
        yield Styled(f"{completed}{least} completed", Style.BAD if failed or result.status else Style.GOOD)
    if failed:
        yield Styled(f"{failed} failed", Style.BAD)
    if counts.warning:
        yield f"{counts.warning} with a warning"
    if counts.remaining:
        yield f"{counts.remaining} remaining"
    yield status
    yield from tls_phrases(attempt.negotiated)
