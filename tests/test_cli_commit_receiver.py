"""The receiver of `store --commit`; where archives report to it is in test_end_to_end_commit."""

import pytest

from dicomtls.association.commitment import Reference
from dicomtls.cli.commit_receiver import report_receiver
from dicomtls.cli.options.store import CommitOptions
from dicomtls.cli.output import Output
from dicomtls.errors import NetworkError, RemoteProtocolError
from dicomtls.peer import Peer
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from tests.support.commitments import PROPOSAL, bring, encoded
from tests.support.processes import LOOPBACK
from tests.support.servers import CT

ONE = Reference(CT, "1.2.3.1")
SETTINGS = AssociationSettings()


@pytest.mark.parametrize("options", [CommitOptions(), CommitOptions(commit=True), CommitOptions(listen="0")])
def test_nobody_listens_unless_asked_to(options: CommitOptions) -> None:
    """Reports then come over the association of the request."""
    with report_receiver(Output("store"), options, "WS1", None, SETTINGS) as reports:
        assert reports is None


def test_reports_are_kept_and_oddities_told(capsys: pytest.CaptureFixture[str]) -> None:
    """What is ours is taken in silence, what is not is a warning; the place is for the hint."""
    options = CommitOptions(commit=True, listen=f"{LOOPBACK}:0")
    with report_receiver(Output("store"), options, "WS1", None, SETTINGS) as reports:
        assert reports is not None
        reports.expect("1.2.3.4")
        port = int(reports.place.split(",")[0].removeprefix("port "))
        assert reports.place == f"port {port}, in clear"
        requestor = Requestor(Peer(LOOPBACK, port, "WS1"), None, SETTINGS)
        association = requestor.associate(requestor.attempt(), [PROPOSAL])
        assert bring(association, encoded([ONE])).status == 0
        assert bring(association, encoded([ONE], "1.2.99")).status == 0
        association.release()
        taken = reports.take("1.2.3.4", 0)
    assert taken is not None
    assert taken.references == (ONE,)
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert [line.rpartition(": ")[2] for line in warnings] == [
        "the archive reports without having asked for the role of SCP",
        "the archive reports without having asked for the role of SCP",
        "a report on the transaction 1.2.99, which we do not wait for (any more)",
    ]
    with pytest.raises((NetworkError, RemoteProtocolError)):
        requestor.associate(requestor.attempt(), [PROPOSAL])
