"""C-ECHO against ourselves, pynetdicom, and peers that do not answer as they should."""

from pathlib import Path
from time import monotonic

import pytest
from pynetdicom import evt

from dicomtls.association.association import Association
from dicomtls.association.dimse import Command, CommandField
from dicomtls.errors import (
    AssociationAborted,
    DIMSETimeout,
    Interrupted,
    NoPresentationContext,
    RemoteProtocolError,
    StatusFailure,
)
from dicomtls.peer import Peer
from dicomtls.scu import AssociationSettings, Attempt
from dicomtls.scu import echo as echo_module
from dicomtls.scu.echo import EchoResult, echo
from dicomtls.waiting import Interrupt
from dicomtls.waiting import pause as real_pause
from tests.support.peers import pynetdicom_scp
from tests.support.pki import PKI, server_context
from tests.support.servers import acceptor, client_tls, open_policy, our_server, server_tls

PLAIN = AssociationSettings()


@pytest.mark.parametrize("repeat", [1, 5])
def test_echo_succeeds_as_often_as_asked(pki: PKI, tmp_path: Path, repeat: int) -> None:
    """Over one association, each with its time; the attempt knows how the peer was reached."""
    with our_server(tmp_path, server_tls(pki)) as server:
        attempt = Attempt(server.peer, "DICOMTLS")
        result = echo(server.peer, client_tls(pki), PLAIN, repeat=repeat, interval=0.0, attempt=attempt)
        released = server.wait_for("association-released")
    assert result.statuses == (0x0000,) * repeat
    assert len(result.round_trip_ms) == repeat
    assert all(milliseconds > 0 for milliseconds in result.round_trip_ms)
    result.check()
    assert released.facts["echoed"] == repeat
    assert attempt.negotiated is not None
    assert attempt.negotiated.verified


def test_echo_succeeds_against_pynetdicom(pki: PKI) -> None:
    """Another implementation over mutual TLS."""
    with pynetdicom_scp(server_context(pki)) as peer:
        echo(Peer(peer.host, peer.port), client_tls(pki), PLAIN, repeat=3, interval=0.0).check()


@pytest.mark.parametrize("status", [0x0122, 0x0211, 0xB000])
def test_echo_with_another_status_is_the_callers_to_judge(status: int) -> None:
    """It is returned, and `check` makes a failure of it."""
    with pynetdicom_scp(handlers=[(evt.EVT_C_ECHO, lambda _event: status)]) as peer:
        result = echo(Peer(peer.host, peer.port), None, PLAIN)
    assert result.statuses == (status,)
    with pytest.raises(StatusFailure) as caught:
        result.check()
    assert caught.value.status == status
    assert f"0x{status:04X}" in caught.value.message


def test_first_failure_among_many_counts() -> None:
    """Successes before it do not hide it."""
    with pytest.raises(StatusFailure, match="0x0122"):
        EchoResult((0x0000, 0x0122, 0x0211), (1.0, 1.0, 1.0)).check()


def test_echoes_are_an_interval_apart(tmp_path: Path) -> None:
    """Between two, not before the first or after the last."""
    with our_server(tmp_path) as server:
        start = monotonic()
        echo(server.peer, None, PLAIN, repeat=3, interval=0.05)
        assert monotonic() - start >= 0.1


def response(command_field: CommandField, message_id: int) -> Command:
    """A response with success."""
    return Command(command_field=command_field, message_id_being_responded_to=message_id, status=0x0000)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            Command(command_field=CommandField.C_ECHO_RSP, message_id_being_responded_to=9, status=0),
            RemoteProtocolError,
        ),
        (
            Command(command_field=CommandField.C_STORE_RSP, message_id_being_responded_to=1, status=0),
            RemoteProtocolError,
        ),
        ("abort", AssociationAborted),
        ("close", AssociationAborted),
        ("release", AssociationAborted),
        ("silence", DIMSETimeout),
    ],
    ids=["another message", "another kind", "abort", "close", "release", "silence"],
)
def test_echo_that_is_not_answered_fails(answer: Command | str, error: type[Exception]) -> None:
    """Each way of not answering has its error, and the association is over."""

    def script(association: Association) -> None:
        association.receive()
        if isinstance(answer, Command):
            association.send(1, answer)
        elif answer != "silence":
            getattr(association, answer)()
            return
        association.receive()

    with acceptor(script) as peer:
        # Only silence is to last too long; each other answer has all the time that it needs.
        patience = 0.1 if answer == "silence" else 20.0
        with pytest.raises(error):
            echo(peer.peer, None, AssociationSettings(dimse_timeout=patience)).check()
        peer.server.wait_for_connections(1)
    assert all(isinstance(end, AssociationAborted) for end in peer.ends)
    assert len(peer.ends) == (isinstance(answer, Command) or answer == "silence")


def test_peer_without_verification_is_said_to_be_one() -> None:
    """The association is released, and the error has what was proposed."""
    ends = []

    def script(association: Association) -> None:
        ends.append(association.receive())

    with acceptor(script, open_policy(supports=lambda _uid: False)) as peer:
        with pytest.raises(NoPresentationContext) as caught:
            echo(peer.peer, None, PLAIN)
        peer.server.wait_for_connections(1)
    assert caught.value.evidence["proposed"] == ["1.2.840.10008.1.1"]
    assert ends == [None]


@pytest.mark.parametrize("goodbye", ["abort", "close"])
def test_echo_counts_when_the_peer_leaves_instead_of_releasing(goodbye: str) -> None:
    """All is answered by then: how the peer says goodbye changes nothing."""

    def script(association: Association) -> None:
        association.receive()
        association.send(1, Command(command_field=CommandField.C_ECHO_RSP, message_id_being_responded_to=1, status=0))
        getattr(association, goodbye)()

    with acceptor(script) as peer:
        result = echo(peer.peer, None, PLAIN)
        peer.server.wait_for_connections(1)
    result.check()
    assert result.statuses == (0,)


def test_echo_keeps_the_answers_that_came_before_the_peer_left() -> None:
    """The second of two is not answered: the first stands in the result, beside the error."""

    def script(association: Association) -> None:
        association.receive()
        association.send(1, Command(command_field=CommandField.C_ECHO_RSP, message_id_being_responded_to=1, status=0))
        association.receive()
        association.abort()

    with acceptor(script) as peer:
        result = echo(peer.peer, None, PLAIN, repeat=2, interval=0.0)
        peer.server.wait_for_connections(1)
    assert result.statuses == (0,)
    assert len(result.round_trip_ms) == 1
    with pytest.raises(AssociationAborted):
        result.check()


def test_interrupt_between_two_echoes_aborts_the_association(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while nothing is on the wire: the peer is told all the same."""
    interrupt = Interrupt()

    def pause(seconds: float, flag: Interrupt | None) -> None:
        interrupt.set()
        real_pause(seconds, flag)

    monkeypatch.setattr(echo_module, "pause", pause)
    try:
        with our_server(tmp_path) as server:
            result = echo(server.peer, None, PLAIN, repeat=2, interval=1000.0, interrupt=interrupt)
            event = server.wait_for("association-aborted")
    finally:
        interrupt.close()
    assert "aborted by the peer's application" in event.message
    assert result.statuses == (0,)
    assert isinstance(result.error, Interrupted)


def test_interrupt_while_waiting_for_the_answer_aborts_the_association() -> None:
    """Ctrl-C while the peer thinks."""
    interrupt = Interrupt()

    def script(association: Association) -> None:
        association.receive()
        interrupt.set()
        association.receive()

    try:
        with acceptor(script) as peer:
            with pytest.raises(Interrupted):
                echo(peer.peer, None, PLAIN, interrupt=interrupt).check()
            peer.server.wait_for_connections(1)
    finally:
        interrupt.close()
    [end] = peer.ends
    assert isinstance(end, AssociationAborted)
    assert end.source == 0
