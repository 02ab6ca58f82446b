"""One try to reach a peer, and what is known of it at whatever stage it ended."""

import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from dicomtls.association.association import Association
from dicomtls.association.negotiation import ContextProposal
from dicomtls.errors import (
    AssociationAborted,
    AssociationRejected,
    AssociationTimeout,
    DicomTLSError,
    HandshakeError,
    Interrupted,
    LocalProtocolError,
    NetworkError,
    NoPresentationContext,
    PeerExpectsTLS,
    UsageError,
)
from dicomtls.peer import Peer
from dicomtls.scp.access import AccessRules
from dicomtls.scu import AssociationSettings, Attempt
from dicomtls.scu.attempt import Requestor
from dicomtls.tls import TLSSettings
from dicomtls.waiting import Interrupt
from tests.support.pki import PKI
from tests.support.raw import raw_server, receive_until_end, reset
from tests.support.servers import (
    ECHO_CONTEXT,
    acceptor,
    client_tls,
    open_policy,
    our_server,
    server_tls,
)

STAGES = ("resolve", "connect", "handshake", "associate")


def attempted(
    peer: Peer, tls: TLSSettings | None = None, *, error: type[DicomTLSError] | None = None, **settings: float
) -> Attempt:
    """One attempt, which must end with `error`, and its record."""
    requestor = Requestor(peer, tls, AssociationSettings(**settings))  # type: ignore[arg-type]  # only times
    attempt = requestor.attempt()
    if error is None:
        requestor.associate(attempt, [ECHO_CONTEXT]).release()
    else:
        with pytest.raises(error):
            requestor.associate(attempt, [ECHO_CONTEXT])
    assert attempt.timing_ms["total"] == pytest.approx(sum(attempt.timing_ms[stage] for stage in reached(attempt)))
    assert all(milliseconds >= 0 for milliseconds in attempt.timing_ms.values())
    return attempt


def reached(attempt: Attempt) -> tuple[str, ...]:
    """The stages that it came to."""
    stages = tuple(stage for stage in STAGES if stage in attempt.timing_ms)
    assert set(attempt.timing_ms) == {*stages, "total"}
    return stages


def test_attempt_that_has_not_begun_knows_only_its_names() -> None:
    """And no time has been spent."""
    attempt = Requestor(Peer("localhost", 104), None, AssociationSettings(calling_ae_title="WS1")).attempt()
    assert (attempt.peer, attempt.calling_ae_title) == (Peer("localhost", 104), "WS1")
    assert (attempt.address, attempt.negotiated, attempt.timing_ms) == (None, None, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_success_over_tls_has_every_stage(pki: PKI, tmp_path: Path, host: str) -> None:
    """The address is the one that answered."""
    with our_server(tmp_path, server_tls(pki)) as server:
        attempt = attempted(Peer(host, server.peer.port), client_tls(pki))
    assert reached(attempt) == STAGES
    assert attempt.address == str(server.peer)
    assert attempt.negotiated is not None
    assert attempt.negotiated.protocol == "TLSv1.3"
    assert attempt.negotiated.verified


def test_success_in_clear_has_no_handshake(tmp_path: Path) -> None:
    """And nothing was negotiated."""
    with our_server(tmp_path) as server:
        attempt = attempted(server.peer)
        requestor = server.requestor()
    assert reached(attempt) == ("resolve", "connect", "associate")
    assert attempt.negotiated is None
    assert requestor.ssl_context is None


def test_called_ae_title_of_the_settings_wins(tmp_path: Path) -> None:
    """`--called-aet` over `AET@`; the attempt shows the one that is used."""
    with our_server(tmp_path, access=AccessRules(ae_title="PACS")) as server:
        peer = replace(server.peer, called_ae_title="OTHER")
        requestor = Requestor(peer, None, AssociationSettings(called_ae_title="PACS"))
        assert requestor.attempt().peer.called_ae_title == "PACS"
        requestor.associate(requestor.attempt(), [ECHO_CONTEXT]).release()
        other = Requestor(peer, None, AssociationSettings())
        with pytest.raises(AssociationRejected):
            other.associate(other.attempt(), [ECHO_CONTEXT])


def test_name_that_does_not_exist_ends_at_the_first_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a time for it, and no address."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    attempt = attempted(Peer("no-such-host", 104), error=NetworkError)
    assert (reached(attempt), attempt.address) == (("resolve",), None)


def test_port_that_is_closed_ends_at_the_second_stage() -> None:
    """Nobody was reached, so there is no address."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    attempt = attempted(Peer("127.0.0.1", port), error=NetworkError)
    assert (reached(attempt), attempt.address) == (("resolve", "connect"), None)


@pytest.mark.parametrize("how", ["plain", "silent", "closes", "resets"])
def test_handshake_that_fails_ends_at_the_third_stage(pki: PKI, how: str) -> None:
    """The address is known by then, and nothing was negotiated."""

    def behave(connection: socket.socket) -> None:
        if how == "resets":
            connection.recv(1)
            reset(connection)
        elif how == "plain":
            connection.recv(100)
            connection.sendall(bytes.fromhex("0700 00000004 0000 0201"))
        elif how == "silent":
            receive_until_end(connection)

    with raw_server(behave) as server:
        peer = Peer(server.host, server.port)
        timeout = 0.5 if how == "silent" else 20.0  # to connect, too
        attempt = attempted(peer, client_tls(pki), error=HandshakeError, connect_timeout=timeout)
    assert reached(attempt) == STAGES[:3]
    assert (attempt.address, attempt.negotiated) == (server.address, None)


def test_certificate_that_we_refuse_ends_at_the_third_stage(pki: PKI, tmp_path: Path) -> None:
    """Nothing was agreed on with somebody whom we do not believe."""
    with our_server(tmp_path, server_tls(pki, pki.expired)) as server:
        attempt = attempted(server.peer, client_tls(pki), error=HandshakeError)
    assert (reached(attempt), attempt.negotiated) == (STAGES[:3], None)


def test_certificate_that_the_peer_refuses_ends_at_the_last_stage(pki: PKI, tmp_path: Path) -> None:
    """At TLS 1.3 the refusal comes with the first answer: the handshake had its time, and its results are known."""
    with our_server(tmp_path, server_tls(pki)) as server:
        attempt = attempted(server.peer, client_tls(pki, pki.other_client), error=HandshakeError)
    assert reached(attempt) == STAGES
    assert attempt.negotiated is not None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (bytes.fromhex("0300 00000004 00010107"), AssociationRejected),
        (bytes.fromhex("0700 00000004 00000201"), AssociationAborted),
        (b"", AssociationAborted),
        (b"\x15\x03\x03\x00\x02\x02\x46", PeerExpectsTLS),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", HandshakeError),
        (None, AssociationTimeout),
    ],
    ids=["rejected", "aborted", "closed", "TLS", "HTTP", "silence"],
)
def test_association_that_fails_ends_at_the_last_stage(answer: bytes | None, error: type[DicomTLSError]) -> None:
    """Address and times are there for each way of failing."""

    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        if answer is None:
            receive_until_end(connection)
        else:
            connection.sendall(answer)

    with raw_server(behave) as server:
        peer = Peer(server.host, server.port)
        attempt = attempted(peer, error=error, association_timeout=0.1 if answer is None else 20.0)
    assert reached(attempt) == ("resolve", "connect", "associate")
    assert attempt.address == server.address


def test_association_without_contexts_is_released() -> None:
    """The peer accepted, but nothing that we proposed: it hears a proper goodbye, and the error says what that was."""
    said: list[object] = []

    def script(association: Association) -> None:
        said.append(association.receive())

    with acceptor(script, open_policy(supports=lambda _uid: False)) as peer:
        attempt = attempted(peer.peer, error=NoPresentationContext)
        peer.server.wait_for_connections(1)
    assert said == [None]
    assert reached(attempt) == ("resolve", "connect", "associate")


def test_too_many_contexts_are_refused_before_anybody_is_called() -> None:
    """129 fit into no association: that is ours to know."""
    requestor = Requestor(Peer("192.0.2.1", 104), None, AssociationSettings())
    attempt = requestor.attempt()
    proposals = [ContextProposal(abstract_syntax=f"1.2.{number}", transfer_syntaxes=("1.2",)) for number in range(129)]
    with pytest.raises(LocalProtocolError, match="128"):
        requestor.associate(attempt, proposals)
    assert attempt.timing_ms == {}


def test_caller_hears_when_the_request_is_about_to_be_sent(tmp_path: Path) -> None:
    """After the connection was made, before the association is asked for: the clock of `store` starts here."""
    known: list[set[str]] = []
    with our_server(tmp_path) as server:
        requestor = server.requestor()
        attempt = requestor.attempt()
        requestor.associate(
            attempt, [ECHO_CONTEXT], before_request=lambda: known.append(set(attempt.timing_ms))
        ).release()
    assert known == [{"resolve", "connect", "total"}]


@pytest.mark.parametrize(("asked", "granted"), [(1, 1), (8, 8), (1000, 128), (0, 128)])
def test_window_is_proposed_when_it_is_more_than_one(tmp_path: Path, asked: int, granted: int) -> None:
    """0 is as many as the peer allows."""
    with our_server(tmp_path) as server:
        association = server.associate(max_operations=asked)
        assert association.parameters.window == granted
        association.release()


def test_peer_that_is_gone_again_is_no_surprise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was reset before we asked for its address fails where it is used."""

    def gone(_self: socket.socket) -> None:
        raise OSError(107, "Transport endpoint is not connected")

    with our_server(tmp_path) as server:
        requestor = server.requestor()
        attempt = requestor.attempt()
        monkeypatch.setattr(socket.socket, "getpeername", gone)
        requestor.associate(attempt, [ECHO_CONTEXT]).release()
        monkeypatch.undo()
    assert attempt.address is None


@pytest.mark.parametrize("stage", ["handshake", "associate"])
def test_interrupt_ends_the_attempt_at_once(pki: PKI, stage: str) -> None:
    """Ctrl-C while a peer keeps us waiting; the time spent is known."""
    interrupt = Interrupt()

    def behave(connection: socket.socket) -> None:
        connection.recv(1)
        interrupt.set()
        receive_until_end(connection)

    try:
        with raw_server(behave) as server:
            tls = client_tls(pki) if stage == "handshake" else None
            requestor = Requestor(Peer(server.host, server.port), tls, AssociationSettings(), interrupt=interrupt)
            attempt = requestor.attempt()
            with pytest.raises(Interrupted):
                requestor.associate(attempt, [ECHO_CONTEXT])
    finally:
        interrupt.close()
    assert reached(attempt)[-1] == stage


def test_settings_that_cannot_be_had_are_refused_when_the_requestor_is_made(pki: PKI) -> None:
    """Before anybody is called; good ones give a context that other libraries can use."""
    with pytest.raises(UsageError):
        Requestor(Peer("192.0.2.1", 2762), client_tls(pki, profile="no-such-profile"), AssociationSettings())
    requestor = Requestor(Peer("192.0.2.1", 2762), client_tls(pki), AssociationSettings())
    assert isinstance(requestor.ssl_context, ssl.SSLContext)


@pytest.mark.parametrize(
    ("invoked", "performed", "granted"), [(1, 1, (1, 1)), (9, 1, (9, 1)), (1, 5, (1, 5)), (99, 99, (32, 32))]
)
def test_windows_are_negotiated_in_both_directions(
    tmp_path: Path, invoked: int, performed: int, granted: tuple[int, int]
) -> None:
    """How many of our operations may be outstanding, and how many of the peer's."""
    with our_server(tmp_path, max_operations=32) as server:
        requestor = server.requestor()
        association = requestor.associate(
            requestor.attempt(), [ECHO_CONTEXT], max_operations=invoked, max_performed=performed
        )
        parameters = association.parameters
        association.release()
    assert (parameters.window, parameters.peer_window) == granted
