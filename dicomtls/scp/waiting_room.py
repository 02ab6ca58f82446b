"""Accepted connections that have not sent anything yet: they wait in one selector, not in threads.

A client that connects and says nothing costs a descriptor until its time is up; when there are too many, the one that
has been silent longest goes first. A thread is started only for a connection whose first bytes have come.
"""

import errno
import selectors
import socket
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Final

from dicomtls.connection import TOO_MANY_FILES
from dicomtls.waiting import LONGEST_WAIT, Interrupt

_OUT_OF_DESCRIPTORS: Final = TOO_MANY_FILES | {errno.ENOBUFS, errno.ENOMEM}
_PAUSE_SECONDS: Final = 0.2
_RESERVED_DESCRIPTORS: Final = 64
_SELECT_LIMIT: Final = 512  # sockets that one select() of Python takes on Windows


class WaitingRoom:
    """Accepts on one listening socket and yields the connections that have begun to speak."""

    def __init__(self, listener: socket.socket, wake: Interrupt, *, patience: float, capacity: int) -> None:
        """`patience` is the seconds until a silent connection goes; `wake` ends a `select` when it is readable."""
        self._listener = listener
        self._patience = patience
        self._capacity = capacity
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(wake, selectors.EVENT_READ)
        self._silent: OrderedDict[socket.socket, float] = OrderedDict()
        self._paused_until: float | None = None

    def speaking(self) -> Iterator[socket.socket]:
        """Wait, and yield what has begun to speak since; ends when nothing more is there."""
        for key, _ in self._selector.select(self._timeout()):
            if key.fileobj is self._listener:
                self._accept()
            elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._silent:
                yield self._take(key.fileobj)
        if self._paused_until is not None and monotonic() >= self._paused_until:
            self._paused_until = None
            self._selector.register(self._listener, selectors.EVENT_READ)

    def expired(self) -> Iterator[socket.socket]:
        """Yield the connections to be closed: silent for too long, or too many of them."""
        now = monotonic()
        while self._silent:
            sock, deadline = next(iter(self._silent.items()))
            if deadline > now and len(self._silent) <= self._capacity:
                return
            yield self._take(sock)

    def close(self) -> None:
        """Close the listener and every connection that is still silent."""
        self._selector.close()
        self._listener.close()
        for sock in self._silent:
            sock.close()
        self._silent.clear()

    def _take(self, sock: socket.socket) -> socket.socket:
        self._selector.unregister(sock)
        del self._silent[sock]
        return sock

    def _timeout(self) -> float | None:
        ends = [deadline for deadline in (self._paused_until, next(iter(self._silent.values()), None)) if deadline]
        waits = [max(0.0, min(ends) - monotonic())] if ends else []
        return min([*waits, *(() if LONGEST_WAIT is None else (LONGEST_WAIT,))], default=None)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _OUT_OF_DESCRIPTORS:
                    # The listener stays readable: without a pause this would be a busy loop.
                    self._selector.unregister(self._listener)
                    self._paused_until = monotonic() + _PAUSE_SECONDS
                    return
                continue  # the client was gone before it was accepted
            sock.setblocking(False)  # noqa: FBT003 -- the standard library's own signature
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._silent[sock] = monotonic() + self._patience
            self._selector.register(sock, selectors.EVENT_READ)


def raise_descriptor_limit() -> int | None:
    """Allow as many open descriptors as the system lets us; returns how many, None where it has no such limit."""
    try:
        import resource
    except ImportError:  # Windows
        return _SELECT_LIMIT - _RESERVED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if allowed == resource.RLIM_INFINITY else max(1, allowed - _RESERVED_DESCRIPTORS)
