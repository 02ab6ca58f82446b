"""A query as SQL: which columns it needs, what the database sorts out, what is decided row by row.

Pages of rows follow each other by their number, so that no read transaction lasts longer than one page, whoever waits
for whom in between.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dicomtls.association.query import INSTANCE_AVAILABILITY, RETRIEVE_AE_TITLE, Level
from dicomtls.dataset import tags
from dicomtls.dataset.identifier import Element
from dicomtls.scp.conditions import Condition, condition
from dicomtls.scp.index import Query
from dicomtls.scp.index_attributes import ATTRIBUTES, DERIVED, ORDER, TABLES, Attribute, Derived
from dicomtls.scp.matching import Criterion, criterion, moments

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

_FIRST_PAGE: Final = 50
_LONGEST_PAGE: Final = 5000
_INSTANCE: Final = ("instance.path", "instance.SOPClassUID", "instance.SOPInstanceUID", "instance.transfer_syntax")
_NOT_KEYS: Final = frozenset({tags.SPECIFIC_CHARACTER_SET, RETRIEVE_AE_TITLE, INSTANCE_AVAILABILITY})
_ONLINE: Final = Element("CS", ("ONLINE",))


class _Column(NamedTuple):
    """A wanted attribute, its place in a row, and what its values must match."""

    tag: int
    vr: str
    has_many: bool
    criterion: Criterion | None


class Plan:
    """How one query is answered."""

    def __init__(self, query: Query, *, for_instances: bool = False) -> None:
        """Plan for the matches, or, `for_instances`, for everything below them."""
        self._level = Level.IMAGE if for_instances else query.level
        self._is_for_instances = for_instances
        self._columns: list[_Column] = []
        self._selected: list[str] = []
        self._conditions: list[Condition] = []
        self._shows_availability = INSTANCE_AVAILABILITY in query.keys
        known = {
            tag: element for tag, element in query.keys.items() if tag not in _NOT_KEYS and tag in _KNOWN[query.level]
        }
        self._moments = moments(known) if query.date_time and not for_instances else {}
        for tag, element in known.items():
            self._want(*_KNOWN[query.level][tag], element, fuzzy=query.fuzzy)

    def _want(self, level: Level, attribute: Attribute | Derived, element: Element, *, fuzzy: bool) -> None:
        wanted = criterion(Element(attribute.vr, element.values), fuzzy=fuzzy)
        if any(attribute.tag == span.time_tag for span in self._moments.values()):
            wanted = None
        if self._is_for_instances and wanted is None:
            return
        has_many = isinstance(attribute, Derived) or attribute.has_many
        self._columns.append(_Column(attribute.tag, attribute.vr, has_many, wanted))
        self._selected.append(
            f"({attribute.sql})" if isinstance(attribute, Derived) else f"{TABLES[level]}.{attribute.keyword}"
        )
        found = condition(TABLES[level], attribute, wanted) if wanted is not None else None
        if found is not None:
            self._conditions.append(found)

    @property
    def sql(self) -> str:
        """One page: its last two parameters are the number that it begins behind, and how many rows it may have."""
        table = TABLES[self._level]
        levels = ORDER[: ORDER.index(self._level) + 1]
        joins = [
            f"JOIN {TABLES[above]} ON {TABLES[above]}.id = {TABLES[level]}.{TABLES[above]}"
            for above, level in reversed(list(pairwise(levels)))
        ]
        selected = [f"{table}.id", *self._selected, *(_INSTANCE if self._is_for_instances else ())]
        where = [*(one.sql for one in self._conditions), f"{table}.id > ?"]
        return (
            f"SELECT {', '.join(selected)} FROM {table} {' '.join(joins)}"
            f" WHERE {' AND '.join(where)} ORDER BY {table}.id LIMIT ?"
        )

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of `sql` but for the last two."""
        return tuple(value for one in self._conditions for value in one.parameters)

    def rows(self, connection: "Connection") -> "Iterator[Row]":
        """Yield the rows that match, page by page; raises `sqlite3.Error`."""
        sql, parameters = self.sql, self.parameters
        last, size = 0, _FIRST_PAGE
        while True:
            page: list[Any] = connection.execute(sql, (*parameters, last, size)).fetchall()
            yield from filter(self._matches, page)
            if len(page) < size:
                return
            last, size = page[-1][0], min(4 * size, _LONGEST_PAGE)

    def _matches(self, row: "Row") -> bool:
        is_match = all(
            column.criterion is None or column.criterion.matches(_values(column, row[place]))
            for place, column in enumerate(self._columns, start=1)
        )
        return is_match and (not self._moments or self._is_in_moments(row))

    def _is_in_moments(self, row: "Row") -> bool:
        texts = {column.tag: row[place] for place, column in enumerate(self._columns, start=1)}
        return all(span.matches((texts[tag], texts[span.time_tag])) for tag, span in self._moments.items())

    def identifier(self, row: "Row") -> dict[int, Element]:
        """What was asked for, of one match."""
        found = {
            column.tag: Element(column.vr, _values(column, row[place]))
            for place, column in enumerate(self._columns, start=1)
        }
        if self._shows_availability:
            found[INSTANCE_AVAILABILITY] = _ONLINE
        return found


def _values(column: _Column, text: str | int | None) -> tuple[str, ...]:
    if not text and text != 0:
        return ()
    return tuple(str(text).split("\\")) if column.has_many else (str(text),)


def _known() -> dict[Level, dict[int, tuple[Level, Attribute | Derived]]]:
    """What can be asked for at each level: its attributes, and those of the levels above."""
    known: dict[Level, dict[int, tuple[Level, Attribute | Derived]]] = {}
    so_far: dict[int, tuple[Level, Attribute | Derived]] = {}
    for level in ORDER:
        so_far |= {one.tag: (level, one) for one in ATTRIBUTES[level]}
        so_far |= {one.tag: (level, one) for one in DERIVED[level]}
        known[level] = dict(so_far)
    return known


_KNOWN: Final = _known()
