"""`dicomtls peers check`: is everybody there whom the configuration names?"""

from typing import Annotated

import typer

from dicomtls.cli.command import command
from dicomtls.cli.options import OutputOptions
from dicomtls.cli.options.values import Found
from dicomtls.cli.peers_file import ConfigurationOptions
from dicomtls.cli.running import Report, run
from dicomtls.errors import UsageError

_EXAMPLES = ("dicomtls peers check", "dicomtls peers check pacs ct1 --json")


@command(examples=_EXAMPLES)
def check(
    names: Annotated[
        tuple[str, ...],
        typer.Argument(metavar="NAME", help="peers of the configuration (default: all)", click_type=Found("peers")),
    ] = (),
    *,
    output: OutputOptions,
    configuration: ConfigurationOptions,
) -> int:
    """Probe the peers of the configuration, each with its own settings, one after the other."""
    out = output.open("peers")
    statuses = [0]

    def body(report: Report) -> None:
        from dicomtls.cli.app import main

        found = configuration.read()
        if not found.peers or found.path is None:
            msg = "there is no peer in the configuration" if found.path else "there is no configuration"
            raise UsageError(msg, hints=("write one: dicomtls peers add NAME HOST",))
        if strangers := [name for name in names if name not in found.peers]:
            msg = f"no peer of {found.path} is called {strangers[0]}"
            raise UsageError(msg, hints=(f"it has {', '.join(found.peers)}",))
        report.is_told = True
        form = ["--json"] if output.json else ["--quiet"]
        arguments = [form, ["--verbose"] * output.verbose] if output.json else [form]
        for name in names or found.peers:
            own = [part for some in arguments for part in some]
            statuses.append(main(["handshake-probe", name, "--config", str(found.path), *own]))

    return run(out, body) or max(statuses)
