"""`dicomtls certgen revoke`: take a certificate back."""

import shlex
from typing import Annotated

import typer

from dicomtls.cli.certgen_report import tell
from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import AuthorityOptions, OutputOptions
from dicomtls.cli.options.certgen import REASONS
from dicomtls.cli.options.values import OneOf
from dicomtls.cli.running import Report, run

_EXAMPLES = (
    "dicomtls certgen revoke ct2.pem --ca-dir pki --reason keyCompromise",
    "dicomtls certgen revoke 5d0c1f3a9b --ca-dir pki",
)


@command(examples=_EXAMPLES)
def revoke(
    target: Annotated[
        str, typer.Argument(metavar="CERT|SERIAL", help="the certificate's file, or its serial number in hexadecimal")
    ],
    *,
    ca: AuthorityOptions,
    output: OutputOptions,
    reason: Annotated[
        str,
        option(
            "--reason",
            metavar="WHY",
            help=f"{', '.join(REASONS[:-1])} or {REASONS[-1]}",
            click_type=OneOf(REASONS),
        ),
    ] = "unspecified",
) -> int:
    """Note that a certificate is not to be trusted any more; peers learn it from the list (certgen crl)."""
    out = output.open("certgen")

    def body(report: Report) -> None:
        from dicomtls.certificates.authority import find_issued

        authority = ca.load()
        serial, certificate = find_issued(authority, target)
        entry = authority.revoke(serial, reason, certificate).find(serial)
        assert entry is not None  # noqa: S101 -- `revoke` has just found it
        report.lines.append(f"revoked {entry.subject}, serial {entry.serial_hex}, {reason}")
        lines = (
            f"next: dicomtls certgen crl --ca-dir {shlex.quote(str(ca.ca_dir))} --force",
            "  for all peers   the new crl.pem: until they have it they go on trusting the certificate",
        )
        tell(report, out, "revoke", [], {}, lines, serial=entry.serial_hex, subject=entry.subject, reason=reason)

    return run(out, body)
