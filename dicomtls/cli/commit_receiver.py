"""The receiver of `store --commit --listen`: reports on storage commitment, for as long as they are waited for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dicomtls.cli.options.store import CommitOptions
    from dicomtls.cli.output import Output
    from dicomtls.scp.certificates import CertificateSource
    from dicomtls.scp.events import Event
    from dicomtls.scp.server import Server
    from dicomtls.scp.settings import ServerSettings
    from dicomtls.scu import AssociationSettings
    from dicomtls.scu.reports import Reports
    from dicomtls.tls import TLSSettings

_MOST_ASSOCIATIONS: Final = 8
"""At once: each may hold a report of 16 MB."""


@contextmanager
def report_receiver(
    output: "Output",
    options: "CommitOptions",
    ae_title: str,
    tls: "TLSSettings | None",
    association: "AssociationSettings",
) -> "Iterator[Reports | None]":
    """Receive reports for as long as the block lasts; None where nobody asked for that.

    Raises `MachineError`, `CredentialError`, `UsageError`.
    """
    address = options.address()
    if address is None:
        yield None
        return
    from dicomtls.cli.receiving import receiving
    from dicomtls.scp.events import Severity
    from dicomtls.scp.reporting import reports_offer
    from dicomtls.scp.server import Server
    from dicomtls.scu.reports import Reports

    reports = Reports()

    def hear(event: "Event") -> None:
        if event.name == "stopping":
            return  # with the command, which is not asked for it
        text = f"our receiver: {event.peer}: {event.message}"
        if event.severity in (Severity.WARNING, Severity.ERROR):
            output.warning(text)
        else:
            output.detail(text, level=2 if event.severity is Severity.TRACE else 1)

    def make(settings: "ServerSettings", certificates: "CertificateSource | None") -> "Server":
        return Server(settings, certificates, None, on_event=hear, offers=[reports_offer(reports)])

    with receiving(
        output,
        make,
        ae_title,
        address,
        options.client_auth,
        tls=tls,
        association=association,
        max_associations=_MOST_ASSOCIATIONS,
    ) as server:
        reports.place = f"port {server.port}, {'in clear' if tls is None else 'over TLS'}"
        yield reports
