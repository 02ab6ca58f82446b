"""What a benchmark found, judged against what it must reach, and the Markdown table that shows it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What a target counts in, and so whether more or less of it is better."""

    TIMES_FASTER = "times faster"
    PART_OF_SPEED = "of the speed"
    PART_OF_COST = "of the cost"
    MEGABYTES = "MB"
    SECONDS = "s"

    @property
    def more_is_better(self) -> bool:
        """Tell whether a value must lie above its target."""
        return self in {Unit.TIMES_FASTER, Unit.PART_OF_SPEED}

    def show(self, value: float) -> str:
        """Return the value for people, with its unit where it has one."""
        match self:
            case Unit.TIMES_FASTER:
                return f"{value:.3g} times"
            case Unit.MEGABYTES:
                return f"{value:.0f} MB"
            case Unit.SECONDS:
                return f"{value:.3g} s"
            case _:
                return f"{value:.2f}"


class Verdict(StrEnum):
    """How a value stands to its target."""

    AIM = "yes, and the aim"
    MET = "yes"
    MISSED = "**no**"


@dataclass(frozen=True)
class Target:
    """The value that must be reached and the one to aim at."""

    must: float
    aim: float
    unit: Unit

    def judge(self, value: float) -> Verdict:
        """Return how `value` stands to this target."""
        sign = 1 if self.unit.more_is_better else -1
        if sign * value >= sign * self.aim:
            return Verdict.AIM
        return Verdict.MET if sign * value >= sign * self.must else Verdict.MISSED


@dataclass(frozen=True)
class Figure:
    """One measurement: what is judged (`value`, in the target's unit) and the two sides as people read them."""

    value: float
    target: Target
    ours: str
    theirs: str = "-"
    ratio: str = "-"

    @property
    def verdict(self) -> Verdict:
        """How the value stands to the target."""
        return self.target.judge(self.value)


def median_of_ratios(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the median of the ratios of runs made in pairs; raise ValueError when they do not pair up.

    The ratio is taken within each pair: what disturbs the machine for a while disturbs both sides of it.
    """
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


def compare(ours: Sequence[float], theirs: Sequence[float], target: Target, *, megabytes: float = 0.0) -> Figure:
    """Judge seconds of ours against seconds of theirs, run in pairs; with `megabytes` the rates are shown too."""
    value = median_of_ratios(theirs, ours) if target.unit.more_is_better else median_of_ratios(ours, theirs)
    our_text, their_text = (_show_seconds(statistics.median(side), megabytes) for side in (ours, theirs))
    return Figure(value, target, our_text, their_text, ratio=target.unit.show(value))


def absolute(value: float, target: Target) -> Figure:
    """Judge a value that is compared with nothing but its target."""
    return Figure(value, target, target.unit.show(value))


def _show_seconds(seconds: float, megabytes: float) -> str:
    rate = f" ({megabytes / seconds:,.0f} MB/s)" if megabytes else ""
    return f"{seconds:.3f} s{rate}"


TABLE_HEAD = "| | dicomtls | against | ratio | must reach | aim | met |\n|---|---|---|---|---|---|---|"


def render_row(title: str, figures: Sequence[Figure]) -> str:
    """Return one line of the table; a row of several figures has them side by side in each cell."""
    cells = (
        [figure.ours for figure in figures],
        [figure.theirs for figure in figures],
        [figure.ratio for figure in figures],
        [figure.target.unit.show(figure.target.must) for figure in figures],
        [figure.target.unit.show(figure.target.aim) for figure in figures],
        [figure.verdict.value for figure in figures],
    )
    return _render([title, *("; ".join(cell) for cell in cells)])


def render_error(title: str, reason: str) -> str:
    """Return the line of a row that could not be measured."""
    return _render([title, f"**error**: {' '.join(reason.split())}", *[""] * 5])


def _render(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
