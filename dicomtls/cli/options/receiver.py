"""What `move` and `store` say alike of the receiver that we run: where it listens, and whom it lets in."""

from typing import Annotated, Literal, Protocol, TypeAlias

from dicomtls.cli.declaring import option
from dicomtls.errors import UsageError

PANEL = "Our receiver"

Listen: TypeAlias = Annotated[
    str | None,
    option("--listen", metavar="[HOST:]PORT", panel=PANEL, help="where our receiver listens (default: any free port)"),
]
ClientAuth: TypeAlias = Annotated[
    Literal["required", "optional", "none"],
    option("--client-auth", metavar="HOW", panel=PANEL, help="the archive's certificate: as serve has it"),
]


class Receiving(Protocol):
    """A group of options with these two."""

    @property
    def listen(self) -> str | None:
        """Where to."""

    @property
    def client_auth(self) -> str:
        """As `serve` has it."""

    @property
    def from_environment(self) -> frozenset[str]:
        """Which of the options were not given on the command line."""


def check_unused(options: Receiving, hint: str) -> None:
    """Raise `UsageError` where either option was given though nothing is to be received.

    What stands in the environment or the configuration is for those runs that receive, and for `serve`.
    """
    given = {"--listen": options.listen is not None, "--client-auth": options.client_auth != "required"}
    named = [
        name
        for name, is_given in given.items()
        if is_given and name[2:].replace("-", "_") not in options.from_environment
    ]
    if named:
        msg = f"{' and '.join(named)} {'is' if len(named) == 1 else 'are'} about our receiver, and there is none"
        raise UsageError(msg, hints=(hint,))


def check_trust(what: str, client_auth: str, *, trusts_anybody: bool) -> None:
    """Raise `UsageError` where the archive is to show a certificate, and nobody said whose."""
    if client_auth != "none" and not trusts_anybody:
        msg = f"{what} with --client-auth {client_auth} needs --ca: whose certificate may the archive show?"
        hint = "give your CA with --ca, or let everybody send with --client-auth none"
        raise UsageError(msg, hints=(hint,))
