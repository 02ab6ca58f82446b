"""The options that say what a query is about: keys, level, information model."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from dicomtls.cli.declaring import option
from dicomtls.cli.options.values import path_option
from dicomtls.errors import DataError, UsageError

if TYPE_CHECKING:
    from dicomtls.association.query import Level, Model
    from dicomtls.dataset.identifier import Element

_QUERY = "Query"
_LEVEL_TAG = 0x00080052


class Query(NamedTuple):
    """What a user asks for; `level` is None in a worklist. `keys` has neither level nor character set in it."""

    model: "Model"
    level: "Level | None"
    keys: "dict[int, Element]"


def complete_key(incomplete: str) -> list[str]:
    """The keywords that begin so, also behind the sequences of a path: for a shell's TAB."""
    from dicomtls.dataset.attributes import all_keywords

    above, dot, begun = incomplete.rpartition(".")
    if "=" in incomplete:
        return []
    return [f"{above}{dot}{keyword}" for keyword in all_keywords() if keyword.startswith(begun)]


@dataclass(frozen=True, kw_only=True)
class QueryOptions:
    """What a query is about."""

    query_key: Annotated[
        tuple[str, ...],
        option(
            "-k",
            "--query-key",
            metavar="KEY[=VALUE]",
            panel=_QUERY,
            help="match by this value, or ask for it; a keyword, gggg,eeee or a path SEQUENCE[0].KEYWORD; repeatable",
            autocompletion=complete_key,
        ),
    ] = ()
    level: Annotated[
        Literal["patient", "study", "series", "image"] | None,
        option(
            "--level",
            metavar="LEVEL",
            panel=_QUERY,
            case_sensitive=False,
            help="patient, study, series or image (default: the model's highest)",
        ),
    ] = None
    model: Annotated[
        Literal["study-root", "patient-root", "worklist"] | None,
        option(
            "--model",
            metavar="MODEL",
            panel=_QUERY,
            case_sensitive=False,
            help="study-root, patient-root or worklist (default: study-root; for patients, patient-root)",
        ),
    ] = None
    query: Annotated[
        Path | None, path_option("--query", panel=_QUERY, help="more keys: a DICOM file, or DICOM JSON")
    ] = None

    def read(self) -> Query:
        """Return what is asked for; raises `UsageError`, `DataError` for a file that holds no query."""
        from dicomtls.association.query import Level, Model
        from dicomtls.dataset.keys import identifier_of, parse_keys
        from dicomtls.scu.return_keys import choose, refuse_below

        typed = identifier_of(parse_keys(self.query_key))
        keys = identifier_of(parse_keys(self.query_key), _read_file(self.query) if self.query is not None else {})
        # What is typed wins over what is in the file; two ways of typing it may not contradict each other.
        given = list(dict.fromkeys(_levels(self.level, typed)))
        if len(given) > 1:
            msg = f"the level is {given[0].lower()} and {given[1].lower()} at once"
            raise UsageError(msg, hints=("give it once, with --level",))
        level = next(iter((*given, *_levels(None, keys))), None)
        keys.pop(_LEVEL_TAG, None)
        model, chosen = choose(Model(self.model) if self.model else None, Level(level) if level else None)
        refuse_below(typed, chosen)
        return Query(model, chosen, keys)


def _levels(option_value: str | None, keys: "dict[int, Element]") -> Iterator[str]:
    """The level as an option and as a key have it; raises `UsageError` for one that does not exist."""
    from dicomtls.association.query import Level

    if option_value is not None:
        yield option_value.upper()
    for value in keys[_LEVEL_TAG].values if _LEVEL_TAG in keys else ():
        if value not in tuple(Level):
            msg = f"there is no level {value!a}"
            raise UsageError(msg, hints=("choose --level patient, study, series or image",))
        yield str(value)


def _read_file(path: Path) -> "dict[int, Element]":
    from dicomtls.cli.passphrase import read_limited
    from dicomtls.dataset.query_file import LONGEST_QUERY, read_query

    try:
        return read_query(read_limited(path, "query", LONGEST_QUERY))
    except DataError as error:
        msg = f"{path} holds no query: {error.message}"
        hints = error.hints or ("a query is a DICOM file without pixels, or one object of the DICOM JSON Model",)
        raise DataError(msg, hints=hints) from error
