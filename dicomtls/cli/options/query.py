"""The options that say what a query is about: keys, level, information model."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from dicomtls.cli.declaring import option
from dicomtls.cli.options.values import Found, path_option
from dicomtls.errors import DataError

if TYPE_CHECKING:
    from dicomtls.dataset.identifier import Element
    from dicomtls.scu.queries import Asked

_QUERY = "Query"


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
            click_type=Found("keywords"),
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

    def read(self) -> "Asked":
        """Return what is asked for; raises `UsageError`, `DataError` for a file that holds no query."""
        from dicomtls.scu.queries import to_find

        base = _read_file(self.query) if self.query is not None else None
        return to_find(self.query_key, level=self.level, model=self.model, base=base)


def _read_file(path: Path) -> "dict[int, Element]":
    from dicomtls.cli.passphrase import read_limited
    from dicomtls.dataset.query_file import LONGEST_QUERY, read_query

    try:
        return read_query(read_limited(path, "query", LONGEST_QUERY))
    except DataError as error:
        msg = f"{path} holds no query: {error.message}"
        hints = error.hints or ("a query is a DICOM file without pixels, or one object of the DICOM JSON Model",)
        raise DataError(msg, hints=hints) from error
