"""Reports on storage commitment that archives bring: over TLS, in which role, and what hostile ones send."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dicomtls.association.commitment import SOP_CLASS, Failed, Reference, Transaction
from dicomtls.association.dimse import CommandField
from dicomtls.association.negotiation import ContextProposal
from dicomtls.dataset import IMPLICIT_VR_LE
from dicomtls.dataset.identifier import encode
from dicomtls.errors import AssociationAborted, NoPresentationContext
from dicomtls.scp.events import Severity
from dicomtls.scp.reporting import reports_offer
from dicomtls.scu.reports import Reports
from tests.support.commitments import bring
from tests.support.pki import PKI
from tests.support.servers import (
    CT,
    CT_CONTEXT,
    ECHO_CONTEXT,
    RunningServer,
    ask,
    client_tls,
    our_server,
    response_of,
    server_tls,
    store_request,
)

SCP = ContextProposal(SOP_CLASS, (IMPLICIT_VR_LE,), scu_role=False, scp_role=True)
ONE, TWO = Reference(CT, "1.2.3.1"), Reference(CT, "1.2.3.2")
REPORT = Transaction("1.2.3", (ONE,), (Failed(TWO, 0x0112),))


@contextmanager
def receiving(pki: PKI | None = None) -> Iterator[tuple[RunningServer, Reports]]:
    """A server that takes reports, and nothing else but Verification; the transaction 1.2.3 is expected."""
    reports = Reports()
    reports.expect(REPORT.uid)
    with our_server(None, server_tls(pki) if pki else None, offers=[reports_offer(reports)]) as server:
        yield server, reports


def encoded(transaction: Transaction) -> bytes:
    """A report as it goes out."""
    return encode(transaction.encode(), IMPLICIT_VR_LE)


def test_report_is_taken_over_tls_from_an_archive_in_its_role(pki: PKI) -> None:
    """Confirmed with success; the archive has the role of SCP, and may ask with a C-ECHO whether we are there."""
    with receiving(pki) as (server, reports):
        ask(server, client_tls(pki))
        requestor = server.requestor(client_tls(pki))
        association = requestor.associate(requestor.attempt(), [SCP])
        [context] = association.parameters.contexts.values()
        response = bring(association, encoded(REPORT))
        association.release()
        server.wait_for("association-released", 2)  # before the server is stopped, which would be told as a warning
    assert (context.scu_role, context.scp_role) == (False, True)
    assert (response.command_field, response.status) == (CommandField.N_EVENT_REPORT_RSP, 0)
    assert (response.message_id_being_responded_to, response.event_type_id) == (9, 2)
    assert reports.take(REPORT.uid, 0) == REPORT
    assert [event.name for event in server.events if event.severity is Severity.WARNING] == []


def test_archive_that_forgets_its_role_is_heard_and_told_of() -> None:
    """Its word counts as much."""
    with receiving() as (server, reports):
        association = server.associate(ContextProposal(SOP_CLASS, (IMPLICIT_VR_LE,)))
        assert bring(association, encoded(REPORT)).status == 0
        association.release()
        server.wait_for("report-role")
    assert reports.take(REPORT.uid, 0) == REPORT


def test_others_reports_and_second_ones_are_confirmed_and_told_of() -> None:
    """The first one stands."""
    with receiving() as (server, reports):
        association = server.associate(SCP)
        assert bring(association, encoded(Transaction("1.2.99", (ONE,)))).status == 0
        assert bring(association, encoded(REPORT)).status == 0
        assert bring(association, encoded(Transaction(REPORT.uid, (ONE, TWO)))).status == 0
        association.release()
        server.wait_for("report-unexpected", 2)
    assert reports.take(REPORT.uid, 0) == REPORT
    assert reports.take("1.2.99", 0) is None


@pytest.mark.parametrize(
    ("dataset", "event"),
    [
        (None, 1),
        (b"", 1),
        (b"\x08\0\x95\x11\xff\xff\xff\x7f", 1),
        (encoded(Transaction("1.2.3", (Reference("x", "y"),))), 1),
        (encoded(REPORT), 3),
        (bytes(17 << 20), 1),
    ],
)
def test_nonsense_ends_its_association_and_nothing_else(dataset: bytes | None, event: int) -> None:
    """The next one is heard."""
    with receiving() as (server, reports):
        association = server.associate(SCP)
        with pytest.raises(AssociationAborted):
            bring(association, dataset, event=event)
        assert server.wait_for("association-aborted").facts["code"] == "protocol-error"
        assert reports.take(REPORT.uid, 0) is None
        second = server.associate(SCP)
        assert bring(second, encoded(REPORT)).status == 0
        second.release()
    assert reports.take(REPORT.uid, 0) == REPORT


def test_report_in_the_context_of_another_service_is_refused() -> None:
    """With the status for a SOP class that is none here; the association goes on."""
    with receiving() as (server, reports):
        association = server.associate(ECHO_CONTEXT, SCP)
        response = bring(association, encoded(REPORT), 1)
        assert response.status == 0x0118
        assert reports.take(REPORT.uid, 0) is None
        assert bring(association, encoded(REPORT)).status == 0
        association.release()


def test_nothing_is_stored_there() -> None:
    """No context of a storage SOP class; a C-STORE in another one is no operation that is known."""
    with receiving() as (server, _):
        with pytest.raises(NoPresentationContext):
            server.associate(CT_CONTEXT)
        association = server.associate(ECHO_CONTEXT)
        association.send(1, store_request("1.2.3"), b"1234")
        assert response_of(association).status == 0x0211
        association.release()
