"""One try to reach a peer: from its name to an association, and what is known of it however far it came."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from dicomtls.association.channel import Channel
from dicomtls.association.establish import request
from dicomtls.association.negotiation import SYNCHRONOUS, ContextProposal, build_request
from dicomtls.association.user_information import ExtendedNegotiation, OperationsWindow
from dicomtls.connection import connect, resolve
from dicomtls.errors import AssociationError, DIMSEError, NoPresentationContext
from dicomtls.peer import Peer, format_address
from dicomtls.scu.settings import AssociationSettings
from dicomtls.waiting import Interrupt, deadline_in

if TYPE_CHECKING:
    import socket
    import ssl

    from dicomtls.association.association import Association
    from dicomtls.tls import Negotiated, TLSSettings, TLSStream


@dataclass
class Attempt:
    """Filled while a peer is being reached, so that it says how far a failure came.

    `timing_ms` has the milliseconds of "resolve", "connect", "handshake", "associate" and "total"; `addresses` are
    those of the name, `address` the one that was connected to, `negotiated` None in clear or before the handshake
    was done. `on_stage` is called with the name of each stage that was come through, at once.
    """

    peer: Peer
    calling_ae_title: str
    addresses: tuple[str, ...] = ()
    address: str | None = None
    negotiated: "Negotiated | None" = None
    timing_ms: dict[str, float] = field(default_factory=dict)
    on_stage: Callable[[str], None] | None = field(default=None, repr=False, compare=False)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note how long a stage took, also where it failed."""
        start = perf_counter()
        try:
            yield
        finally:
            spent = (perf_counter() - start) * 1000
            self.timing_ms[stage] = spent
            self.timing_ms["total"] = self.timing_ms.get("total", 0.0) + spent
        if self.on_stage is not None:
            self.on_stage(stage)

    def connect(self, deadline: float, interrupt: Interrupt | None) -> "socket.socket":
        """Resolve the peer's name and connect to it; raises `NetworkError`, `Interrupted`."""
        with self.timed("resolve"):
            addresses = resolve(self.peer.host, self.peer.port, deadline, interrupt)
        self.addresses = tuple(str(address[0]) for _, address in addresses)
        with self.timed("connect"):
            sock = connect(addresses, deadline, interrupt)
            with suppress(OSError):  # reset already; the first read or write will say so
                self.address = format_address(*sock.getpeername()[:2])
        return sock


class Requestor:
    """Associates with one peer as often as asked, with one SSL context."""

    def __init__(
        self,
        peer: Peer,
        tls: "TLSSettings | None",
        settings: AssociationSettings,
        *,
        interrupt: Interrupt | None = None,
        ssl_context: "ssl.SSLContext | None" = None,
    ) -> None:
        """Build the SSL context, unless one of these settings is there already and may be shared.

        Raises `CredentialError`, `UsageError` for settings that cannot be had.
        """
        self.peer = peer if settings.called_ae_title is None else _renamed(peer, settings.called_ae_title)
        self.settings = settings
        self.interrupt = interrupt
        self.is_alone = True
        """Whether one association at a time is all there is, so that it may keep a processor busy for a moment."""
        self._tls = tls
        self._ssl_context = ssl_context
        if tls is not None and ssl_context is None:
            from dicomtls.tls import client_context

            self._ssl_context = client_context(tls)

    @property
    def ssl_context(self) -> "ssl.SSLContext | None":
        """The context of every handshake; None in clear."""
        return self._ssl_context

    def attempt(self) -> Attempt:
        """A record for one try."""
        return Attempt(self.peer, self.settings.calling_ae_title)

    def associate(
        self,
        attempt: Attempt,
        proposals: Sequence[ContextProposal],
        *,
        max_operations: int = 1,
        max_performed: int = 1,
        extended: tuple[ExtendedNegotiation, ...] = (),
        before_request: Callable[[], None] | None = None,
    ) -> "Association":
        """Reach the peer and agree on presentation contexts; `attempt` is filled on the way.

        Of our operations `max_operations` may be outstanding, of the peer's `max_performed`.

        Raises `NetworkError`, `HandshakeError`, `AssociationError`, `Interrupted`; `NoPresentationContext` where
        none of the proposals was accepted.
        """
        window = OperationsWindow(max_operations, max_performed)
        proposal = build_request(
            proposals,
            called_ae_title=self.peer.called_ae_title,
            calling_ae_title=self.settings.calling_ae_title,
            maximum_length=self.settings.maximum_length,
            operations_window=None if window == SYNCHRONOUS else window,
            extended=extended,
            identity=self.settings.identity,
        )
        channel = self._open(attempt)
        if before_request is not None:
            before_request()
        with attempt.timed("associate"):
            association = request(
                channel,
                proposal,
                timeout=self.settings.association_timeout,
                dimse_timeout=self.settings.dimse_timeout,
            )
        if not association.parameters.contexts:
            with suppress(AssociationError, DIMSEError):  # some abort where they accept nothing
                association.release()
            msg = "the peer accepted none of the presentation contexts that we proposed"
            raise NoPresentationContext(msg, evidence={"proposed": [context.abstract_syntax for context in proposals]})
        return association

    def _open(self, attempt: Attempt) -> Channel:
        deadline = deadline_in(self.settings.connect_timeout)
        sock = attempt.connect(deadline, self.interrupt)
        connection = self._handshake(sock, attempt, deadline) if self._tls is not None else sock
        return Channel(
            connection,
            negotiated=attempt.negotiated,
            interrupt=self.interrupt,
            trace=self.settings.trace,
            may_spin=lambda: self.is_alone,
        )

    def _handshake(self, sock: "socket.socket", attempt: Attempt, deadline: float) -> "TLSStream":
        from dicomtls.tls import client_handshake

        assert self._tls is not None and self._ssl_context is not None  # noqa: S101, PT018 -- the caller asked
        with attempt.timed("handshake"):
            stream, attempt.negotiated = client_handshake(
                sock,
                self._ssl_context,
                self._tls,
                host=self.peer.host,
                deadline=deadline,
                interrupt=self.interrupt,
            )
        return stream


def _renamed(peer: Peer, called_ae_title: str) -> Peer:
    return Peer(peer.host, peer.port, called_ae_title)
