"""Every error that dicomtls raises on purpose, and the exit statuses they end in.

An error carries facts, not prose for a terminal: `diagnosis.diagnose` turns it into what the user reads.

    DicomTLSError
    ├── LocalError                  ours to mend, before any peer is involved
    │   ├── UsageError              options or settings that contradict each other or mean nothing
    │   ├── CredentialError         a certificate, key or CRL that cannot serve as what it was given for
    │   ├── DataError               a file or bytes that are not the DICOM they should be
    │   └── MachineError            this machine: disk, permissions, ports
    ├── NetworkError                no TCP connection came about
    ├── HandshakeError              no TLS came about, or one side refused the other's certificate
    ├── AssociationError
    │   ├── AssociationRejected     A-ASSOCIATE-RJ
    │   ├── AssociationAborted      A-ABORT, or the connection went away without one
    │   ├── NoPresentationContext   nothing that we proposed was accepted
    │   ├── LocalProtocolError      we were asked to do what the protocol does not allow
    │   ├── RemoteProtocolError     the peer broke the protocol
    │   ├── PeerExpectsTLS          we spoke in clear to a TLS port
    │   └── AssociationTimeout
    ├── DIMSEError
    │   ├── StatusFailure           a response with a failure status
    │   └── DIMSETimeout            silence where a message was due
    └── Interrupted                 the user ended it
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicomtls.handshake_facts import HandshakeFacts


class ExitStatus(IntEnum):
    """What the process returns; the numbers are an interface that scripts rely on."""

    SUCCESS = 0
    REFUSED = 1
    USAGE = 2
    NETWORK = 3
    TLS = 4
    ASSOCIATION = 5
    LOCAL = 6
    INTERRUPTED = 130


class Stage(StrEnum):
    """How far an attempt came before it failed."""

    NAME = "name"
    TCP = "tcp"
    TLS = "tls"
    ASSOCIATION = "association"
    DIMSE = "dimse"
    LOCAL = "local"


class By(StrEnum):
    """Who refused."""

    US = "us"
    PEER = "peer"
    NEITHER = "neither"


class DicomTLSError(Exception):
    """Base of all errors; never raised itself.

    `code` is one of the error codes of the command line's contract, `evidence` holds facts for `--json`
    (plain values only), `hints` say what to do where the place that raises knows it best.
    """

    code: str = "protocol-error"
    stage: Stage = Stage.LOCAL
    by: By = By.NEITHER

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        by: By | None = None,
        stage: Stage | None = None,
        hints: tuple[str, ...] = (),
        evidence: Mapping[str, object] | None = None,
    ) -> None:
        if type(self) is DicomTLSError:
            msg = "raise one of the subclasses: each says at which stage it happened"
            raise TypeError(msg)
        super().__init__(message)
        self.message = message
        self.hints = hints
        self.evidence: dict[str, object] = dict(evidence or {})
        if code is not None:
            self.code = code
        if by is not None:
            self.by = by
        if stage is not None:
            self.stage = stage


class LocalError(DicomTLSError):
    """Something on our own side, before any peer is involved."""

    code = "configuration"
    stage = Stage.LOCAL
    by = By.US


class UsageError(LocalError):
    """Options or settings that contradict each other or mean nothing (`configuration`, `not-supported-here`)."""


class CredentialError(LocalError):
    """A certificate, key or CRL file that cannot serve as what it was given for.

    Codes: `bad-passphrase`, `passphrase-needed`, `key-mismatch`, `not-a-certificate`, `no-private-key`,
    `unreadable-file`.
    """

    code = "unreadable-file"


class DataError(LocalError):
    """A file, or bytes, that are not the DICOM they were taken for (`unreadable-file`)."""

    code = "unreadable-file"


class MachineError(LocalError):
    """This machine failed us: `disk-full`, `no-permission`, `port-in-use`."""

    code = "no-permission"


class NetworkError(DicomTLSError):
    """No TCP connection: `name-not-found`, `connection-refused`, `unreachable`, `connect-timeout`."""

    code = "unreachable"
    stage = Stage.TCP


class HandshakeError(DicomTLSError):
    """No TLS came about, or one side refused the other's certificate; `facts` tell which, and why."""

    code = "tls-error"
    stage = Stage.TLS

    def __init__(self, message: str, facts: "HandshakeFacts", *, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.facts = facts


class AssociationError(DicomTLSError):
    """The association was refused, broken off or broken."""

    stage = Stage.ASSOCIATION


class AssociationRejected(AssociationError):
    """A-ASSOCIATE-RJ (PS3.8 section 9.3.4); the three numbers are in `result`, `source` and `reason`."""

    code = "association-rejected"
    by = By.PEER

    def __init__(self, message: str, *, result: int, source: int, reason: int) -> None:
        super().__init__(message, evidence={"result": result, "source": source, "reason": reason})
        self.result = result
        self.source = source
        self.reason = reason


class AssociationAborted(AssociationError):
    """A-ABORT (PS3.8 section 9.3.8), or the connection ended without one (`source` is then None)."""

    code = "association-aborted"
    by = By.PEER

    def __init__(self, message: str, *, source: int | None = None, reason: int | None = None, by: By = By.PEER) -> None:
        super().__init__(message, by=by, evidence={"source": source, "reason": reason})
        self.source = source
        self.reason = reason


class NoPresentationContext(AssociationError):
    """The peer accepted the association, but none of the presentation contexts that we need."""

    code = "no-presentation-context"
    by = By.PEER


class LocalProtocolError(AssociationError):
    """We were asked to send what the protocol, or what was negotiated, does not allow."""

    code = "protocol-error"
    by = By.US


class RemoteProtocolError(AssociationError):
    """The peer sent what the protocol does not allow.

    `abort_reason` is the reason that our A-ABORT gives for it (PS3.8 table 9-26: 1 unrecognized PDU,
    2 unexpected PDU, 4 unrecognized parameter, 5 unexpected parameter, 6 invalid parameter value).
    """

    code = "protocol-error"
    by = By.PEER

    def __init__(self, message: str, *, abort_reason: int = 6, evidence: Mapping[str, object] | None = None) -> None:
        super().__init__(message, evidence=evidence)
        self.abort_reason = abort_reason


class PeerExpectsTLS(AssociationError):
    """We spoke in clear, and the peer answered with a TLS record."""

    code = "peer-expects-tls"


class AssociationTimeout(AssociationError):
    """No answer to our A-ASSOCIATE-RQ, or no A-ASSOCIATE-RQ from the peer, in time."""

    code = "association-timeout"


class DIMSEError(DicomTLSError):
    """The association stood; a message failed."""

    stage = Stage.DIMSE


class StatusFailure(DIMSEError):
    """The peer answered with a failure status (PS3.7 annex C)."""

    code = "status-failure"
    by = By.PEER

    def __init__(self, message: str, *, status: int, hints: tuple[str, ...] = ()) -> None:
        super().__init__(message, hints=hints, evidence={"status": f"0x{status:04X}"})
        self.status = status


class DIMSETimeout(DIMSEError):
    """The peer kept silent where a message was due."""

    code = "dimse-timeout"


class Interrupted(DicomTLSError):
    """The user ended it (Ctrl-C); the association was aborted."""

    code = "interrupted"
    by = By.US

    def __init__(self, message: str = "interrupted") -> None:
        super().__init__(message)
