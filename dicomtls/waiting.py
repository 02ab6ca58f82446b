"""Waiting for a socket under a deadline, and being woken by an interrupt.

Every socket of dicomtls is non-blocking: the one place that blocks is here, so that each wait has its end and
Ctrl-C or a shutdown reaches every one of them at once. Deadlines are points of `time.monotonic()` in seconds.
"""

import select
import socket
from contextlib import suppress
from time import monotonic, sleep
from typing import Protocol

from dicomtls.errors import Interrupted

_MILLISECONDS = 1000


class _Selectable(Protocol):
    def fileno(self) -> int: ...


def deadline_in(seconds: float) -> float:
    """The deadline that lies `seconds` from now."""
    return monotonic() + seconds


class Interrupt:
    """A flag that wakes everybody who waits; set it from a signal handler or another thread.

    A socket pair, since a file descriptor is the only thing that a wait for a socket can also wait for.
    """

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)  # noqa: FBT003 -- the standard library's own signature
        self.is_set = False

    def fileno(self) -> int:
        """The descriptor that is readable from the moment of `set` on."""
        return self._receiver.fileno()

    def set(self) -> None:
        """Raise `Interrupted` in all waits, now and later; safe in a signal handler."""
        if not self.is_set:
            self.is_set = True
            with suppress(OSError):  # closed: nobody waits any more
                self._sender.send(b"!")

    def check(self) -> None:
        """Raise `Interrupted` if the flag is set."""
        if self.is_set:
            raise Interrupted

    def close(self) -> None:
        """Give the two descriptors back."""
        self._receiver.close()
        self._sender.close()


def pause(seconds: float, interrupt: Interrupt | None) -> None:
    """Wait `seconds`, but raise `Interrupted` at once when the flag is set."""
    if interrupt is None:
        sleep(seconds)
    elif _select(interrupt, None, seconds, for_writing=False):
        raise Interrupted


_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
_INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})


class Waiter:
    """Waits until one socket can be read or written."""

    def __init__(self, sock: socket.socket, interrupt: Interrupt | None = None) -> None:
        self._sock = sock
        self._interrupt = interrupt
        self._is_tcp = sock.family in _INTERNET

    def readable(self, deadline: float | None) -> None:
        """Return when the socket can be read; raises `TimeoutError`, `Interrupted`.

        Everything that came is acknowledged first: a peer with Nagle's algorithm on holds back what we wait for
        until it is, and Linux may delay that by 40 ms. The option does not last, so it is set before each wait.
        """
        if _QUICKACK is not None and self._is_tcp:
            self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        self._wait(deadline, for_writing=False)

    def writable(self, deadline: float | None) -> None:
        """Return when the socket can be written; raises `TimeoutError`, `Interrupted`."""
        self._wait(deadline, for_writing=True)

    def ignore_interrupt(self) -> None:
        """Wait on regardless of the interrupt: what was begun is to be brought to its end."""
        self._interrupt = None

    def _wait(self, deadline: float | None, *, for_writing: bool) -> None:
        remaining = None if deadline is None else max(0.0, deadline - monotonic())
        ready = _select(self._sock, self._interrupt, remaining, for_writing=for_writing)
        if self._interrupt is not None:
            self._interrupt.check()
        # A peer that always has one more byte is as late as one that has none.
        if not ready or remaining == 0:
            raise TimeoutError


def _poll(sock: _Selectable, interrupt: Interrupt | None, timeout: float | None, *, for_writing: bool) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLOUT if for_writing else select.POLLIN)
    if interrupt is not None:
        poll.register(interrupt, select.POLLIN)
    # Rounded up: waking a moment early would end a wait that still has time.
    return bool(poll.poll(None if timeout is None else int(timeout * _MILLISECONDS) + 1))


def _select_call(sock: _Selectable, interrupt: Interrupt | None, timeout: float | None, *, for_writing: bool) -> bool:
    """Wait where there is nothing better than select(), which cannot watch descriptors above 1023: on Windows.

    There a connection that fails is an exception and not writable, and no signal ends a select: it is looked at in
    between whether one came.
    """
    others: list[_Selectable] = [] if interrupt is None else [interrupt]
    readers, writers = (others, [sock]) if for_writing else ([sock, *others], [])
    end = None if timeout is None else monotonic() + timeout
    while True:
        remaining = _BETWEEN_SIGNALS if end is None else min(_BETWEEN_SIGNALS, max(0.0, end - monotonic()))
        if any(select.select(readers, writers, writers, remaining)):
            return True
        if end is not None and monotonic() >= end:
            return False


_BETWEEN_SIGNALS = 0.2
_HAS_POLL = hasattr(select, "poll")
_select = _poll if _HAS_POLL else _select_call

LONGEST_WAIT: float | None = None if _HAS_POLL else _BETWEEN_SIGNALS
"""Seconds that a wait of somebody else's may last, so that a signal's handler gets its turn; None: any time."""
