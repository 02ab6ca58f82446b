"""The argument that every command about a peer has: who is meant."""

from dataclasses import dataclass, field
from typing import Annotated, Final, TypeAlias

import typer

from dicomtls.cli.options.values import Found
from dicomtls.config import Configuration, NamedPeer
from dicomtls.errors import UsageError
from dicomtls.peer import DEFAULT_CALLED_AE_TITLE, DEFAULT_TLS_PORT, Peer, check_ae_title

_HELP: Final = "[AET@]HOST[:PORT] or a name of dicomtls.toml; port 2762, with --no-tls 104"


_PEERS: Final = Found("peers")
PeerName: TypeAlias = Annotated[str, typer.Argument(metavar="PEER", help=_HELP, click_type=_PEERS)]
PeerNames: TypeAlias = Annotated[tuple[str, ...], typer.Argument(metavar="PEER", help=_HELP, click_type=_PEERS)]


@dataclass(frozen=True, kw_only=True)
class KnownPeers:
    """The peers that the configuration has names for."""

    configuration: Configuration = field(default_factory=Configuration, repr=False)

    def address(self, text: str, default_port: int = DEFAULT_TLS_PORT) -> Peer:
        """Read a peer as the user wrote it, a name of the configuration first; raises `UsageError`."""
        named = self.configuration.peers.get(text)
        peer = Peer.parse(text, default_port=default_port) if named is None else _named(named, default_port)
        if peer.port == 0:
            msg = f"nobody listens on port 0: {text!r}"
            raise UsageError(msg, hints=("a port is a number from 1 to 65535",))
        return peer


def _named(peer: NamedPeer, default_port: int) -> Peer:
    title = DEFAULT_CALLED_AE_TITLE if peer.ae_title is None else check_ae_title(peer.ae_title)
    return Peer(peer.host, peer.port or default_port, title)
