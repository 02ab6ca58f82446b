"""Criteria as SQL, with parameters only: what a database can sort out before `matching` decides.

A condition may let through too much, and never holds back what matches. The columns are ours; whatever comes from a
peer is a parameter.
"""

import json
import re
from typing import Final, NamedTuple

from dicomtls.scp.index_attributes import Attribute, Derived, folded
from dicomtls.scp.matching import Criterion, Exactly
from dicomtls.scp.patterns import Name, Pattern, Wildcard
from dicomtls.scp.spans import DateSpan, TimeSpan

_MOST_STARS: Final = 4
"""In a pattern that the database is given: its own matching may try all ways."""
_MOST_PARAMETERS: Final = 16


class Condition(NamedTuple):
    """A part of a WHERE clause."""

    sql: str
    parameters: tuple[str, ...] = ()


def condition(table: str, attribute: Attribute | Derived, criterion: Criterion) -> Condition | None:
    """What rows of `table` must fulfil at least; None where the database cannot tell."""
    if isinstance(attribute, Derived):
        return _of_derived(attribute, criterion)
    column = f"{table}.{attribute.keyword}"
    match criterion:
        case _ if attribute.has_many:
            found = None
        case Exactly(texts):
            found = _one_of(column, texts)
        case Wildcard():
            found = _like(column, criterion.pattern)
        case Name():
            found = _name(f"{table}.{folded(attribute)}", criterion)
        case DateSpan():
            found = Condition(f"{column} BETWEEN ? AND ?", criterion.span)
        case TimeSpan():
            found = _time(f"substr({column}, 1, 2)", criterion)
        case _:
            found = None
    return found


def _time(hour: str, criterion: TimeSpan) -> Condition:
    lower, upper = criterion.span
    joined = "AND" if lower <= upper else "OR"  # over midnight
    return Condition(f"({hour} >= ? {joined} {hour} <= ?)", (lower[:2], upper[:2]))


def _of_derived(attribute: Derived, criterion: Criterion) -> Condition | None:
    if attribute.keyword != "ModalitiesInStudy" or not isinstance(criterion, Exactly):
        return None
    inner = _one_of("m.Modality", criterion.texts)
    return Condition(f"EXISTS (SELECT 1 FROM series AS m WHERE m.study = study.id AND {inner.sql})", inner.parameters)


def _one_of(column: str, texts: frozenset[str]) -> Condition:
    values = tuple(sorted(texts))
    if len(values) == 1:
        return Condition(f"{column} = ?", values)
    if len(values) <= _MOST_PARAMETERS:
        return Condition(f"{column} IN ({', '.join('?' * len(values))})", values)
    return Condition(f"{column} IN (SELECT value FROM json_each(?))", (json.dumps(values),))


def _like(column: str, pattern: Pattern) -> Condition | None:
    text = pattern.text
    if "\0" in text or text.count("*") > _MOST_STARS:
        return None
    return Condition(f"{column} GLOB ?", (_escape(text),))


def _name(column: str, criterion: Name) -> Condition | None:
    """The alphabetic group alone can be looked for; names with others are left to `matching`."""
    if len(criterion.groups) != 1:
        return None
    [pattern] = criterion.groups
    found = _like(column, pattern)
    if found is None:
        return None
    others = f"instr({column}, '=')"
    carets = pattern.text.count("^")
    if carets:  # a name with fewer components than the pattern is filled with empty ones
        prefix = re.split(r"[*?^]", pattern.text, maxsplit=1)[0]
        others += f" OR (length({column}) - length(replace({column}, '^', '')) < {carets} AND {column} GLOB ?)"
        found = Condition(found.sql, (*found.parameters, f"{_escape(prefix)}*"))
    return Condition(f"({found.sql} OR {others})", found.parameters)


def _escape(text: str) -> str:
    return text.replace("[", "[[]")
