"""The argument that every command about a peer has: who is meant."""

from typing import Annotated, Final, TypeAlias

import typer

_HELP: Final = "[AET@]HOST[:PORT] or a name of dicomtls.toml; port 2762, with --no-tls 104"


def peer_names(incomplete: str) -> list[tuple[str, str]]:
    """The names of the configuration, with their addresses, for the shell's TAB; none where it cannot be read."""
    from dicomtls.cli.peers_file import ConfigurationOptions, address_of
    from dicomtls.errors import DicomTLSError

    try:
        peers = ConfigurationOptions().read().peers
    except DicomTLSError:
        return []
    return [(name, address_of(peer)) for name, peer in peers.items() if name.startswith(incomplete)]


PeerName: TypeAlias = Annotated[str, typer.Argument(metavar="PEER", help=_HELP, autocompletion=peer_names)]
PeerNames: TypeAlias = Annotated[tuple[str, ...], typer.Argument(metavar="PEER", help=_HELP, autocompletion=peer_names)]
