"""`dicomtls store`: send instances to a peer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dicomtls.cli.command import command
from dicomtls.cli.options import AssociationOptions, OutputOptions, TLSOptions
from dicomtls.cli.options.peer import PeerName
from dicomtls.cli.options.store import CommitOptions, SendingOptions
from dicomtls.cli.progress import progress
from dicomtls.cli.running import Report, interruptible, run
from dicomtls.cli.store_report import StoreReport

if TYPE_CHECKING:
    from dicomtls.cli.output import Output
    from dicomtls.scu.attempt import Attempt, Requestor
    from dicomtls.scu.commit import CommitResult
    from dicomtls.scu.instances import Found
    from dicomtls.scu.ledger import StoreResult
    from dicomtls.scu.reports import Reports
    from dicomtls.scu.store import StoreOptions

_EXAMPLES = (
    "dicomtls store PACS@pacs.example study/ --ca hospital-ca.pem",
    "dicomtls store pacs DICOMDIR --commit --listen 2762 --ca ca.pem --cert ws1.pem",
    "find . -name '*.dcm' | dicomtls store localhost --files-from - --ca ca.pem",
)


@command(examples=_EXAMPLES)
def store(
    peer: PeerName,
    paths: Annotated[
        tuple[Path, ...],
        typer.Argument(metavar="PATH", help="files, folders with all below them, DICOMDIRs"),
    ] = (),
    *,
    sending: SendingOptions,
    committing: CommitOptions,
    tls: TLSOptions,
    association: AssociationOptions,
    output: OutputOptions,
) -> int:
    """Send instances to a peer (C-STORE), byte for byte as they are in their files."""
    out = output.open("store")

    def body(so_far: Report) -> None:
        from dicomtls.cli.commit_receiver import report_receiver
        from dicomtls.scu.attempt import Attempt, Requestor
        from dicomtls.scu.instances import find_instances

        report = StoreReport(out, so_far, sending.report)
        options, settings = sending.settings(), association.settings(trace=out.trace)
        committing.check(trusts_anybody=bool(tls.ca) or tls.no_tls)
        target = association.peer(peer, no_tls=tls.no_tls)
        tls_settings = tls.trusting(tls.settings(), target)
        tls.announce(out)
        attempt = so_far.follow(Attempt(target, settings.calling_ae_title))
        so_far.target = tls.follow_up(target, tls_settings, settings)
        requestor = Requestor(target, tls_settings, settings)
        found = find_instances(sending.paths(paths))
        report.found(found)
        if sending.dry_run:
            report.planned(found, options)
            return
        with report_receiver(out, committing, settings.calling_ae_title, tls_settings, settings) as reports:
            result = _send(out, requestor, found, options, attempt)
            report.sent(found, result, attempt, warn_days=tls.warn_days)
            commitment = _commit(requestor, found, result, committing, reports) if committing.commit else None
        report.committed(commitment)
        report.judge(found, result, options)
        if commitment is not None:
            commitment.check()

    return run(out, body)


def _send(
    output: "Output", requestor: "Requestor", found: "Found", options: "StoreOptions", attempt: "Attempt"
) -> "StoreResult":
    """Send, and return what became of each instance, also where the user wants to end at once."""
    from dicomtls.cli.store_tally import Tally
    from dicomtls.errors import Interrupted
    from dicomtls.scu.store import store as send

    with (
        interruptible() as requestor.interrupt,
        progress(output, instances=len(found.instances), octets=found.bytes) as bar,
    ):
        tally = Tally(bar)
        try:
            return send(requestor, found.instances, options, attempt=attempt, observer=tally)
        except KeyboardInterrupt:
            return tally.broken_off(found.instances, Interrupted())


def _commit(
    requestor: "Requestor",
    found: "Found",
    result: "StoreResult",
    committing: CommitOptions,
    reports: "Reports | None",
) -> "CommitResult":
    """Ask for storage commitment of what was stored."""
    from dicomtls.association.commitment import Reference
    from dicomtls.errors import Interrupted
    from dicomtls.scu.commit import CommitResult, commit

    failed = {report.path for report in result.failed}
    stored = [Reference(one.sop_class_uid, one.sop_instance_uid) for one in found.instances if one.path not in failed]
    if not stored or isinstance(result.error, Interrupted):
        return CommitResult(unanswered=stored)
    with interruptible() as requestor.interrupt:
        return commit(requestor, stored, patience=committing.commit_timeout, reports=reports)
