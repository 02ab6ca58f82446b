"""One connection from its first bytes to its end: whatever happens is one event that says what."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dicomtls.association.association import Association
from dicomtls.errors import AssociationAborted, AssociationRejected
from dicomtls.scp.connection import Places, peer_address
from dicomtls.scp.events import Severity
from dicomtls.scp.services import Faults
from dicomtls.scu.echo import echo
from dicomtls.tls import ClientAuth
from tests.support.kept import DATASET, UID
from tests.support.pki import PKI
from tests.support.raw import receive_until_end, reset
from tests.support.servers import (
    VERIFICATION,
    RunningServer,
    all_files,
    client_tls,
    context_of,
    data_fragments,
    echo_request,
    our_server,
    put_store,
    response_of,
    server_tls,
    store_request,
)

ABORT = bytes.fromhex("0700 00000004 0000 0000")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server in clear."""
    with our_server(tmp_path / "kept") as running:
        yield running


def test_places_are_as_many_as_were_said() -> None:
    """One more is refused until somebody leaves."""
    places = Places(2)
    assert [places.take(), places.take(), places.take()] == [True, True, False]
    places.give_back()
    assert [places.take(), places.take()] == [True, False]


def test_address_of_a_peer_that_is_gone_is_unknown() -> None:
    """No error for what only goes into a log."""
    with socket.socket() as never:
        assert peer_address(never) == "?"


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", "127.0.0.1:"), ("::1", "[::1]:")], ids=["IPv4", "IPv6"])
def test_address_is_written_as_users_write_it(tmp_path: Path, host: str, expected: str) -> None:
    """IPv4 clients of a socket for both families are not shown as IPv6."""
    with our_server(tmp_path, host="") as server, socket.create_connection((host, server.peer.port)) as client:
        client.send(b"x")
        client.shutdown(socket.SHUT_WR)
        event = server.wait_for("association-aborted")
        assert event.peer == f"{expected}{client.getsockname()[1]}"


def test_life_of_an_association_is_two_events(server: RunningServer) -> None:
    """Accepted and released, with the same number, and what came in between."""
    association = server.associate(calling_ae_title="WS1", called_ae_title="PACS")
    put_store(association, UID, DATASET)
    association.send(context_of(association, VERIFICATION), echo_request())
    response_of(association)
    association.release()
    released = server.wait_for("association-released")
    [accepted] = server.named("association-accepted")
    assert accepted.severity is released.severity is Severity.INFO
    assert accepted.association == released.association == 1
    assert accepted.peer == released.peer
    assert (accepted.peer or "").endswith(" WS1")
    assert accepted.message == "association accepted, in clear"
    facts = accepted.facts
    assert (facts["calling_aet"], facts["called_aet"], facts["contexts"]) == ("WS1", "PACS", 2)
    assert str(facts["implementation"]).startswith("DICOMTLS")
    assert (facts["protocol"], facts["client"]) == (None, None)
    numbers = released.facts
    assert (numbers["stored"], numbers["refused"], numbers["echoed"]) == (1, 0, 1)
    assert numbers["bytes"] == len(DATASET)
    assert "1 instance stored" in released.message


def test_tls_and_the_client_are_in_the_event(pki: PKI, tmp_path: Path) -> None:
    """Protocol, cipher and certificate of the client."""
    with our_server(tmp_path, server_tls(pki)) as server:
        requestor = server.requestor(client_tls(pki))
        echo(requestor.peer, client_tls(pki), requestor.settings)
        accepted = server.wait_for("association-accepted")
        released = server.wait_for("association-released")
    assert accepted.message == "association accepted, TLSv1.3, client CN=client"
    assert accepted.facts["protocol"] == "TLSv1.3"
    assert str(accepted.facts["cipher"]).startswith("TLS_")
    assert accepted.facts["client"] == "CN=client"
    assert len(str(accepted.facts["client_fingerprint_sha256"])) == 64
    assert "stored" not in released.message


def test_client_without_a_certificate_is_named_as_such(pki: PKI, tmp_path: Path) -> None:
    """Where none is demanded."""
    with our_server(tmp_path, server_tls(pki, client_auth=ClientAuth.NONE)) as server:
        requestor = server.requestor()
        echo(requestor.peer, client_tls(pki), requestor.settings)
        assert server.wait_for("association-accepted").message == "association accepted, TLSv1.3, no client certificate"


@pytest.mark.parametrize(("warn_days", "warns"), [(0, False), (400, True), (30, False)])
def test_client_certificate_that_ends_soon_is_an_event(
    pki: PKI, tmp_path: Path, warn_days: int, *, warns: bool
) -> None:
    """Whoever watches the log can tell the modality's owner in time."""
    with our_server(tmp_path, server_tls(pki), warn_days=warn_days) as server:
        requestor = server.requestor()
        echo(requestor.peer, client_tls(pki), requestor.settings)
        server.wait_for("association-released")
        warnings = server.named("certificate-expires")
    assert [event.severity for event in warnings] == ([Severity.WARNING] if warns else [])
    assert all("client" in event.message for event in warnings)


def test_trace_tells_of_every_pdu(tmp_path: Path) -> None:
    """For whoever asked for it, and for nobody else."""
    with our_server(tmp_path / "a", trace=True) as server:
        server.associate().release()
        server.wait_for("association-released")
        traced = server.named("pdu")
    assert {event.severity for event in traced} == {Severity.TRACE}
    assert any("A-ASSOCIATE-RQ" in event.message for event in traced)
    with our_server(tmp_path / "b") as server:
        server.associate().release()
        server.wait_for("association-released")
        assert server.named("pdu") == []


def test_abort_of_the_peer_is_the_peers(server: RunningServer) -> None:
    """One event that says who, and how much had come by then."""
    association = server.associate()
    put_store(association, UID, DATASET)
    association.abort()
    event = server.wait_for("association-aborted")
    assert (event.facts["code"], event.facts["by"], event.facts["stage"]) == (
        "association-aborted",
        "peer",
        "association",
    )
    assert event.severity is Severity.WARNING
    assert "1 instance stored" in event.message
    assert len(server.events) == 3


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("point", ["before a word", "in a header", "in a PDU", "associated", "in a command", "in data"])
def test_peer_that_goes_away_costs_one_event(server: RunningServer, tmp_path: Path, point: str, how: str) -> None:
    """At whatever point, with or without a reset; nothing stays behind."""
    sock = socket.create_connection(server.address)
    if point in ("associated", "in a command", "in data"):
        sock.close()
        association = server.associate()
        sock = association._channel._stream.sock
        context_id = context_of(association)
        if point == "in a command":
            sock.send(data_fragments(context_id, [b"x" * 100])[:30])
        elif point == "in data":
            association.send(context_id, store_request(UID))
            association.write(data_fragments(context_id, [DATASET, b""])[:-12])
    elif point != "before a word":
        sock.send(b"\x01\0\0\0"[: 2 if point == "in a header" else 4] + (b"\0\xc8" if point == "in a PDU" else b""))
    if how == "reset":
        reset(sock)
    else:
        sock.close()
    event = server.wait_for("association-aborted", 2 if point in ("associated", "in a command", "in data") else 1)
    assert event.facts["code"] == "association-aborted"
    assert event.facts["by"] == "peer"
    assert all_files(tmp_path / "kept") == []


@pytest.mark.parametrize(
    "sent",
    [
        b"\x04\0\0\0\0\x0a" + b"\0\0\0\x06\x01\x03abcd",
        b"\x08\0\0\0\0\0",
        b"\x01\0\xff\xff\xff\xff",
        b"\x01\0\0\0\0\x04abcd",
        b"\x02\0\0\0\0\x00",
        b"\x05\0\0\0\0\x04\0\0\0\0",
    ],
    ids=["data", "unknown type", "4 GB", "too short", "accept", "release"],
)
def test_first_pdu_that_is_no_request_is_answered_with_an_abort(server: RunningServer, sent: bytes) -> None:
    """One event, and an A-ABORT of the service-user for the peer (PS3.8 table 9-10, state 2, AA-1)."""
    with socket.create_connection(server.address, timeout=20) as client:
        client.sendall(sent)
        assert receive_until_end(client) == ABORT
    event = server.wait_for("association-aborted")
    assert (event.facts["code"], event.facts["by"]) == ("protocol-error", "peer")
    assert len(server.events) == 1


@pytest.mark.parametrize(
    "data",
    [
        data_fragments(5, [b"x" * 10]),
        b"\x04\0\x7f\xff\xff\xff",
        b"\x04\0\0\0\0\x04\0\0\0\xff",
        b"\x04\0\0\0\0\0",
        b"\x01\0\0\0\0\x04abcd",
        b"\x99\0\0\0\0\x04abcd",
    ],
    ids=["context", "2 GB", "item too long", "no item", "associate again", "unknown"],
)
def test_nonsense_on_an_association_is_answered_with_an_abort(server: RunningServer, data: bytes) -> None:
    """Presentation contexts that were never agreed on, lengths that lie, types that are not due."""
    association = server.associate()
    association.write(data)
    with pytest.raises(AssociationAborted) as caught:
        association.receive(20)
    assert caught.value.source == 2
    event = server.wait_for("association-aborted")
    assert event.facts["code"] == "protocol-error"
    assert len(server.events) == 2


def test_silence_on_an_association_ends_it(tmp_path: Path) -> None:
    """Idle for too long: an A-ABORT, and one event."""
    with our_server(tmp_path, idle_timeout=0.05) as server:
        association = server.associate()
        with pytest.raises(AssociationAborted):
            association.receive(20)
        assert server.wait_for("association-aborted").facts["code"] == "dimse-timeout"


def test_silence_after_the_first_byte_ends_the_connection(tmp_path: Path) -> None:
    """A request that is never finished has its time as well, and no answer (AA-2)."""
    with our_server(tmp_path, association_timeout=0.05) as server, socket.create_connection(server.address) as client:
        client.send(b"\x01")
        assert receive_until_end(client) == b""
        assert server.wait_for("association-aborted").facts["code"] == "association-timeout"


def test_stop_in_a_delay_aborts_the_association(tmp_path: Path) -> None:
    """A response that is being held back is no reason to go without a word."""
    with our_server(tmp_path, faults=Faults(delay=100.0), grace=0.0) as server:
        association = server.associate()
        association.send(context_of(association, VERIFICATION), echo_request())
        server.wait_for("association-accepted")
        server.server.stop()
        with pytest.raises(AssociationAborted) as caught:
            association.receive(20)
        assert caught.value.source == 0
        assert "server is stopping" in server.wait_for("association-aborted").message


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError()], ids=["I/O", "memory"])
def test_failure_of_our_own_aborts_the_association(tmp_path: Path, error: Exception) -> None:
    """Whoever listens to new instances may fail: the peer is told, the place is free again, and one event says why."""

    def fail(_outcome: object) -> None:
        raise error

    with our_server(tmp_path, on_stored=fail, max_associations=1) as server:
        for count in (1, 2):
            association = associate_when_there_is_room(server)
            with pytest.raises(AssociationAborted) as caught:
                put_store(association, f"{UID}.{count}", DATASET)
            assert caught.value.source == 0
            event = server.wait_for("association-aborted", count)
            assert event.facts["by"] == "us"


def associate_when_there_is_room(server: RunningServer) -> Association:
    """An association, as soon as the one before has left its place."""
    while True:
        try:
            return server.associate()
        except AssociationRejected:
            continue


def test_stored_instances_are_told_unless_nobody_wants_it(tmp_path: Path) -> None:
    """One event each, which can be left out where instances are many and small."""
    with our_server(tmp_path / "told") as server, closing(server.associate()) as association:
        put_store(association, UID, DATASET)
        event = server.wait_for("stored")
    assert event.severity is Severity.DETAIL
    assert event.facts["sop_instance_uid"] == UID
    assert Path(str(event.facts["path"])).is_relative_to(tmp_path / "told")
    with our_server(tmp_path / "untold", tells_details=False) as server:
        association = server.associate()
        put_store(association, UID, DATASET)
        association.release()
        assert server.wait_for("association-released").facts["stored"] == 1
        assert server.named("stored") == []
