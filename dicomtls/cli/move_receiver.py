"""The receiver of `move --receive`: as `serve`, for as long as the move lasts, under the destination's AE title."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Final

from dicomtls.cli.receiving import receiving
from dicomtls.errors import MachineError, RemoteProtocolError
from dicomtls.scp.events import Event, Severity
from dicomtls.scp.server import Server
from dicomtls.scp.storage import FolderStorage

if TYPE_CHECKING:
    from dicomtls.cli.options.retrieve import ReceiverOptions
    from dicomtls.cli.output import Output
    from dicomtls.scp.certificates import CertificateSource
    from dicomtls.scp.services import StoreOutcome
    from dicomtls.scp.settings import ServerSettings
    from dicomtls.scu import AssociationSettings
    from dicomtls.scu.retrieve import RetrieveResult
    from dicomtls.tls import TLSSettings


class Received:
    """What has come: instances and their bytes; whatever went wrong is told as it happens."""

    def __init__(self, output: "Output", destination: str) -> None:
        self.kept = 0
        self.octets = 0
        self.port = 0
        self._output = output
        self._destination = destination
        self._lock = threading.Lock()
        self._started = self._last = monotonic()
        self._obstacle: MachineError | None = None
        self._warned = 0

    @property
    def seconds(self) -> float:
        """From the beginning to the last instance."""
        return self._last - self._started

    def hear(self, event: Event) -> None:
        """Count an instance, or say what is wrong; called from the receiver's threads."""
        if event.name == "stopping":
            return  # with the command, which is not asked for it
        with self._lock:
            if event.name == "stored":
                self.kept += 1
                self._last = monotonic()
                self._output.detail(event.message)
            elif event.severity in (Severity.WARNING, Severity.ERROR):
                self._warned += 1
                if event.name == "store-failed" and event.facts.get("code"):
                    self._obstacle = MachineError(str(event.facts["reason"]), code=str(event.facts["code"]))
                self._output.warning(f"our receiver: {event.peer}: {event.message}")
            else:
                self._output.detail(f"our receiver: {event.peer}: {event.message}", level=_VERBOSITY[event.severity])

    def count(self, outcome: "StoreOutcome") -> None:
        """An instance that was not there before."""
        if outcome.stored is not None:
            with self._lock:
                self.octets += outcome.stored.size

    def check_machine(self) -> None:
        """Raise what kept this machine from keeping all, if anything did."""
        if self._obstacle is not None:
            raise self._obstacle

    def check_claims(self, result: "RetrieveResult") -> None:
        """Raise where the archive has sent to somebody else by this AE title: its counts say more than has come."""
        claimed = (result.counts.completed or 0) + (result.counts.warning or 0)
        if self.kept >= claimed:
            return
        came = "none has come here" if not self.kept else f"only {self.kept} came here"
        error = RemoteProtocolError(
            f"the peer counts {claimed} instances that it has sent to {self._destination}, and {came}",
            evidence={"claimed": claimed, "received": self.kept},
        )
        error.hints = (
            f"the archive may have another host or port for {self._destination}: ours is port {self.port}",
            "give the port that it has with --listen",
        )
        raise error


_VERBOSITY: Final = {Severity.INFO: 1, Severity.DETAIL: 1, Severity.TRACE: 2}


@contextmanager
def receiver(
    output: "Output",
    options: "ReceiverOptions",
    destination: str,
    tls: "TLSSettings | None",
    association: "AssociationSettings",
) -> "Iterator[Received | None]":
    """Receive for as long as the block lasts, and a moment longer; None where nobody asked for that.

    Raises `MachineError`, `CredentialError`, `UsageError`.
    """
    if options.receive is None:
        yield None
        return
    received = Received(output, destination)
    with closing(FolderStorage(options.receive)) as storage:

        def make(settings: "ServerSettings", certificates: "CertificateSource | None") -> Server:
            return Server(settings, certificates, storage, on_event=received.hear, on_stored=received.count)

        with receiving(
            output, make, destination, options.address(), options.client_auth, tls=tls, association=association
        ) as server:
            received.port = server.port
            yield received
