"""A TCP proxy before a real peer: it cuts answers short, holds them back, and counts who comes."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.support.following import Bench, Peer, Reachable
from tests.support.peers import LOOPBACK, RawServer, raw_server, reset

_ESTABLISHED = "01"


@dataclass(frozen=True)
class Proxy:
    """Passes on what the two sides say, of what `target` says at most `limit` bytes, all of it after `delay` seconds.

    `limit` 0 and more closes the connection when so much has been said, with a reset if `resets`; a negative one leaves
    out so many bytes of the first answer. What does not begin as plain DICOM does is met with silence if `is_choosy`.
    """

    target: Peer
    limit: int | None = None
    resets: bool = False
    is_choosy: bool = False
    delay: float = 0.0

    def __call__(self, bench: Bench) -> AbstractContextManager[Reachable]:
        """Start it."""
        return raw_server(partial(self.relay, bench.running(self.target).port))

    def relay(self, port: int, client: socket.socket) -> None:
        """One connection."""
        with socket.create_connection((LOOPBACK, port)) as server:
            if self.is_choosy and client.recv(1, socket.MSG_PEEK) != b"\x01":
                while client.recv(65536):
                    pass
                return
            if self.limit == 0:
                client.recv(65536)
            if self.delay:
                threading.Event().wait(self.delay)  # slowness is what it is for
            relay(client, server, self.limit)
            if self.resets:
                reset(client)


def relay(client: socket.socket, server: socket.socket, limit: int | None) -> None:
    """Pass on everything until one of them ends, or until the server has said `limit` bytes."""
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ, server)
        selector.register(server, selectors.EVENT_READ, client)
        while limit is None or limit != 0:
            for key, _ in selector.select():
                source, sink = key.fileobj, key.data
                assert isinstance(source, socket.socket)
                part = source.recv(65536)
                if not part:
                    return
                if source is server and limit is not None:
                    part = part[:limit]
                    limit = 0 if limit < 0 else limit - len(part)
                sink.sendall(part)
                if limit == 0:
                    return


class Counter:
    """Counts the connections to a proxy, and how many of them their client still held when the next one came."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self.most_at_once = 0
        self.connections = 0

    def __call__(self, client: socket.socket) -> None:
        """Look, then pass on."""
        with self._lock:
            self.connections += 1
            self.most_at_once = max(self.most_at_once, held_by_clients(client.getsockname()[1]))
        with socket.create_connection((LOOPBACK, self._port)) as server:
            relay(client, server, None)


@contextmanager
def counted(port: int) -> Iterator[tuple[RawServer, Counter]]:
    """A proxy before the peer at `port`, and what it counts."""
    counter = Counter(port)
    with raw_server(counter) as server:
        yield server, counter


def held_by_clients(port: int) -> int:
    """How many connections to `port` their clients have not closed, by the kernel's table."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[2].rpartition(":")[2], 16) == port and row[3] == _ESTABLISHED for row in rows)
