"""Why a peer could not be reached, found out by looking further at it where that can tell more."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomtls.diagnosis import Diagnosis, diagnose
from dicomtls.errors import DicomTLSError
from dicomtls.peer import Peer
from dicomtls.scu.settings import AssociationSettings
from dicomtls.waiting import Interrupt

if TYPE_CHECKING:
    from dicomtls.tls import TLSSettings


@dataclass(frozen=True)
class Target:
    """Who was to be reached, and how."""

    peer: Peer
    tls: "TLSSettings | None"
    settings: AssociationSettings


def explain(
    error: DicomTLSError,
    target: Target,  # noqa: ARG001 -- the interface
    *,
    follow_up: bool = True,  # noqa: ARG001 -- the interface
    interrupt: Interrupt | None = None,  # noqa: ARG001 -- the interface
) -> Diagnosis:
    """Return why it failed."""
    return diagnose(error)
