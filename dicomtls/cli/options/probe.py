"""The options of `handshake-probe`: whom it probes, what it asks besides, and how it writes what it found out."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from dicomtls.cli.declaring import option
from dicomtls.cli.options.association import AssociationOptions
from dicomtls.cli.options.output import OutputOptions
from dicomtls.cli.options.values import path_option, whole_number
from dicomtls.cli.output import Output
from dicomtls.cli.writing import check_writable
from dicomtls.errors import UsageError
from dicomtls.peer import Peer

_OUTPUT = "Output"
_MOST_JOBS = 256
"""Each takes three descriptors at once, and 1,024 are what a process has by default."""
_LARGEST_LIST = 64 << 20
# Within an AE title the character means nothing.
_COMMENT = re.compile(r"(?:^|\s)#.*")


class Named(NamedTuple):
    """A peer, and how the user wrote it."""

    text: str
    peer: Peer


@dataclass(frozen=True, kw_only=True)
class ProbingOptions:
    """What `handshake-probe` looks at besides the peers of the command line."""

    contexts: Annotated[
        bool,
        option(
            "--contexts",
            help="also ask which SOP classes and transfer syntaxes it accepts, over some 4 to 100 associations",
        ),
    ] = False
    targets: Annotated[
        str | None,
        option("--targets", metavar="FILE", help="more peers, one a line, # begins a comment; - for standard input"),
    ] = None
    jobs: Annotated[
        int,
        option("--jobs", metavar="N", parser=whole_number(1, _MOST_JOBS), help="how many peers at once"),
    ] = 32

    def named(self, peers: Sequence[str], association: AssociationOptions, *, no_tls: bool) -> list[Named]:
        """Read the peers of the command line, then those of `--targets`; raises `UsageError` where there is none."""
        found = [Named(text, association.peer(text, no_tls=no_tls)) for text in peers]
        if self.targets is not None:
            found += _listed(self.targets, association, no_tls=no_tls)
        if found:
            return found
        if self.targets is not None:
            msg = f"nobody to probe: {_name_of(self.targets)} lists no peer"
            raise UsageError(msg, hints=("write one peer a line, as [AET@]HOST[:PORT]",))
        msg = "nobody to probe: no PEER is given"
        raise UsageError(msg, hints=("name one or more peers, or a list of them with --targets FILE",))


def _listed(targets: str, association: AssociationOptions, *, no_tls: bool) -> Iterator[Named]:
    for number, line in enumerate(_read(targets).splitlines(), 1):
        text = _COMMENT.sub("", line).strip()
        if not text:
            continue
        try:
            _check_settings(text, association)
            yield Named(text, association.peer(text, no_tls=no_tls))
        except UsageError as error:
            msg = f"{_name_of(targets)}, line {number}: {error.message}"
            raise UsageError(msg, hints=error.hints) from None


def _check_settings(name: str, association: AssociationOptions) -> None:
    """Settings of one peer's own do not hold for a list: without them what is found out would be untrue of it."""
    configuration = association.configuration
    if name in configuration.peers and configuration.peers[name].settings:
        msg = f"{name} has settings of its own in {configuration.path}, which do not hold for a list"
        raise UsageError(msg, hints=(f"with them: dicomtls peers check {name}",))


def _read(targets: str) -> str:
    try:
        if targets == "-":
            content = sys.stdin.buffer.read(_LARGEST_LIST + 1)
        else:
            with Path(targets).open("rb") as stream:
                content = stream.read(_LARGEST_LIST + 1)
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name, bytes that are no text
        reason = "it is not text" if isinstance(error, UnicodeError) else getattr(error, "strerror", None) or str(error)
        raise _unreadable(targets, reason.lower()) from error
    if len(content) > _LARGEST_LIST:
        raise _unreadable(targets, f"it has more than {_LARGEST_LIST >> 20} MB")
    return text


def _unreadable(targets: str, reason: str) -> UsageError:
    return UsageError(f"cannot read the list of peers from {_name_of(targets)}: {reason}", code="unreadable-file")


def _name_of(targets: str) -> str:
    return "the standard input" if targets == "-" else targets


@dataclass(frozen=True, kw_only=True)
class ProbeOutputOptions(OutputOptions):
    """How `handshake-probe` speaks."""

    quiet: Annotated[bool, option("-q", "--quiet", panel=_OUTPUT, help="say only the verdict")] = False
    format: Annotated[
        Literal["text", "json", "junit"] | None,
        option(
            "--format",
            metavar="FORMAT",
            panel=_OUTPUT,
            help="text, json (an object a peer) or junit, for CI (default: text)",
        ),
    ] = None
    output: Annotated[
        Path | None, path_option("--output", panel=_OUTPUT, help="write the result there, whole or not at all")
    ] = None

    def chosen(self) -> str:
        """Return the format; raises `UsageError`, also for a file that could not be written at the end."""
        if self.json and self.format not in (None, "json"):
            msg = f"--json and --format {self.format} contradict each other"
            raise UsageError(msg, hints=("leave out one of them",))
        if self.output is not None:
            check_writable(self.output, "result")
        return "json" if self.json else self.format or "text"

    def open(self, command: str) -> Output:
        """Return what the command named so speaks through; raises `UsageError`."""
        output = super().open(command)
        output.json = self.json or self.format == "json"
        return output
