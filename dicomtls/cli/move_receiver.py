"""The receiver of `move --receive`: as `serve`, for as long as the move lasts, under the destination's AE title."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Final

from dicomtls.errors import MachineError, RemoteProtocolError
from dicomtls.scp.access import AccessRules
from dicomtls.scp.events import Event, Severity
from dicomtls.scp.server import Server
from dicomtls.scp.settings import ServerSettings
from dicomtls.scp.storage import FolderStorage

if TYPE_CHECKING:
    from dicomtls.cli.options.retrieve import ReceiverOptions
    from dicomtls.cli.output import Output
    from dicomtls.scp.certificates import CertificateSource
    from dicomtls.scp.services import StoreOutcome
    from dicomtls.scu import AssociationSettings
    from dicomtls.scu.retrieve import RetrieveResult
    from dicomtls.tls import TLSSettings

_GRACE_SECONDS: Final = 5.0


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
    certificates, pin = _certificates(output, options, tls)
    host, port = options.address()
    settings = ServerSettings(
        host=host,
        port=port,
        access=AccessRules(ae_title=destination),
        maximum_length=association.maximum_length,
        association_timeout=association.association_timeout,
        idle_timeout=association.dimse_timeout,
        grace=_GRACE_SECONDS,
        trace=output.trace is not None,
    )
    with closing(FolderStorage(options.receive)) as storage:
        server = Server(settings, certificates, storage, on_event=received.hear, on_stored=received.count)
        received.port = server.port
        _announce(output, server, destination, pin, in_clear=tls is None)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield received
        finally:
            server.stop()
            thread.join()


def _announce(output: "Output", server: Server, destination: str, pin: str | None, *, in_clear: bool) -> None:
    how = "in clear" if in_clear else "over TLS"
    output.notice(
        f"receiving {how} on port {server.port}: the archive must know {destination} as this host and that port"
    )
    if pin is not None:
        output.notice(f"with a self-signed certificate of our own, sha256:{pin}: give --cert for another")


def _check_purpose(output: "Output", tls: "TLSSettings") -> None:
    """Warn where our certificate is a client's only: archives that verify it refuse it."""
    from dicomtls.certificates.fields import permits_server
    from dicomtls.certificates.load import load_certificates

    for path in tls.cert:
        if not permits_server(load_certificates(path, tls.passphrase)[0]):
            output.warning(
                f"{path} is not made for a server, and the archive comes to our receiver as a client: it may refuse it"
                " ('dicomtls certgen issue --purpose both' makes one for both)"
            )


def _certificates(
    output: "Output", options: "ReceiverOptions", tls: "TLSSettings | None"
) -> "tuple[CertificateSource | None, str | None]":
    """What the receiver shows, and the fingerprint of that where nobody gave it."""
    if tls is None:
        return None, None
    from dicomtls.scp.certificates import CertificateSource
    from dicomtls.tls import ClientAuth

    pin = None
    if not tls.cert:
        from dicomtls.cli.folders import data_folder
        from dicomtls.scp.identity import own_identity

        identity = own_identity(data_folder())
        tls, pin = replace(tls, cert=(identity.cert,), key=(identity.key,)), identity.fingerprint_sha256
    else:
        _check_purpose(output, tls)
    # What was said about the archive's server certificate is the client's.
    served = replace(tls, client_auth=ClientAuth(options.client_auth), insecure=False, pins=())
    return CertificateSource(served), pin
