"""The top of the command line: the table of commands, and the errors that none of them gets to see."""

import os
from collections.abc import Sequence
from itertools import pairwise

import typer

from dicomtls.cli.command import Entry, LazyGroup
from dicomtls.cli.output import Output, OutputLostError
from dicomtls.cli.running import refuse
from dicomtls.cli.usage import ParserError, usage_error
from dicomtls.errors import DicomTLSError

_PROGRAM = "dicomtls"

COMMANDS = LazyGroup(
    _PROGRAM,
    {
        "echo": Entry("dicomtls.cli.echo", "ask a peer whether it answers (C-ECHO)"),
        "find": Entry("dicomtls.cli.find", "ask a peer what it has (C-FIND)"),
        "store": Entry("dicomtls.cli.store", "send instances to a peer (C-STORE)"),
        "move": Entry("dicomtls.cli.move", "let an archive send instances to a destination, or to us (C-MOVE)"),
        "get": Entry("dicomtls.cli.get", "retrieve instances over one association (C-GET)"),
        "serve": Entry("dicomtls.cli.serve", "receive instances into a folder"),
        "certgen": Entry("dicomtls.cli.certgen", "make keys and certificates"),
        "inspect-cert": Entry("dicomtls.cli.inspect_cert", "look at certificates, in files or of a peer"),
        "handshake-probe": Entry("dicomtls.cli.handshake_probe", "show the whole road to a peer, and why it ends"),
        "peers": Entry("dicomtls.cli.peers", "peers by name, and those that are remembered"),
        "demo": Entry("dicomtls.cli.demo", "see it all work on this machine"),
    },
    summary="DICOM over TLS: associations, certificates, and a plain answer to why two systems do not talk.",
    examples=(
        "dicomtls certgen pki . --name Clinic --host localhost",
        "dicomtls serve --directory in --ca ca.pem --cert server.pem --key server.key",
        "dicomtls echo localhost --ca ca.pem --cert client.pem --key client.key",
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Run one command line, without the program's name; returns the exit status."""
    try:
        return _invoke(list(arguments))
    except typer.Exit as leaving:
        return leaving.exit_code
    except ParserError as error:
        path = error.ctx.command_path if error.ctx is not None else " ".join([_PROGRAM, *_command(arguments)])
        return refuse(_output(arguments), usage_error(error, arguments, path))
    except OutputLostError:
        raise  # there is no way to write a document about it
    except DicomTLSError as error:
        return refuse(_output(arguments), error)


def _invoke(arguments: list[str]) -> int:
    with COMMANDS.make_context(_PROGRAM, arguments) as context:
        status = COMMANDS.invoke(context)
    return int(status)


def _output(arguments: Sequence[str]) -> Output:
    """Where an error goes that came before the options were read."""
    is_set = os.environ.get("DICOMTLS_JSON", "").casefold() in {"1", "true", "yes", "on"}
    wants_json = is_set or "--json" in arguments or "--format=json" in arguments
    wants_json = wants_json or ("--format", "json") in pairwise(arguments)
    return Output(next(iter(_command(arguments)), None), json=wants_json)


def _command(arguments: Sequence[str]) -> Sequence[str]:
    return [name for name in arguments[:1] if name in COMMANDS.entries]
