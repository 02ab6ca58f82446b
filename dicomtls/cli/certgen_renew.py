"""`dicomtls certgen renew`: the same certificate with new dates."""

from pathlib import Path
from typing import Annotated

import typer

from dicomtls.cli.certgen_report import archive_remark, day, tell
from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import AuthorityOptions, NewPassphraseOptions, OutputOptions
from dicomtls.cli.options.values import NonEmptyPath, path_option, whole_number
from dicomtls.cli.running import Report, run
from dicomtls.errors import UsageError

_EXAMPLES = (
    "dicomtls certgen renew pki/server.pem --ca-dir pki --force",
    "dicomtls certgen renew ct2.pem --ca-dir pki --out new",
    "dicomtls certgen renew ct2.pem --ca-dir pki --new-key ec:p256 --out new",
)


@command(examples=_EXAMPLES)
def renew(
    certificate: Annotated[
        Path, typer.Argument(metavar="CERT", help="the certificate's file", click_type=NonEmptyPath())
    ],
    *,
    ca: AuthorityOptions,
    passphrase: NewPassphraseOptions,
    output: OutputOptions,
    new_key: Annotated[
        str | None, option("--new-key", metavar="TYPE", help="make a new key too, of a type as --key-type of issue has")
    ] = None,
    days: Annotated[int, option("--days", metavar="N", parser=whole_number(1), help="how long it is valid")] = 730,
    pkcs12: Annotated[bool, option("--pkcs12", help="write NAME.p12 too; only with a new key")] = False,
    out_dir: Annotated[
        Path | None, path_option("--out", help="folder to write into; by default the file's own")
    ] = None,
    force: Annotated[bool, option("--force", help="replace files that are there already")] = False,
) -> int:
    """Issue a certificate again: same subject, names and purposes; same key, or a new one with --new-key."""
    out = output.open("certgen")

    def body(report: Report) -> None:
        from dicomtls.certificates.authority import renewed
        from dicomtls.certificates.building import KeyType
        from dicomtls.certificates.bundle import load_leaf
        from dicomtls.certificates.issue import Issued, certificate_files, der_of, identity_files

        if pkcs12 and new_key is None:
            msg = "a PKCS#12 archive holds the key, which stays where it is"
            raise UsageError(msg, hints=("give --new-key, or put them together: dicomtls certgen bundle --pkcs12",))
        kind, secret = None if new_key is None else KeyType.parse(new_key), passphrase.secret()
        old, authority = load_leaf(certificate), ca.load()
        new, key = renewed(authority, old, kind=kind, days=days)
        stem, folder = certificate.stem, out_dir or certificate.parent
        if key is None:
            contents = certificate_files(new, authority.intermediates, stem)
        else:
            issued = Issued(new, key, authority.intermediates)
            contents = identity_files(issued, stem, passphrase=secret, pkcs12=pkcs12, ca=authority.root)
        files = authority.deliver_again(old, new, contents, folder, force=force)
        ends = f"{day(old.not_valid_after_utc)}"
        lines = (
            f"  the old one stays valid until {ends}; certgen revoke takes it back before",
            f"  for the device  {', '.join(path.name for path in files)}",
            "  nothing else changes: the lines that start it are those of before",
            *archive_remark(pkcs12=pkcs12, encrypted=secret is not None),
        )
        tell(report, out, "renew", files, {stem: der_of(new)}, lines, old_valid_until=ends)

    return run(out, body)
