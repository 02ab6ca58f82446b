"""dicomtls.connection: from a name to a connected socket, and every way in which there is none."""

import errno
import gc
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from dicomtls import connection
from dicomtls.connection import Address, connect, resolve
from dicomtls.diagnosis import diagnose
from dicomtls.errors import ExitStatus, Interrupted, NetworkError, Stage
from dicomtls.waiting import Interrupt, Waiter, deadline_in

SOON = 0.1
LONG = 30.0
LOOPBACK = "127.0.0.1"
needs_ipv6 = pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")


@contextmanager
def listener(host: str = LOOPBACK) -> Iterator[Address]:
    """Where somebody listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        yield family, server.getsockname()


@contextmanager
def dead_port() -> Iterator[Address]:
    """Where nobody listens, and nobody else will as long as the block lasts."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        yield socket.AF_INET, taken.getsockname()


@contextmanager
def swallowing_port() -> Iterator[Address]:
    """Where no answer comes: a listener whose backlog is full drops whoever asks."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server((LOOPBACK, 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(server.getsockname())
        yield socket.AF_INET, server.getsockname()


@contextmanager
def interrupted_while_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Interrupt]:
    """An interrupt that another thread sets once somebody in `connection` has begun to wait."""
    interrupt = Interrupt()
    about_to_wait = threading.Event()

    class TellingWaiter(Waiter):
        """Says when a wait begins."""

        def _wait(self, deadline: float | None, *, for_writing: bool) -> None:
            about_to_wait.set()
            super()._wait(deadline, for_writing=for_writing)

    def set_it() -> None:
        if about_to_wait.wait(LONG):
            interrupt.set()

    monkeypatch.setattr(connection, "Waiter", TellingWaiter)
    thread = threading.Thread(target=set_it)
    thread.start()
    yield interrupt
    about_to_wait.set()
    thread.join()
    interrupt.close()


def failure(action: Callable[[], object]) -> NetworkError:
    """The network error in which something ends."""
    with pytest.raises(NetworkError) as caught:
        action()
    assert diagnose(caught.value).exit_status == ExitStatus.NETWORK
    assert diagnose(caught.value).hints
    return caught.value


def open_descriptors() -> set[str]:
    """The numbers of the files that this process has open."""
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def _hanging_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A name service that does not answer before the test is over."""
    over = threading.Event()
    threads = threading.active_count()

    def hang(*_args: object, **_options: object) -> list[Any]:
        over.wait(LONG)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield
    over.set()
    for thread in threading.enumerate():
        if thread.name.startswith("resolve "):
            thread.join(LONG)
    assert threading.active_count() <= threads


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", (socket.AF_INET, ("127.0.0.1", 104))),
        ("::1", (socket.AF_INET6, ("::1", 104, 0, 0))),
        ("2001:db8::1", (socket.AF_INET6, ("2001:db8::1", 104, 0, 0))),
    ],
)
def test_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch, host: str, address: Address) -> None:
    """A number needs neither a name service nor a thread."""
    monkeypatch.delattr(socket, "getaddrinfo")
    assert resolve(host, 104, deadline_in(LONG)) == [address]


def test_name_is_looked_up_with_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the resolver's order, whatever the family."""
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 104, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 104)),
    ]
    asked: list[tuple[object, ...]] = []

    def answer(*args: object, **_options: object) -> list[Any]:
        asked.append(args)
        return found

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert resolve("pacs", 104, deadline_in(LONG)) == [(family, target) for family, _, _, _, target in found]
    assert asked == [(b"pacs", 104)]


def test_localhost_is_found() -> None:
    """The real resolver, for the one name that needs no network."""
    addresses = resolve("localhost", 104, deadline_in(LONG))
    assert (socket.AF_INET, ("127.0.0.1", 104)) in addresses or (socket.AF_INET6, ("::1", 104, 0, 0)) in addresses


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        UnicodeError("label too long"),
    ],
    ids=["unknown", "no name service", "no name at all"],
)
def test_name_that_is_not_found_says_so(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Stage, code, the name, and what the resolver said."""

    def refuse(*_args: object, **_options: object) -> list[Any]:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    caught = failure(partial(resolve, "pacs.nowhere", 104, deadline_in(LONG)))
    assert (caught.code, caught.stage, caught.by) == ("name-not-found", Stage.NAME, "neither")
    assert "pacs.nowhere" in caught.message
    assert caught.evidence == {"reason": str(error)}


def test_absurd_name_is_not_found() -> None:
    """The real resolver on a label of over 63 characters, and on a NUL."""
    for name in ("a" * 300, "a..b", "\x00"):
        assert failure(partial(resolve, name, 104, deadline_in(LONG))).code == "name-not-found"


@pytest.mark.usefixtures("_hanging_resolver")
def test_deadline_holds_when_the_name_service_hangs() -> None:
    """The lookup is left behind; nothing else waits for it."""
    start = monotonic()
    caught = failure(partial(resolve, "pacs", 104, deadline_in(SOON)))
    assert SOON <= monotonic() - start < LONG / 2
    assert (caught.code, caught.stage) == ("connect-timeout", Stage.NAME)
    assert "pacs" in caught.message


@pytest.mark.usefixtures("_hanging_resolver")
def test_interrupt_ends_a_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C need not wait for the name service."""
    with interrupted_while_waiting(monkeypatch) as interrupt, pytest.raises(Interrupted):
        resolve("pacs", 104, deadline_in(LONG), interrupt)


def test_lookup_leaves_no_descriptor_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when it ends nor when it is given up: a scan asks for thousands of names."""
    before = open_descriptors()
    resolve("localhost", 104, deadline_in(LONG))
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: answered.wait(LONG) and [])
    failure(partial(resolve, "pacs", 104, monotonic()))
    answered.set()
    for thread in threading.enumerate():
        if thread.name == "resolve pacs":
            thread.join(LONG)
    gc.collect()  # an unclosed socket would be a ResourceWarning here, and so a failure
    assert open_descriptors() <= before


@pytest.mark.parametrize("host", [LOOPBACK, pytest.param("::1", marks=needs_ipv6)])
def test_connected_socket_is_ready_for_use(host: str) -> None:
    """It does not block, has no Nagle's algorithm, and is connected to where it should be."""
    with listener(host) as address, connect([address], deadline_in(LONG)) as sock:
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getpeername()[:2] == address[1][:2]


def test_refused_connection_says_where() -> None:
    """Nothing listens: the peer's machine said so itself."""
    with dead_port() as address:
        caught = failure(partial(connect, [address], deadline_in(LONG)))
    assert (caught.code, caught.stage, caught.by) == ("connection-refused", Stage.TCP, "peer")
    where = f"{LOOPBACK}:{address[1][1]}"
    assert where in caught.message
    assert caught.evidence == {"address": where, "reason": os.strerror(errno.ECONNREFUSED)}


@needs_ipv6
def test_refused_connection_writes_an_ipv6_address_in_brackets() -> None:
    """So that it can be pasted as a peer."""
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", 0))
        port = taken.getsockname()[1]
        caught = failure(partial(connect, [(socket.AF_INET6, ("::1", port, 0, 0))], deadline_in(LONG)))
    assert f"[::1]:{port}" in caught.message


# Neither leaves this machine: the kernel refuses to connect to a broadcast or a multicast address.
@pytest.mark.parametrize("host", ["255.255.255.255", "224.0.0.1"])
def test_address_without_a_route_is_unreachable(host: str) -> None:
    """The kernel's reason is in the message."""
    caught = failure(partial(connect, [(socket.AF_INET, (host, 104))], deadline_in(LONG)))
    assert (caught.code, caught.stage, caught.by) == ("unreachable", Stage.TCP, "neither")
    assert f"{host}:104 cannot be reached: " in caught.message


class FakeSocket(socket.socket):
    """A socket whose connection ends in `error`, at once or after a wait."""

    error = 0
    at_once = True

    def connect_ex(self, _address: object) -> int:
        """Fail now, or say that it is under way."""
        return self.error if self.at_once else errno.EINPROGRESS

    def getsockopt(self, *_args: Any) -> Any:
        """Fail later."""
        return self.error


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "later"])
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.ENETUNREACH, "unreachable"),
        (errno.ENETDOWN, "unreachable"),
        (errno.EACCES, "unreachable"),
        (errno.ECONNREFUSED, "connection-refused"),
        (errno.ETIMEDOUT, "connect-timeout"),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else value,
)
def test_error_of_the_network_becomes_its_code(
    monkeypatch: pytest.MonkeyPatch, number: int, code: str, *, at_once: bool
) -> None:
    """Whenever the kernel reports it."""
    monkeypatch.setattr(FakeSocket, "error", number)
    monkeypatch.setattr(FakeSocket, "at_once", at_once)
    monkeypatch.setattr(socket, "socket", FakeSocket)
    caught = failure(partial(connect, [(socket.AF_INET, (LOOPBACK, 104))], deadline_in(LONG)))
    assert caught.code == code
    assert caught.evidence["reason"] == os.strerror(number)


def test_peer_that_resets_at_once_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepted first: whoever writes or reads next says what became of it."""
    monkeypatch.setattr(FakeSocket, "error", errno.ECONNRESET)
    monkeypatch.setattr(FakeSocket, "at_once", False)
    monkeypatch.setattr(socket, "socket", FakeSocket)
    connect([(socket.AF_INET, (LOOPBACK, 104))], deadline_in(LONG)).close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EMFILE, "too many"), os.strerror(errno.EMFILE)),
        (OSError(errno.EAFNOSUPPORT, "no such family"), os.strerror(errno.EAFNOSUPPORT)),
        (OSError("without a number"), os.strerror(0)),
    ],
    ids=["EMFILE", "EAFNOSUPPORT", "none"],
)
def test_socket_that_cannot_be_had_is_a_network_error(
    monkeypatch: pytest.MonkeyPatch, error: OSError, reason: str
) -> None:
    """Too many files, or a family that this machine lacks."""

    def refuse(*_args: object) -> socket.socket:
        raise error

    monkeypatch.setattr(socket, "socket", refuse)
    caught = failure(partial(connect, [(socket.AF_INET, (LOOPBACK, 104))], deadline_in(LONG)))
    assert caught.evidence["reason"] == reason
    is_want = reason == os.strerror(errno.EMFILE)
    assert any("ulimit -n" in hint for hint in caught.hints) is is_want


def test_error_that_python_raises_while_connecting_is_a_network_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some errors come as exceptions from the socket itself."""

    def refuse(*_args: object) -> int:
        raise OSError(errno.EADDRNOTAVAIL, "no")

    monkeypatch.setattr(FakeSocket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "socket", FakeSocket)
    caught = failure(partial(connect, [(socket.AF_INET, (LOOPBACK, 104))], deadline_in(LONG)))
    assert caught.evidence["reason"] == os.strerror(errno.EADDRNOTAVAIL)


def test_silent_address_ends_at_the_deadline() -> None:
    """A listener whose backlog is full answers nothing."""
    with swallowing_port() as address:
        start = monotonic()
        caught = failure(partial(connect, [address], deadline_in(SOON)))
    assert SOON <= monotonic() - start < LONG / 2
    assert (caught.code, caught.stage, caught.by) == ("connect-timeout", Stage.TCP, "neither")


def test_deadline_that_has_passed_is_a_timeout() -> None:
    """The name service may have used up all of the time."""
    with listener() as address:
        assert failure(partial(connect, [address, address], monotonic() - 1)).code == "connect-timeout"


def test_first_address_that_answers_is_taken() -> None:
    """One that refuses and one that swallows packets cost a part of the time, not the connection."""
    with (
        dead_port() as dead,
        swallowing_port() as silent,
        listener() as good,
        connect([dead, silent, good], deadline_in(10 * SOON)) as sock,  # half of it for the good one
    ):
        assert sock.getpeername() == good[1]


def test_refusal_is_reported_rather_than_silence() -> None:
    """Of several failures the one that says most: somebody is there, but not at this port."""
    with dead_port() as dead, swallowing_port() as silent:
        for addresses in ([dead, silent], [silent, dead]):
            caught = failure(partial(connect, addresses, deadline_in(6 * SOON)))  # half of it for the refusal
            assert caught.code == "connection-refused"
        caught = failure(partial(connect, [silent, (socket.AF_INET, ("255.255.255.255", 1))], deadline_in(2 * SOON)))
        assert caught.code == "connect-timeout"


def test_name_without_an_address_is_not_found() -> None:
    """A resolver that answers with nothing."""
    assert failure(partial(connect, [], deadline_in(LONG))).code == "name-not-found"


def test_interrupt_ends_a_connection_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, without trying the other addresses, and without leaving a socket open."""
    before = open_descriptors()
    with (
        swallowing_port() as silent,
        interrupted_while_waiting(monkeypatch) as interrupt,
        pytest.raises(Interrupted),
    ):
        connect([silent, silent], deadline_in(LONG), interrupt)
    assert open_descriptors() <= before


def test_failed_attempts_leave_no_socket_open() -> None:
    """However they failed."""
    before = open_descriptors()
    with dead_port() as dead, swallowing_port() as silent:
        failure(partial(connect, [dead, silent, dead], deadline_in(SOON)))
    assert open_descriptors() <= before
