"""Reports on storage commitment that an archive brings over an association of its own (PS3.4 section J.3.3).

There the archive is the association-requestor and the SCP, which it has to negotiate; one that forgets to is heard all
the same, and told of.
"""

from dicomtls.association.association import Message
from dicomtls.association.commitment import SOP_CLASS
from dicomtls.association.dimse import CommandField
from dicomtls.scp.events import Severity
from dicomtls.scp.offers import Offer, Scene
from dicomtls.scu.reports import Reports, confirm, take_report

NO_SUCH_SOP_CLASS = 0x0118


class ReportService:
    """Takes the reports of one association."""

    def __init__(self, scene: Scene, reports: Reports) -> None:
        self._scene = scene
        self._reports = reports

    def run(self, message: Message) -> None:
        """Take a report, confirm it, and give it to whoever waits for it."""
        association, tell = self._scene.association, self._scene.tell
        if message.context.abstract_syntax != SOP_CLASS:
            confirm(association, message, NO_SUCH_SOP_CLASS)
            return
        if not message.context.scp_role:
            tell("report-role", "the archive reports without having asked for the role of SCP", Severity.WARNING)
        report = take_report(association, message)
        if self._reports.put(report):
            tell("report", f"a report on the transaction {report.uid}", Severity.INFO, transaction_uid=report.uid)
        else:
            text = f"a report on the transaction {report.uid}, which we do not wait for (any more)"
            tell("report-unexpected", text, Severity.WARNING, transaction_uid=report.uid)


def reports_offer(reports: Reports) -> Offer:
    """What takes reports, for `Server`."""
    return Offer(
        command_field=CommandField.N_EVENT_REPORT_RQ,
        sop_classes=frozenset((SOP_CLASS,)),
        make=lambda scene: ReportService(scene, reports),
        requestor_is_scp=True,
    )
