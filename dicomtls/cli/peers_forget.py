"""`dicomtls peers forget`: a peer that was trusted on first use is met for the first time again."""

from typing import Annotated

import typer

from dicomtls.cli.command import command
from dicomtls.cli.options import OutputOptions
from dicomtls.cli.options.peer import peer_names
from dicomtls.cli.peers_file import ConfigurationOptions, address_of
from dicomtls.cli.running import Report, run
from dicomtls.errors import UsageError

_EXAMPLES = ("dicomtls peers forget pacs.example:2762", "dicomtls peers forget pacs")


def _remembered(incomplete: str) -> list[tuple[str, str]]:
    """Those that there is something to forget of, and the names of the configuration, for the shell's TAB."""
    from dicomtls.cli.folders import data_folder
    from dicomtls.errors import DicomTLSError
    from dicomtls.tls.remembered import RememberedPeers

    try:
        known = RememberedPeers(data_folder()).all()
    except DicomTLSError:
        known = []
    addresses = [(one.address, one.subject) for one in known if one.address.startswith(incomplete)]
    return [*addresses, *peer_names(incomplete)]


@command(examples=_EXAMPLES)
def forget(
    peer: Annotated[
        str, typer.Argument(metavar="PEER", help="HOST[:PORT], or the name of a peer", autocompletion=_remembered)
    ],
    *,
    output: OutputOptions,
    configuration: ConfigurationOptions,
) -> int:
    """Forget the pin of a peer: do it once its owner has confirmed that it has a new certificate."""
    out = output.open("peers")

    def body(report: Report) -> None:
        from dicomtls.cli.folders import data_folder
        from dicomtls.peer import Peer
        from dicomtls.tls.remembered import RememberedPeers

        named = configuration.read().peers.get(peer)
        target = Peer.parse(peer if named is None else address_of(named))
        report.values.update(subcommand="forget", host=target.host, port=target.port)
        if not RememberedPeers(data_folder()).forget(target.host, target.port):
            msg = f"{target} is not remembered"
            raise UsageError(msg, hints=("dicomtls peers list shows who is",))
        report.lines.append(f"forgotten: {target} is met for the first time again")

    return run(out, body)
