"""The arithmetic of the benchmarks: a table that is wrong by itself would judge everything else wrongly."""

import pytest

from tests.bench.figures import (
    Figure,
    Target,
    Unit,
    Verdict,
    absolute,
    compare,
    median_of_ratios,
    render_error,
    render_row,
)

FASTER = Target(2, 4, Unit.TIMES_FASTER)
CHEAPER = Target(0.5, 0.45, Unit.PART_OF_COST)


def test_median_of_ratios_takes_the_ratio_within_each_pair() -> None:
    """A disturbance that slows both runs of a pair leaves the ratio alone."""
    assert median_of_ratios([4.0, 40.0, 6.0], [2.0, 20.0, 2.0]) == 2.0


def test_median_of_ratios_refuses_runs_that_do_not_pair_up() -> None:
    """A missing run is an error, not a shorter list."""
    with pytest.raises(ValueError, match="shorter"):
        median_of_ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("value", "target", "verdict"),
    [
        (4.0, FASTER, Verdict.AIM),
        (3.99, FASTER, Verdict.MET),
        (2.0, FASTER, Verdict.MET),
        (1.99, FASTER, Verdict.MISSED),
        (0.45, CHEAPER, Verdict.AIM),
        (0.46, CHEAPER, Verdict.MET),
        (0.5, CHEAPER, Verdict.MET),
        (0.51, CHEAPER, Verdict.MISSED),
    ],
)
def test_target_judges_in_the_direction_of_its_unit(value: float, target: Target, verdict: Verdict) -> None:
    """A speed must lie above its target, a cost below it, and both limits count as reached."""
    assert target.judge(value) is verdict


def test_compare_divides_theirs_by_ours_when_faster_is_better() -> None:
    """Half the time is twice the speed."""
    figure = compare([1.0, 1.0, 2.0], [2.0, 3.0, 4.0], FASTER, megabytes=100)
    assert figure == Figure(2.0, FASTER, "1.000 s (100 MB/s)", "3.000 s (33 MB/s)", "2 times")


def test_compare_divides_ours_by_theirs_when_cheaper_is_better() -> None:
    """A cost is a part of the other's cost."""
    assert compare([0.1], [0.4], CHEAPER).value == 0.25


def test_row_shows_figures_side_by_side() -> None:
    """A row of two figures has both in each cell, as the README has them."""
    seconds = Target(0.3, 0.15, Unit.SECONDS)
    row = render_row("a | b", [absolute(0.1234, seconds), absolute(0.4, seconds)])
    assert row == (
        "| a &#124; b | 0.123 s; 0.4 s | -; - | -; - | 0.3 s; 0.3 s | 0.15 s; 0.15 s | yes, and the aim; **no** |"
    )


def test_row_without_a_figure_says_why_on_one_line() -> None:
    """A run that failed leaves the reason where its figure would stand, in a line of as many cells."""
    row = render_error("title", "lost\n3 instances")
    assert "**error**: lost 3 instances" in row
    assert row.count("|") == 8
