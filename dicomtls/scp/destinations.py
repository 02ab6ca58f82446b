"""Where a server may send instances to: the peers that it was told of, by their AE titles (PS3.4 section C.4.2)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from dicomtls.errors import UsageError
from dicomtls.peer import DEFAULT_CALLING_AE_TITLE, DEFAULT_PLAIN_PORT, DEFAULT_TLS_PORT, Peer, is_ae_title
from dicomtls.scu.attempt import Requestor
from dicomtls.scu.settings import AssociationSettings
from dicomtls.tls import TLSSettings
from dicomtls.waiting import Interrupt

_IN_CLEAR: Final = "plain:"


@dataclass(frozen=True)
class Destination:
    """A peer, and whether it is spoken to in clear: only where that was asked for."""

    peer: Peer
    in_clear: bool = False

    @classmethod
    def parse(cls, text: str) -> "Destination":
        """Read `AET@HOST[:PORT]`, over TLS, or `plain:AET@HOST[:PORT]`; raises `UsageError`."""
        in_clear = text.startswith(_IN_CLEAR)
        written = text.removeprefix(_IN_CLEAR)
        peer = Peer.parse(written, default_port=DEFAULT_PLAIN_PORT if in_clear else DEFAULT_TLS_PORT)
        if "@" not in written or peer.port == 0:
            msg = f"not a move destination: {text!r}"
            raise UsageError(msg, hints=("write AET@HOST:PORT, or plain:AET@HOST:PORT where it is spoken to in clear",))
        return cls(peer, in_clear)


class Destinations:
    """The move destinations by AE title; what TLS needs is our own certificate, and whom we trust."""

    def __init__(
        self,
        destinations: Iterable[Destination] = (),
        tls: TLSSettings | None = None,
        settings: AssociationSettings | None = None,
    ) -> None:
        """Raises `UsageError` where an AE title is there twice, or one needs TLS and there is none."""
        self._settings = settings or AssociationSettings()
        self._tls = tls
        self._known: dict[str, Destination] = {}
        for destination in destinations:
            title = destination.peer.called_ae_title
            if title in self._known:
                msg = f"two move destinations have the AE title {title}"
                raise UsageError(msg)
            if tls is None and not destination.in_clear:
                msg = f"without TLS there is no certificate to send to {title}@{destination.peer} with"
                raise UsageError(msg, hints=(f"write plain:{title}@{destination.peer} to send in clear",))
            self._known[title] = destination

    def find(self, ae_title: str) -> Destination | None:
        """The destination of that AE title, None where nobody told us of it."""
        return self._known.get(ae_title)

    def requestor(self, destination: Destination, calling_ae_title: str, interrupt: Interrupt | None) -> Requestor:
        """Somebody who associates with it by the name that we are called by; raises `CredentialError`.

        Where we are called by what is no AE title, it is our usual one.
        """
        calling_ae_title = calling_ae_title if is_ae_title(calling_ae_title) else DEFAULT_CALLING_AE_TITLE
        return Requestor(
            destination.peer,
            None if destination.in_clear else self._tls,
            replace(self._settings, calling_ae_title=calling_ae_title),
            interrupt=interrupt,
        )
