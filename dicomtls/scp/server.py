"""A server: it accepts connections, gives each that speaks a thread, and ends gracefully.

The handshake happens in the connection's own thread under its own deadline, so nobody waits for anybody.
"""

import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import count
from time import monotonic
from typing import Final

from dicomtls.connection import listen
from dicomtls.scp.certificates import CertificateSource
from dicomtls.scp.connection import Connection, Places, Surroundings, peer_address
from dicomtls.scp.events import Event, Listener, Severity
from dicomtls.scp.explaining import dropped_facts
from dicomtls.scp.index import Index
from dicomtls.scp.offers import Offer, policy_with
from dicomtls.scp.services import StoreOutcome
from dicomtls.scp.settings import ServerSettings
from dicomtls.scp.sop_classes import VERIFICATION, storage_sop_classes
from dicomtls.scp.storage import Storage
from dicomtls.scp.waiting_room import WaitingRoom, raise_descriptor_limit
from dicomtls.waiting import Interrupt

_FAREWELL_SECONDS: Final = 5.0
_LOOK_EVERY_SECONDS: Final = 0.1


class Server:
    """Serves Verification, Storage and what it has offers for, until it is stopped.

    `certificates` None: in clear; `storage` None: no Storage.
    """

    def __init__(
        self,
        settings: ServerSettings,
        certificates: CertificateSource | None,
        storage: Storage | None,
        *,
        on_event: Listener,
        on_stored: Callable[[StoreOutcome], None] | None = None,
        tells_details: bool = True,
        index: Index | None = None,
        offers: Sequence[Offer] = (),
    ) -> None:
        """Listen from now on; raises `MachineError`, `NetworkError` where the address cannot be had."""
        descriptors = raise_descriptor_limit()
        listener = listen(settings.host, settings.port)
        self._settings = settings
        self._in_clear = certificates is None
        self._on_event = on_event
        self._numbers = count(1)
        self._stop = Interrupt()
        self._abort = Interrupt()
        self._threads: set[threading.Thread] = set()
        self._greeting: OrderedDict[Connection, None] = OrderedDict()
        self._lock = threading.Lock()
        self._is_over = False
        self._surroundings = Surroundings(
            settings=settings,
            policy=policy_with(
                offers,
                (storage_sop_classes() if storage is not None else frozenset()) | {VERIFICATION},
                accept_unknown=settings.accept_unknown,
                maximum_length=settings.maximum_length,
                max_operations=settings.max_operations,
            ),
            certificates=certificates,
            storage=storage,
            on_event=on_event,
            on_stored=on_stored or _ignore,
            interrupt=self._abort,
            places=Places(settings.max_associations),
            tells_details=tells_details,
            index=index,
            offers=tuple(offers),
        )
        self.host, self.port = listener.getsockname()[:2]
        self._room = WaitingRoom(
            listener,
            self._stop,
            patience=settings.handshake_timeout,
            capacity=min(settings.silent_connections, descriptors or settings.silent_connections),
        )

    def run(self) -> None:
        """Accept until `stop`, then let running associations finish, for `grace` seconds at most."""
        try:
            while not self._stop.is_set:
                for sock in self._room.speaking():
                    self._start(sock)
                for sock in self._room.expired():
                    self._drop(sock)
        finally:
            self._room.close()
            self._finish()

    def stop(self) -> None:
        """Stop accepting; safe in a signal handler and from any thread. A second call ends what still runs."""
        if self._stop.is_set:
            self._abort.set()
        self._stop.set()

    def _finish(self) -> None:
        self._tell_of_waiting()
        self._join(monotonic() + self._settings.grace, until=self._abort)
        self._abort.set()
        self._join(monotonic() + _FAREWELL_SECONDS)
        self._stop.set()  # whatever ended the accepting: nobody is to set it after it is closed
        with self._lock:
            self._is_over = True
            self._close_flags()

    def _tell_of_waiting(self) -> None:
        """Whoever stops a server that goes on all the same wants to know why, for how long, and how to end that."""
        left, grace = len(self._threads), self._settings.grace
        if left and grace and not self._abort.is_set:
            what, them = ("1 connection has", "it") if left == 1 else (f"{left} connections have", "them")
            message = f"stopping: {what} {grace:g} s to finish; a second Ctrl-C or SIGTERM ends {them} at once"
            self._on_event(Event("stopping", message, facts={"connections": left, "grace": grace}))

    def _close_flags(self) -> None:
        """Give up the interrupts, unless a thread that hangs on a disk may still look at them; it does it then."""
        if self._is_over and not self._threads:
            self._stop.close()
            self._abort.close()

    def _join(self, deadline: float, until: Interrupt | None = None) -> None:
        """Wait for the threads; in short steps, since a second signal may end the waiting."""
        for thread in list(self._threads):
            while thread.is_alive() and monotonic() < deadline and not (until and until.is_set):
                thread.join(_LOOK_EVERY_SECONDS)

    def _drop(self, sock: socket.socket) -> None:
        peer = peer_address(sock)
        sock.close()
        facts = dropped_facts(in_clear=self._in_clear)
        self._on_event(Event("dropped", "connected and said nothing", Severity.WARNING, peer, facts=facts))

    def _start(self, sock: socket.socket) -> None:
        connection = Connection(sock, next(self._numbers), self._surroundings, on_associated=self._introduce)
        thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
        with self._lock:
            self._threads.add(thread)
            self._greeting[connection] = None
        self._make_way()
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads
            self._introduce(connection)
            self._forget(thread)
            self._drop(sock)

    def _make_way(self) -> None:
        """Each has a thread: where too many have got no further than to greet, the one that came first goes."""
        most = max(self._settings.greeting_connections, self._settings.max_associations)
        with self._lock:
            while len(self._greeting) > most:
                self._greeting.popitem(last=False)[0].cut()

    def _introduce(self, connection: Connection) -> None:
        """It has associated, or has ended."""
        with self._lock:
            self._greeting.pop(connection, None)

    def _run(self, connection: Connection) -> None:
        try:
            connection.run()
        finally:
            self._introduce(connection)
            self._forget(threading.current_thread())

    def _forget(self, thread: threading.Thread) -> None:
        with self._lock:
            self._threads.discard(thread)
            self._close_flags()


def _ignore(outcome: StoreOutcome) -> None:
    """Nobody wants to know."""
