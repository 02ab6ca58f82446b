"""`dicomtls certgen self-signed`: a certificate without a CA, which peers trust by itself."""

from typing import Annotated

from dicomtls.cli.certgen_report import archive_remark, tell
from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import NamesOptions, NewKeyOptions, NewPassphraseOptions, OutputOptions, WritingOptions
from dicomtls.cli.options.certgen import Archive, DeviceName, file_stem
from dicomtls.cli.options.values import whole_number
from dicomtls.cli.quick_start import lines_for_identity
from dicomtls.cli.running import Report, run
from dicomtls.errors import UsageError

_EXAMPLES = (
    "dicomtls certgen self-signed --name ct2 --host ct2.clinic.example",
    "dicomtls certgen self-signed --name test --host localhost --days 7",
)


@command(examples=_EXAMPLES)
def self_signed(
    *,
    name: DeviceName,
    names: NamesOptions,
    key: NewKeyOptions,
    days: Annotated[int, option("--days", metavar="N", parser=whole_number(1), help="days that it is valid")] = 1826,
    pkcs12: Archive = False,
    passphrase: NewPassphraseOptions,
    writing: WritingOptions,
    output: OutputOptions,
) -> int:
    """Make a certificate that is signed with its own key, for both roles: each peer must be given it."""
    out = output.open("certgen")

    def body(report: Report) -> None:
        from dicomtls.certificates.guard import write_credentials
        from dicomtls.certificates.issue import identity_files, make_self_signed

        if not names.host:
            msg = "a self-signed certificate needs the names or addresses that its peers connect to"
            raise UsageError(msg, hints=("give each with --host",))
        stem, secret = file_stem(name), passphrase.secret()
        made = make_self_signed(name, names.host, uris=names.uri, days=days, key_type=key.kind())
        contents = identity_files(made, stem, passphrase=secret, pkcs12=pkcs12)
        files = write_credentials(contents, writing.out, force=writing.force)
        lines = (
            *archive_remark(pkcs12=pkcs12, encrypted=secret is not None),
            f"  for the device  {', '.join(path.name for path in files)}",
            f"  for each peer   {stem}.pem, given as its CA (dicomtls --ca, DCMTK +cf), or with dicomtls the pin:",
            f"                  --pin sha256:{made.fingerprint_sha256}",
            "its own side: --ca has the peers' certificates, or the CA that issued them",
            *lines_for_identity(
                writing.out,
                stem,
                writing.out / "peers.pem",
                is_server=True,
                key_type=key.key_type,
                encrypted=secret is not None,
            ),
        )
        tell(report, out, "self-signed", files, {stem: made.der}, lines)

    return run(out, body)
