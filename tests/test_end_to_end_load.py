"""`dicomtls serve` under load: many associations at once, many clients that say nothing, and what that costs."""

import random
import resource
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import pytest

from dicomtls.peer import Peer
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from tests.support.cli import Running
from tests.support.exchange import (
    client_options,
    events,
    read_contents,
    run_json,
    server_options,
    serving_with_events,
    warnings_of,
)
from tests.support.instances import Instance, make_instances, new_uid
from tests.support.peers import dcmtk_tls_options, require
from tests.support.pki import PKI
from tests.support.servers import CT_CONTEXT, client_tls, put_store, stored_files

ASSOCIATIONS = 200
STOCK_SENDERS = 10
"""How many of them are DCMTK's storescu; the others are our own library, in threads of this process."""
INSTANCES = 5
SILENT = 1000
STOPPED_IN_HANDSHAKE = 100
CLIENT_HELLO_BEGINS = bytes.fromhex("16030100c8010000c40303") + bytes(50)
DEADLINE = 60.0
ROUNDS = 16
# What the allocator may gather in half of the rounds; one instance lost in each association would be 30 MB.
FLAT = 6 << 20

Sent = dict[str, bytes]


def datasets() -> Sent:
    """What one association sends, by UID: some pixels, of lengths that differ."""
    sizes = [2 * random.randrange(1000, 20_000) for _ in range(INSTANCES)]
    return {new_uid(): b"\xe0\x7f\x10\x00" + size.to_bytes(4, "little") + random.randbytes(size) for size in sizes}


def send_over_one(requestor: Requestor, together: threading.Barrier) -> Sent:
    """Associate, wait until everybody has, and store; returns what was answered with success."""
    association = requestor.associate(requestor.attempt(), [CT_CONTEXT])
    together.wait(DEADLINE)
    wanted = datasets()
    done = {
        uid: content
        for number, (uid, content) in enumerate(wanted.items(), 1)
        if put_store(association, uid, content, message_id=number).status == 0x0000
    }
    association.release()
    return done


def start_stock_sender(pki: PKI, running: Running, instances: Sequence[Instance]) -> subprocess.Popen[bytes]:
    """DCMTK's storescu with some instances of its own."""
    command = [require("storescu"), *dcmtk_tls_options(pki, pki.client), running.host, str(running.port)]
    return subprocess.Popen([*command, *[str(instance.path) for instance in instances]])


def round_of_associations(pki: PKI, running: Running, stock: Sequence[Sequence[Instance]]) -> Sent:
    """Send over all associations at once; returns what our own ones were answered with success."""
    own = ASSOCIATIONS - len(stock)
    peer, settings = Peer(running.host, running.port), AssociationSettings(connect_timeout=DEADLINE)
    requestor = Requestor(peer, client_tls(pki), settings)
    senders: list[subprocess.Popen[bytes]] = []
    # The last one to be ready starts the others, so that all are there at once.
    together = threading.Barrier(own, lambda: senders.extend(start_stock_sender(pki, running, some) for some in stock))
    with ThreadPoolExecutor(own) as threads:
        results = [threads.submit(send_over_one, requestor, together) for _ in range(own)]
    assert [sender.wait(DEADLINE) for sender in senders] == [0] * len(stock)
    return {uid: content for result in results for uid, content in result.result().items()}


def wait_for_released(running: Running, count: int) -> None:
    """Until so many associations have been released."""

    def released() -> int:
        return running.log().count('"association-released"')

    running.wait_until(lambda: released() >= count, f"{count} released associations", DEADLINE)


def assert_nothing_lost(kept: Path, sent: Sent, stock: Sequence[Sequence[Instance]]) -> None:
    """Everything that was sent is there, byte for byte, and nothing else."""
    files = {path.stem: path for path in stored_files(kept)}
    theirs = {instance.sop_instance_uid: instance.path for some in stock for instance in some}
    assert files.keys() == sent.keys() | theirs.keys()
    assert [uid for uid, content in sent.items() if read_contents(files[uid]).dataset != content] == []
    assert [uid for uid, path in theirs.items() if read_contents(files[uid]) != read_contents(path)] == []


def memory(running: Running) -> int:
    """How many bytes a process has in memory."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])


def test_many_associations_at_once_lose_nothing(pki: PKI, tmp_path: Path) -> None:
    """As many as are let in by default, stock senders among them; no line of the log is a warning."""
    stock = [
        make_instances(tmp_path / f"stock{number}", INSTANCES, pixel_bytes=16 * 1024) for number in range(STOCK_SENDERS)
    ]
    kept = tmp_path / "kept"
    with serving_with_events(kept, *server_options(pki)) as running:
        sent = round_of_associations(pki, running, stock)
        wait_for_released(running, ASSOCIATIONS)
        told = events(running)
    assert len(sent) == (ASSOCIATIONS - STOCK_SENDERS) * INSTANCES
    assert_nothing_lost(kept, sent, stock)
    assert {event["severity"] for event in told} == {"info"}
    assert sum(event.get("stored", 0) for event in told) == ASSOCIATIONS * INSTANCES


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_memory_stays_flat_over_many_rounds(pki: PKI, tmp_path: Path) -> None:
    """What a server takes for 200 associations at once it takes once, and gives to the next ones."""
    samples = []
    with serving_with_events(tmp_path, *server_options(pki)) as running:
        for number in range(1, ROUNDS + 1):
            round_of_associations(pki, running, [])
            wait_for_released(running, number * ASSOCIATIONS)
            samples.append(memory(running))
    quarter = ROUNDS // 4
    settled, end = median(samples[quarter : 2 * quarter]), median(samples[-quarter:])
    assert end - settled < FLAT, [f"{sample / (1 << 20):.1f} MB" for sample in samples]


@contextmanager
def connected(running: Running, count: int, greeting: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections, each with the same first bytes and no more."""
    with ExitStack() as stack:
        sockets = []
        for _ in range(count):
            sock = stack.enter_context(socket.create_connection((running.host, running.port), timeout=20))
            sock.sendall(greeting)
            sockets.append(sock)
        yield sockets


@pytest.fixture
def _many_descriptors() -> Iterator[None]:
    """As many open descriptors as these tests need, where the system allows them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = SILENT + STOPPED_IN_HANDSHAKE + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"RLIMIT_NOFILE is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_descriptors")
def test_a_thousand_silent_clients_keep_nobody_from_being_served(pki: PKI, tmp_path: Path) -> None:
    """Nor do a hundred more that stop in the middle of their ClientHello: an echo takes less than a second.

    When there are too many, the ones that have been silent longest go first, and no others.
    """
    with (
        serving_with_events(tmp_path, *server_options(pki), "--connect-timeout", "60") as running,
        connected(running, SILENT),
        connected(running, STOPPED_IN_HANDSHAKE, CLIENT_HELLO_BEGINS),
    ):
        results = [run_json("echo", running.address, *client_options(pki, pki.client)) for _ in range(2)]
        warnings = warnings_of(running)
    assert [result.exit_status for result in results] == [0, 0], results[0].stderr
    assert max(result.json()["timing_ms"]["total"] for result in results) < 1000
    assert {event["event"] for event in warnings} <= {"dropped"}
    assert len(warnings) < SILENT / 2


def test_each_broken_client_is_one_line(pki: PKI, tmp_path: Path) -> None:
    """A hundred at once, of several sorts; after them an echo is served as ever."""
    sorts = (b"", b"GET / HTTP/1.1\r\n\r\n", bytes(range(128, 256)), CLIENT_HELLO_BEGINS)
    each = 25
    with serving_with_events(tmp_path, *server_options(pki), "--connect-timeout", "3") as running:
        with ExitStack() as stack:
            for content in sorts:
                stack.enter_context(connected(running, each, content))
            running.wait_until(lambda: running.log().count("\n") >= each * len(sorts), "a line for each client")
        result = run_json("echo", running.address, *client_options(pki, pki.client))
        wait_for_released(running, 1)
        warnings = warnings_of(running)
    assert result.exit_status == 0
    assert len(warnings) == each * len(sorts)
    assert sorted({event["code"] for event in warnings}) == ["handshake-timeout", "peer-is-not-tls", "peer-speaks-http"]
    assert len({event["peer"] for event in warnings}) == len(warnings)
