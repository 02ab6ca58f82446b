"""A way to a server that counts who goes it, and can be closed behind some of them."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.support.raw import RawServer, raw_server, receive_until_end
from tests.support.servers import RunningServer

PATIENCE = 20.0


class Relay:
    """Hands connections on to `address`, the first `most` of them, and sees whether there is ever more than one."""

    def __init__(self, address: tuple[str, int], most: int) -> None:
        self._address = address
        self._most = most
        self._changed = threading.Condition()
        self._open = 0
        self.count = 0
        self.has_overlap = False
        self.hangs_up = False
        """Whether connections that are not answered are closed, once they have said something."""
        self.on_silence: Callable[[], object] = bool
        """Called when a connection comes that is not answered."""

    def __call__(self, near: socket.socket) -> None:
        """Serve one connection; what comes after the last one is taken, and not answered."""
        with self._changed:
            self.count += 1
            # The end of the one before may be on its way still.
            self.has_overlap |= not self._changed.wait_for(lambda: not self._open, PATIENCE)
            self._open += 1
            is_silent = self.count > self._most
        if is_silent:
            self.on_silence()
            if self.hangs_up:
                near.recv(1)
            else:
                receive_until_end(near)
        else:
            self._hand_on(near)
        self._end()

    def _hand_on(self, near: socket.socket) -> None:
        with socket.create_connection(self._address) as far:
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()

    def _end(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify_all()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def relayed(server: RunningServer, most: int = 99) -> Iterator[tuple[RawServer, Relay]]:
    """A way to a server that counts."""
    relay = Relay(server.address, most)
    with raw_server(relay) as listening:
        yield listening, relay
