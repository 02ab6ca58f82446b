"""The record of a diagnosis, and how each error becomes one."""

import errno
from dataclasses import dataclass, field
from typing import Final

from dicomtls.connection import TOO_MANY_FILES, TOO_MANY_FILES_HINTS
from dicomtls.diagnosis.causes import cause_of
from dicomtls.diagnosis.client import client_evidence
from dicomtls.diagnosis.handshake import classify, evidence_of, refuser
from dicomtls.errors import By, DicomTLSError, ExitStatus, HandshakeError, Stage

_EXIT_STATUSES: Final = {
    Stage.NAME: ExitStatus.NETWORK,
    Stage.TCP: ExitStatus.NETWORK,
    Stage.TLS: ExitStatus.TLS,
    Stage.ASSOCIATION: ExitStatus.ASSOCIATION,
    Stage.DIMSE: ExitStatus.REFUSED,
    Stage.LOCAL: ExitStatus.USAGE,
}
_MACHINE_CODES: Final = frozenset({"disk-full", "no-permission", "port-in-use"})


@dataclass(frozen=True)
class Diagnosis:
    """Why something failed; the fields are those of `error` in the JSON documents."""

    code: str
    stage: Stage
    by: By
    message: str
    hints: tuple[str, ...] = ()
    evidence: dict[str, object] = field(default_factory=dict)

    @property
    def exit_status(self) -> ExitStatus:
        """What the process returns for it."""
        if self.code == "interrupted":
            return ExitStatus.INTERRUPTED
        if self.code in _MACHINE_CODES:
            return ExitStatus.LOCAL
        return _EXIT_STATUSES[self.stage]


def diagnose(error: BaseException) -> Diagnosis:
    """Explain any error that dicomtls raises, and what the operating system may raise beneath it.

    Raises nothing: whatever else it is given is a bug of ours, and is said to be one.
    """
    if isinstance(error, HandshakeError):
        return _diagnose_handshake(error)
    if isinstance(error, DicomTLSError):
        hints = error.hints or _HINTS.get(error.code, ())
        return Diagnosis(error.code, error.stage, error.by, error.message, hints, error.evidence)
    if isinstance(error, OSError):
        return _diagnose_os_error(error)
    if isinstance(error, MemoryError):
        return Diagnosis("not-supported-here", Stage.LOCAL, By.US, "this machine has not enough memory for that")
    return Diagnosis("tls-error", Stage.LOCAL, By.US, f"an error inside dicomtls: {type(error).__name__}", _REPORT_IT)


_REPORT_IT: Final = ("this is a bug: please report it with the command that you gave",)

# Hints for whatever the place that raised did not know better.
_HINTS: Final[dict[str, tuple[str, ...]]] = {
    "name-not-found": ("check the spelling and the name server, or give an IP address",),
    "connection-refused": ("check the port, and that the peer's DICOM service runs",),
    "unreachable": ("check the network, the route and the firewall between the two machines",),
    "connect-timeout": (
        "check the address and the firewall: packets are being swallowed on the way",
        "give a slow network more time with --connect-timeout",
    ),
    "association-rejected": (
        "check the AE titles that the peer knows, and give them with --calling-aet and --called-aet",
    ),
    "association-aborted": ("the peer's log says why it ended the association",),
    "association-timeout": (
        "check that a DICOM service listens at this port, and whether it expects TLS there",
        "give a slow peer more time with --association-timeout",
    ),
    "no-presentation-context": ("the peer does not offer this service or these transfer syntaxes",),
    "peer-expects-tls": ("leave out --no-tls",),
    "protocol-error": ("the peer's log and -vv here show which PDU it was",),
    "dimse-timeout": ("give a slow peer more time with --dimse-timeout",),
    "status-failure": ("the peer's log says more about this status",),
    "bad-passphrase": ("check the passphrase, and that it is the one of this file",),
    "passphrase-needed": ("give --passphrase-file or --passphrase-env",),
    "key-mismatch": ("give the key that belongs to this certificate with --key",),
    "not-a-certificate": ("give a certificate: PEM, DER or PKCS#12",),
    "no-private-key": ("give the private key that belongs to this certificate with --key",),
    "unreadable-file": ("check the path, and that the file is whole and may be read",),
    "configuration": ("see the command's --help",),
    "not-supported-here": ("another version of Python or OpenSSL may have it",),
    "port-in-use": ("choose another port with --listen, or stop the program that has it",),
    "disk-full": ("make room, or choose another folder",),
    "no-permission": ("choose a place that this user may write to",),
}


def _diagnose_os_error(error: OSError) -> Diagnosis:
    code = {
        errno.ENOSPC: "disk-full",
        errno.EDQUOT: "disk-full",
        errno.EACCES: "no-permission",
        errno.EPERM: "no-permission",
        errno.EROFS: "no-permission",
        errno.EADDRINUSE: "port-in-use",
    }.get(error.errno or 0, "unreadable-file")
    what = (error.strerror or str(error)).lower()
    message = f"{error.filename}: {what}" if error.filename else what
    hints = TOO_MANY_FILES_HINTS if error.errno in TOO_MANY_FILES else _HINTS.get(code, ())
    return Diagnosis(code, Stage.LOCAL, By.US, message, hints, {"errno": error.errno})


def _diagnose_handshake(error: HandshakeError) -> Diagnosis:
    facts = error.facts
    code = error.code if error.code != "tls-error" else classify(facts)
    cause = cause_of(code)
    by = refuser(code, facts, cause.by)
    evidence = {**evidence_of(facts), **(client_evidence(facts) if facts.role == "server" else {})}
    hints = tuple(map(shortened, error.hints or cause.hints(facts)))
    return Diagnosis(code, Stage.TLS, by, shortened(cause.message(facts)), hints, evidence)


def shortened(text: str) -> str:
    """The text, cut where names of a stranger's certificate have made it longer than anybody reads."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]} and so on"


_LONGEST_TEXT: Final = 1200
