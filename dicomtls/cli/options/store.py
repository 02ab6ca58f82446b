"""The options of `store`: what it sends and how, what it leaves behind, and what it asks the archive to commit to."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dicomtls.cli.declaring import option
from dicomtls.cli.options.receiver import PANEL as RECEIVER
from dicomtls.cli.options.receiver import ClientAuth, check_trust, check_unused
from dicomtls.cli.options.values import path_option, seconds, whole_number
from dicomtls.cli.writing import check_writable
from dicomtls.errors import UsageError
from dicomtls.peer import parse_listening

if TYPE_CHECKING:
    from dicomtls.scu.store import StoreOptions


@dataclass(frozen=True, kw_only=True)
class SendingOptions:
    """What `store` sends, and how."""

    files_from: Annotated[
        str | None, option("--files-from", metavar="FILE", help="more paths, one a line; - for standard input")
    ] = None
    associations: Annotated[
        int, option("--associations", metavar="N", parser=whole_number(1, 64), help="associations at once")
    ] = 1
    max_ops: Annotated[
        int,
        option(
            "--max-ops",
            metavar="N",
            parser=whole_number(1, 1000),
            help="instances under way on each, where the peer allows more than one",
        ),
    ] = 128
    retry: Annotated[
        int, option("--retry", metavar="N", parser=whole_number(0, 1000), help="new tries after a broken association")
    ] = 0
    stop_on_error: Annotated[bool, option("--stop-on-error", help="end at the first instance that fails")] = False
    transcode: Annotated[
        bool, option("--transcode", help="change the transfer syntax of what the peer does not take as it is")
    ] = False
    report: Annotated[
        Path | None, path_option("--report", help="write what became of each file there, a JSON object a line")
    ] = None
    dry_run: Annotated[bool, option("--dry-run", help="say what would be sent, and connect to nobody")] = False

    def settings(self) -> "StoreOptions":
        """Return how to send; raises `UsageError` for a report that could not be written afterwards."""
        from dicomtls.scu.store import StoreOptions

        if self.report is not None:
            check_writable(self.report, "report")
        return StoreOptions(
            associations=self.associations,
            max_operations=self.max_ops,
            retry=self.retry,
            stop_on_error=self.stop_on_error,
            transcode=self.transcode,
        )

    def paths(self, named: Sequence[Path]) -> list[str]:
        """Return the paths of the command line and those that `--files-from` lists.

        Raises `UsageError` where there is none, or the list cannot be read.
        """
        listed = _listed(self.files_from) if self.files_from is not None else []
        if named or listed:
            return [*map(os.fspath, named), *listed]
        if self.files_from is not None:
            msg = f"nothing to send: {_name_of(self.files_from)} lists no path"
            raise UsageError(msg)
        msg = "nothing to send: no path is given"
        raise UsageError(msg, hints=("name files or folders behind the peer, or a list of them with --files-from",))


@dataclass(frozen=True, kw_only=True)
class CommitOptions:
    """Whether `store` asks for storage commitment, and where it takes the answer."""

    commit: Annotated[
        bool,
        option("--commit", help="ask the peer to commit to what it has stored, and wait for its word"),
    ] = False
    commit_timeout: Annotated[
        float,
        option("--commit-timeout", metavar="S", parser=seconds, help="seconds to wait for that"),
    ] = 60.0
    listen: Annotated[
        str | None,
        option(
            "--listen",
            metavar="[HOST:]PORT",
            panel=RECEIVER,
            help="take its word there, too: most archives report to where they know our AE title to be",
        ),
    ] = None
    client_auth: ClientAuth = "required"
    from_environment: frozenset[str] = frozenset()

    def check(self, *, trusts_anybody: bool) -> None:
        """Raise `UsageError` where options contradict each other."""
        if not self.commit:
            check_unused(self, "ask for storage commitment with --commit")
        elif self.listen is None:
            check_unused(self, "say where with --listen PORT")
        else:
            check_trust("--listen", self.client_auth, trusts_anybody=trusts_anybody)
            self.address()

    def address(self) -> tuple[str, int] | None:
        """Where to listen, if anywhere; raises `UsageError`."""
        return parse_listening(self.listen, default_port=0) if self.commit and self.listen is not None else None


def _listed(files_from: str) -> list[str]:
    try:
        text = sys.stdin.buffer.read() if files_from == "-" else Path(files_from).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"cannot read the list of paths from {_name_of(files_from)}: {reason.lower()}"
        raise UsageError(msg, code="unreadable-file") from error
    return [os.fsdecode(line) for line in text.splitlines() if line.strip()]


def _name_of(files_from: str) -> str:
    return "the standard input" if files_from == "-" else files_from
