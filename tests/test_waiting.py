"""dicomtls.waiting: deadlines that hold, and an interrupt that reaches every wait."""

import select
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Any

import pytest

from dicomtls import waiting
from dicomtls.errors import Interrupted
from dicomtls.waiting import Interrupt, Waiter, deadline_in, pause

SOON = 0.05
# What a wait may take when something else ends it; on a busy machine everything is late.
LONG = 30.0


@pytest.fixture(params=["poll", "select"])
def _variant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of waiting: `select` is all that Windows has."""
    if request.param == "poll" and not hasattr(select, "poll"):
        pytest.skip("this platform has no poll")
    monkeypatch.setattr(waiting, "_select", getattr(waiting, "_poll" if request.param == "poll" else "_select_call"))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected, non-blocking sockets."""
    first, second = socket.socketpair()
    with first, second:
        first.settimeout(0)
        second.settimeout(0)
        yield first, second


@pytest.fixture
def interrupt() -> Iterator[Interrupt]:
    """An interrupt that is closed at the end."""
    interrupt = Interrupt()
    yield interrupt
    interrupt.close()


Sockets = tuple[socket.socket, socket.socket]
both_variants = pytest.mark.usefixtures("_variant")


def fill(sock: socket.socket) -> None:
    """Write until the socket takes no more."""
    with suppress(BlockingIOError):
        while sock.send(bytes(65536)):
            pass


def drain(sock: socket.socket) -> None:
    """Read until there is nothing more."""
    with suppress(BlockingIOError):
        while sock.recv(1 << 20):
            pass


@both_variants
@pytest.mark.parametrize("has_interrupt", [False, True], ids=["alone", "with an interrupt"])
def test_wait_ends_at_once_when_the_socket_is_ready(
    pair: Sockets, interrupt: Interrupt, *, has_interrupt: bool
) -> None:
    """A socket with bytes can be read, one with room can be written, with or without a deadline."""
    near, far = pair
    far.send(b"x")
    waiter = Waiter(near, interrupt if has_interrupt else None)
    for deadline in (None, deadline_in(LONG)):
        waiter.readable(deadline)
        waiter.writable(deadline)


@both_variants
def test_wait_returns_when_bytes_come(pair: Sockets) -> None:
    """What another thread sends ends a wait that has no deadline."""
    near, far = pair
    with ThreadPoolExecutor(1) as thread:
        waiting_thread = thread.submit(Waiter(near).readable, None)
        far.send(b"x")
        waiting_thread.result(LONG)
    assert near.recv(1) == b"x"


@both_variants
def test_wait_returns_when_the_peer_is_gone(pair: Sockets) -> None:
    """The end of file is something to read too."""
    near, far = pair
    far.close()
    Waiter(near).readable(deadline_in(LONG))
    assert near.recv(1) == b""


@both_variants
def test_wait_ends_at_the_deadline_and_not_before(pair: Sockets) -> None:
    """Silence becomes a `TimeoutError`, in both directions."""
    near, _ = pair
    fill(near)
    waiter = Waiter(near)
    for wait in (waiter.readable, waiter.writable):
        deadline = deadline_in(SOON)
        with pytest.raises(TimeoutError):
            wait(deadline)
        assert monotonic() >= deadline


@both_variants
def test_wait_is_too_late_when_the_deadline_has_passed_already(pair: Sockets) -> None:
    """A peer that always has one more byte cannot keep a wait from ending."""
    near, far = pair
    far.send(b"x")
    for wait in (Waiter(near).readable, Waiter(near).writable):
        with pytest.raises(TimeoutError):
            wait(monotonic() - 1)


class NotingSocket(socket.socket):
    """Remembers the options that were set."""

    def __init__(self) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self.options: list[tuple[Any, ...]] = []

    def setsockopt(self, *option: Any) -> None:
        """Set it, and remember it."""
        self.options.append(option)
        super().setsockopt(*option)


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux can be told to acknowledge at once")
def test_reader_acknowledges_at_once_before_every_wait() -> None:
    """Linux forgets the option, and a peer with Nagle's algorithm on waits for each acknowledgement."""
    at_once = (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    with socket.create_server(("127.0.0.1", 0)) as listener, NotingSocket() as near:
        near.connect(listener.getsockname())
        far, _ = listener.accept()
        with far:
            far.send(b"x")
            waiter = Waiter(near)
            waiter.writable(deadline_in(LONG))
            assert near.options == []
            for times in (1, 2):
                waiter.readable(deadline_in(LONG))
                assert near.options == [at_once] * times


@both_variants
def test_room_ends_the_wait_of_a_writer(pair: Sockets) -> None:
    """A socket that took nothing more can be written again when the peer has read."""
    near, far = pair
    fill(near)
    with ThreadPoolExecutor(1) as thread:
        writer = thread.submit(Waiter(near).writable, deadline_in(LONG))
        drain(far)
        writer.result(LONG)


@both_variants
def test_interrupt_of_another_thread_ends_every_wait(interrupt: Interrupt) -> None:
    """All that wait hear of it, readers and writers, with and without a deadline, and those that come later."""
    pairs = [socket.socketpair() for _ in range(4)]
    with ThreadPoolExecutor(len(pairs)) as threads:
        waits = []
        for number, (near, _) in enumerate(pairs):
            near.settimeout(0)
            waiter = Waiter(near, interrupt)
            deadline = deadline_in(LONG) if number % 2 else None
            if number < 2:
                waits.append(threads.submit(waiter.readable, deadline))
            else:
                fill(near)
                waits.append(threads.submit(waiter.writable, deadline))
        start = monotonic()
        interrupt.set()
        assert all(isinstance(wait.exception(LONG), Interrupted) for wait in waits)
    assert monotonic() - start < LONG / 2
    for near, far in pairs:
        with near, far, pytest.raises(Interrupted):
            Waiter(near, interrupt).readable(None)


@both_variants
def test_interrupt_of_a_signal_handler_ends_a_wait(pair: Sockets, interrupt: Interrupt) -> None:
    """Python goes on waiting after a handler (PEP 475); the flag ends the wait all the same."""
    near, far = pair
    previous = signal.signal(signal.SIGUSR1, lambda _signal, _frame: interrupt.set())
    main_thread = threading.get_ident()

    def send_signal() -> None:
        Waiter(far).readable(deadline_in(LONG))  # the main thread is about to wait
        signal.pthread_kill(main_thread, signal.SIGUSR1)

    helper = threading.Thread(target=send_signal)
    try:
        helper.start()
        near.send(b"x")
        with pytest.raises(Interrupted):
            Waiter(near, interrupt).readable(deadline_in(LONG))
    finally:
        helper.join()
        signal.signal(signal.SIGUSR1, previous)


@both_variants
def test_interrupt_goes_before_bytes_and_before_the_deadline(pair: Sockets, interrupt: Interrupt) -> None:
    """The user's wish counts even if there is something to read, or if it is too late."""
    near, far = pair
    far.send(b"x")
    interrupt.set()
    for deadline in (None, deadline_in(LONG), monotonic() - 1):
        with pytest.raises(Interrupted):
            Waiter(near, interrupt).readable(deadline)


@both_variants
def test_interrupt_ends_no_wait_that_is_to_be_finished(pair: Sockets, interrupt: Interrupt) -> None:
    """After `ignore_interrupt` only the socket and the deadline count."""
    near, far = pair
    interrupt.set()
    waiter = Waiter(near, interrupt)
    waiter.ignore_interrupt()
    with pytest.raises(TimeoutError):
        waiter.readable(deadline_in(SOON))
    far.send(b"x")
    waiter.readable(deadline_in(LONG))


def test_interrupt_is_a_flag(interrupt: Interrupt) -> None:
    """It can be looked at, raised twice, and is never lowered."""
    states = [interrupt.is_set]
    interrupt.check()
    for _ in range(2):
        interrupt.set()
        states.append(interrupt.is_set)
        with pytest.raises(Interrupted):
            interrupt.check()
    assert states == [False, True, True]


def test_interrupt_can_be_set_when_nobody_waits_any_more() -> None:
    """A signal that comes after the end harms nothing."""
    interrupt = Interrupt()
    interrupt.close()
    interrupt.set()
    assert interrupt.is_set


@both_variants
def test_pause_takes_its_time(interrupt: Interrupt) -> None:
    """It lasts as long as was asked, with and without somebody who may interrupt."""
    for who in (None, interrupt):
        start = monotonic()
        pause(SOON, who)
        assert monotonic() - start >= SOON


@both_variants
def test_pause_ends_at_once_when_interrupted(interrupt: Interrupt) -> None:
    """An interrupt ends a pause that runs, and one that begins later."""
    with ThreadPoolExecutor(1) as thread:
        pausing = thread.submit(pause, LONG, interrupt)
        interrupt.set()
        assert isinstance(pausing.exception(LONG), Interrupted)
    with pytest.raises(Interrupted):
        pause(LONG, interrupt)


def test_deadline_is_a_point_in_time() -> None:
    """`deadline_in` counts from now, on the clock that nobody sets."""
    before = monotonic()
    assert before + 5 <= deadline_in(5) <= monotonic() + 5
