"""`dicomtls certgen crl`: the list of what a CA has taken back."""

import shlex
from pathlib import Path
from typing import Annotated

from dicomtls.cli.certgen_report import day, tell
from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import AuthorityOptions, OutputOptions
from dicomtls.cli.options.certgen import Force
from dicomtls.cli.options.values import path_option, whole_number
from dicomtls.cli.running import Report, run

_EXAMPLES = (
    "dicomtls certgen crl --ca-dir pki",
    "dicomtls certgen crl --ca-dir pki --days 7 --force",
)


@command(examples=_EXAMPLES)
def crl(
    *,
    ca: AuthorityOptions,
    output: OutputOptions,
    days: Annotated[
        int, option("--days", metavar="N", parser=whole_number(1, 3652), help="days until the next list is due")
    ] = 30,
    out_dir: Annotated[Path | None, path_option("--out", help="folder to write into (default: the CA's)")] = None,
    force: Force = False,
) -> int:
    """Write crl.pem, the list of revoked certificates, for peers to check against."""
    out = output.open("certgen")

    def body(report: Report) -> None:
        authority = ca.load()
        path = (out_dir or ca.ca_dir) / "crl.pem"
        typed = shlex.quote(str(path))
        made = authority.write_crl(path, days, force=force)
        number, count, due = authority.record().crl_number, len(list(made)), day(made.next_update_utc)
        lines = (
            f"  number {number}, {count} revoked, next update due by {due}: from then on it counts as expired",
            f"  for each peer   crl.pem: dicomtls --crl {typed}, DCMTK +crl {typed}",
        )
        tell(report, out, "crl", [path], {}, lines, number=number, revoked=count, next_update=due)

    return run(out, body)
