"""`dicomtls certgen request`: a key, and a signing request for somebody else's CA."""

from typing import Annotated

from dicomtls.cli.certgen_report import tell
from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import NewKeyOptions, NewPassphraseOptions, OutputOptions, WritingOptions
from dicomtls.cli.options.certgen import file_stem
from dicomtls.cli.running import Report, run

_EXAMPLES = (
    "dicomtls certgen request --name ct2 --host ct2.clinic.example",
    "dicomtls certgen request --name ct2 --host 192.0.2.7 --ask-passphrase",
)


@command(examples=_EXAMPLES)
def request(
    *,
    name: Annotated[str, option("--name", metavar="NAME", help="the device's name: NAME.csr, NAME.key, common name")],
    writing: WritingOptions,
    key: NewKeyOptions,
    passphrase: NewPassphraseOptions,
    output: OutputOptions,
    host: Annotated[
        tuple[str, ...], option("--host", metavar="HOST", help="DNS name or IP address of the device; repeatable")
    ] = (),
    uri: Annotated[tuple[str, ...], option("--uri", metavar="URI", help="a URI to name it by; repeatable")] = (),
) -> int:
    """Make a key and a certificate signing request (CSR), to be signed by a CA that is not ours."""
    out = output.open("certgen")

    def body(report: Report) -> None:
        from dicomtls.certificates.building import common_name
        from dicomtls.certificates.names import general_names, resource_identifiers
        from dicomtls.certificates.signing_requests import request_files
        from dicomtls.files import write_files

        stem, secret = file_stem(name), passphrase.secret()
        names = [*general_names(host), *resource_identifiers(uri)]
        contents, private = request_files(common_name(name), names, key.kind(), stem, secret).below(writing.out)
        write_files(contents, private=private, force=writing.force)
        lines = (
            f"  for the CA      {stem}.csr; what comes back is {stem}.pem",
            f"  for the device  {stem}.key, which nobody else may have",
            f"a CA of yours signs it with: dicomtls certgen sign {writing.out / stem}.csr --ca-dir DIR",
        )
        tell(report, out, "request", list(contents), {}, lines)

    return run(out, body)
