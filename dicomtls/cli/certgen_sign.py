"""`dicomtls certgen sign`: a certificate for a key that a device has made and keeps."""

from pathlib import Path
from typing import Annotated

import typer

from dicomtls.cli.certgen_report import tell
from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import AuthorityOptions, NamesOptions, OutputOptions, WritingOptions
from dicomtls.cli.options.certgen import LeafDays, PurposeName, file_stem
from dicomtls.cli.options.values import NonEmptyPath
from dicomtls.cli.quick_start import UNKNOWN_KEY, lines_for_certificate
from dicomtls.cli.running import Report, run

_EXAMPLES = (
    "dicomtls certgen sign ct2.csr --ca-dir pki",
    "dicomtls certgen sign ct.req --ca-dir pki --name ct2 --host ct2.example",
)

_NO_HOST = "  it has no DNS name and no address: a server's peers will refuse it; give each with --host"


@command(examples=_EXAMPLES)
def sign(
    csr: Annotated[
        Path, typer.Argument(metavar="CSR", help="the device's request, PEM or DER", click_type=NonEmptyPath())
    ],
    *,
    name: Annotated[
        str | None, option("--name", metavar="NAME", help="write NAME.pem (default: the name of the request's file)")
    ] = None,
    names: NamesOptions,
    purpose: PurposeName = "both",
    days: LeafDays = None,
    writing: WritingOptions,
    ca: AuthorityOptions,
    output: OutputOptions,
) -> int:
    """Sign a device's request (CSR): its subject, key and names are taken over, nothing else that it asks for.

    Names that are given here (--host, --uri) take the place of all the requested ones.
    """
    out = output.open("certgen")

    def body(report: Report) -> None:
        from dicomtls.certificates.building import Purpose
        from dicomtls.certificates.issue import LEAF_DAYS, certificate_files, der_of
        from dicomtls.certificates.names import has_hosts, requested_names
        from dicomtls.certificates.signing_requests import load_request

        role, stem, wanted = Purpose.parse(purpose), file_stem(name or csr.stem), load_request(csr)
        authority = ca.load()
        given = requested_names(names.host, names.uri)
        presented = given or wanted.names
        certificate = authority.issue(
            wanted.subject,
            presented,
            purposes=role.extended_key_usage,
            key=wanted.key,
            days=days or authority.usual_days(LEAF_DAYS),
        )
        contents = certificate_files(certificate, authority.intermediates, stem)
        files = authority.deliver(certificate, contents, writing.out, force=writing.force)
        taken = ["subject", "key", *(["names"] if wanted.names and not given else [])]
        ignored = [*wanted.ignored, *(["names"] if wanted.names and given else [])]
        said = (
            f"  taken over      {', '.join(taken)}",
            f"  not taken over  {', '.join(ignored) or 'nothing else was asked for'}",
            *(() if has_hosts(presented) else (_NO_HOST,) if role is not Purpose.CLIENT else ()),
            f"  for the device  {stem}.pem; it has the key already, in a file that is called {UNKNOWN_KEY} here",
            "  for its peers   the CA's ca.pem",
        )
        der, anchors = der_of(certificate), ca.ca_dir / "ca.pem"
        lines = lines_for_certificate(writing.out, stem, anchors, der, key=UNKNOWN_KEY, encrypted=False)
        tell(report, out, "sign", files, {stem: der}, [*said, *lines], taken_over=taken, not_taken_over=ignored)

    return run(out, body)
