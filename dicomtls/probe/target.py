"""Who was to be reached, and how: all that a second look needs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomtls.peer import Peer
from dicomtls.scu.settings import AssociationSettings

if TYPE_CHECKING:
    from dicomtls.tls import TLSSettings


@dataclass(frozen=True)
class Target:
    """A peer, and the settings of the attempt that is to be explained; `tls` is None in clear."""

    peer: Peer
    tls: "TLSSettings | None"
    settings: AssociationSettings
