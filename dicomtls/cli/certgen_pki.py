"""`dicomtls certgen pki`: all that two systems need to trust each other, and what to type on either side."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import NewPassphraseOptions, OutputOptions
from dicomtls.cli.options.certgen import Force, KeyTypeName
from dicomtls.cli.options.values import NonEmptyPath, whole_number
from dicomtls.cli.quick_start import lines_to_type
from dicomtls.cli.running import Report, run
from dicomtls.cli.text import Line, Style, Styled

_EXAMPLES = (
    "dicomtls certgen pki pki --name Clinic --host pacs.clinic.example",
    "dicomtls certgen pki pki --name Test --host localhost --host 127.0.0.1",
    "dicomtls certgen pki pki --name Clinic --host 192.0.2.7 --pkcs12",
)


@command(examples=_EXAMPLES)
def pki(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="folder to write into; made if missing", click_type=NonEmptyPath())
    ],
    *,
    name: Annotated[str, option("--name", metavar="NAME", help="your organization, for the certificates")],
    host: Annotated[
        tuple[str, ...], option("--host", metavar="HOST", help="DNS name or IP address of the server; repeatable")
    ],
    key_type: KeyTypeName = "rsa:2048",
    days: Annotated[
        int,
        option("--days", metavar="N", parser=whole_number(1), help="days that server and client are valid"),
    ] = 730,
    pkcs12: Annotated[bool, option("--pkcs12", help="write PKCS#12 archives too (server.p12, client.p12)")] = False,
    passphrase: NewPassphraseOptions,
    force: Force = False,
    output: OutputOptions,
) -> int:
    """Make a CA, a server's and a client's certificate in one go: the quick start."""

    def body(report: Report) -> None:
        from dicomtls.certificates.issue import make_pki, pki_files
        from dicomtls.files import write_files

        report.values.update(subcommand="pki", files=[], certificates={})
        secret = passphrase.secret()
        made = make_pki(name, host, key_type=key_type, days=days)
        contents, private = pki_files(made, passphrase=secret, pkcs12=pkcs12).below(directory)
        write_files(contents, private=private, force=force)
        if output.json:
            report.values.update(_values(directory, list(contents)))
        report.lines += [
            *_files(directory, pkcs12=pkcs12),
            "",
            *lines_to_type(directory, host[0], key_type=key_type, encrypted=secret is not None),
        ]

    return run(output.open("certgen"), body)


def _values(directory: Path, paths: list[Path]) -> dict[str, object]:
    from dicomtls.certificates.describe import describe
    from dicomtls.certificates.load import load_certificates

    made = {role: load_certificates(directory / f"{role}.pem")[0] for role in ("ca", "server", "client")}
    return {
        "files": [str(path) for path in paths],
        "certificates": {role: describe(der).as_json() for role, der in made.items()},
    }


def _files(directory: Path, *, pkcs12: bool) -> Iterator[Line]:
    server, client = (f"{role}.pem {role}.key{f' {role}.p12' if pkcs12 else ''}" for role in ("server", "client"))
    yield (Styled(f"wrote into {directory}:", Style.GOOD),)
    yield "  for both sides  ca.pem: the CA that they trust"
    yield f"  for the server  {server}"
    yield f"  for the client  {client}"
    yield "  for neither     ca.key: whoever has it can be anybody; keep it away from both"
