"""dicomtls.probe.handshake: how far the road to a peer goes, and what the peer asks of clients."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dicomtls.association.association import Association
from dicomtls.association.negotiation import answer
from dicomtls.association.pdu import AssociateRequest, decode, encode
from dicomtls.association.user_information import IdentityKind, UserIdentity
from dicomtls.errors import UsageError
from dicomtls.peer import Peer
from dicomtls.probe.handshake import ClientAuthentication, ProbeResult, probe
from dicomtls.probe.target import Target
from dicomtls.scp.access import AccessRules
from dicomtls.scu import AssociationSettings
from dicomtls.tls import ClientAuth, TLSSettings
from dicomtls.waiting import Interrupt
from tests.support.messages import echo_response
from tests.support.peers import openssl_s_server, pynetdicom_scp
from tests.support.pki import PKI, server_context
from tests.support.raw import raw_server, receive_pdu, receive_until_end, tls_raw_server
from tests.support.relays import relayed
from tests.support.servers import (
    CT,
    VERIFICATION,
    RunningServer,
    acceptor,
    client_tls,
    open_policy,
    our_server,
    server_tls,
)

ROAD = ("name", "tcp", "tls", "association", "echo")
VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3"])
SHORT = 0.3
ENOUGH = 2.0
"""For a peer that answers, on a busy machine; whoever is silent at another connection is waited for as long."""
IDENTITY_ITEM = 10
"""Bytes of a user identity besides its fields (PS3.7 table D.3-14)."""


def probed(host: str, port: int, tls: TLSSettings | None = None, **settings: Any) -> ProbeResult:
    """What one probe found out."""
    options = {name: settings.pop(name) for name in ("follow_up", "with_contexts", "interrupt") if name in settings}
    return probe(Target(Peer(host, port), tls, AssociationSettings(**settings)), **options)


def marks(result: ProbeResult) -> list[bool | None]:
    """Whether each stage went well; the test fails where these are not the stages of the road."""
    assert [stage.name for stage in result.stages] == [
        name for name in ROAD if name != "tls" or result.target.tls is not None
    ]
    assert all((stage.ms is None) == (stage.detail == "not reached") for stage in result.stages)
    return [stage.ok for stage in result.stages]


def code(result: ProbeResult) -> str | None:
    """The error code of the diagnosis; a stage that failed says the same in words."""
    if result.diagnosis is not None:
        assert [stage.detail for stage in result.stages if stage.ok is False] in ([], [result.diagnosis.message])
        return result.diagnosis.code
    return None


def receive_and_answer(association: Association, status: int = 0, *, awaits_release: bool = True) -> None:
    """Answer one C-ECHO and see the association to its end."""
    message = association.receive()
    assert message is not None
    assert message.command.message_id is not None
    association.send(message.context.context_id, echo_response(message.command.message_id, status))
    if awaits_release:
        assert association.receive() is None


@contextmanager
def tls_server(
    pki: PKI, directory: Path, client_auth: ClientAuth = ClientAuth.REQUIRED, version: str = "1.3", **settings: Any
) -> Iterator[RunningServer]:
    """Our server, which speaks one version of TLS."""
    tls = server_tls(pki, client_auth=client_auth, tls_min=version, tls_max=version)
    with our_server(directory, tls, **settings) as server:
        yield server


@VERSIONS
@pytest.mark.parametrize(
    ("asked", "told", "connections"),
    [
        (ClientAuth.REQUIRED, ClientAuthentication.REQUIRED, 2),
        (ClientAuth.OPTIONAL, ClientAuthentication.OPTIONAL, 2),
        (ClientAuth.NONE, ClientAuthentication.NONE, 1),
    ],
)
def test_working_peer_is_told_with_what_it_asks_of_clients(
    pki: PKI, tmp_path: Path, version: str, asked: ClientAuth, told: ClientAuthentication, connections: int
) -> None:
    """Only one further association, without our certificate, tells required from optional."""
    with tls_server(pki, tmp_path, asked, version) as server, relayed(server) as (way, relay):
        result = probed("localhost", way.port, client_tls(pki))
    assert (marks(result), code(result)) == ([True] * 5, None)
    assert result.client_authentication is told
    assert (relay.count, relay.has_overlap) == (connections, False)
    details = {stage.name: stage.detail for stage in result.stages}
    assert "127.0.0.1" in details["name"].split(", ")
    assert details["tcp"] == f"127.0.0.1:{way.port}"
    assert details["tls"].startswith(f"TLSv{version}, TLS_")
    assert details["association"] == "DICOMTLS_0_1, PDUs of up to 131072 bytes"
    assert details["echo"] == "success (0x0000)"
    outcome = {"required": "client-certificate-required", "optional": "it connects"}.get(told)
    assert [str(step["outcome"]).partition(":")[0] for step in result.follow_up] == ([outcome] if outcome else [])


@VERSIONS
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (ClientAuth.REQUIRED, ClientAuthentication.REQUIRED),
        (ClientAuth.OPTIONAL, ClientAuthentication.OPTIONAL),
        (ClientAuth.NONE, ClientAuthentication.NONE),
    ],
)
def test_probe_without_certificate_needs_one_connection(
    pki: PKI, tmp_path: Path, version: str, asked: ClientAuth, told: ClientAuthentication
) -> None:
    """Whether we were let in says it all; at TLS 1.3 a stage that was refused later is not a success."""
    with tls_server(pki, tmp_path, asked, version) as server:
        result = probed("localhost", server.peer.port, TLSSettings(ca=(pki.ca,)), follow_up=False)
    assert result.client_authentication is told
    is_let_in = asked is not ClientAuth.REQUIRED
    assert marks(result) == ([True] * 5 if is_let_in else [True, True, False, None, None])
    assert code(result) == (None if is_let_in else "client-certificate-required")


@VERSIONS
def test_certificate_that_is_refused_fails_the_tls_stage(pki: PKI, tmp_path: Path, version: str) -> None:
    """Also where the refusal comes after the handshake; nothing behind it is reached."""
    with tls_server(pki, tmp_path, version=version) as server:
        result = probed("localhost", server.peer.port, client_tls(pki, pki.other_client), follow_up=False)
    assert marks(result) == [True, True, False, None, None]
    assert code(result) == "client-certificate-refused"
    assert result.client_authentication is ClientAuthentication.UNKNOWN


@pytest.mark.parametrize("asked", [ClientAuth.REQUIRED, ClientAuth.OPTIONAL])
def test_look_after_a_refusal_tells_whether_the_peer_insists(pki: PKI, tmp_path: Path, asked: ClientAuth) -> None:
    """Whoever refuses our certificate may take none at all."""
    with tls_server(pki, tmp_path, asked) as server, relayed(server) as (way, relay):
        result = probed("localhost", way.port, client_tls(pki, pki.other_client))
    assert code(result) == "client-certificate-refused"
    assert result.client_authentication.value == asked.value
    assert relay.count <= 12
    assert not relay.has_overlap


def test_without_follow_up_nothing_more_is_asked(pki: PKI, tmp_path: Path) -> None:
    """Then required cannot be told from optional."""
    with tls_server(pki, tmp_path) as server, relayed(server) as (way, relay):
        result = probed("localhost", way.port, client_tls(pki), follow_up=False)
    assert relay.count == 1
    assert (code(result), result.follow_up) == (None, [])
    assert result.client_authentication is ClientAuthentication.UNKNOWN


def test_user_is_not_named_where_we_ask_without_certificate(pki: PKI, tmp_path: Path) -> None:
    """A follow-up attempt carries no identity: its A-ASSOCIATE-RQ is shorter by just that."""
    identity = UserIdentity(IdentityKind.USERNAME, response_requested=False, primary=b"me")
    with tls_server(pki, tmp_path, ClientAuth.OPTIONAL) as server:
        told: list[str] = []
        probed("localhost", server.peer.port, client_tls(pki), identity=identity, trace=told.append)
    sent = [int(line.split()[-2]) for line in told if line.startswith("sent A-ASSOCIATE-RQ")]
    assert sent[0] - sent[1] == len(identity.primary) + IDENTITY_ITEM


@VERSIONS
def test_tls_is_not_proven_before_the_first_byte(pki: PKI, version: str) -> None:
    """A peer that shakes hands and is silent then: at TLS 1.2 its Finished says that it took ours, at 1.3 nothing."""
    protocol = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    with tls_raw_server(server_context(pki, protocol=protocol), receive_until_end) as server:
        result = probed("localhost", server.port, client_tls(pki), association_timeout=SHORT)
        assert server.connections == 1
    proven = True if version == "1.2" else None
    assert marks(result) == [True, True, proven, False, None]
    assert code(result) == "association-timeout"
    assert result.client_authentication is ClientAuthentication.UNKNOWN
    assert ("nothing came from the peer after it" in result.stages[2].detail) is (proven is None)


def test_server_that_is_silent_without_a_certificate_leaves_it_open(pki: PKI, tmp_path: Path) -> None:
    """It answers us, and keeps a stranger waiting: that is no answer."""
    with tls_server(pki, tmp_path) as server, relayed(server, most=1) as (way, _):
        result = probed("localhost", way.port, client_tls(pki), connect_timeout=ENOUGH)
    assert code(result) is None
    assert result.client_authentication is ClientAuthentication.UNKNOWN
    assert [str(step["outcome"]).partition(":")[0] for step in result.follow_up] == ["handshake-timeout"]


@VERSIONS
@pytest.mark.parametrize("asked", [ClientAuth.REQUIRED, ClientAuth.OPTIONAL])
def test_server_that_hangs_up_on_a_second_connection_leaves_it_open(
    pki: PKI, tmp_path: Path, version: str, asked: ClientAuth
) -> None:
    """A limit of connections is no demand for a certificate."""
    with tls_server(pki, tmp_path, asked, version) as server, relayed(server, most=1) as (way, relay):
        relay.hangs_up = True
        result = probed("localhost", way.port, client_tls(pki))
    assert code(result) is None
    assert result.client_authentication is ClientAuthentication.UNKNOWN
    assert str(result.follow_up[0]["outcome"]).partition(":")[0] in ("peer-closed", "connection-reset")


def test_other_certificate_for_the_second_connection_leaves_it_open(pki: PKI) -> None:
    """As behind a load balancer: it is we who refuse."""
    ours, other = server_context(pki), server_context(pki, pki.self_signed)
    met: list[None] = []

    def choose(tls: ssl.SSLObject, _name: str, _context: ssl.SSLContext) -> None:
        tls.context = other if met else ours
        met.append(None)

    ours.sni_callback = choose
    with pynetdicom_scp(ours) as scp:
        result = probed("localhost", scp.port, client_tls(pki))
    assert code(result) is None
    assert result.client_authentication is ClientAuthentication.UNKNOWN
    assert str(result.follow_up[0]["outcome"]).startswith("self-signed: ")


def test_road_in_clear_has_no_tls_stage() -> None:
    """There is no client authentication either."""
    with acceptor(receive_and_answer) as peer:
        result = probed(peer.peer.host, peer.peer.port)
    assert (marks(result), code(result)) == ([True] * 4, None)
    assert result.client_authentication is ClientAuthentication.NONE
    assert result.stages[0].detail == "an address"


def test_name_that_cannot_be_found_fails_the_first_stage(pki: PKI) -> None:
    """Nothing is connected to."""
    result = probed("nowhere.invalid", 2762, client_tls(pki))
    assert (marks(result), code(result)) == ([False, None, None, None, None], "name-not-found")


def test_name_without_an_address_fails_the_first_stage_too(pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it was found."""
    monkeypatch.setattr("dicomtls.scu.attempt.resolve", lambda *_: [])
    result = probed("empty.example", 2762, client_tls(pki))
    assert (marks(result), code(result)) == ([False, None, None, None, None], "name-not-found")


def test_port_without_listener_fails_the_second_stage(pki: PKI) -> None:
    """The address is known by then."""
    with raw_server(receive_until_end) as server:
        port = server.port
    result = probed("localhost", port, client_tls(pki))
    assert (marks(result), code(result)) == ([True, False, None, None, None], "connection-refused")


def test_silent_peer_is_asked_once(pki: PKI) -> None:
    """Who does not answer the first time is left alone."""
    with raw_server(receive_until_end) as server:
        result = probed("localhost", server.port, client_tls(pki), connect_timeout=SHORT)
        server.wait_for_connections(1)
        assert server.connections == 1
    assert (marks(result), code(result)) == ([True, True, False, None, None], "handshake-timeout")


def test_rejected_association_leaves_the_tls_stage_a_success(pki: PKI, tmp_path: Path) -> None:
    """The peer has answered through it."""
    with tls_server(pki, tmp_path, access=AccessRules(ae_title="OTHER")) as server:
        result = probed("localhost", server.peer.port, client_tls(pki))
    assert (marks(result), code(result)) == ([True, True, True, False, None], "association-rejected")


def _http(connection: socket.socket) -> None:
    receive_pdu(connection)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def test_http_behind_tls_fails_the_association(pki: PKI) -> None:
    """TLS is as it should be, and it is not DICOM that speaks through it."""
    with tls_raw_server(server_context(pki, client_auth=ssl.CERT_NONE), _http) as server:
        result = probed("localhost", server.port, client_tls(pki), follow_up=False)
    assert (marks(result), code(result)) == ([True, True, True, False, None], "peer-speaks-http")
    assert result.client_authentication is ClientAuthentication.NONE


def _aborting(association: Association) -> None:
    association.receive()
    association.abort()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (lambda association: receive_and_answer(association, 0x0122), "status-failure"),
        (_aborting, "association-aborted"),
    ],
)
def test_echo_that_fails_is_the_last_stage(script: Callable[[Association], None], expected: str) -> None:
    """By a status, or by an end: it is where the road ended."""
    with acceptor(script) as peer:
        result = probed(peer.peer.host, peer.peer.port)
    assert (marks(result), code(result)) == ([True, True, True, False], expected)


def _leaving(connection: socket.socket) -> None:
    received = receive_pdu(connection)
    proposal = decode(received[0], memoryview(received)[6:])
    assert isinstance(proposal, AssociateRequest)
    connection.sendall(encode(answer(proposal, open_policy())))
    receive_pdu(connection)


def test_peer_that_goes_away_in_the_echo_has_told_what_it_asks_of_clients(pki: PKI) -> None:
    """It had associated by then, so the handshake was proven whatever its last word was."""
    with tls_raw_server(server_context(pki, client_auth=ssl.CERT_NONE), _leaving) as server:
        result = probed("localhost", server.port, client_tls(pki), follow_up=False)
    assert (marks(result), code(result)) == ([True] * 4 + [False], "association-aborted")
    assert result.client_authentication is ClientAuthentication.NONE


def test_goodbye_that_fails_changes_nothing() -> None:
    """All was answered by then."""

    def script(association: Association) -> None:
        receive_and_answer(association, awaits_release=False)
        association.close()

    with acceptor(script) as peer:
        result = probed(peer.peer.host, peer.peer.port)
    assert (marks(result), code(result)) == ([True] * 4, None)


def test_interrupt_keeps_what_was_learnt(pki: PKI) -> None:
    """The stages that were done before it, and the one in which it came."""
    interrupt = Interrupt()

    def interrupting(connection: socket.socket) -> None:
        receive_pdu(connection)
        interrupt.set()
        receive_until_end(connection)

    with tls_raw_server(server_context(pki), interrupting) as server:
        result = probed("localhost", server.port, client_tls(pki), interrupt=interrupt)
    assert (marks(result), code(result)) == ([True, True, None, False, None], "interrupted")
    interrupt.close()


def test_interrupt_of_a_further_attempt_leaves_the_stages_as_they_were(pki: PKI, tmp_path: Path) -> None:
    """The peer works; whether it insists on our certificate was not found out."""
    interrupt = Interrupt()
    with tls_server(pki, tmp_path) as server, relayed(server, most=1) as (way, relay):
        relay.on_silence = interrupt.set
        result = probed("localhost", way.port, client_tls(pki), interrupt=interrupt)
    assert (marks(result), code(result)) == ([True] * 5, "interrupted")
    assert result.client_authentication is ClientAuthentication.UNKNOWN
    interrupt.close()


def test_settings_that_cannot_be_had_are_raised() -> None:
    """They are no peer's fault, and no peer is asked."""
    with pytest.raises(UsageError):
        probed("localhost", 2762, TLSSettings(ciphers=("NONSENSE-CIPHER",)))


def test_server_name_that_is_none_fails_the_tls_stage(pki: PKI) -> None:
    """It is found out when it is to be sent."""
    with raw_server(receive_until_end) as server:
        result = probed("localhost", server.port, client_tls(pki, server_name="a..b"))
    assert (marks(result), code(result)) == ([True, True, False, None, None], "configuration")


def test_authorities_of_the_server_are_told(pki: PKI) -> None:
    """By name, with the word whether our certificate comes from one; also where the server refuses it."""
    with openssl_s_server(pki, client_auth=True) as server:
        fitting = probed("localhost", server.port, client_tls(pki), association_timeout=SHORT)
        other = probed("localhost", server.port, client_tls(pki, pki.other_client), follow_up=False)
        anonymous = probed("localhost", server.port, TLSSettings(ca=(pki.ca,)), follow_up=False)
    names = ("CN=dicomtls test CA",)
    assert [fitting.certificate_authorities, other.certificate_authorities] == [names, names]
    assert (fitting.certificate_fits, other.certificate_fits) == (True, False)
    assert (anonymous.certificate_authorities, anonymous.certificate_fits) == (names, None)


def test_contexts_are_asked_for_after_the_echo(tmp_path: Path) -> None:
    """Over associations of their own."""
    with our_server(tmp_path) as server, relayed(server) as (way, relay):
        result = probed(way.host, way.port, with_contexts=True)
    assert (marks(result), code(result)) == ([True] * 4, None)
    assert result.contexts is not None
    assert {VERIFICATION, CT} <= set(result.contexts.accepted)
    assert (relay.count, relay.has_overlap) == (result.contexts.associations + 1, False)


def test_peer_that_breaks_off_the_survey_keeps_its_good_stages(tmp_path: Path) -> None:
    """What it accepted before that is told too, and that there was more to ask."""
    with our_server(tmp_path) as server, relayed(server, most=4) as (way, _):
        result = probed(way.host, way.port, with_contexts=True, association_timeout=ENOUGH)
    assert (marks(result), code(result)) == ([True] * 4, "association-timeout")
    assert result.contexts is not None
    assert CT in result.contexts.accepted


def test_called_ae_title_of_the_settings_is_used(tmp_path: Path) -> None:
    """It wins over that of the peer."""
    with our_server(tmp_path, access=AccessRules(ae_title="RIGHT")) as server:
        right = probed(server.peer.host, server.peer.port, called_ae_title="RIGHT")
        wrong = probed(server.peer.host, server.peer.port)
    assert (code(right), code(wrong)) == (None, "association-rejected")
