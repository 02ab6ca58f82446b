"""`dicomtls certgen ca`: a certificate authority, by itself or below another."""

import shlex
from pathlib import Path
from typing import Annotated, TypeAlias

from dicomtls.cli.certgen_report import tell
from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import NewKeyOptions, NewPassphraseOptions, OutputOptions, WritingOptions
from dicomtls.cli.options.certgen import AuthorityOptions
from dicomtls.cli.options.values import path_option, whole_number
from dicomtls.cli.running import Report, run

_EXAMPLES = (
    "dicomtls certgen ca --name Clinic --out root --path-length 1",
    "dicomtls certgen ca --name Radiology --ca-dir root --out radiology --days 1826",
    "dicomtls certgen ca --name Clinic --out ca --ask-passphrase",
)


_Days: TypeAlias = Annotated[
    int | None,
    option(
        "--days",
        metavar="N",
        parser=whole_number(1),
        help="days that it is valid (default: 3652, or what its CA has left)",
    ),
]


@command(examples=_EXAMPLES)
def ca(
    *,
    name: Annotated[str, option("--name", metavar="NAME", help="your organization; the CA is called NAME CA")],
    key: NewKeyOptions,
    days: _Days = None,
    path_length: Annotated[
        int, option("--path-length", metavar="N", parser=whole_number(0, 9), help="how many levels of CAs below it")
    ] = 0,
    passphrase: NewPassphraseOptions,
    writing: WritingOptions,
    ca_dir: Annotated[
        Path | None, path_option("--ca-dir", panel="CA", help="folder of the CA above it (default: none, a root)")
    ] = None,
    ca_passphrase_file: Annotated[
        Path | None, path_option("--ca-passphrase-file", panel="CA", help="first line: the passphrase of that CA's key")
    ] = None,
    ca_passphrase_env: Annotated[
        str | None,
        option("--ca-passphrase-env", metavar="NAME", panel="CA", help="environment variable with it (default: ask)"),
    ] = None,
    output: OutputOptions,
) -> int:
    """Make a certificate authority: ca.pem, ca.key, and a record of what it issues (issued.txt)."""
    out = output.open("certgen")

    def body(report: Report) -> None:
        from dicomtls.certificates.authority import authority_files
        from dicomtls.certificates.issue import CA_DAYS, make_authority

        secret = passphrase.secret()
        if ca_dir is None:
            made, above = make_authority(name, kind=key.kind(), days=days or CA_DAYS, path_length=path_length), None
        else:
            above = AuthorityOptions(
                ca_dir=ca_dir, ca_passphrase_file=ca_passphrase_file, ca_passphrase_env=ca_passphrase_env
            ).load()
            lifetime = days or above.usual_days(CA_DAYS)
            made = above.issue_authority(name, kind=key.kind(), days=lifetime, path_length=path_length)
        files = authority_files(made, writing.out, above, passphrase=secret, force=writing.force)
        lines = (
            "  for all sides   ca.pem: the CA that they trust",
            "  for nobody      ca.key: whoever has it can be anybody",
            f"next: dicomtls certgen issue --ca-dir {shlex.quote(str(writing.out))} --name NAME --host HOST",
        )
        tell(report, out, "ca", files, {"ca": made.der}, lines)

    return run(out, body)
