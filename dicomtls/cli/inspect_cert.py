"""`dicomtls inspect-cert`: what is in a file of certificates, or in a peer's chain, and would a handshake take it?"""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.inspect_cert_target import Inspector
from dicomtls.cli.options import OutputOptions
from dicomtls.cli.options.peer import KnownPeers
from dicomtls.cli.options.tls_shared import CA, CRL, PANEL, PassphraseEnv, PassphraseFile, ProfileName
from dicomtls.cli.options.values import name, path_option, seconds, whole_number
from dicomtls.cli.passphrase import passphrase_source
from dicomtls.errors import UsageError

_EXAMPLES = (
    "dicomtls inspect-cert server.pem --ca ca.pem --host pacs.example",
    "dicomtls inspect-cert pacs.example:2762 --ca ca.pem --min-days 30 --json",
    "dicomtls inspect-cert /etc/dicom/certificates/",
)

_Purpose: TypeAlias = Literal["server", "client"]
_Host: TypeAlias = Annotated[
    str | None,
    option(
        "--host",
        metavar="NAME",
        panel=PANEL,
        parser=name,
        help="name that the leaf must have (default: HOST of a peer)",
    ),
]


@command(examples=_EXAMPLES)
def inspect_cert(
    targets: Annotated[
        tuple[str, ...],
        typer.Argument(
            metavar="TARGET",
            help="file or folder of certificates and keys, else a peer: HOST[:PORT] or a name of dicomtls.toml",
        ),
    ],
    *,
    ca: CA = (),
    host: _Host = None,
    purpose: Annotated[
        _Purpose | None,
        option("--purpose", metavar="ROLE", panel=PANEL, help="server or client (default: server for a peer)"),
    ] = None,
    leaf_key: Annotated[  # not the `key` of a configuration, which is ours
        Path | None, path_option("--key", panel=PANEL, help="private key that must belong to the leaf")
    ] = None,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseEnv = None,
    profile: ProfileName = "bcp195",
    crl: CRL = (),
    min_days: Annotated[
        int | None, option("--min-days", metavar="N", parser=whole_number(0), help="fail below so many days left")
    ] = None,
    connect_timeout: Annotated[
        float, option("--connect-timeout", metavar="S", parser=seconds, help="seconds for name, TCP and TLS")
    ] = 10.0,
    save: Annotated[Path | None, path_option("--save", help="keep a peer's chain as PEM")] = None,
    force: Annotated[bool, option("--force", help="let --save replace a file")] = False,
    known: KnownPeers,
    output: OutputOptions,
) -> int:
    """Say what is in a file of certificates, or in a peer's chain, and whether a handshake would take it.

    Without --ca the chain is not checked, and that is said: nothing is held against a private CA.
    """
    if passphrase_file is not None and passphrase_env is not None:
        msg = "--passphrase-file and --passphrase-env contradict each other"
        raise UsageError(msg, hints=("give one of them",))
    from dicomtls.profiles import find_profile
    from dicomtls.tls import TLSSettings

    out, chosen = output.open("inspect-cert"), find_profile(profile)
    if chosen.retired:
        out.warning(f"--profile {chosen.name} is retired: {chosen.title}")
    source = passphrase_source(passphrase_file, passphrase_env)
    settings = TLSSettings(ca=ca, crl=crl, profile=profile, passphrase=source)
    inspector = Inspector(
        out, settings, known, host, purpose, leaf_key, min_days, save, force=force, timeout=connect_timeout
    )
    return inspector.run(targets)
