"""Wildcards and person names, with hostile patterns among them."""

import re
from fnmatch import fnmatchcase
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.scp.patterns import LONGEST_PATTERN, FuzzyName, Name, Pattern, Wildcard, fold_name

SMALL = st.text("ab^*?", max_size=8)


@given(pattern=SMALL, text=st.text("ab^", max_size=8))
def test_pattern_matches_as_the_standard_library_does(pattern: str, text: str) -> None:
    """`*` stands for any characters, `?` for exactly one."""
    assert Pattern(pattern).matches(text) is fnmatchcase(text, pattern)


@given(st.text(max_size=20))
def test_pattern_without_wildcards_matches_itself_only(text: str) -> None:
    """Whatever else regular expressions would make of it."""
    plain = re.sub(r"[*?]", "x", text)
    assert Pattern(plain).matches(plain)
    assert not Pattern(plain).matches(f"{plain}y")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*" * 10_000 + "a", "b" * 10_000 + "a"),
        ("*a" * 1000 + "b", "a" * 10_000),
        ("a*" * 10_000 + "b", "a" * 10_000),
        ("?*" * 500 + "z", "a" * 10_000),
        ("*ab" * 300 + "c", "ab" * 5_000),
    ],
)
def test_hostile_pattern_takes_no_time(pattern: str, text: str) -> None:
    """No pattern is tried in all ways."""
    started = process_time()
    Pattern(pattern).matches(text)
    assert process_time() - started < 2


def test_pattern_that_is_longer_than_any_value_matches_nothing() -> None:
    """Even where it would."""
    assert Pattern("a" * LONGEST_PATTERN + "*").matches("a" * LONGEST_PATTERN)
    assert not Pattern("a" * (LONGEST_PATTERN + 1)).matches("a" * (LONGEST_PATTERN + 1))


def test_wildcard_keeps_case() -> None:
    """Everything but names is compared with case."""
    assert Wildcard("CH*").matches(("CHEST",))
    assert not Wildcard("ch*").matches(("CHEST",))
    assert Wildcard("CH*").matches(("HEAD", "CHEST"))
    assert not Wildcard("*").matches(())


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("smith^john", "SMITH^John"),
        ("Smith^John^^^", "Smith^John"),
        ("Smith^John", "Smith^John^^"),
        ("smi*", "Smith^John"),
        ("smith^*", "Smith"),
        ("*^john", "Smith^John"),
        ("s?ith^john", "Smith^John"),
        ("MÜLLER*", "müller^jürgen"),
        ("Mu\u0308ller", "M\u00fcller"),
        ("yamada^tarou", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("=山田^太郎", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("Yamada*==やまだ*", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("*太郎*", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
)
def test_name_matches(key: str, name: str) -> None:
    """Without case, whatever is empty at an end, in any component group."""
    assert Name(key).matches((name,))
    assert Name(key).matches(("Nobody", name))


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("smith", "Smith^John"),
        ("smith^j", "Smith^John"),
        ("john*", "Smith^John"),
        ("=Yamada*", "Yamada^Tarou=山田^太郎"),
        ("Yamada*=鈴木*", "Yamada^Tarou=山田^太郎"),
        ("=山田*", "Yamada^Tarou"),
        ("muller*", "Müller"),
        ("?", ""),
    ],
)
def test_name_does_not_match(key: str, name: str) -> None:
    """The negative twins: a part of a name is no name, and a group is not another one."""
    assert not Name(key).matches((name,))


def test_name_matches_nothing_that_is_no_text() -> None:
    """Sequences and bytes have no names."""
    assert not Name("a*").matches(({}, b"abc", 1))
    assert not Name("a*").matches(())


@pytest.mark.parametrize("key", ["john smith", "smi", "Müller", "muller", "smith, jo", "jo*n"])
def test_fuzzy_name_matches_words_in_any_order(key: str) -> None:
    """Their beginnings, without accents."""
    assert FuzzyName(key).matches(("Smith-Müller^John", "Mueller", "Müller Smith^John"))


@pytest.mark.parametrize("key", ["mith", "john miller", "jon"])
def test_fuzzy_name_still_has_to_be_there(key: str) -> None:
    """Fuzzy is not everything."""
    assert not FuzzyName(key).matches(("Smith^John",))


@given(st.text(max_size=30))
def test_folding_a_name_twice_changes_nothing(name: str) -> None:
    """What the index holds can be folded again."""
    assert fold_name(fold_name(name)) == fold_name(name)
