"""Why a connection failed, from the server's side: the diagnosis that goes into an event.

A certificate that we refused is looked at again for all that is wrong with it, one at a time, so that many clients with
bad certificates cost the time of one.
"""

import threading
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from dicomtls.association.reasons import PresentationReason, RejectSource, UserReason
from dicomtls.diagnosis import Diagnosis, diagnose
from dicomtls.diagnosis.client import about_client
from dicomtls.errors import AssociationAborted, AssociationRejected, By, DicomTLSError, HandshakeError
from dicomtls.tls import TLSSettings

_PATIENCE_SECONDS: Final = 1.0
_LOOKING: Final = threading.Lock()

# What the diagnosis of a requestor would say differently to an acceptor.
_HINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "association-aborted": ("the log of the device says why it ended the association",),
    "association-timeout": (
        "a port check, or a device that hangs: its log says more",
        "give slow devices more time with --association-timeout",
    ),
    "dimse-timeout": ("give slow devices more time with --dimse-timeout",),
    "protocol-error": ("-vv shows which PDU it was",),
    "peer-expects-tls": ("switch off TLS in the device, or start serve without --no-tls",),
    "peer-speaks-http": ("a browser or a health check: give it another port",),
    "handshake-timeout": ("a port check, or a device that waits for the other side to speak",),
}


def explain_failure(
    error: DicomTLSError | OSError | MemoryError, tls: TLSSettings | None, *, is_associated: bool = True
) -> Diagnosis:
    """Diagnose what ended a connection; `tls` are the server's settings, None in clear."""
    diagnosis = diagnose(error)
    if isinstance(error, HandshakeError):
        diagnosis = _with_findings(diagnosis, error, tls)
        return replace(diagnosis, message=str(bounded(diagnosis.message + about_client(error.facts))))
    if isinstance(error, AssociationAborted):
        diagnosis = replace(diagnosis, by=By.PEER)
        if not is_associated and (how := _ENDS.get(str(error.evidence.get("closed")))) is not None:
            message = f"the client {how} the connection before it asked for an association"
            return replace(diagnosis, message=message, hints=_LEFT_EARLY)
    return replace(diagnosis, hints=hints_for(diagnosis.code) or diagnosis.hints)


_ENDS: Final = {"eof": "closed", "reset": "reset"}
_LEFT_EARLY: Final = ("a port check, or a client that did not like what it saw of us: its log says more",)


def hints_for(code: str) -> tuple[str, ...]:
    """What the operator of a server can do about a failure; empty where a client would be told the same."""
    return _HINTS.get(code, ())


def dropped_facts(*, in_clear: bool) -> dict[str, object]:
    """What an event says of a connection that was given up before it had come to an association."""
    code, stage = ("association-timeout", "association") if in_clear else ("handshake-timeout", "tls")
    return {"code": code, "stage": stage, "by": "neither", "hints": list(hints_for(code))}


def as_facts(diagnosis: Diagnosis) -> dict[str, object]:
    """What an event says of a diagnosis, beside its message."""
    return {
        "code": diagnosis.code,
        "stage": diagnosis.stage,
        "by": diagnosis.by,
        "hints": list(diagnosis.hints),
        "evidence": bounded(diagnosis.evidence),
    }


def bounded(value: object) -> object:
    """The same with every text and list cut where a stranger has made it long: a log must not grow as he pleases."""
    if isinstance(value, StrEnum):
        return value
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else f"{value[:_LONGEST_TEXT]} and so on"
    if isinstance(value, Mapping):
        return {name: bounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [bounded(one) for one in value[:_LONGEST_LIST]]
    return value


_LONGEST_TEXT: Final = 1200
_LONGEST_LIST: Final = 100


def rejection_facts(error: AssociationRejected) -> dict[str, object]:
    """What an event says of an association that we rejected."""
    hints = _REJECTION_HINTS.get((error.source, error.reason), ())
    return as_facts(Diagnosis(error.code, error.stage, By.US, error.message, hints, error.evidence))


_REJECTION_HINTS: Final[Mapping[tuple[int, int], tuple[str, ...]]] = {
    (RejectSource.SERVICE_USER, UserReason.CALLING_AE_TITLE_NOT_RECOGNIZED): (
        "if it is a device of yours, start serve with --allow AET, or AET=sha256:HEX for this certificate alone",
        "or set the AE title of the device to one that is allowed",
    ),
    (RejectSource.SERVICE_USER, UserReason.CALLED_AE_TITLE_NOT_RECOGNIZED): (
        "the device must call us by the title given with --aet, or serve be started without it",
    ),
    (RejectSource.SERVICE_PROVIDER_PRESENTATION, PresentationReason.LOCAL_LIMIT_EXCEEDED): (
        "allow more at once with --max-associations",
    ),
}


def _with_findings(diagnosis: Diagnosis, error: HandshakeError, tls: TLSSettings | None) -> Diagnosis:
    is_refused = diagnosis.by is By.US and error.facts.chain_der
    if not is_refused or tls is None or not _LOOKING.acquire(timeout=_PATIENCE_SECONDS):
        return diagnosis
    from dicomtls.diagnosis.findings import with_all_findings

    try:
        return with_all_findings(diagnosis, error.facts.chain_der, tls, purpose="client")
    finally:
        _LOOKING.release()
