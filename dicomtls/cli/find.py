"""`dicomtls find`: what does a peer have?"""

from contextlib import closing
from dataclasses import replace

from dicomtls.cli.command import command
from dicomtls.cli.options import AssociationOptions, OutputOptions, TLSOptions
from dicomtls.cli.options.find import FindingOptions
from dicomtls.cli.options.peer import PeerName
from dicomtls.cli.options.query import QueryOptions
from dicomtls.cli.running import Report, interruptible, run
from dicomtls.cli.sentences import warn_of_expiry

_EXAMPLES = (
    "dicomtls find PACS@pacs.example -k 'PatientName=DOE*' -k StudyDate=20250101-",
    "dicomtls find pacs.example --level series -k StudyInstanceUID=1.2.3 --json",
    "dicomtls find ris.example --model worklist -k '0040,0100[0].Modality=CT'",
)


@command(examples=_EXAMPLES)
def find(
    peer: PeerName,
    *,
    query: QueryOptions,
    tls: TLSOptions,
    association: AssociationOptions,
    output: OutputOptions,
    finding: FindingOptions,
) -> int:
    """Ask a peer what it has (C-FIND): patients, studies, series, images, or what is scheduled."""
    form = finding.form(json=output.json)
    out = replace(output, json=form == "json").open("find")

    def body(so_far: Report) -> None:
        from dicomtls.cli.find_report import FindReport
        from dicomtls.scu.attempt import Attempt, Requestor
        from dicomtls.scu.query import find as ask
        from dicomtls.scu.return_keys import complete

        report = FindReport(out, so_far, form)
        asked = query.read()
        sent, shown = complete(asked.keys, asked.model, asked.level)
        options, folder = finding.settings(asked.model), finding.folder(asked.model)
        settings, target = association.settings(trace=out.trace), association.peer(peer, no_tls=tls.no_tls)
        tls_settings = tls.trusting(tls.settings(), target)
        tls.announce(out)
        attempt = so_far.follow(Attempt(target, settings.calling_ae_title))
        so_far.target = tls.follow_up(target, tls_settings, settings)
        with interruptible() as interrupt, report.taking(shown, folder) as take:
            requestor = Requestor(target, tls_settings, settings, interrupt=interrupt)
            with closing(ask(requestor, sent, options, attempt=attempt, result=report.result)) as matches:
                for match in matches:
                    take(match)
                    if out.reader_is_gone:
                        break
        warn_of_expiry(out, attempt.negotiated, tls.warn_days)

    return run(out, body)
