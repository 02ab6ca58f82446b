"""Connections that have said nothing yet."""

import errno
import os
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from time import monotonic

import pytest

from dicomtls.connection import listen
from dicomtls.scp import waiting_room as waiting_room_module
from dicomtls.scp.waiting_room import WaitingRoom, raise_descriptor_limit
from dicomtls.waiting import Interrupt
from tests.support.processes import LOOPBACK

PATIENCE = 1000.0


class Exhausted(socket.socket):
    """A listener on which accepting fails with these errors first."""

    errors: list[int]

    def accept(self) -> tuple[socket.socket, object]:
        """Fail, as long as there are errors left."""
        if self.errors:
            code = self.errors.pop(0)
            raise OSError(code, os.strerror(code))
        return super().accept()


class Setting:
    """A waiting room, and clients that come into it."""

    def __init__(self, *errors: int, patience: float = PATIENCE, capacity: int = 10) -> None:
        self.listener = Exhausted(fileno=listen(LOOPBACK, 0).detach())
        self.listener.setblocking(False)  # noqa: FBT003 -- the standard library's own signature
        self.listener.errors = list(errors)
        self.wake = Interrupt()
        self.room = WaitingRoom(self.listener, self.wake, patience=patience, capacity=capacity)
        self.stack = ExitStack()
        self.stack.callback(self.room.close)
        self.stack.callback(self.wake.close)

    def client(self) -> socket.socket:
        """Connect."""
        return self.stack.enter_context(socket.create_connection(self.listener.getsockname()))

    def speaking(self) -> list[tuple[str, int]]:
        """Who has begun to speak."""
        return [self.address(sock) for sock in self.room.speaking()]

    def expired(self) -> list[tuple[str, int]]:
        """Who has to go."""
        return [self.address(sock) for sock in self.room.expired()]

    def address(self, sock: socket.socket) -> tuple[str, int]:
        """The other end of an accepted connection, which is closed then."""
        self.stack.callback(sock.close)
        host, port = sock.getpeername()
        return host, port


@contextmanager
def setting(*errors: int, patience: float = PATIENCE, capacity: int = 10) -> Iterator[Setting]:
    """A waiting room that is closed at the end."""
    made = Setting(*errors, patience=patience, capacity=capacity)
    with made.stack:
        yield made


def test_only_who_speaks_is_let_through() -> None:
    """The silent ones stay; whoever sent something comes out once."""
    with setting() as here:
        silent, talker = here.client(), here.client()
        assert here.speaking() == []  # both are accepted
        talker.send(b"x")
        assert here.speaking() == [talker.getsockname()]
        silent.send(b"x")
        assert here.speaking() == [silent.getsockname()]
        assert here.expired() == []


def test_accepted_connections_do_not_block_and_have_no_delay() -> None:
    """They are ready for the channel."""
    with setting() as here:
        client = here.client()
        client.send(b"x")
        accepted = [*here.room.speaking(), *here.room.speaking()]
        [sock] = accepted
        with sock:
            assert not sock.getblocking()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_client_that_closes_in_silence_is_let_through() -> None:
    """Whoever handles connections finds out, and says so."""
    with setting() as here:
        client = here.client()
        assert here.speaking() == []
        address = client.getsockname()
        client.shutdown(socket.SHUT_WR)
        assert here.speaking() == [address]


def test_silent_connections_expire_oldest_first_when_there_are_too_many() -> None:
    """Those that came last have the best chance to be real."""
    with setting(capacity=2) as here:
        addresses = []
        for _ in range(5):
            addresses.append(here.client().getsockname())
            assert here.speaking() == []
        assert here.expired() == addresses[:3]
        assert here.expired() == []


def test_silent_connections_expire_when_their_time_is_up() -> None:
    """Each at its time; the wait for news ends then by itself."""
    with setting(patience=0.02) as here:
        address = here.client().getsockname()
        assert here.speaking() == []
        assert here.speaking() == []  # returns when the time is up, with nothing to tell
        assert here.expired() == [address]


def test_interrupt_ends_the_wait() -> None:
    """`stop` does not wait for the next client."""
    with setting() as here:
        here.wake.set()
        assert here.speaking() == []


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
def test_accepting_pauses_when_there_are_no_descriptors(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """No busy loop: whoever is there already is served on, and accepting goes on after the pause."""
    monkeypatch.setattr(waiting_room_module, "_PAUSE_SECONDS", 0.05)
    with setting() as here:
        first = here.client()
        assert here.speaking() == []
        here.listener.errors.append(code)
        second = here.client()
        second.send(b"x")
        start = monotonic()
        assert here.speaking() == []  # the attempt that fails
        first.send(b"x")
        assert here.speaking() == [first.getsockname()]
        rounds = 0
        heard: list[tuple[str, int]] = []
        while not heard:
            rounds += 1
            heard += here.speaking()
        assert heard == [second.getsockname()]
        assert monotonic() - start >= 0.05
        assert rounds <= 3


def test_client_that_is_gone_before_it_is_accepted_costs_nothing() -> None:
    """The next one in the queue is accepted at once."""
    with setting(errno.ECONNABORTED, errno.EPROTO) as here:
        client = here.client()
        client.send(b"x")
        assert [*here.speaking(), *here.speaking()] == [client.getsockname()]


def test_close_ends_silent_connections() -> None:
    """They learn that nobody listens any more."""
    with setting() as here:
        client = here.client()
        assert here.speaking() == []
        here.room.close()
        assert client.recv(1) == b""
        with closing(socket.socket()) as late, pytest.raises(ConnectionRefusedError):
            late.connect((LOOPBACK, client.getpeername()[1]))


def limits(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, *, fixed: bool = False) -> list[tuple[int, int]]:
    """Pretend that these are the limits; returns what they are set to."""
    held = [(soft, hard)]

    def setrlimit(_which: int, new: tuple[int, int]) -> None:
        if fixed:
            msg = "not allowed to raise maximum limit"
            raise ValueError(msg)
        held.append(new)

    monkeypatch.setattr(resource, "getrlimit", lambda _which: held[-1])
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    return held


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [(1024, 4096, 4032), (1024, 1024, 960), (32, 64, 1), (10, 10, 1), (1024, resource.RLIM_INFINITY, 960)],
)
def test_descriptor_limit_is_raised_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, expected: int
) -> None:
    """What is left for connections is at least one, whatever the limit."""
    held = limits(monkeypatch, soft, hard, fixed=hard == resource.RLIM_INFINITY)
    assert raise_descriptor_limit() == expected
    if soft < hard:
        assert held[-1] == (hard, hard)


def test_descriptor_limit_may_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlimited is not minus one; Windows has no such limits, but its `select` does."""
    limits(monkeypatch, resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert raise_descriptor_limit() is None
    monkeypatch.setitem(sys.modules, "resource", None)
    assert raise_descriptor_limit() == 448
