"""The receiver of `move`; where it is used as users do is in test_cli_move."""

from pathlib import Path

import pytest

from dicomtls.cli.move_receiver import Received, receiver
from dicomtls.cli.options.retrieve import ReceiverOptions
from dicomtls.cli.output import Output
from dicomtls.errors import (
    AssociationRejected,
    HandshakeError,
    MachineError,
    NetworkError,
    RemoteProtocolError,
    UsageError,
)
from dicomtls.peer import Peer
from dicomtls.scp.events import Event, Severity
from dicomtls.scu import AssociationSettings
from dicomtls.scu.echo import echo
from dicomtls.scu.retrieve import RetrieveResult
from dicomtls.scu.suboperations import Counts
from dicomtls.tls import TLSSettings
from tests.support.pki import PKI
from tests.support.processes import LOOPBACK
from tests.support.servers import client_tls


def heard(*events: Event) -> Received:
    """What has come, by these events."""
    received = Received(Output("move"), "WS1")
    for event in events:
        received.hear(event)
    return received


def stored() -> Event:
    """An instance that has come."""
    return Event("stored", "stored", Severity.DETAIL)


def result(counts: Counts) -> RetrieveResult:
    """What the archive says."""
    return RetrieveResult(status=0, counts=counts)


@pytest.mark.parametrize("counts", [Counts(None, 2, 0, 0), Counts(None, 1, 5, 1), Counts(None, 1, 0, 0), Counts()])
def test_honest_counts_pass(counts: Counts) -> None:
    """Two have come, and that many, or fewer, are counted."""
    heard(stored(), stored()).check_claims(result(counts))


def test_more_than_came_is_noticed() -> None:
    """With the port that the archive should have."""
    received = heard(stored())
    received.port = 11112
    with pytest.raises(RemoteProtocolError, match=r"counts 2 instances .* and only 1 came here") as caught:
        received.check_claims(result(Counts(None, 2, 0, 0)))
    assert "ours is port 11112" in caught.value.hints[0]


def test_warnings_are_told_and_our_own_failure_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """A disk that is full decides the exit status."""
    facts = {"reason": "the disk is full", "code": "disk-full"}
    received = heard(
        Event("handshake-failed", "no certificate", Severity.WARNING, "192.0.2.1:9"),
        Event("store-failed", "not stored", Severity.WARNING, "192.0.2.1:9", facts=facts),
        Event("association-accepted", "accepted", Severity.INFO, "192.0.2.1:9"),
    )
    said = capsys.readouterr().err
    assert said.splitlines()[0] == "dicomtls: warning: our receiver: 192.0.2.1:9: no certificate"
    assert "accepted" not in said
    with pytest.raises(MachineError) as caught:
        received.check_machine()
    assert caught.value.code == "disk-full"


def test_receiver_is_there_for_as_long_as_the_block_lasts(pki: PKI, tmp_path: Path) -> None:
    """Under the destination's AE title only, and for those who show a certificate."""
    options = ReceiverOptions(receive=tmp_path, listen=f"{LOOPBACK}:0")
    tls = TLSSettings(ca=(pki.ca,), cert=(pki.server.cert,), key=(pki.server.key,))
    settings = AssociationSettings()
    with receiver(Output("move"), options, "WS1", tls, settings) as received:
        assert received is not None
        echo(Peer(LOOPBACK, received.port, "WS1"), client_tls(pki), settings).check()
        with pytest.raises(AssociationRejected):
            echo(Peer(LOOPBACK, received.port, "OTHER"), client_tls(pki), settings)
        with pytest.raises(HandshakeError):
            echo(Peer(LOOPBACK, received.port, "WS1"), TLSSettings(ca=(pki.ca,)), settings)
        port = received.port
    with pytest.raises(NetworkError):
        echo(Peer(LOOPBACK, port, "WS1"), client_tls(pki), settings)


def test_no_receiver_without_a_folder() -> None:
    """Somebody else receives."""
    with receiver(Output("move"), ReceiverOptions(), "WS1", None, AssociationSettings()) as received:
        assert received is None


def test_options_are_checked() -> None:
    """What is about a receiver needs one."""
    with pytest.raises(UsageError):
        ReceiverOptions(listen="0").check("WS1", trusts_anybody=True)
    assert ReceiverOptions().check(" WS1 ", trusts_anybody=False) == "WS1"
