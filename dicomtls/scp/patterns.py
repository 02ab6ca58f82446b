"""Wildcards, and person names: texts that match without being equal (PS3.4 sections C.2.2.2.1 and C.2.2.2.4).

Patterns come from peers: matching one takes time in proportion to the pattern times the value.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from dicomtls.dataset.identifier import Value

LONGEST_PATTERN: Final = 1024
"""Characters of a pattern other than `*`; what is longer matches nothing, since no attribute is."""
_MOST_GROUPS: Final = 3


class Pattern:
    """A text with wildcards: `*` for any characters, `?` for a single one (PS3.4 section C.2.2.2.4)."""

    def __init__(self, text: str) -> None:
        self.text: Final = re.sub(r"\*+", "*", text)
        self._is_hopeless = len(self.text.replace("*", "")) > LONGEST_PATTERN

    def matches(self, text: str) -> bool:
        """Whether the whole text fits."""
        return not self._is_hopeless and self._expression.fullmatch(text) is not None

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        """Each `*` takes as little as it can, and is never tried again: no pattern takes forever."""
        first, *others = (re.escape(part).replace(r"\?", ".") for part in self.text.split("*"))
        if not others:
            return re.compile(first, re.DOTALL)
        *middle, last = others
        return re.compile(first + "".join(f"(?>.*?{part})" for part in middle) + f".*{last}", re.DOTALL)


@dataclass(frozen=True)
class Wildcard:
    """A pattern, with case."""

    text: str

    def matches(self, values: Sequence[Value]) -> bool:
        """Whether any value fits."""
        return any(isinstance(value, str) and self.pattern.matches(value) for value in values)

    @cached_property
    def pattern(self) -> Pattern:
        """The pattern, ready to be used."""
        return Pattern(self.text)


# Person names


def fold_name(name: str) -> str:
    """A person name for comparing: without case, and without what is empty at the end of a component group."""
    groups = [group.strip(" ").rstrip("^ ") for group in name.split("=")[:_MOST_GROUPS]]
    return unicodedata.normalize("NFC", "=".join(groups).rstrip("=").casefold())


def is_any_name(key: str) -> bool:
    """Whether a key asks for no name in particular: nothing but empty components, as forms send that nobody filled."""
    return not fold_name(key)


@dataclass(frozen=True)
class Name:
    """A person name, without case.

    A key of one component group matches any of the three: alphabetic, ideographic, phonetic. One of several matches
    group by group. A component that is not there is an empty one.
    """

    text: str

    def matches(self, values: Sequence[Value]) -> bool:
        """Whether any value is this name, or fits the pattern."""
        return any(isinstance(value, str) and self._fits(fold_name(value)) for value in values)

    def _fits(self, folded: str) -> bool:
        wanted, groups = self.groups, folded.split("=")
        if len(wanted) == 1:
            return any(_fits_group(wanted[0], group) for group in groups if group) or (
                len(groups) > 1 and wanted[0].matches(folded)
            )
        groups += [""] * (len(wanted) - len(groups))
        return all(not one.text or _fits_group(one, group) for one, group in zip(wanted, groups, strict=False))

    @cached_property
    def groups(self) -> tuple[Pattern, ...]:
        """A pattern for each component group."""
        return tuple(map(Pattern, fold_name(self.text).split("=")))


def _fits_group(pattern: Pattern, group: str) -> bool:
    if pattern.matches(group):
        return True
    missing = pattern.text.count("^") - group.count("^")
    return missing > 0 and pattern.matches(group + "^" * missing)


@dataclass(frozen=True)
class FuzzyName:
    """A person name as somebody remembers it: words in any order, their beginnings, without accents."""

    text: str

    def matches(self, values: Sequence[Value]) -> bool:
        """Whether each word of the key is the beginning of a word of a value."""
        return any(isinstance(value, str) and self._fits(_words(value)) for value in values)

    def _fits(self, words: Sequence[str]) -> bool:
        return all(any(pattern.matches(word) for word in words) for pattern in self._patterns)

    @cached_property
    def _patterns(self) -> tuple[Pattern, ...]:
        return tuple(Pattern(f"{word}*") for word in dict.fromkeys(_words(self.text[:LONGEST_PATTERN])))


def _words(name: str) -> list[str]:
    plain = "".join(one for one in unicodedata.normalize("NFKD", fold_name(name)) if not unicodedata.combining(one))
    return re.split(r"[\s^=,]+", plain.strip("^= ,"))
