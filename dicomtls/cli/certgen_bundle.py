"""`dicomtls certgen bundle`: certificates and keys of any kind, as the other side wants them."""

from pathlib import Path
from typing import Annotated

import typer

from dicomtls.cli.certgen_report import archive_remark, tell
from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import NewPassphraseOptions, OutputOptions, WritingOptions
from dicomtls.cli.options.certgen import file_stem
from dicomtls.cli.options.values import NonEmptyPath, path_option
from dicomtls.cli.passphrase import passphrase_source
from dicomtls.cli.running import Report, run

_EXAMPLES = (
    "dicomtls certgen bundle ct2.pem intermediate.pem --name ct2-chain",
    "dicomtls certgen bundle ct2.pem --key ct2.key --pkcs12 --name java",
    "dicomtls certgen bundle vendor.p7b --der --name vendor",
)


@command(examples=_EXAMPLES)
def bundle(
    paths: Annotated[
        tuple[Path, ...],
        typer.Argument(
            metavar="FILE", help="certificates, archives: PEM, DER, PKCS#7, PKCS#12", click_type=NonEmptyPath()
        ),
    ],
    *,
    name: Annotated[str, option("--name", metavar="NAME", help="write NAME.pem and what else is asked for")],
    der: Annotated[bool, option("--der", help="write the leaf alone as NAME.der too")] = False,
    pkcs12: Annotated[bool, option("--pkcs12", help="write NAME.p12 and NAME.key too; needs the key")] = False,
    key: Annotated[
        Path | None, path_option("--key", help="the leaf's private key, if it is in none of the files")
    ] = None,
    passphrase: NewPassphraseOptions,
    old_passphrase_file: Annotated[
        Path | None, path_option("--old-passphrase-file", help="first line: the passphrase of the files that are read")
    ] = None,
    old_passphrase_env: Annotated[
        str | None, option("--old-passphrase-env", metavar="NAME", help="environment variable with it (default: ask)")
    ] = None,
    writing: WritingOptions,
    output: OutputOptions,
) -> int:
    """Put certificates together: the chain in the right order, and as DER or PKCS#12."""
    out = output.open("certgen")

    def body(report: Report) -> None:
        from dicomtls.certificates.bundle import bundle_chain, bundle_identity, load_leaf
        from dicomtls.certificates.guard import write_credentials
        from dicomtls.certificates.issue import der_of

        stem, secret = file_stem(name), passphrase.secret()
        source = passphrase_source(old_passphrase_file, old_passphrase_env)
        if pkcs12:
            made = bundle_identity(paths, key, stem, der=der, passphrase=source, secret=secret)
        else:
            made = bundle_chain(paths, stem, der=der, passphrase=source)
        files = write_credentials(made, writing.out, force=writing.force)
        leaf = load_leaf(writing.out / f"{stem}.pem")
        remark = list(archive_remark(pkcs12=pkcs12, encrypted=secret is not None))
        tell(report, out, "bundle", files, {stem: der_of(leaf)}, remark)

    return run(out, body)
