"""DICOM over TLS: associations, certificates, and a plain answer to why two systems do not talk.

What a script needs is here, by the names of the commands; all else may change between versions.

    Peer, TLSSettings, AssociationSettings      who the other side is, how TLS is spoken, and as whom we speak
    client_context, server_context              the same settings as a plain `ssl.SSLContext`, for other libraries
    echo, store                                 does a peer answer; send instances
    find, get, move                             what a peer has; bring it here, or have it sent elsewhere
    inspect_cert                                every finding about a file of certificates, or about a peer's chain
    handshake_probe                             the whole road to a peer, and where it ends
    explain                                     an error as a diagnosis: what happened, who refused, what to do

Everything that goes wrong on purpose is a `DicomTLSError`; `dicomtls.errors` draws the tree. Nothing here prints.
Importing the package loads nothing: each name brings its module when it is first used.
"""

TYPE_CHECKING = False  # as in `typing`, which takes a quarter of what `--version` does
if TYPE_CHECKING:
    from dicomtls.certificates.findings import Finding, Severity
    from dicomtls.diagnosis import Diagnosis
    from dicomtls.diagnosis.inspection import Inspection
    from dicomtls.errors import (
        AssociationAborted,
        AssociationError,
        AssociationRejected,
        AssociationTimeout,
        By,
        CredentialError,
        DataError,
        DicomTLSError,
        DIMSEError,
        DIMSETimeout,
        ExitStatus,
        HandshakeError,
        Interrupted,
        LocalError,
        LocalProtocolError,
        MachineError,
        NetworkError,
        NoPresentationContext,
        PeerExpectsTLS,
        RemoteProtocolError,
        Stage,
        StatusFailure,
        UsageError,
    )
    from dicomtls.library import echo, explain, find, get, handshake_probe, inspect_cert, move, store
    from dicomtls.peer import Peer
    from dicomtls.probe.handshake import ProbeResult
    from dicomtls.scu import AssociationSettings
    from dicomtls.scu.echo import EchoResult
    from dicomtls.scu.ledger import StoreResult
    from dicomtls.scu.retrieve import RetrieveResult
    from dicomtls.scu.store import StoreOptions
    from dicomtls.tls import ClientAuth, TLSSettings, client_context, server_context

__version__ = "0.1.0"

__all__ = [
    "AssociationAborted",
    "AssociationError",
    "AssociationRejected",
    "AssociationSettings",
    "AssociationTimeout",
    "By",
    "ClientAuth",
    "CredentialError",
    "DIMSEError",
    "DIMSETimeout",
    "DataError",
    "Diagnosis",
    "DicomTLSError",
    "EchoResult",
    "ExitStatus",
    "Finding",
    "HandshakeError",
    "Inspection",
    "Interrupted",
    "LocalError",
    "LocalProtocolError",
    "MachineError",
    "NetworkError",
    "NoPresentationContext",
    "Peer",
    "PeerExpectsTLS",
    "ProbeResult",
    "RemoteProtocolError",
    "RetrieveResult",
    "Severity",
    "Stage",
    "StatusFailure",
    "StoreOptions",
    "StoreResult",
    "TLSSettings",
    "UsageError",
    "client_context",
    "echo",
    "explain",
    "find",
    "get",
    "handshake_probe",
    "inspect_cert",
    "move",
    "server_context",
    "store",
]

_FUNCTIONS = ("echo", "explain", "find", "get", "handshake_probe", "inspect_cert", "move", "store")
_HOMES = {
    "AssociationSettings": "dicomtls.scu",
    "Diagnosis": "dicomtls.diagnosis",
    "EchoResult": "dicomtls.scu.echo",
    "Finding": "dicomtls.certificates.findings",
    "Inspection": "dicomtls.diagnosis.inspection",
    "Peer": "dicomtls.peer",
    "ProbeResult": "dicomtls.probe.handshake",
    "Severity": "dicomtls.certificates.findings",
    "RetrieveResult": "dicomtls.scu.retrieve",
    "StoreOptions": "dicomtls.scu.store",
    "StoreResult": "dicomtls.scu.ledger",
    **dict.fromkeys(("ClientAuth", "TLSSettings", "client_context", "server_context"), "dicomtls.tls"),
    **dict.fromkeys(_FUNCTIONS, "dicomtls.library"),
}
"""Where each name lives; what is not in here is an error's, in `dicomtls.errors`."""

if not TYPE_CHECKING:  # to a type checker this would say that every name exists

    def __getattr__(name: str) -> object:
        if name not in __all__:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        from importlib import import_module

        found = getattr(import_module(_HOMES.get(name, "dicomtls.errors")), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
