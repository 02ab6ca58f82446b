"""One accepted connection, from its first bytes to its end, in a thread of its own."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from dicomtls.association.association import Association
from dicomtls.association.channel import Channel
from dicomtls.association.dimse import CommandField
from dicomtls.association.establish import Rejection, accept
from dicomtls.association.negotiation import AcceptorPolicy, answer
from dicomtls.association.pdu import AssociateAccept, AssociateReject, AssociateRequest
from dicomtls.association.reasons import PresentationReason, RejectResult, RejectSource, UserReason
from dicomtls.errors import AssociationRejected, DicomTLSError, HandshakeError, Interrupted
from dicomtls.peer import format_address
from dicomtls.scp.certificates import CertificateSource
from dicomtls.scp.describing import association_facts, describe_handshake, describe_tls, numbers, summary, tls_facts
from dicomtls.scp.events import Event, Listener, Severity
from dicomtls.scp.explaining import as_facts, dropped_facts, explain_failure, rejection_facts
from dicomtls.scp.index import Index
from dicomtls.scp.offers import Offer, Scene, Service
from dicomtls.scp.requests import Requests
from dicomtls.scp.services import AbortedOnPurpose, Services, StoreOutcome
from dicomtls.scp.settings import ServerSettings
from dicomtls.scp.storage import Storage, StoredInstance
from dicomtls.tls import Negotiated, TLSStream, server_handshake
from dicomtls.waiting import Interrupt, deadline_in


class Places:
    """How many associations there may be at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a place if there is one."""
        with self._lock:
            if self._taken >= self._limit:
                return False
            self._taken += 1
            return True

    def is_single(self) -> bool:
        """Whether one association has the process to itself."""
        return self._taken == 1

    def give_back(self) -> None:
        """Leave a place."""
        with self._lock:
            self._taken -= 1


@dataclass(frozen=True)
class Surroundings:
    """What all connections of a server share; `certificates` None serves in clear, `storage` None keeps nothing.

    Without `tells_details` there is no event for each instance stored, which costs a tenth of a small one's time.
    """

    settings: ServerSettings
    policy: AcceptorPolicy
    certificates: CertificateSource | None
    storage: Storage | None
    on_event: Listener
    on_stored: Callable[[StoreOutcome], None]
    interrupt: Interrupt
    places: Places = field(default_factory=lambda: Places(1))
    tells_details: bool = True
    index: Index | None = None
    offers: tuple[Offer, ...] = ()


class Connection:
    """Handshakes, associates and serves; whatever goes wrong becomes one event."""

    def __init__(
        self,
        sock: socket.socket,
        number: int,
        surroundings: Surroundings,
        *,
        on_associated: "Callable[[Connection], None] | None" = None,
    ) -> None:
        self._sock = sock
        self._number = number
        self._all = surroundings
        self._peer = peer_address(sock)
        self._negotiated: Negotiated | None = None
        self._title = ""
        self._has_place = False
        self._is_cut = False
        self._on_associated = on_associated

    def cut(self) -> None:
        """End it, from another thread: others are waiting."""
        self._is_cut = True
        with suppress(OSError):  # it has ended
            self._sock.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Serve until the connection ends; raises nothing that a peer can cause."""
        try:
            self._serve(self._associate(self._open()))
        except AssociationRejected as error:
            self._emit("association-rejected", f"rejected: {error.message}", Severity.WARNING, **rejection_facts(error))
        except AbortedOnPurpose:
            self._emit("association-aborted", "aborted on purpose", Severity.WARNING)
        except Interrupted:
            self._emit("association-aborted", "aborted by us: the server is stopping", Severity.WARNING)
        except HandshakeError as error:
            self._report("handshake-failed", error)
        except (DicomTLSError, OSError, MemoryError) as error:
            self._report("association-aborted", error)
        finally:
            if self._has_place:
                self._all.places.give_back()

    def _open(self) -> Channel:
        stream: socket.socket | TLSStream = self._sock
        if self._all.certificates is not None:
            start = monotonic()
            stream, self._negotiated = server_handshake(
                self._sock,
                self._all.certificates.context(),
                deadline=deadline_in(self._all.settings.handshake_timeout),
                interrupt=self._all.interrupt,
            )
            if self._all.tells_details:
                self._tell_of_handshake(self._negotiated, monotonic() - start)
        trace = self._tell_of_pdu if self._all.settings.trace else None
        return Channel(
            stream,
            negotiated=self._negotiated,
            interrupt=self._all.interrupt,
            trace=trace,
            may_spin=self._all.places.is_single,
        )

    def _associate(self, channel: Channel) -> Association:
        settings = self._all.settings
        return accept(channel, self._decide, timeout=settings.association_timeout, dimse_timeout=settings.idle_timeout)

    def _decide(self, request: AssociateRequest) -> AssociateAccept | Rejection:
        self._title = f" {request.calling_ae_title}"
        settings = self._all.settings
        if settings.faults.refuse:
            reject = AssociateReject(
                RejectResult.REJECTED_PERMANENT, RejectSource.SERVICE_USER, UserReason.NO_REASON_GIVEN
            )
            return Rejection(reject, "refused on purpose")
        rejection = settings.access.refuse(request, self._negotiated)
        if rejection is not None:
            return rejection
        if not self._all.places.take():
            reject = AssociateReject(
                RejectResult.REJECTED_TRANSIENT,
                RejectSource.SERVICE_PROVIDER_PRESENTATION,
                PresentationReason.LOCAL_LIMIT_EXCEEDED,
            )
            return Rejection(reject, f"there are {settings.max_associations} associations already")
        self._has_place = True
        if self._on_associated is not None:
            self._on_associated(self)
        return answer(request, self._all.policy)

    def _serve(self, association: Association) -> None:
        self._emit(
            "association-accepted",
            f"association accepted, {describe_tls(self._negotiated)}",
            Severity.INFO,
            **association_facts(association, self._negotiated),
        )
        self._warn_of_expiry()
        services = self._services(association)
        start = monotonic()
        try:
            with self._summed_up(services, start):
                services.run(self._all.settings.idle_timeout)
        except BaseException:  # an interrupted pause, or our own fault: neither has ended the association
            association.abort()
            raise
        finally:
            services.finish()
        self._emit(
            "association-released", summary("released", services, start), Severity.INFO, **numbers(services, start)
        )

    def _services(self, association: Association) -> Services:
        scene = Scene(association, Requests(association), self._all.interrupt, self._emit)

        others: dict[CommandField, Callable[[], Service]] = {}
        for offer in self._all.offers:
            others |= dict.fromkeys((offer.command_field, *offer.also), partial(offer.make, scene))
        return Services(
            association,
            self._all.storage,
            on_outcome=self._on_outcome,
            faults=self._all.settings.faults,
            interrupt=self._all.interrupt,
            index=self._all.index,
            requests=scene.requests,
            others=others,
        )

    @contextmanager
    def _summed_up(self, services: Services, start: float) -> Iterator[None]:
        """Let the event of an association that broke off tell what came before."""
        try:
            yield
        except DicomTLSError as error:
            if services.tally.stored or services.tally.refused:
                error.message = summary(error.message, services, start)
            raise

    def _on_outcome(self, outcome: StoreOutcome) -> None:
        uid = outcome.header.sop_instance_uid
        if outcome.stored is None:
            self._emit(
                "store-failed",
                f"instance {uid} not stored: {outcome.reason} (0x{outcome.status:04X})",
                Severity.WARNING,
                sop_instance_uid=uid,
                status=f"0x{outcome.status:04X}",
                reason=outcome.reason,
                code=outcome.error.code if outcome.error is not None else None,
            )
            return
        if self._all.tells_details:
            self._tell_of_stored(uid, outcome.stored)
        if outcome.stored.is_new:
            self._all.on_stored(outcome)

    def _warn_of_expiry(self) -> None:
        peer = self._negotiated.peer if self._negotiated is not None else None
        days_left = peer.days_left() if peer is not None else None
        if peer is not None and days_left is not None and days_left < self._all.settings.warn_days:
            self._emit(
                "certificate-expires",
                f"the client's certificate has {days_left} days left: {peer.name}",
                Severity.WARNING,
                days_left=days_left,
                client_fingerprint_sha256=peer.fingerprint_sha256,
            )

    def _tell_of_handshake(self, negotiated: Negotiated, seconds: float) -> None:
        line = describe_handshake(negotiated, seconds)
        self._emit("handshake-done", line, Severity.DETAIL, seconds=round(seconds, 6), **tls_facts(negotiated))

    def _tell_of_pdu(self, line: str) -> None:
        self._emit("pdu", line, Severity.TRACE)

    def _tell_of_stored(self, uid: str, stored: StoredInstance) -> None:
        self._emit(
            "stored",
            f"instance {uid} {'stored' if stored.is_new else 'already there'}: {stored.path}",
            Severity.DETAIL,
            sop_instance_uid=uid,
            path=str(stored.path),
            is_new=stored.is_new,
        )

    def _report(self, name: str, error: DicomTLSError | OSError | MemoryError) -> None:
        certificates = self._all.certificates
        if self._is_cut:
            message = "dropped for those who came later: too many connections at once have no association"
            self._emit("dropped", message, Severity.WARNING, **dropped_facts(in_clear=certificates is None))
            return
        tls = certificates.settings if certificates is not None else None
        diagnosis = explain_failure(error, tls, is_associated=bool(self._title))
        self._emit(name, diagnosis.message, Severity.WARNING, **as_facts(diagnosis))

    def _emit(self, name: str, message: str, severity: Severity, **facts: object) -> None:
        self._all.on_event(Event(name, message, severity, f"{self._peer}{self._title}", self._number, facts))


def peer_address(sock: socket.socket) -> str:
    """Where a connection came from, or "?" where it is gone already."""
    try:
        host, port = sock.getpeername()[:2]
    except OSError:
        return "?"
    return format_address(host.removeprefix("::ffff:"), port)
