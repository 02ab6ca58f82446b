"""The options of `move` and `get`: what is retrieved, and where it goes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from dicomtls.cli.declaring import option
from dicomtls.cli.options.receiver import PANEL as RECEIVER
from dicomtls.cli.options.receiver import ClientAuth, Listen, check_trust, check_unused
from dicomtls.cli.options.values import OneOf, path_option
from dicomtls.peer import check_ae_title, parse_listening

if TYPE_CHECKING:
    from dicomtls.scu.retrieve import RetrieveRequest

_QUERY = "What to retrieve"


_UNIQUE_KEYS: Final = ("StudyInstanceUID=", "SeriesInstanceUID=", "SOPInstanceUID=", "PatientID=")
"""What a retrieval is told by."""


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
            click_type=OneOf(_UNIQUE_KEYS),
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
        from dicomtls.scu.queries import to_retrieve

        return to_retrieve(self.query_key, level=self.level, model=self.model)


@dataclass(frozen=True, kw_only=True)
class ReceiverOptions:
    """The receiver that `move` can run for as long as it lasts."""

    receive: Annotated[
        Path | None,
        path_option("--receive", panel=RECEIVER, help="receive here what the archive sends; the folder is made"),
    ] = None
    listen: Listen = None
    client_auth: ClientAuth = "required"
    from_environment: frozenset[str] = frozenset()

    def address(self) -> tuple[str, int]:
        """Where to listen; raises `UsageError`."""
        return parse_listening(self.listen, default_port=0)

    def check(self, destination: str, *, trusts_anybody: bool) -> str:
        """Return the AE title that the archive sends to; raises `UsageError` where options contradict each other."""
        if self.receive is None:
            check_unused(self, "give a folder with --receive")
        else:
            check_trust("--receive", self.client_auth, trusts_anybody=trusts_anybody)
        return check_ae_title(destination)
