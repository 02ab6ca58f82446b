"""C-ECHO: does the peer answer (PS3.7 section 9.1.5, PS3.4 annex A)."""

from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.negotiation import IMPLICIT_VR_LITTLE_ENDIAN, ContextProposal
from dicomtls.association.status import SUCCESS, status_meaning
from dicomtls.errors import AssociationError, DicomTLSError, DIMSEError, StatusFailure
from dicomtls.peer import Peer
from dicomtls.scu.attempt import Attempt, Requestor
from dicomtls.scu.response import receive_response
from dicomtls.scu.settings import AssociationSettings
from dicomtls.waiting import Interrupt, pause

if TYPE_CHECKING:
    from dicomtls.association.association import Association
    from dicomtls.tls import TLSSettings

VERIFICATION_SOP_CLASS: Final = "1.2.840.10008.1.1"
VERIFICATION: Final = ContextProposal(VERIFICATION_SOP_CLASS, (IMPLICIT_VR_LITTLE_ENDIAN,))
_HIGHEST_MESSAGE_ID: Final = 0xFFFF


@dataclass(frozen=True)
class EchoResult:
    """Status and round trip in milliseconds of each C-ECHO that was answered, in their order.

    `error` is what ended the association before all were, if anything did.
    """

    statuses: tuple[int, ...]
    round_trip_ms: tuple[float, ...]
    error: DicomTLSError | None = None

    def check(self) -> None:
        """Raise `error`, or `StatusFailure` for the first status that is not success."""
        if self.error is not None:
            raise self.error
        for status in self.statuses:
            check_status(status)


def check_status(status: int) -> None:
    """Raise `StatusFailure` for the status of a C-ECHO that is not success."""
    if status != SUCCESS:
        msg = f"the peer answered the echo with a failure status: {status_meaning(status)} (0x{status:04X})"
        raise StatusFailure(msg, status=status)


def echo(
    peer: Peer,
    tls: "TLSSettings | None",
    settings: AssociationSettings,
    *,
    repeat: int = 1,
    interval: float = 1.0,
    attempt: Attempt | None = None,
    interrupt: Interrupt | None = None,
) -> EchoResult:
    """Send `repeat` C-ECHO requests over one association, `interval` seconds apart, and release it.

    `attempt` is filled on the way, also on the way to a failure. Raises what `Requestor.associate` raises; what comes
    after that is in the result, for the caller to `check`.
    """
    requestor = Requestor(peer, tls, settings, interrupt=interrupt)
    association = requestor.associate(attempt or requestor.attempt(), [VERIFICATION])
    statuses: list[int] = []
    times: list[float] = []
    error = None
    try:
        for number in range(repeat):
            if number:
                pause(interval, interrupt)
            start = perf_counter()
            statuses.append(echo_once(association, number % _HIGHEST_MESSAGE_ID + 1))
            times.append((perf_counter() - start) * 1000)
        # All is answered: how the peer says goodbye changes nothing.
        with suppress(AssociationError, DIMSEError):
            association.release()
    except DicomTLSError as ended:
        error = ended
    finally:
        association.abort()  # nothing where it has ended already; an interrupted pause has not ended it
    return EchoResult(tuple(statuses), tuple(times), error)


def echo_once(association: "Association", message_id: int = 1) -> int:
    """Send one C-ECHO request and return the status of its response; raises what `Association.receive` raises."""
    context_id = next(iter(association.parameters.contexts))
    command = Command(
        command_field=CommandField.C_ECHO_RQ,
        message_id=message_id,
        affected_sop_class_uid=VERIFICATION_SOP_CLASS,
    )
    association.send(context_id, command)
    return receive_response(association, CommandField.C_ECHO_RSP, {message_id}).status or 0
