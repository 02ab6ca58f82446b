"""Keys of a query as people type them: a keyword, a tag, a path into sequences, and a value to match.

`PatientName=DOE*`, `0008,0060`, `ScheduledProcedureStepSequence[0].Modality=CT`.
A key without a value asks for one (universal matching, PS3.4 section C.2.2.2.3); several values are joined by a
backslash. What is typed is checked against its VR (PS3.5 section 6.2), since peers answer nonsense with silence.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from dicomtls.dataset.attributes import DICTIONARY, name_of, nearest, numbers_of, private_vr, tag_of
from dicomtls.dataset.identifier import DEEPEST, Element, Identifier, Value
from dicomtls.dataset.key_values import read_values
from dicomtls.dataset.tags import SPECIFIC_CHARACTER_SET
from dicomtls.dataset.value_representations import SEQUENCE
from dicomtls.errors import UsageError

_STEP: Final = re.compile(
    r"(?:\(?(?P<group>[0-9A-Fa-f]{4}),?(?P<element>[0-9A-Fa-f]{4})\)?|(?P<keyword>[A-Za-z][A-Za-z0-9]*))"
    r"(?:\[(?P<item>[0-9]{1,3})\])?"
)
_NO_KEYS: Final = frozenset({0x0000, 0x0002, 0xFFFE})
"""Groups of command sets, file meta information and delimiters: none stands in an identifier."""
_FIRST_CREATOR: Final = 0x10
_LAST_CREATOR: Final = 0xFF


class Step(NamedTuple):
    """An item of a sequence, on the way down to an attribute."""

    tag: int
    item: int


class Path(NamedTuple):
    """Where an attribute stands: in the items `above` it, the outermost first."""

    above: tuple[Step, ...]
    tag: int

    def __str__(self) -> str:
        steps = (f"{name_of(step.tag)}[{step.item}]." for step in self.above)
        return f"{''.join(steps)}{name_of(self.tag)}"


class Key(NamedTuple):
    """One key of a query; without values it asks for them."""

    path: Path
    element: Element


def parse_keys(texts: Iterable[str]) -> list[Key]:
    """Read keys in their order; raises `UsageError` for what is no key, or not a value of its VR."""
    parsed = [
        (_parse_path(name), _Typed(text, value, has_value=bool(sign))) for text, name, sign, value in _split(texts)
    ]
    creators = {path: typed.value for path, typed in parsed if _is_creator(path.tag)}
    keys: dict[Path, Key] = {}
    for path, typed in parsed:
        key = Key(path, _element(path, typed, creators))
        if keys.setdefault(path, key) != key:
            msg = f"{path} is given twice, with different values"
            raise UsageError(msg, hints=("several values of one key are joined by a backslash: 'KEY=A\\B'",))
    return list(keys.values())


def identifier_of(keys: Iterable[Key], base: Identifier | None = None) -> dict[int, Element]:
    """Put keys into one identifier, over those of `base`, which keep their place; raises `UsageError`.

    The identifier's order is that of the keys, and says what people want to see first.
    """
    root = dict(base or {})
    for path, element in keys:
        if element.vr == SEQUENCE and _find(root, path.above, path.tag):
            continue  # `X` beside `X[0].Y` asks for no more
        _put(root, path.above, path, element)
    return root


def paths_of(identifier: Identifier) -> Iterator[Path]:
    """Where the attributes stand that a query asks for: an item of a sequence for what is in it."""
    yield from _paths(identifier, ())


def element_at(identifier: Identifier, path: Path) -> Element | None:
    """The element at `path`, None where there is none."""
    return _find(identifier, path.above, path.tag)


def has_empty_key(identifier: Identifier) -> bool:
    """Whether any key asks for a value without giving one."""
    return any(
        not element.values or any(isinstance(item, Mapping) and has_empty_key(item) for item in element.values)
        for element in identifier.values()
    )


class _Typed(NamedTuple):
    """A key as it was typed."""

    text: str
    value: str
    has_value: bool


def _split(texts: Iterable[str]) -> Iterator[tuple[str, str, str, str]]:
    for text in texts:
        if not _is_utf_8(text):
            msg = f"the key {text!r} is not text in UTF-8"
            raise UsageError(msg)
        yield text, *text.partition("=")


def _is_utf_8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _parse_path(name: str) -> Path:
    *above, last = name.strip().split(".")
    if len(above) > DEEPEST:
        msg = f"a key stands at most {DEEPEST} sequences deep: {name!r}"
        raise UsageError(msg)
    steps = tuple(_parse_step(part, name) for part in above)
    for step in steps:
        if DICTIONARY.vr(step.tag) != SEQUENCE and not step.tag >> 16 & 1:
            msg = f"{name_of(step.tag)} is no sequence: nothing is in it"
            raise UsageError(msg, hints=("a path goes through sequences: SEQUENCE[0].KEYWORD",))
    if "[" in last:
        msg = f"{name!r} ends in an item, and names nothing in it"
        raise UsageError(msg, hints=(f"ask for an attribute of the item, {name.strip()}.KEYWORD, or for the sequence",))
    return Path(steps, _parse_step(last, name).tag)


def _parse_step(part: str, name: str) -> Step:
    match = _STEP.fullmatch(part)
    if match is None:
        msg = f"not a key: {name!r}"
        raise UsageError(msg, hints=_SPELLINGS)
    keyword = match["keyword"]
    tag = tag_of(keyword) if keyword else int(match["group"] + match["element"], 16)
    if tag is None:
        near = nearest(keyword)
        hint = f"did you mean {near}?" if near else "keywords are those of PS3.6, such as PatientName"
        msg = f"no such keyword: {keyword}"
        raise UsageError(msg, hints=(hint,), evidence={"keyword": keyword, "nearest": near})
    if tag >> 16 in _NO_KEYS or not tag & 0xFFFF:
        msg = f"{numbers_of(tag)} is no key of a query"
        raise UsageError(msg, hints=_SPELLINGS)
    if tag == SPECIFIC_CHARACTER_SET:
        msg = "the character set of a query is no key of it"
        raise UsageError(msg, hints=("give it with --character-set",))
    return Step(tag, int(match["item"] or 0))


_SPELLINGS: Final = ("a key is a keyword (PatientName), a tag (0010,0010) or 00100010, or a path SEQUENCE[0].KEYWORD",)


def _is_creator(tag: int) -> bool:
    return bool(tag >> 16 & 1) and _FIRST_CREATOR <= tag & 0xFFFF <= _LAST_CREATOR


def _element(path: Path, typed: _Typed, creators: Mapping[Path, str]) -> Element:
    vr = DICTIONARY.vr(path.tag)
    if path.tag >> 16 & 1 and not _is_creator(path.tag):
        block = path.tag & 0xFFFF0000 | (path.tag >> 8 & 0xFF)
        vr = private_vr(path.tag, creators.get(Path(path.above, block), "")) or vr
    if not typed.value:
        return Element(vr)
    if vr == SEQUENCE:
        msg = f"{path} is a sequence, and has no value of its own"
        raise UsageError(msg, hints=(f"name an attribute in it: {path}[0].KEYWORD={typed.value}",))
    return Element(vr, read_values(str(path), vr, typed.value))


def _find(identifier: Identifier, above: tuple[Step, ...], tag: int) -> Element | None:
    for step in above:
        items = identifier.get(step.tag, Element(SEQUENCE)).values
        if step.item >= len(items) or not isinstance(item := items[step.item], Mapping):
            return None
        identifier = item
    return identifier.get(tag)


def _put(identifier: dict[int, Element], above: tuple[Step, ...], path: Path, element: Element) -> None:
    if not above:
        identifier[path.tag] = element
        return
    (tag, number), *rest = above
    items: list[Value] = list(identifier.get(tag, Element(SEQUENCE)).values)
    if number > len(items):
        msg = f"{path} is in an item after one that is not there"
        raise UsageError(msg, hints=("items are counted from 0, without gaps",))
    found = items[number] if number < len(items) else {}
    item = dict(found) if isinstance(found, Mapping) else {}
    _put(item, tuple(rest), path, element)
    items[number:] = [item, *items[number + 1 :]]
    identifier[tag] = Element(SEQUENCE, tuple(items))


def _paths(identifier: Identifier, above: tuple[Step, ...]) -> Iterator[Path]:
    for tag, element in identifier.items():
        if element.vr != SEQUENCE or not element.values:
            yield Path(above, tag)
        for number, item in enumerate(element.values if element.vr == SEQUENCE else ()):
            if isinstance(item, Mapping):
                yield from _paths(item, (*above, Step(tag, number)))
