"""`dicomtls peers forget`: a peer that was trusted on first use is met for the first time again."""

from typing import Annotated

import typer

from dicomtls.cli.command import command
from dicomtls.cli.options import OutputOptions
from dicomtls.cli.options.values import Found
from dicomtls.cli.peers_file import ConfigurationOptions
from dicomtls.cli.running import Report, run
from dicomtls.errors import UsageError

_EXAMPLES = ("dicomtls peers forget pacs.example:2762", "dicomtls peers forget pacs")


@command(examples=_EXAMPLES)
def forget(
    peer: Annotated[
        str, typer.Argument(metavar="PEER", help="HOST[:PORT], or the name of a peer", click_type=Found("remembered"))
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
        from dicomtls.remembered import RememberedPeers

        named = configuration.read().peers.get(peer)
        target = Peer.parse(peer if named is None else named.address())
        report.values.update(subcommand="forget", host=target.host, port=target.port)
        if not RememberedPeers(data_folder()).forget(target.host, target.port):
            msg = f"{target} is not remembered"
            raise UsageError(msg, hints=("dicomtls peers list shows who is",))
        report.lines.append(f"forgotten: {target} is met for the first time again")

    return run(out, body)
