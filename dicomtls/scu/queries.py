"""What is asked for, from keys as people type them (`dataset.keys`): which level and information model follow."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

from dicomtls.association.query import LEVELS, QUERY_RETRIEVE_LEVEL, UNIQUE_KEYS, Level, Model
from dicomtls.dataset.attributes import name_of
from dicomtls.dataset.identifier import Element, Identifier
from dicomtls.dataset.keys import identifier_of, parse_keys
from dicomtls.errors import UsageError
from dicomtls.scu.retrieve import RetrieveRequest
from dicomtls.scu.return_keys import choose, refuse_below

_EMPTY: Final = Element("UI")
_Choice = TypeVar("_Choice", bound=StrEnum)


class Asked(NamedTuple):
    """What a query is about; `level` is None in a worklist. `keys` has neither level nor character set in it."""

    model: Model
    level: Level | None
    keys: dict[int, Element]


def to_find(
    texts: Iterable[str], *, level: str | None = None, model: str | None = None, base: Identifier | None = None
) -> Asked:
    """What to ask for by these keys over those of `base`, such as a file; raises `UsageError`.

    The level may be a key, too. Where neither it nor the model is told, they are the study root's.
    """
    texts = tuple(texts)
    typed, keys = identifier_of(parse_keys(texts)), identifier_of(parse_keys(texts), base)
    # What is typed wins over what is in the file; two ways of typing it may not contradict each other.
    given = list(dict.fromkeys(_levels(level, typed)))
    if len(given) > 1:
        msg = f"the level is {given[0].lower()} and {given[1].lower()} at once"
        raise UsageError(msg, hints=("give it once, with --level",))
    asked = next(iter((*given, *_levels(None, keys))), None)
    keys.pop(QUERY_RETRIEVE_LEVEL, None)
    chosen_model, chosen = choose(_one_of(Model, model, "model") if model else None, asked)
    refuse_below(typed, chosen)
    return Asked(chosen_model, chosen, keys)


def to_retrieve(texts: Iterable[str], *, level: str | None = None, model: str | None = None) -> RetrieveRequest:
    """What to retrieve by these keys; raises `UsageError` where that is nothing, or everything.

    Where no level is told, it is that of the lowest unique key.
    """
    keys = identifier_of(parse_keys(texts))
    given_model = _one_of(Model, model, "model") if model else None
    wanted = _one_of(Level, level, "level") if level else _lowest(keys, given_model)
    chosen = _model_with(wanted, given_model)
    refuse_below(keys, wanted)
    if not keys.get(UNIQUE_KEYS[wanted], _EMPTY).values and wanted is not Level.STUDY:
        msg = f"the level {wanted.lower()} needs its unique key with a value"
        raise UsageError(msg, hints=(f"give it with -k {name_of(UNIQUE_KEYS[wanted])}=...",))
    if not any(set(element.values) - {"*"} for element in keys.values()):
        msg = "nothing says what to retrieve"
        raise UsageError(msg, hints=("give the unique key of a study with -k StudyInstanceUID=1.2.3",))
    return RetrieveRequest(model=chosen, level=wanted, keys=keys)


def _levels(option: str | None, keys: Identifier) -> Iterator[Level]:
    """The level as an option and as a key have it."""
    if option is not None:
        yield _one_of(Level, option, "level")
    for value in keys[QUERY_RETRIEVE_LEVEL].values if QUERY_RETRIEVE_LEVEL in keys else ():
        yield _one_of(Level, value, "level")


def _one_of(kind: type[_Choice], value: object, what: str) -> _Choice:
    for one in kind:
        if str(value).casefold() == one.casefold():
            return one
    *others, last = (one.lower() for one in kind)
    msg = f"there is no {what} {value!a}"
    raise UsageError(msg, hints=(f"choose --{what} {', '.join(others)} or {last}",))


def _lowest(keys: Identifier, model: Model | None) -> Level:
    given = [level for level, tag in UNIQUE_KEYS.items() if keys.get(tag, _EMPTY).values]
    if not given or (given == [Level.PATIENT] and model is Model.STUDY_ROOT):
        return Level.STUDY
    return given[-1]


def _model_with(level: Level, model: Model | None) -> Model:
    """The model, which has the level."""
    if model is None:
        return Model.STUDY_ROOT if level in LEVELS[Model.STUDY_ROOT] else Model.PATIENT_ROOT
    if level not in LEVELS.get(model, ()):
        msg = f"the model {model} has no level {level.lower()}"
        raise UsageError(msg, hints=("give --model patient-root, or a lower --level",))
    return model
