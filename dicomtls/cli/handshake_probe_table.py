"""What handshake-probe shows to people of many peers: a table, a summary, and what to do about the failures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dicomtls.cli.handshake_probe_view import sop_class_count, warnings
from dicomtls.cli.output import Output
from dicomtls.cli.text import Line, Style, Styled, visible

if TYPE_CHECKING:
    from dicomtls.probe.handshake import ProbeResult

_HEAD = ("target", "result", "code", "protocol", "cipher", "days left", "ms")
_TO_THE_RIGHT = frozenset({"days left", "ms"})
_WIDEST = 60
_MOST_NAMED = 5
_MOST_WARNINGS = 20


def table(results: "Sequence[tuple[str, ProbeResult]]") -> Iterator[Line]:
    """Write a line for each peer, in the order in which they were named."""
    has_contexts = any(result.contexts is not None for _, result in results)
    rows = [_cells(text, result, has_contexts=has_contexts) for text, result in results]
    head = (*_HEAD, *(("accepts",) if has_contexts else ()))
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    yield (Styled(_padded(head, head, widths), Style.STRONG),)
    for row in rows:
        text = _padded(head, row, widths)
        start = widths[0] + 2
        mark = Style.GOOD if row[1] == "ok" else Style.BAD
        yield (text[:start], Styled(row[1], mark), text[start + len(row[1]) :])


def summary(results: "Sequence[tuple[str, ProbeResult]]", seconds: float) -> Line:
    """Say in one line how many work, and how the others fail."""
    codes = Counter(result.diagnosis.code for _, result in results if result.diagnosis is not None)
    works = f"{len(results) - codes.total():,} of {len(results):,} work"
    failed = "".join(f", {count:,} {code}" for code, count in codes.most_common())
    return (Styled(works, Style.BAD if codes else Style.GOOD), f"{failed}; {seconds:.1f} s")


def tell_failures(output: Output, results: "Sequence[tuple[str, ProbeResult]]") -> None:
    """Say on stderr what went wrong, those of one kind together, and what to do about each kind."""
    kinds: dict[str, list[tuple[str, ProbeResult]]] = {}
    for text, result in results:
        if result.diagnosis is not None:
            kinds.setdefault(result.diagnosis.code, []).append((text, result))
    for code, some in kinds.items():
        hints: dict[str, None] = {}
        for text, result in some[:_MOST_NAMED]:
            assert result.diagnosis is not None  # noqa: S101 -- sorted in above
            output.failure(f"{text}: {result.diagnosis.message}")
            hints |= dict.fromkeys(result.diagnosis.hints)
        if len(some) > _MOST_NAMED:
            output.failure(f"and {len(some) - _MOST_NAMED:,} more with {code}")
        for hint in list(hints)[:_MOST_NAMED]:
            output.hint(hint)


def tell_warnings(output: Output, results: "Sequence[tuple[str, ProbeResult]]", warn_days: int) -> None:
    """Say on stderr which certificates end soon, or are for other names."""
    told = [f"{text}: {warning}" for text, result in results for warning in warnings(result, warn_days)]
    for warning in told[:_MOST_WARNINGS]:
        output.warning(warning)
    if len(told) > _MOST_WARNINGS:
        output.warning(f"and {len(told) - _MOST_WARNINGS:,} more like this: the table has the days left")


def _cells(text: str, result: "ProbeResult", *, has_contexts: bool) -> tuple[str, ...]:
    negotiated = result.attempt.negotiated
    days = negotiated.peer.days_left() if negotiated and negotiated.peer else None
    accepts = "-" if result.contexts is None else sop_class_count(result.contexts)
    title = visible(text)
    return (
        title if len(title) <= _WIDEST else f"{title[: _WIDEST - 1]}…",
        "failed" if result.diagnosis else "ok",
        result.diagnosis.code if result.diagnosis else "-",
        negotiated.protocol if negotiated else "-",
        negotiated.cipher if negotiated else "-",
        "-" if days is None else str(days),
        f"{result.attempt.timing_ms.get('total', 0.0):.1f}",
        *((accepts,) if has_contexts else ()),
    )


def _padded(head: Sequence[str], row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell.rjust(width) if name in _TO_THE_RIGHT else cell.ljust(width)
        for name, cell, width in zip(head, row, widths, strict=True)
    )
    return "  ".join(cells).rstrip()
