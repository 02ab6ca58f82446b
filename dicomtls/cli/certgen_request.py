"""`dicomtls certgen request`: a key, and a signing request for somebody else's CA."""

import shlex

from dicomtls.cli.certgen_report import tell
from dicomtls.cli.command import command
from dicomtls.cli.options import NamesOptions, NewKeyOptions, NewPassphraseOptions, OutputOptions, WritingOptions
from dicomtls.cli.options.certgen import DeviceName, file_stem
from dicomtls.cli.running import Report, run

_EXAMPLES = (
    "dicomtls certgen request --name ct2 --host ct2.clinic.example",
    "dicomtls certgen request --name ct2 --host 192.0.2.7 --ask-passphrase",
)


@command(examples=_EXAMPLES)
def request(
    *,
    name: DeviceName,
    names: NamesOptions,
    key: NewKeyOptions,
    passphrase: NewPassphraseOptions,
    writing: WritingOptions,
    output: OutputOptions,
) -> int:
    """Make a key and a certificate signing request (CSR), to be signed by a CA that is not ours."""
    out = output.open("certgen")

    def body(report: Report) -> None:
        from dicomtls.certificates.building import common_name
        from dicomtls.certificates.guard import write_credentials
        from dicomtls.certificates.names import requested_names
        from dicomtls.certificates.signing_requests import request_files

        stem, secret = file_stem(name), passphrase.secret()
        presented = requested_names(names.host, names.uri)
        made = request_files(common_name(name), presented, key.kind(), stem, secret)
        files = write_credentials(made, writing.out, force=writing.force)
        csr = shlex.quote(f"{writing.out / stem}.csr")
        lines = (
            f"  for the CA      {stem}.csr; what comes back is {stem}.pem",
            f"  for the device  {stem}.key, which nobody else may have",
            f"a CA of yours signs it with: dicomtls certgen sign {csr} --ca-dir DIR",
        )
        tell(report, out, "request", files, {}, lines)

    return run(out, body)
