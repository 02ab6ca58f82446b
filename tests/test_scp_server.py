"""A server as a whole: who is served, who is kept out, how it ends, and that nothing is lost or left."""

import hashlib
import shutil
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from time import monotonic

import pytest

from dicomtls.association.association import Association
from dicomtls.association.negotiation import ContextProposal
from dicomtls.errors import AssociationAborted, AssociationRejected, HandshakeError, MachineError, NetworkError
from dicomtls.peer import Peer
from dicomtls.scp import server as server_module
from dicomtls.scp.access import AccessRules, Allowed
from dicomtls.scp.certificates import CertificateSource
from dicomtls.scp.server import Server
from dicomtls.scp.settings import ServerSettings
from dicomtls.scp.storage import FolderStorage, IncomingInstance, InstanceHeader
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from dicomtls.scu.echo import echo
from dicomtls.scu.instances import find_instances
from dicomtls.scu.store import StoreOptions, store
from dicomtls.tls import TLSSettings
from tests.support.cli import dicomtls_environment
from tests.support.instances import make_instances
from tests.support.kept import DATASET, UID, dataset_of
from tests.support.pki import PKI
from tests.support.processes import LOOPBACK
from tests.support.servers import (
    CT,
    DEADLINE,
    ECHO_CONTEXT,
    VERIFICATION,
    RunningServer,
    all_files,
    ask,
    client_tls,
    context_of,
    data_fragments,
    echo_request,
    hello,
    our_server,
    put_store,
    response_of,
    server_tls,
    store_request,
    stored_files,
)

# Limits and rules


def test_association_too_many_is_rejected_for_now(tmp_path: Path) -> None:
    """Local limit exceeded, transient; there is room again when somebody has left."""
    with our_server(tmp_path, max_associations=2) as server:
        first, second = server.associate(), server.associate()
        with pytest.raises(AssociationRejected) as caught:
            server.associate()
        assert (caught.value.result, caught.value.source, caught.value.reason) == (2, 3, 2)
        assert "2 associations already" in server.wait_for("association-rejected").message
        first.release()
        third = again(server)
        second.abort()
        again(server).release()
        third.release()


def again(server: RunningServer) -> Association:
    """An association, as soon as there is room."""
    while True:
        with suppress(AssociationRejected):
            return server.associate()


def test_rejected_association_takes_no_place(tmp_path: Path) -> None:
    """Those who are kept out for another reason do not fill it up."""
    with our_server(tmp_path, max_associations=1, access=AccessRules(ae_title="PACS")) as server:
        for _ in range(5):
            with pytest.raises(AssociationRejected) as caught:
                server.associate(called_ae_title="OTHER")
            assert caught.value.reason == 7
        server.associate(called_ae_title="PACS").release()


def test_calling_ae_titles_are_let_in_by_list(tmp_path: Path) -> None:
    """The others are rejected for good, with the reason."""
    with our_server(tmp_path, access=AccessRules(allowed=[Allowed("WS1")])) as server:
        server.associate(calling_ae_title="WS1").release()
        with pytest.raises(AssociationRejected) as caught:
            server.associate(calling_ae_title="WS2")
        assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, 3)
        event = server.wait_for("association-rejected")
        assert "WS2" in event.message


def test_calling_ae_title_with_a_fingerprint_needs_that_certificate(pki: PKI, tmp_path: Path) -> None:
    """The AE title alone can be said by anybody."""
    digest = hashlib.sha256(pki.client.cert_der.read_bytes()).hexdigest()
    access = AccessRules(allowed=[Allowed.parse(f"DICOMTLS=sha256:{digest}")])
    with our_server(tmp_path, server_tls(pki), access=access) as server:
        ask(server, client_tls(pki))
        with pytest.raises(AssociationRejected) as caught:
            ask(server, client_tls(pki, pki.client_ec))
        assert caught.value.reason == 3


@pytest.mark.parametrize("accepts", [True, False])
def test_unknown_sop_class_is_accepted_only_when_it_is_said_so(tmp_path: Path, *, accepts: bool) -> None:
    """Private ones with `--accept-unknown`; every transfer syntax in either case."""
    private = ContextProposal(abstract_syntax="1.2.3.4", transfer_syntaxes=("1.2.840.10008.1.2",))
    odd = ContextProposal(abstract_syntax=CT, transfer_syntaxes=("1.2.3.4.5", "1.2.840.10008.1.2"))
    with our_server(tmp_path, accept_unknown=accepts) as server:
        association = server.associate(private, odd)
        accepted = {context.abstract_syntax: context for context in association.parameters.contexts.values()}
        association.release()
    assert ("1.2.3.4" in accepted) is accepts
    assert accepted[CT].transfer_syntax == "1.2.3.4.5"


# Nothing is lost


def test_many_associations_at_once_lose_nothing(pki: PKI, tmp_path: Path) -> None:
    """Forty of them, five instances each, over mutual TLS."""
    sent = make_instances(tmp_path / "sent", 200, pixel_bytes=4096)
    found = find_instances([str(tmp_path / "sent")]).instances
    with our_server(tmp_path / "kept", server_tls(pki)) as server, ThreadPoolExecutor(40) as pool:
        requestor = server.requestor(client_tls(pki))
        parts = [found[start : start + 5] for start in range(0, 200, 5)]
        results = list(pool.map(lambda part: store(requestor, part, StoreOptions()), parts))
        server.wait_for("association-released", 40)
    assert [result.sent for result in results] == [5] * 40
    kept = {path.stem: path for path in stored_files(tmp_path / "kept")}
    assert kept.keys() == {instance.sop_instance_uid for instance in sent}
    for instance in sent:
        assert dataset_of(kept[instance.sop_instance_uid]) == dataset_of(instance.path)
    assert len(all_files(tmp_path / "kept")) == 200


def test_connections_leave_no_descriptor_behind(pki: PKI, tmp_path: Path) -> None:
    """A hundred of every kind: well-behaved, broken off, refused."""
    with our_server(tmp_path, server_tls(pki)) as server:
        tls = client_tls(pki)
        ask(server, tls)
        before = open_descriptors(server)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: ask(server, tls), range(50)))
        for _ in range(15):
            hello(server, b"garbage, no handshake")
            with suppress(HandshakeError):
                ask(server, client_tls(pki, pki.other_client))
        for _ in range(20):
            socket.create_connection(server.address).close()
        server.wait_for("handshake-failed", 50)
        assert open_descriptors(server) == before
    server.join()


def open_descriptors(server: RunningServer) -> int:
    """How many there are, when the threads of all connections have ended."""
    for thread in list(server.server._threads):
        thread.join(DEADLINE)
    return len(list(Path("/proc/self/fd").iterdir()))


def test_stopped_server_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    """Its listener, its selector and the flags that it was stopped by are gone."""
    with our_server(tmp_path):
        pass
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with our_server(tmp_path):
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


SHORT_OF_DESCRIPTORS = """
import os, pathlib, resource, sys, threading
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
from dicomtls.scp.server import Server
from dicomtls.scp.settings import ServerSettings
from dicomtls.scp.storage import FolderStorage, IncomingInstance, InstanceHeader
server = Server(
    ServerSettings(host="127.0.0.1", handshake_timeout=1000.0, max_associations=10),
    None,
    FolderStorage(pathlib.Path(sys.argv[1])),
    on_event=lambda event: os.write(1, f"{event.name}\\n".encode()),  # whole, whichever thread it is
)
print(server.port, flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), server.stop()), daemon=True).start()
server.run()
"""


def test_server_without_descriptors_left_goes_on_when_there_are_some(tmp_path: Path) -> None:
    """Two hundred clients where a hundred descriptors are allowed: accepting pauses, and the next echo succeeds."""
    with (
        subprocess.Popen(
            [sys.executable, "-c", SHORT_OF_DESCRIPTORS, tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dicomtls_environment(),
        ) as process,
        ExitStack() as clients,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        address = LOOPBACK, int(process.stdout.readline())
        for _ in range(200):
            clients.enter_context(socket.create_connection(address))
        echo(Peer(*address), None, AssociationSettings()).check()
        process.stdin.close()
        said = process.stdout.read().split()
        assert process.wait(DEADLINE) == 0
    assert said.count("dropped") >= 200 - 100
    assert said.count("association-released") == 1


# The end


def test_stop_lets_a_running_association_finish(tmp_path: Path) -> None:
    """Nobody is accepted any more; what runs goes on, and the server ends with it."""
    with our_server(tmp_path, grace=DEADLINE) as server:
        association = server.associate()
        server.server.stop()
        stopping = server.wait_for("stopping")
        assert stopping.message.startswith(f"stopping: 1 connection has {DEADLINE:g} s to finish; a second Ctrl-C")
        assert (stopping.peer, stopping.facts) == (None, {"connections": 1, "grace": DEADLINE})
        refused_from_now_on(server)
        assert put_store(association, UID, DATASET).status == 0x0000
        association.release()
        server.join()
        ours = server.wait_for("association-accepted").association  # who knocked while it stopped may be told of, too
        told = [event.name for event in server.events if event.association == ours]
        assert told == ["association-accepted", "stored", "association-released"]


def refused_from_now_on(server: RunningServer) -> None:
    """Wait until nobody listens."""
    end = monotonic() + DEADLINE
    while monotonic() < end:
        try:
            socket.create_connection(server.address).close()
        except ConnectionRefusedError:
            return
    pytest.fail("it still accepts")


def test_stop_aborts_what_outlives_the_grace(tmp_path: Path) -> None:
    """After so many seconds; the peer is told."""
    with our_server(tmp_path, grace=0.1) as server:
        association = server.associate()
        server.server.stop()
        with pytest.raises(AssociationAborted) as caught:
            association.receive(DEADLINE)
        assert caught.value.source == 0
        server.join()
        assert "server is stopping" in server.wait_for("association-aborted").message


def test_second_stop_ends_at_once(tmp_path: Path) -> None:
    """Whoever presses Ctrl-C twice does not wait for the grace."""
    with our_server(tmp_path, grace=1000.0) as server:
        association = server.associate()
        server.server.stop()
        server.server.stop()
        with pytest.raises(AssociationAborted):
            association.receive(DEADLINE)
        server.join()
        server.server.stop()  # a third one does no harm


def test_stop_without_associations_ends_at_once(tmp_path: Path) -> None:
    """There is nobody to wait for; silent clients are not waited for."""
    with our_server(tmp_path, grace=1000.0) as server, socket.create_connection(server.address) as client:
        server.server.stop()
        server.join()
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
    assert server.events == []


def test_stop_in_the_middle_of_an_instance_leaves_nothing(tmp_path: Path) -> None:
    """Half of it has come when the server ends."""
    with our_server(tmp_path / "kept", grace=0.0) as server:
        association = server.associate()
        context_id = context_of(association)
        association.send(context_id, store_request(UID))
        association.write(data_fragments(context_id, [DATASET[:100], b""])[:-12])
        server.wait_for("association-accepted")
        server.server.stop()
        with pytest.raises(AssociationAborted):
            association.receive(DEADLINE)
        server.join()
    assert all_files(tmp_path / "kept") == []


class Hanging:
    """A storage on a disk that does not answer for now."""

    def __init__(self, inner: FolderStorage) -> None:
        self.inner = inner
        self.asked = threading.Event()
        self.answers = threading.Event()

    def receive(self, header: InstanceHeader) -> IncomingInstance:
        """Wait for the disk."""
        self.asked.set()
        assert self.answers.wait(DEADLINE)
        return self.inner.receive(header)


def test_disk_that_hangs_does_not_keep_the_server_from_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing interrupts a write; the thread that waits for one ends by itself when it comes back, without a trace."""
    monkeypatch.setattr(server_module, "_FAREWELL_SECONDS", 0.05)
    with closing(FolderStorage(tmp_path)) as inner:
        hanging = Hanging(inner)
        with our_server(hanging, grace=0.0) as server:
            association = server.associate()
            association.send(context_of(association), store_request(UID), DATASET)
            assert hanging.asked.wait(DEADLINE)
            [thread] = server.server._threads
            server.server.stop()
            server.join()
            assert thread.is_alive()
            association.close()
            hanging.answers.set()
            thread.join(DEADLINE)
            assert "server is stopping" in server.wait_for("association-aborted").message
        assert all(dataset_of(path) == DATASET for path in all_files(tmp_path))


# Certificates that change


def shown_to(requestor: Requestor) -> str:
    """The fingerprint of the certificate that the server shows."""
    attempt = requestor.attempt()

    requestor.associate(attempt, [ECHO_CONTEXT]).release()
    assert attempt.negotiated is not None
    assert attempt.negotiated.peer is not None
    return attempt.negotiated.peer.fingerprint_sha256


def test_renewed_certificate_serves_from_the_next_association_on(pki: PKI, tmp_path: Path) -> None:
    """Without a restart; the running association is not touched, and a broken file changes nothing."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    shutil.copy(pki.server.cert, cert)
    shutil.copy(pki.server.key, key)
    source = CertificateSource(TLSSettings(ca=(pki.ca,), cert=(cert,), key=(key,)))
    with our_server(tmp_path / "kept", source) as server:
        requestor = server.requestor(client_tls(pki))
        old = shown_to(requestor)
        running = requestor.associate(requestor.attempt(), [ECHO_CONTEXT])
        shutil.copy(pki.server_ec.cert, cert)
        shutil.copy(pki.server_ec.key, key)
        source.reload()
        new = shown_to(requestor)
        cert.write_bytes(b"broken")
        source.reload()
        assert shown_to(requestor) == new
        running.send(context_of(running, VERIFICATION), echo_request())
        assert response_of(running).status == 0x0000
        running.release()
    assert old == hashlib.sha256(pki.server.cert_der.read_bytes()).hexdigest()
    assert new == hashlib.sha256(pki.server_ec.cert_der.read_bytes()).hexdigest()


# What the machine refuses


def test_port_in_use_is_said_before_anything_else(tmp_path: Path) -> None:
    """With its code, when the server is made."""
    with our_server(tmp_path) as server, closing(FolderStorage(tmp_path / "other")) as storage:
        with pytest.raises(MachineError) as caught:
            Server(
                ServerSettings(host=LOOPBACK, port=server.peer.port),
                None,
                storage,
                on_event=server.events.append,
            )
        assert caught.value.code == "port-in-use"


def test_host_that_is_none_is_said(tmp_path: Path) -> None:
    """A name that leads nowhere cannot be listened on."""
    with closing(FolderStorage(tmp_path)) as storage, pytest.raises(NetworkError) as caught:
        Server(ServerSettings(host="no.such.host.invalid"), None, storage, on_event=print)
    assert caught.value.code == "name-not-found"


def test_connection_is_dropped_when_there_are_no_threads_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One event, and the server lives on."""
    real, refusals = threading.Thread.start, [True]

    def start(thread: threading.Thread) -> None:
        if "_run" in thread.name and refusals:
            refusals.pop()
            msg = "can't start new thread"
            raise RuntimeError(msg)
        real(thread)

    with our_server(tmp_path) as server:
        monkeypatch.setattr(threading.Thread, "start", start)
        assert hello(server, b"\x01") == b""
        assert server.wait_for("dropped").peer
        ask(server)
