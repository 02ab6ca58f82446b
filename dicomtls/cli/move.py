"""`dicomtls move`: let a peer send instances to another, or to us."""

from typing import Annotated

from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import AssociationOptions, OutputOptions, TLSOptions
from dicomtls.cli.options.peer import PeerName
from dicomtls.cli.options.retrieve import ReceiverOptions, RetrieveOptions
from dicomtls.cli.progress import suboperations_progress
from dicomtls.cli.retrieve_report import RetrieveReport
from dicomtls.cli.running import Report, interruptible, run

_EXAMPLES = (
    "dicomtls move PACS@pacs --to WS1 -k StudyInstanceUID=1.2.3 --ca ca.pem",
    "dicomtls move pacs --to A --receive in -k PatientID=1 --ca ca.pem --cert a.pem",
    "dicomtls move pacs --to WS1 -k SeriesInstanceUID=1.2.3.4 --ca ca.pem --json",
)


@command(examples=_EXAMPLES)
def move(
    peer: PeerName,
    *,
    to: Annotated[str, option("--to", metavar="AET", help="the move destination, as the archive calls it")],
    retrieving: RetrieveOptions,
    receiving: ReceiverOptions,
    tls: TLSOptions,
    association: AssociationOptions,
    output: OutputOptions,
) -> int:
    """Let an archive send instances to a move destination (C-MOVE): to another, or to us with --receive."""
    out = output.open("move")

    def body(so_far: Report) -> None:
        from dicomtls.cli.move_receiver import receiver
        from dicomtls.scu.attempt import Attempt, Requestor
        from dicomtls.scu.retrieve import move as retrieve

        report = RetrieveReport(out, so_far)
        destination = receiving.check(to, trusts_anybody=bool(tls.ca) or tls.no_tls)
        request = retrieving.request()
        settings, target = association.settings(trace=out.trace), association.peer(peer, no_tls=tls.no_tls)
        tls_settings = tls.trusting(tls.settings(), target)
        tls.announce(out)
        attempt = so_far.follow(Attempt(target, settings.calling_ae_title))
        so_far.target = tls.follow_up(target, tls_settings, settings)
        requestor = Requestor(target, tls_settings, settings)
        with (
            receiver(out, receiving, destination, tls_settings, settings) as received,
            interruptible() as requestor.interrupt,
            suboperations_progress(out) as bar,
        ):
            result = retrieve(requestor, request, destination, attempt=attempt, observer=bar)
        report.told(result, attempt, warn_days=tls.warn_days)
        if received is not None:
            report.received(received.kept, received.octets, received.seconds)
            received.check_machine()
        result.check()
        if received is not None:
            received.check_claims(result)

    return run(out, body)
