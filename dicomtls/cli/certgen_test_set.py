"""`dicomtls certgen test-set`: good chains and one of each fault, to try TLS software with."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dicomtls.cli.command import command
from dicomtls.cli.options import OutputOptions
from dicomtls.cli.options.certgen import Force
from dicomtls.cli.options.values import NonEmptyPath
from dicomtls.cli.running import Report, run
from dicomtls.cli.text import Line, Style, Styled

if TYPE_CHECKING:
    from dicomtls.certificates.cases.layout import CaseSet

_EXAMPLES = (
    "dicomtls certgen test-set faults",
    "dicomtls certgen test-set faults --force --json",
)
_PORT = 2762


@command(examples=_EXAMPLES)
def test_set(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="folder to write into; made if missing", click_type=NonEmptyPath())
    ],
    *,
    output: OutputOptions,
    force: Force = False,  # noqa: PT028 -- a command, not a test
) -> int:
    """Make good chains and one of each fault, with the error code that each must give."""

    def body(report: Report) -> None:
        from dicomtls.certificates.cases.layout import make_cases
        from dicomtls.files import write_files

        report.values.update(subcommand="test-set", files=[], cases=[])
        made = make_cases()
        contents, private = made.files.below(directory)
        write_files(contents, private=private, force=force)
        report.values.update(files=[str(path) for path in contents], cases=[case.entry() for case in made.cases])
        report.lines += _summary(directory, made)

    return run(output.open("certgen"), body)


def _summary(directory: Path, made: "CaseSet") -> Iterator[Line]:
    faults = made.faults
    codes = len({case.code for case in faults})
    yield (
        Styled(f"wrote {len(made.cases)} cases into {directory}:", Style.GOOD),
        f" {len(made.cases) - len(faults)} that must pass, {len(faults)} with one fault each ({codes} error codes)",
    )
    yield "  index.json       of each case: file, key, ca, crl, host, purpose, title, and the code it must give"
    yield "  server/ client/  the chains, as that side sends them"
    yield "  keys/ ca/ crl/   their keys; what the other side trusts; the revocation lists that it has"
    yield "  for tests only   the keys lie there unencrypted: let no system that matters trust ca/"
    yield ""
    yield (Styled("try one", Style.STRONG),)
    yield from (f"  {line}" for line in _lines_to_type(directory))


def _lines_to_type(directory: Path) -> Iterator[str]:
    ca, cert, key = (
        shlex.quote(str(directory / name)) for name in ("ca/root.pem", "server/expired.pem", "keys/rsa-2048.key")
    )
    yield f"openssl s_server -accept {_PORT} -cert {cert} -key {key}"
    yield f"dicomtls echo localhost:{_PORT} --ca {ca}"
    yield f"dicomtls inspect-cert {cert} --ca {ca} --host localhost --purpose server"
    yield "# to send a longer chain, s_server wants -cert_chain too, with the same file"
    yield "# to load a weak key or signature, it wants -cipher DEFAULT:@SECLEVEL=0"
