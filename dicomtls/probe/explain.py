"""Why an attempt failed, after a second look at the peer where that can tell more than the failure itself did.

Each kind of failure has its own few questions (`negotiation`, `certificates`); a peer that keeps silent is asked
nothing more, and nobody is asked with `follow_up` off. What was asked stands in the evidence.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Final

from dicomtls.diagnosis import Diagnosis, diagnose
from dicomtls.errors import (
    AssociationAborted,
    AssociationRejected,
    By,
    DicomTLSError,
    HandshakeError,
    Interrupted,
    LocalError,
)
from dicomtls.peer import format_address
from dicomtls.probe.certificates import look_at_own_certificate, look_at_peer_certificate
from dicomtls.probe.hello import offer_everything
from dicomtls.probe.inquiry import Inquiry
from dicomtls.probe.negotiation import look_at_negotiation, look_in_clear
from dicomtls.probe.target import WENT_AWAY, Target
from dicomtls.waiting import Interrupt

__all__ = ["Target", "explain"]

_MAY_BE_IN_CLEAR: Final = frozenset({"peer-is-not-tls", *WENT_AWAY})
_NEGOTIATION: Final = frozenset({*_MAY_BE_IN_CLEAR, "no-shared-protocol", "no-shared-cipher", "tls-error"})
_ABOUT_OURS: Final = frozenset({"client-certificate-required", "client-certificate-refused"})


def explain(
    error: DicomTLSError, target: Target, *, follow_up: bool = True, interrupt: Interrupt | None = None
) -> Diagnosis:
    """Diagnose a failure to reach `target`, with further attempts where they can tell more.

    At most eleven, one after the other, one of them in clear; each within the target's connect timeout, or five seconds
    where that is longer, with two more for an answer and one for the goodbye. None changes anything at the peer. Raises
    nothing: an interrupt, or what this machine lacks (a file of the settings, a descriptor), ends the looking and not
    the diagnosis.
    """
    diagnosis = _with_titles(diagnose(error), error, target)
    return _with_address(_look_again(error, diagnosis, target, interrupt) if follow_up else diagnosis, target)


def _look_again(error: DicomTLSError, diagnosis: Diagnosis, target: Target, interrupt: Interrupt | None) -> Diagnosis:
    """What further attempts make of it; what was asked is in the evidence."""
    inquiry = Inquiry(target, interrupt)
    found = diagnosis
    with suppress(Interrupted, LocalError, OSError):
        found = _look(error, diagnosis, inquiry)
    if inquiry.log:
        found = replace(found, evidence={**found.evidence, "follow_up": inquiry.log})
    return found


def _with_address(diagnosis: Diagnosis, target: Target) -> Diagnosis:
    """Make the commands of the hints ones that can be typed."""
    address = format_address(target.peer.host, target.peer.port)
    return replace(diagnosis, hints=tuple(hint.replace("HOST:PORT", address) for hint in diagnosis.hints))


def _look(error: DicomTLSError, diagnosis: Diagnosis, inquiry: Inquiry) -> Diagnosis:
    if isinstance(error, HandshakeError) and inquiry.target.tls is not None:
        return _look_at_handshake(error, diagnosis, inquiry)
    if inquiry.target.tls is None and isinstance(error, AssociationAborted) and error.source is None:
        return _look_for_tls(diagnosis, inquiry)
    return diagnosis


def _look_at_handshake(error: HandshakeError, diagnosis: Diagnosis, inquiry: Inquiry) -> Diagnosis:
    facts = error.facts
    if facts.timed_out:
        return diagnosis
    if diagnosis.code in _ABOUT_OURS or facts.after_handshake:
        return look_at_own_certificate(diagnosis, facts, inquiry)
    if diagnosis.code in _MAY_BE_IN_CLEAR and not facts.chain_der:
        found = look_in_clear(diagnosis, inquiry)
        if found is not None:
            return found
    if diagnosis.code in _NEGOTIATION or diagnosis.code.startswith("alert-"):
        return look_at_negotiation(diagnosis, facts, inquiry)
    if diagnosis.by is By.US and facts.chain_der:
        return look_at_peer_certificate(diagnosis, facts, inquiry)
    return diagnosis


def _look_for_tls(diagnosis: Diagnosis, inquiry: Inquiry) -> Diagnosis:
    """We spoke in clear and the peer hung up without a word, as TLS servers do."""
    answer = offer_everything(inquiry, tls13=False, server_name=None, alpn=())
    if answer.chosen is None and answer.alert is None:
        return diagnosis
    message = "the peer speaks TLS at this port, and we spoke in clear"
    return replace(diagnosis, code="peer-expects-tls", by=By.NEITHER, message=message, hints=("leave out --no-tls",))


def _with_titles(diagnosis: Diagnosis, error: DicomTLSError, target: Target) -> Diagnosis:
    """Name the AE titles that were used where a peer rejects because of them (PS3.8 table 9-21)."""
    if not isinstance(error, AssociationRejected) or error.source != _SERVICE_USER:
        return diagnosis
    calling = target.settings.calling_ae_title
    called = target.settings.called_ae_title or target.peer.called_ae_title
    if error.reason == _CALLING_NOT_RECOGNIZED:
        hint = f"we called ourselves {calling}: give a title that the peer knows with --calling-aet"
    elif error.reason == _CALLED_NOT_RECOGNIZED:
        hint = f"we called it {called}: give its own title with --called-aet, or as AET@HOST"
    else:
        return diagnosis
    return replace(diagnosis, hints=(hint, "or let the peer's list of known AE titles be changed"))


_SERVICE_USER, _CALLING_NOT_RECOGNIZED, _CALLED_NOT_RECOGNIZED = 1, 3, 7
