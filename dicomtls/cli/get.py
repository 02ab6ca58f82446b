"""`dicomtls get`: let a peer send instances over our own association."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import AssociationOptions, OutputOptions, TLSOptions
from dicomtls.cli.options.peer import PeerName
from dicomtls.cli.options.retrieve import RetrieveOptions
from dicomtls.cli.options.values import path_option
from dicomtls.cli.progress import suboperations_progress
from dicomtls.cli.retrieve_report import RetrieveReport
from dicomtls.cli.running import Report, interruptible, run

_EXAMPLES = (
    "dicomtls get PACS@pacs -k StudyInstanceUID=1.2.3 --output in --ca ca.pem",
    "dicomtls get pacs:11112 -k SeriesInstanceUID=1.2.3.4 --output in --ca ca.pem",
    "dicomtls get localhost -k PatientID=P1 --output in --ca ca.pem --json",
)


@command(examples=_EXAMPLES)
def get(
    peer: PeerName,
    *,
    output_directory: Annotated[Path, path_option("--output", help="folder for what comes; made if missing")],
    retrieving: RetrieveOptions,
    sop_class: Annotated[
        tuple[str, ...],
        option("--sop-class", metavar="UID", help="take this SOP class, in any transfer syntax, too; repeatable"),
    ] = (),
    tls: TLSOptions,
    association: AssociationOptions,
    output: OutputOptions,
) -> int:
    """Retrieve instances over one association (C-GET), and keep each as a file."""
    out = output.open("get")

    def body(so_far: Report) -> None:
        from dicomtls.cli.get_storage import keeper
        from dicomtls.scp.storage import FolderStorage
        from dicomtls.scu.attempt import Attempt, Requestor
        from dicomtls.scu.remainder import get_whole

        report = RetrieveReport(out, so_far)
        request = retrieving.request()
        wanted = [_checked(uid) for uid in sop_class]
        settings, target = association.settings(trace=out.trace), association.peer(peer, no_tls=tls.no_tls)
        tls_settings = tls.trusting(tls.settings(), target)
        tls.announce(out)
        attempt = so_far.follow(Attempt(target, settings.calling_ae_title))
        so_far.target = tls.follow_up(target, tls_settings, settings)
        requestor = Requestor(target, tls_settings, settings)
        with closing(FolderStorage(output_directory)) as storage:
            keeping = keeper(out, storage)
            with interruptible() as requestor.interrupt, suboperations_progress(out) as bar:
                result = get_whole(
                    requestor,
                    request,
                    keeping,
                    sop_classes=wanted,
                    attempt=attempt,
                    observer=bar,
                    on_again=report.again,
                )
        report.told(result, attempt, warn_days=tls.warn_days)
        report.received(keeping.kept, keeping.octets, keeping.seconds)
        keeping.check()
        result.check()

    return run(out, body)


def _checked(uid: str) -> str:
    """Return the UID of a SOP class; raises `UsageError` where it is none."""
    from dicomtls.dataset import check_uid
    from dicomtls.errors import DataError, UsageError

    try:
        return check_uid(uid, "SOP class UID")
    except DataError as error:
        hint = "--sop-class takes a UID, such as 1.2.840.10008.5.1.4.1.1.66 of raw data"
        raise UsageError(error.message, hints=(hint,)) from error
