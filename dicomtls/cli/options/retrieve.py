"""The options of `move` and `get`: what is retrieved, and where it goes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from dicomtls.cli.declaring import option
from dicomtls.cli.options.values import path_option
from dicomtls.errors import UsageError
from dicomtls.peer import check_ae_title, parse_listening

if TYPE_CHECKING:
    from dicomtls.association.query import Level, Model
    from dicomtls.dataset.identifier import Element
    from dicomtls.scu.retrieve import RetrieveRequest

_QUERY = "What to retrieve"
_RECEIVER = "Our receiver"


def _keywords(incomplete: str) -> list[str]:
    """The unique keys, which are what a retrieval is told by."""
    names = ("StudyInstanceUID=", "SeriesInstanceUID=", "SOPInstanceUID=", "PatientID=")
    return [name for name in names if name.casefold().startswith(incomplete.casefold())]


@dataclass(frozen=True, kw_only=True)
class RetrieveOptions:
    """What a peer is asked to send."""

    query_key: Annotated[
        tuple[str, ...],
        option(
            "-k",
            "--query-key",
            metavar="KEY=VALUE",
            panel=_QUERY,
            autocompletion=_keywords,
            help="such as StudyInstanceUID=1.2.3; repeatable; several UIDs are joined by a backslash",
        ),
    ] = ()
    level: Annotated[
        Literal["patient", "study", "series", "image"] | None,
        option(
            "--level",
            metavar="LEVEL",
            panel=_QUERY,
            case_sensitive=False,
            help="patient, study, series or image (default: that of the lowest unique key)",
        ),
    ] = None
    model: Annotated[
        Literal["study-root", "patient-root"] | None,
        option(
            "--model",
            metavar="MODEL",
            panel=_QUERY,
            case_sensitive=False,
            help="study-root or patient-root (default: study-root; for patients, patient-root)",
        ),
    ] = None

    def request(self) -> "RetrieveRequest":
        """Return what to ask for; raises `UsageError` where that is nothing, or everything."""
        from dicomtls.association.query import UNIQUE_KEYS, Model
        from dicomtls.dataset.keys import identifier_of, parse_keys
        from dicomtls.scu.retrieve import RetrieveRequest

        keys = identifier_of(parse_keys(self.query_key))
        level = self._level(keys)
        model = self._model(level)
        if not keys.get(UNIQUE_KEYS[level], _EMPTY).values and level != "STUDY":
            msg = f"the level {level.value.lower()} needs its unique key with a value"
            raise UsageError(msg, hints=(f"give it with -k {_NAMES[level]}=...",))
        if not any(element.values for element in keys.values()):
            msg = "nothing says what to retrieve"
            raise UsageError(msg, hints=("give the unique key of a study with -k StudyInstanceUID=1.2.3",))
        return RetrieveRequest(model=Model(model), level=level, keys=keys)

    def _level(self, keys: "dict[int, Element]") -> "Level":
        from dicomtls.association.query import UNIQUE_KEYS, Level

        if self.level is not None:
            return Level(self.level.upper())
        given = [level for level, tag in UNIQUE_KEYS.items() if keys.get(tag, _EMPTY).values]
        if not given or (given == [Level.PATIENT] and self.model == "study-root"):
            return Level.STUDY
        return given[-1]

    def _model(self, level: "Level") -> "Model":
        from dicomtls.association.query import LEVELS, Model

        if self.model is None:
            return Model.STUDY_ROOT if level in LEVELS[Model.STUDY_ROOT] else Model.PATIENT_ROOT
        model = Model(self.model)
        if level not in LEVELS[model]:
            msg = f"the model {model.value} has no level {level.value.lower()}"
            raise UsageError(msg, hints=("give --model patient-root, or a lower --level",))
        return model


class _Empty:
    values: tuple[()] = ()


_EMPTY = _Empty()
_NAMES = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


@dataclass(frozen=True, kw_only=True)
class ReceiverOptions:
    """The receiver that `move` can run for as long as it lasts."""

    receive: Annotated[
        Path | None,
        path_option("--receive", panel=_RECEIVER, help="receive here what the archive sends; the folder is made"),
    ] = None
    listen: Annotated[
        str | None,
        option(
            "--listen",
            metavar="[HOST:]PORT",
            panel=_RECEIVER,
            help="where our receiver listens (default: any free port)",
        ),
    ] = None
    client_auth: Annotated[
        Literal["required", "optional", "none"],
        option("--client-auth", metavar="HOW", panel=_RECEIVER, help="the archive's certificate: as serve has it"),
    ] = "required"

    def address(self) -> tuple[str, int]:
        """Where to listen; raises `UsageError`."""
        return parse_listening(self.listen, default_port=0)

    def check(self, destination: str, *, trusts_anybody: bool) -> str:
        """Return the AE title that the archive sends to; raises `UsageError` where options contradict each other."""
        if self.receive is None and (self.listen is not None or self.client_auth != "required"):
            msg = "--listen and --client-auth are about our receiver, and there is none"
            raise UsageError(msg, hints=("give a folder with --receive",))
        if self.receive is not None and self.client_auth != "none" and not trusts_anybody:
            msg = f"--receive with --client-auth {self.client_auth} needs --ca: whose certificate may the archive show?"
            hint = "give your CA with --ca, or let everybody send with --client-auth none"
            raise UsageError(msg, hints=(hint,))
        return check_ae_title(destination)
