"""Asking a peer again after a failure: one connection after the other, few of them, nothing stored or changed by any.

In clear there is one attempt at most, with the Verification context and fixed AE titles. Behind TLS too nobody's
identity is sent and no other context is proposed: who verifies nothing must not show more than that.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from dicomtls.association.negotiation import IMPLICIT_VR_LITTLE_ENDIAN, ContextProposal
from dicomtls.errors import (
    AssociationAborted,
    AssociationError,
    AssociationRejected,
    AssociationTimeout,
    DicomTLSError,
    HandshakeError,
    Interrupted,
    NetworkError,
    NoPresentationContext,
    PeerExpectsTLS,
)
from dicomtls.peer import DEFAULT_CALLED_AE_TITLE, DEFAULT_CALLING_AE_TITLE, Peer
from dicomtls.probe.target import CONNECTS, Target
from dicomtls.scu.attempt import Attempt, Requestor
from dicomtls.scu.echo import VERIFICATION_SOP_CLASS
from dicomtls.scu.settings import AssociationSettings
from dicomtls.tls import TLSSettings
from dicomtls.waiting import Interrupt, Waiter, deadline_in

MOST_CONNECTIONS: Final = 12
"""To one peer, the one that failed among them: each is an error line in the peer's log."""
_LONGEST_ANSWER: Final = 1 << 16
_LONGEST_WAIT: Final = 5.0
"""Seconds for one attempt: a peer that answered at once before has no need of more."""
_ANSWER_IN_CLEAR: Final = 2.0
_ANSWER_BEHIND_TLS: Final = 0.75
"""Seconds for the answer to an association: behind TLS it only proves what the handshake has shown already."""
_GOODBYE: Final = 1.0
"""Seconds for the answer to our release, which changes nothing."""


class Clear(StrEnum):
    """What a peer does when it is spoken to in clear."""

    DICOM = "it answers in plain DICOM"
    TLS = "it answers in TLS"
    HTTP = "it answers in HTTP"
    CLOSED = "it closes the connection"
    GONE = "it cannot be reached any more"
    SILENT = "it says nothing"
    OTHER = "it answers with something else"


@dataclass(frozen=True)
class Outcome:
    """What one attempt behind TLS came to: `error` is None where an association was accepted."""

    attempt: Attempt
    error: DicomTLSError | None

    @property
    def tls_works(self) -> bool:
        """Whether the handshake was done and the peer let it stand, whatever became of the association.

        One that is slow to answer counts: a refusal of TLS comes at once.
        """
        return self.error is None or (isinstance(self.error, AssociationError) and self.attempt.negotiated is not None)


class Inquiry:
    """The attempts on one target, counted and written down; whoever makes one asks `may_ask` before."""

    def __init__(self, target: Target, interrupt: Interrupt | None = None) -> None:
        self.target = target
        self.interrupt = interrupt
        self.log: list[dict[str, str]] = []
        """Each attempt and its outcome, in words."""
        self._left = MOST_CONNECTIONS - 1
        self._is_silent = False
        self._settings = _harmless(target.settings)
        self._peer = Peer(target.peer.host, target.peer.port, DEFAULT_CALLED_AE_TITLE)

    @property
    def may_ask(self) -> bool:
        """Whether another attempt is allowed: not where the last one met with silence."""
        return self._left > 0 and not self._is_silent

    def in_clear(self) -> Clear:
        """Ask for an association in clear; raises `Interrupted`."""
        outcome = self._associate(None, _ANSWER_IN_CLEAR)
        said = _clear_answer(outcome.error)
        self.note("an association in clear (Verification only)", said.value)
        return said

    def behind_tls(self, what: str, **changes: object) -> Outcome:
        """Try again with other settings, by their names; `what` says in the log how they differ.

        Raises `Interrupted`; what settings that cannot be had come to is in the outcome.
        """
        assert self.target.tls is not None  # noqa: S101 -- who spoke in clear has no settings to change
        tls = replace(_quiet(self.target.tls), **changes)  # type: ignore[arg-type]  # fields by name
        outcome = self._associate(tls, _ANSWER_BEHIND_TLS)
        self.note(what, _words(outcome))
        return outcome

    def say(self, sent: bytes, enough: Callable[[bytes], bool]) -> tuple[bytes, str]:
        """Say something without TLS of our own, and hear the answer until it is enough.

        Returns it, 64 KiB at most, with how it ended: "answered", "eof", "reset", "timeout" or the code of a
        `NetworkError`; raises `Interrupted`. Who calls has to note what came of it.
        """
        deadline = deadline_in(self._settings.connect_timeout)
        try:
            sock = self._begin().connect(deadline, self.interrupt)
        except NetworkError as error:
            self._is_silent = error.code == "connect-timeout"
            return b"", error.code
        with sock:
            heard, how = _converse(sock, sent, enough, deadline, self.interrupt)
        self._is_silent = how == "timeout"
        return heard, how

    def note(self, what: str, outcome: str) -> None:
        """Write down an attempt and what came of it."""
        self.log.append({"attempt": what, "outcome": outcome})

    def _associate(self, tls: TLSSettings | None, patience: float) -> Outcome:
        attempt = self._begin()
        settings = replace(self._settings, association_timeout=min(self._settings.association_timeout, patience))
        proposal = ContextProposal(
            abstract_syntax=VERIFICATION_SOP_CLASS, transfer_syntaxes=(IMPLICIT_VR_LITTLE_ENDIAN,)
        )
        try:
            requestor = Requestor(self._peer, tls, settings, interrupt=self.interrupt)
            association = requestor.associate(attempt, [proposal])
        except Interrupted:
            raise
        except DicomTLSError as error:
            outcome = Outcome(attempt, error)
            self._is_silent = not outcome.tls_works and _met_silence(error)
            return outcome
        with suppress(DicomTLSError):  # it has answered: how it says goodbye changes nothing
            association.release()
        association.abort()
        return Outcome(attempt, None)

    def _begin(self) -> Attempt:
        self._left -= 1
        return Attempt(self._peer, self._settings.calling_ae_title)


def _quiet(tls: TLSSettings) -> TLSSettings:
    """The same without what an attempt would leave behind: secrets in a log, a peer that is remembered."""
    return replace(tls, keylog=None, remember=None if tls.remember is None else lambda *_: None)


def _converse(
    sock: socket.socket,
    sent: bytes,
    enough: Callable[[bytes], bool],
    deadline: float,
    interrupt: Interrupt | None,
) -> tuple[bytes, str]:
    waiter, heard = Waiter(sock, interrupt), b""
    try:
        sock.sendall(sent)  # a hello or two: it fits into any buffer
        while not enough(heard) and len(heard) < _LONGEST_ANSWER:
            waiter.readable(deadline)
            part = sock.recv(_LONGEST_ANSWER - len(heard))
            if not part:
                return heard, "eof"
            heard += part
    except TimeoutError:
        return heard, "timeout"
    except OSError:
        return heard, "reset"
    return heard, "answered"


def _harmless(settings: AssociationSettings) -> AssociationSettings:
    wait = min(settings.connect_timeout, _LONGEST_WAIT)
    return replace(
        settings,
        calling_ae_title=DEFAULT_CALLING_AE_TITLE,
        called_ae_title=None,
        connect_timeout=wait,
        dimse_timeout=min(wait, _GOODBYE),
        identity=None,
        trace=None,
    )


def _met_silence(error: DicomTLSError) -> bool:
    return (
        isinstance(error, AssociationTimeout)
        or (isinstance(error, HandshakeError) and error.facts.timed_out)
        or error.code == "connect-timeout"
    )


def _clear_answer(error: DicomTLSError | None) -> Clear:
    if isinstance(error, PeerExpectsTLS):
        return Clear.TLS
    if isinstance(error, HandshakeError):
        return Clear.HTTP
    if isinstance(error, AssociationTimeout):
        return Clear.SILENT
    if isinstance(error, NetworkError):
        return Clear.GONE
    if isinstance(error, AssociationAborted) and error.source is None:
        return Clear.CLOSED
    is_dicom = error is None or isinstance(error, AssociationRejected | AssociationAborted | NoPresentationContext)
    return Clear.DICOM if is_dicom else Clear.OTHER


def _words(outcome: Outcome) -> str:
    if outcome.error is None:
        return CONNECTS
    from dicomtls.diagnosis import diagnose

    diagnosis = diagnose(outcome.error)
    return f"{diagnosis.code}: {diagnosis.message}"
