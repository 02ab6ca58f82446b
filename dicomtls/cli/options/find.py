"""The options of `find` alone: how much of what, and in which form."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from dicomtls.cli.declaring import option
from dicomtls.cli.options.values import path_option, whole_number
from dicomtls.errors import UsageError

if TYPE_CHECKING:
    from dicomtls.association.query import Model
    from dicomtls.cli.find_files import MatchFolder
    from dicomtls.scu.query import FindOptions

_QUERY = "Query"
_OUTPUT = "Output"

Format: TypeAlias = Literal["table", "json", "csv"]


@dataclass(frozen=True, kw_only=True)
class FindingOptions:
    """How `find` asks, and what it does with the matches."""

    limit: Annotated[
        int,
        option("--limit", metavar="N", panel=_QUERY, parser=whole_number(0), help="stop after N matches; 0: take all"),
    ] = 0
    relational: Annotated[
        bool, option("--relational", panel=_QUERY, help="keys of any level, where the peer agrees to that")
    ] = False
    fuzzy: Annotated[
        bool, option("--fuzzy", panel=_QUERY, help="names that are only similar, where the peer agrees to that")
    ] = False
    character_set: Annotated[
        str | None,
        option(
            "--character-set",
            metavar="NAME",
            panel=_QUERY,
            help="encode the query's text so, for peers without ISO_IR 192 (UTF-8); as in (0008,0005)",
        ),
    ] = None
    format: Annotated[
        Format | None,
        option(
            "--format",
            metavar="FORMAT",
            panel=_OUTPUT,
            case_sensitive=False,
            help="table, json (as --json) or csv (for spreadsheets: formulas become text) (default: table)",
        ),
    ] = None
    output: Annotated[
        Path | None,
        path_option("--output", panel=_OUTPUT, help="write each match into a .dcm file in this folder, too"),
    ] = None

    def form(self, *, json: bool) -> Format:
        """The form of the output; raises `UsageError` where `--json` contradicts it."""
        if json and self.format not in (None, "json"):
            msg = f"--json and --format {self.format} contradict each other"
            raise UsageError(msg, hints=("leave out one of them",))
        return "json" if json else self.format or "table"

    def folder(self, model: "Model") -> "MatchFolder | None":
        """The folder for the matches, if there is to be one; raises `UsageError`, `MachineError`."""
        if self.output is None:
            return None
        from dicomtls.association.query import FIND_SOP_CLASSES
        from dicomtls.cli.find_files import MatchFolder

        return MatchFolder(self.output, FIND_SOP_CLASSES[model])

    def settings(self, model: "Model") -> "FindOptions":
        """Return how to ask; raises `UsageError` for what is not there in this model."""
        from dicomtls.association.query import Model
        from dicomtls.scu.query import FindOptions

        if self.relational and model is Model.WORKLIST:
            msg = "a worklist has no levels, so there are no relational queries in it"
            raise UsageError(msg, hints=("leave out --relational",))
        return FindOptions(
            model=model,
            limit=self.limit,
            relational=self.relational,
            fuzzy=self.fuzzy,
            character_sets=_character_sets(self.character_set),
        )


def _character_sets(text: str | None) -> tuple[str, ...] | None:
    """Read (0008,0005) as a user writes it: defined terms, several with a backslash between them."""
    if text is None:
        return None
    from dicomtls.dataset.character_sets import NAMES

    first, *others = (name.strip() for name in text.split("\\"))
    for name in (first, *others):
        if name not in NAMES and (name or not others):  # an empty first one is ASCII
            near = get_close_matches(name.upper(), NAMES, n=1)
            hint = (
                f"did you mean {near[0]}?"
                if near
                else "names are those of (0008,0005): ISO_IR 192, ISO_IR 100, GB18030"
            )
            msg = f"no such character set: {name!r}"
            raise UsageError(msg, hints=(hint,))
    return (first, *others)
