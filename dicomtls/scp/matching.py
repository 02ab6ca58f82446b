"""What a key of a query matches (PS3.4 section C.2.2.2): decided in one place, for the index and for worklist files.

A criterion looks at the values of one attribute. A database may sort out beforehand what cannot match
(`conditions`); what is left is decided here.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from dicomtls.dataset.identifier import Element, Identifier, Value
from dicomtls.dataset.value_representations import FORMATS, SEQUENCE, TAG
from dicomtls.scp.patterns import FuzzyName, Name, Wildcard, is_any_name
from dicomtls.scp.spans import DateSpan, DateTimeSpan, MomentSpan, TimeSpan

_WILDCARDS: Final = frozenset("*?")
_NUMBERS: Final = frozenset(("DS", "IS", TAG, *FORMATS))

Values: TypeAlias = Sequence[Value]


class Criterion(Protocol):
    """One key, and what it matches."""

    def matches(self, values: Values) -> bool:
        """Whether the values of an attribute match; no values where it is empty or missing."""


MOMENTS: Final[Mapping[int, int]] = {
    0x00080012: 0x00080013,
    0x00080020: 0x00080030,
    0x00080021: 0x00080031,
    0x00080022: 0x00080032,
    0x00080023: 0x00080033,
    0x00100030: 0x00100032,
    0x00321000: 0x00321001,
    0x00400002: 0x00400003,
    0x00400004: 0x00400005,
    0x00400244: 0x00400245,
    0x00400250: 0x00400251,
}
"""Dates, and the times that go with them: of instances, studies, series, birth, and procedure steps."""


def criterion(element: Element, *, fuzzy: bool = False, date_time: bool = False) -> Criterion | None:
    """What a key asks for; None where it matches everything (PS3.4 section C.2.2.2.3).

    Several values match what any of them does, as a list of UIDs does (PS3.4 section C.2.2.2.2). With `fuzzy` a name
    matches where each of its words is the beginning of one.
    """
    if element.vr == SEQUENCE:
        return _items(element, fuzzy=fuzzy, date_time=date_time)
    texts = [text.strip(" \0") for value in element.values for text in [_text(value)]]
    texts = [text for text in dict.fromkeys(texts) if text]
    if not texts or any(_is_universal(element.vr, text) for text in texts):
        return None
    found = [_single(element.vr, text, fuzzy=fuzzy) for text in texts if not _is_exact(element.vr, text)]
    exact = frozenset(text for text in texts if _is_exact(element.vr, text))
    if exact:
        found.insert(0, Exactly(exact))
    return found[0] if len(found) == 1 else AnyOf(tuple(found))


def criteria(keys: Identifier, *, fuzzy: bool = False, date_time: bool = False) -> dict[int, Criterion]:
    """What the keys of a query ask for, without those that match everything.

    With `date_time` the ranges of a date and its time are one, which stands at the date.
    """
    found = ((tag, criterion(element, fuzzy=fuzzy, date_time=date_time)) for tag, element in keys.items())
    wanted = {tag: one for tag, one in found if one is not None}
    if date_time:
        for tag, span in moments(keys).items():
            wanted[tag] = span
            wanted.pop(span.time_tag, None)
    return wanted


def moments(keys: Identifier) -> dict[int, MomentSpan]:
    """The spans of dates with times that keys ask for, by the tags of the dates: where both are a single range."""
    found: dict[int, MomentSpan] = {}
    for date_tag, time_tag in MOMENTS.items():
        date, time = _range(keys.get(date_tag)), _range(keys.get(time_tag))
        if date and time:
            found[date_tag] = MomentSpan(date, time, time_tag)
    return found


def _range(element: Element | None) -> str | None:
    """The text of a key that is a single range."""
    texts = [value for value in element.values if isinstance(value, str)] if element is not None else []
    return texts[0] if len(texts) == 1 and "-" in texts[0] else None


def identifier_matches(wanted: Mapping[int, Criterion], identifier: Identifier) -> bool:
    """Whether a dataset matches all keys."""
    return all(one.matches(_values_of(tag, one, identifier)) for tag, one in wanted.items())


def _values_of(tag: int, one: Criterion, identifier: Identifier) -> Values:
    if isinstance(one, MomentSpan):
        return [next(iter(identifier[at].values), "") if at in identifier else "" for at in (tag, one.time_tag)]
    return identifier[tag].values if tag in identifier else ()


def _text(value: Value) -> str:
    """A value as text; of a number the shortest that is this number and no other."""
    return value if isinstance(value, str) else "" if isinstance(value, (bytes, Mapping)) else str(value)


def _is_universal(vr: str, text: str) -> bool:
    return not text.strip("*") or (vr == "PN" and is_any_name(text))


_RANGED: Final[Mapping[str, Callable[[str], Criterion]]] = {"DA": DateSpan, "TM": TimeSpan, "DT": DateTimeSpan}


def _is_exact(vr: str, text: str) -> bool:
    return vr not in _RANGED and vr != "PN" and vr not in _NUMBERS and not _WILDCARDS & set(text)


def _single(vr: str, text: str, *, fuzzy: bool) -> Criterion:
    if vr == "PN":
        return FuzzyName(text) if fuzzy else Name(text)
    if _WILDCARDS & set(text):
        return Wildcard(text)
    return _RANGED[vr](text) if vr in _RANGED else Number(text)


@dataclass(frozen=True)
class Exactly:
    """One of these texts, with case: single value matching, and that of lists of UIDs."""

    texts: frozenset[str]

    def matches(self, values: Values) -> bool:
        """Whether any value is one of them."""
        return any(value in self.texts if isinstance(value, str) else _text(value) in self.texts for value in values)


@dataclass(frozen=True)
class AnyOf:
    """What matches one of several criteria."""

    criteria: tuple[Criterion, ...]

    def matches(self, values: Values) -> bool:
        """Whether one of them matches."""
        return any(one.matches(values) for one in self.criteria)


@dataclass(frozen=True)
class Number:
    """A number, in binary or as text (IS, DS): as text or as a number."""

    text: str

    def matches(self, values: Values) -> bool:
        """Whether any value is the same number."""
        number = _number(self.text)
        return any(value == self.text or (number is not None and _number(value) == number) for value in values)


def _number(value: Value) -> float | None:
    """A whole number as one: those of 64 bits are more than a `float` tells apart."""
    if not isinstance(value, str):
        return value if isinstance(value, (int, float)) else None
    for read in (int, float):
        with suppress(ValueError):  # for `int` also where it has thousands of digits
            return read(value)
    return None


# Sequences


def _items(element: Element, *, fuzzy: bool, date_time: bool) -> "Items | None":
    """What the item of a key asks for (PS3.4 section C.2.2.2.6); several are one beside the other."""
    wanted = [criteria(item, fuzzy=fuzzy, date_time=date_time) for item in element.values if isinstance(item, Mapping)]
    if not wanted or not all(wanted):
        return None
    return Items(tuple(wanted))


@dataclass(frozen=True)
class Items:
    """A sequence of which one item matches all keys in the item of the query."""

    wanted: tuple[Mapping[int, Criterion], ...]

    def matches(self, values: Values) -> bool:
        """Whether any item matches."""
        return any(self.matches_item(item) for item in values if isinstance(item, Mapping))

    def matches_item(self, item: Identifier) -> bool:
        """Whether this item matches."""
        return any(identifier_matches(wanted, item) for wanted in self.wanted)
