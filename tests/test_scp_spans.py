"""Dates, times and both, and ranges of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.scp.spans import DateSpan, DateTimeSpan, MomentSpan, TimeSpan, plain_date, plain_time

DATES = st.dates().map(lambda date: date.strftime("%Y%m%d").rjust(8, "0"))
TIMES = st.times().map(lambda time: time.strftime("%H%M%S"))


@given(first=DATES, last=DATES, date=DATES)
def test_date_range_holds_what_lies_between(first: str, last: str, date: str) -> None:
    """Both ends are included, and either may be left open."""
    assert DateSpan(f"{first}-{last}").matches((date,)) is (first <= date <= last)
    assert DateSpan(f"{first}-").matches((date,)) is (first <= date)
    assert DateSpan(f"-{last}").matches((date,)) is (date <= last)
    assert DateSpan(first).matches((date,)) is (first == date)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("1993.08.22", "19930822", True),
        ("19930822", "1993.08.22", True),
        ("1993.08.01-1993.08.31", "19930822", True),
        ("2020-2021", "20211231", True),
        ("20200101 - 20200131", "20200131", True),
        ("20240229", "20240229", True),
        ("-", "20240229", True),
        ("20200101-", "", False),
        ("20200101-", "UNKNOWN", False),
        ("-20200101", "?", False),
        ("20200101-20191231", "20200101", False),
        ("nonsense", "20200101", False),
        ("20200101-20200102-20200103", "20200102", True),
    ],
)
def test_odd_dates(key: str, value: str, expected: bool) -> None:  # noqa: FBT001 -- a table
    """Points of ACR-NEMA, dates that are none, ranges that are empty."""
    assert DateSpan(key).matches((value,)) is expected


@given(first=TIMES, last=TIMES, time=TIMES)
def test_time_range_may_go_over_midnight(first: str, last: str, time: str) -> None:
    """Where its end is the earlier one."""
    expected = first <= time <= last if first <= last else time >= first or time <= last
    assert TimeSpan(f"{first}-{last}").matches((time,)) is expected


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("2300-0100", "233000", True),
        ("2300-0100", "003000.5", True),
        ("2300-0100", "010059.999999", True),
        ("2300-0100", "0101", False),
        ("2300-0100", "12", False),
        ("10", "105959", True),
        ("10", "110000", False),
        ("101010", "101010.5", True),
        ("101010.25", "101010.250000", True),
        ("101010.25", "101010.26", False),
        ("10:10:10", "101010", True),
        ("10-11", "1130", True),
        ("-10", "0000", True),
        ("-10", "", False),
        ("10-", "noon", False),
        ("10-", "235960", True),
        ("-", "235960.5", True),
        ("2359", "235960", True),
        ("1059", "105960", True),
        ("105959", "105960", False),
    ],
)
def test_odd_times(key: str, value: str, expected: bool) -> None:  # noqa: FBT001 -- a table
    """Less precise ones stand for all that they may be."""
    assert TimeSpan(key).matches((value,)) is expected


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("20200101120000", "20200101120000", True),
        ("202001", "20200131235959.5", True),
        ("2020-2021", "20210615", True),
        ("2020-", "20191231235959", False),
        ("-20200229", "20200229120000", True),
        ("20200101120000+0100-20200101130000+0100", "20200101113000+0000", True),
        ("20200101120000+0100-20200101130000+0100", "20200101123000+0000", False),
        ("20200101120000+0100", "20200101110000+0000", True),
        ("20200101-0500", "20200101120000-0500", True),
        ("20200230", "20200301", False),
        ("202002", "20200229120000", True),
        ("nonsense", "20200101", False),
        ("nonsense", "nonsense", True),
        ("20200101", "nonsense", False),
        ("20201301-20201401", "20200101", False),
        ("20200101000000+9900", "20200101", False),
        ("00010101000000+1400", "00010101000000+1400", True),
    ],
)
def test_dates_with_times(key: str, value: str, expected: bool) -> None:  # noqa: FBT001 -- a table
    """Offsets count where both sides have one; a hyphen may be a range or a part of an offset."""
    assert DateTimeSpan(key).matches((value,)) is expected


@given(key=st.text("0123456789-+.: ", max_size=40), value=st.text("0123456789-+.: ", max_size=30))
def test_nothing_is_raised_for_any_text(key: str, value: str) -> None:
    """Keys come from peers, values from files."""
    for span in (DateSpan(key), TimeSpan(key), DateTimeSpan(key)):
        assert span.matches((value,)) in {True, False}
        assert not span.matches(({}, b"20200101", 5))


def test_acr_nema_forms_become_plain() -> None:
    """As the index keeps them."""
    assert plain_date("1993.08.22") == "19930822"
    assert plain_time("10:20:30.5") == "102030.5"


@pytest.mark.parametrize(
    ("date", "time", "values", "expected"),
    [
        ("20060705-20060707", "1000-1800", ("20060705", "1000"), True),
        ("20060705-20060707", "1000-1800", ("20060705", "095959"), False),
        ("20060705-20060707", "1000-1800", ("20060706", "03"), True),
        ("20060705-20060707", "1000-1800", ("20060707", "180059.5"), True),
        ("20060705-20060707", "1000-1800", ("20060707", "1801"), False),
        ("20060705-20060706", "2200-0200", ("20060706", "0130"), True),
        ("20060705-20060706", "2200-0200", ("20060706", "2230"), False),
        ("20060705-", "1000-", ("20060705", "09"), False),
        ("20060705-", "1000-1100", ("20300101", "2359"), True),
        ("-20060705", "1000-1100", ("20060705", "1130"), False),
        ("-20060705", "1000-1100", ("20060704", "1130"), True),
        ("2006.07.05-2006.07.05", "10:00-11:00", ("2006.07.05", "10:30"), True),
        ("20060705-20060707", "1000-1800", ("20060706", ""), True),
        ("20060705-20060707", "1000-1800", ("20060705", ""), False),
        ("20060705-20060707", "1000-1800", ("20060707", ""), False),
        ("20060705-20060707", "1000-1800", ("", "1200"), False),
        ("20060705-20060707", "1000-1800", (), False),
        ("202112-202112", "10-18", ("20211225", "1200"), True),
        ("202112-202112", "10-18", ("20211231", "175959"), True),
        ("202112-202112", "10-18", ("20220101", "1200"), False),
        ("2021-2022", "10-18", ("20220615", ""), True),
        ("2021-2021", "10-18", ("20201231", "1200"), False),
        ("2021-2021", "10-18", ("202106", "1200"), True),
        ("202106-202112", "10-18", ("2021", "1200"), False),
        ("20211231-20211231", "10-", ("20211231", "235960"), True),
    ],
)
def test_dates_and_times_are_one_range(date: str, time: str, values: tuple[str, ...], expected: bool) -> None:  # noqa: FBT001 -- a table
    """From the first time of the first day to the last of the last one; without a time the whole day is in it."""
    assert MomentSpan(date, time, 0).matches(values) is expected
