"""Dates, times and both together, and the ranges of them that a query asks for (PS3.4 section C.2.2.2.5)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property
from typing import Final

from dicomtls.dataset.identifier import Value

_ENDLESS: Final = "~"  # behind every digit
_FIRST_TIME: Final = "000000.000000"
_LAST_TIME: Final = "235960.999999"  # a leap second is one of the day (PS3.5 section 6.2)
_FIRST_DATE: Final = "00000000"
_LAST_DATE: Final = "99999999"


def plain_date(text: str) -> str:
    """A date without the points of ACR-NEMA: 1993.08.22 is 19930822 (PS3.5 section 6.2)."""
    return text.replace(".", "")


def plain_time(text: str) -> str:
    """A time without the colons of ACR-NEMA."""
    return text.replace(":", "")


@dataclass(frozen=True)
class DateSpan:
    """A date, or all from one to another, both included; either end may be open (PS3.4 section C.2.2.2.5)."""

    text: str

    def matches(self, values: Sequence[Value]) -> bool:
        """Whether any value is a date in the span."""
        lower, upper = self.span
        dates = (plain_date(value) for value in values if isinstance(value, str))
        return any(date.isdigit() and lower <= date <= upper for date in dates)

    @cached_property
    def span(self) -> tuple[str, str]:
        """The first and the last date, as texts to compare with; days that are not told count as all."""
        first, is_range, last = plain_date(self.text).partition("-")
        if not is_range:
            return first, first
        return first.strip(), last.strip() + _ENDLESS


@dataclass(frozen=True)
class TimeSpan:
    """A time, or all from one to another, both included; over midnight where the first is the later one.

    What is told less precisely stands for all that it may be: 10 ends with the last second of 10:59.
    """

    text: str

    def matches(self, values: Sequence[Value]) -> bool:
        """Whether any value is a time in the span."""
        return any(isinstance(value, str) and self._holds(plain_time(value)) for value in values)

    def _holds(self, time: str) -> bool:
        if not time[:6].isdigit():
            return False
        lower, upper = self.span
        time = _fill(time, _FIRST_TIME)
        return lower <= time <= upper if lower <= upper else time >= lower or time <= upper

    @cached_property
    def span(self) -> tuple[str, str]:
        """The first and the last time, as HHMMSS.FFFFFF."""
        first, is_range, last = plain_time(self.text).partition("-")
        last = last if is_range else first
        return _fill(first.strip(), _FIRST_TIME), _fill(last.strip(), _LAST_TIME)


@dataclass(frozen=True)
class MomentSpan:
    """All from one date and time to another: combined matching of two attributes (PS3.4 section C.2.2.2.5.4).

    `date` and `time` are the ranges of both keys; `time_tag` is where the times are.
    """

    date: str
    time: str
    time_tag: int

    def matches(self, values: Sequence[Value]) -> bool:
        """Whether a date and its time, which are the values in turn, are in the span; without a time the whole day."""
        date, time = (value if isinstance(value, str) else "" for value in (*values, "", "")[:2])
        lower, upper = self.span
        day = plain_date(date)
        earliest = _fill(plain_time(time), _FIRST_TIME)
        latest = earliest if time else _LAST_TIME
        return (
            day.isdigit() and lower <= _fill(day, _FIRST_DATE) + earliest and _fill(day, _LAST_DATE) + latest <= upper
        )

    @cached_property
    def span(self) -> tuple[str, str]:
        """The first and the last moment, as YYYYMMDDHHMMSS.FFFFFF; without a date an end is open, whatever its time.

        Days that are not told count as all, as in a `DateSpan`.
        """
        first, last = _ends(plain_date(self.date))
        since, until = _ends(plain_time(self.time))
        lower = _fill(first, _FIRST_DATE) + _fill(since, _FIRST_TIME) if first else ""
        return lower, _fill(last, _LAST_DATE) + _fill(until, _LAST_TIME) if last else _ENDLESS


def _ends(text: str) -> tuple[str, str]:
    first, _, last = text.partition("-")
    return first.strip(), last.strip()


def _fill(text: str, pattern: str) -> str:
    text = text[: len(pattern)]
    return text + pattern[len(text) :]


@dataclass(frozen=True)
class DateTimeSpan:
    """A date with a time (DT), or all from one to another; offsets from UTC count where both sides have one."""

    text: str

    def matches(self, values: Sequence[Value]) -> bool:
        """Whether any value is in the span."""
        return any(isinstance(value, str) and self._holds(value) for value in values)

    def _holds(self, value: str) -> bool:
        moment = _Moment.parse(value, latest=False)
        if moment is None or self.span is None:
            return value == self.text
        lower, upper = self.span
        return not (lower and moment.is_before(lower)) and not (upper and upper.is_before(moment))

    @cached_property
    def span(self) -> "tuple[_Moment | None, _Moment | None] | None":
        """The first and the last moment, None being open; None where the key is neither."""
        found = _DATE_TIME_RANGE.fullmatch(self.text)
        if found is None:
            return None
        first, is_range, last = found["first"], found["range"], found["last"]
        if not is_range:
            last = first
        lower = _Moment.parse(first, latest=False) if first else None
        upper = _Moment.parse(last, latest=True) if last else None
        if (first and lower is None) or (last and upper is None):
            return None
        return lower, upper


_OFFSET: Final = r"[+-](?:0\d|1[0-4])[0-5]\d"
_DATE_TIME: Final = rf"\d{{4,14}}(?:\.\d{{1,6}})?(?:{_OFFSET})?"
# An offset, where the digits behind a hyphen can be one, and a range of years else.
_DATE_TIME_RANGE: Final = re.compile(rf"(?P<first>{_DATE_TIME})?\s*(?P<range>-)?\s*(?P<last>{_DATE_TIME})?")
_ONE_DATE_TIME: Final = re.compile(rf"(\d{{4,14}})(?:\.(\d{{1,6}}))?({_OFFSET})?")


@dataclass(frozen=True)
class _Moment:
    local: datetime
    offset: timezone | None

    @classmethod
    def parse(cls, text: str, *, latest: bool) -> "_Moment | None":
        """Read a DT; what is missing is taken as late, or as early, as can be."""
        found = _ONE_DATE_TIME.fullmatch(text.strip())
        if found is None:
            return None
        digits, fraction, offset = found.groups()
        whole = _fill(digits, "99991231235959" if latest else "00000101000000")
        micro = (fraction or "").ljust(6, "9" if latest else "0")
        try:
            return cls(_as_date_time(whole, len(digits), int(micro)), _as_offset(offset))
        except ValueError:
            return None

    def is_before(self, other: "_Moment") -> bool:
        if self.offset is not None and other.offset is not None:
            return self.in_utc < other.in_utc
        return self.local < other.local

    @property
    def in_utc(self) -> datetime:
        try:
            return self.local.replace(tzinfo=self.offset).astimezone(UTC)
        except OverflowError:
            return self.local.replace(tzinfo=UTC)


def _as_date_time(whole: str, given: int, micro: int) -> datetime:
    year, month, day, hour, minute, second = (int(whole[:4]), *(int(whole[n : n + 2]) for n in range(4, 14, 2)))
    if given < len("YYYYMMDD"):  # the last day that a month has
        while day > 28 and not _is_day(year, month, day):  # noqa: PLR2004 -- every month has as many
            day -= 1
    return datetime(year, month, day, hour, minute, min(second, 59), micro)  # noqa: DTZ001 -- the offset stands beside it


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        return bool(datetime(year, month, day, tzinfo=UTC))
    except ValueError:
        return False


def _as_offset(text: str | None) -> timezone | None:
    if text is None:
        return None
    hours, minutes = int(text[1:3]), int(text[3:])
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)
