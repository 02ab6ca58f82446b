"""Who was to be reached, and how: all that a second look needs; and the words for its outcome that others read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dicomtls.peer import Peer
from dicomtls.scu.settings import AssociationSettings

if TYPE_CHECKING:
    from dicomtls.tls import TLSSettings


WITHOUT_OURS: Final = "without our certificate"
"""What the attempt is called that tells a required client certificate from an optional one."""
CONNECTS: Final = "it connects"
"""The outcome of an attempt that ended in an association."""
WENT_AWAY: Final = frozenset({"peer-closed", "connection-reset"})
"""The error codes of a peer that ended a handshake without an alert."""


@dataclass(frozen=True)
class Target:
    """A peer, and the settings of the attempt that is to be explained; `tls` is None in clear."""

    peer: Peer
    tls: "TLSSettings | None"
    settings: AssociationSettings
