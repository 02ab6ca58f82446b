"""`dicomtls certgen issue`: a key and a certificate for one device."""

from dicomtls.cli.certgen_report import archive_remark, tell
from dicomtls.cli.command import command
from dicomtls.cli.options import (
    AuthorityOptions,
    NamesOptions,
    NewKeyOptions,
    NewPassphraseOptions,
    OutputOptions,
    WritingOptions,
)
from dicomtls.cli.options.certgen import Archive, DeviceName, LeafDays, PurposeName, file_stem
from dicomtls.cli.quick_start import lines_for_identity
from dicomtls.cli.running import Report, run

_EXAMPLES = (
    "dicomtls certgen issue --ca-dir pki --name ct2 --host ct2.example",
    "dicomtls certgen issue --ca-dir pki --name ws1 --purpose client --out ws1",
)


@command(examples=_EXAMPLES)
def issue(
    *,
    name: DeviceName,
    names: NamesOptions,
    purpose: PurposeName = "both",
    key: NewKeyOptions,
    days: LeafDays = None,
    pkcs12: Archive = False,
    passphrase: NewPassphraseOptions,
    writing: WritingOptions,
    ca: AuthorityOptions,
    output: OutputOptions,
) -> int:
    """Make a key and a certificate for one device, signed by a CA of yours."""
    out = output.open("certgen")

    def body(report: Report) -> None:
        from dicomtls.certificates.building import Purpose, common_name
        from dicomtls.certificates.issue import LEAF_DAYS, identity_files
        from dicomtls.certificates.names import alternative_names_for

        role, stem, secret, authority = Purpose.parse(purpose), file_stem(name), passphrase.secret(), ca.load()
        presented = alternative_names_for(role, names.host, names.uri)
        made = authority.issue_identity(
            common_name(name), presented, purpose=role, kind=key.kind(), days=days or authority.usual_days(LEAF_DAYS)
        )
        contents = identity_files(made, stem, passphrase=secret, pkcs12=pkcs12, ca=authority.root)
        files = authority.deliver(made.certificate, contents, writing.out, force=writing.force)
        lines = (
            *archive_remark(pkcs12=pkcs12, encrypted=secret is not None),
            f"  for the device  {', '.join(path.name for path in files)}",
            "  for its peers   the CA's ca.pem",
            *lines_for_identity(
                writing.out,
                stem,
                ca.ca_dir / "ca.pem",
                is_server=role is not Purpose.CLIENT,
                key_type=key.key_type,
                encrypted=secret is not None,
            ),
        )
        tell(report, out, "issue", files, {stem: made.der}, lines)

    return run(out, body)
