"""The options about what a command says, and how."""

from dataclasses import dataclass
from typing import Annotated

from dicomtls.cli.declaring import option
from dicomtls.cli.output import Output
from dicomtls.errors import UsageError

_OUTPUT = "Output"


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """How a command speaks."""

    json: Annotated[bool, option("--json", panel=_OUTPUT, help="write the result as JSON")] = False
    quiet: Annotated[bool, option("-q", "--quiet", panel=_OUTPUT, help="say nothing but errors and warnings")] = False
    verbose: Annotated[
        int, option("-v", "--verbose", panel=_OUTPUT, count=True, help="log each stage; twice: every PDU")
    ] = 0

    def open(self, command: str) -> Output:
        """Return what the command named so speaks through; raises `UsageError`."""
        if self.quiet and self.verbose:
            msg = "--quiet and --verbose contradict each other"
            raise UsageError(msg, hints=("leave out one of them",))
        return Output(command, json=self.json, quiet=self.quiet, verbose=self.verbose)
