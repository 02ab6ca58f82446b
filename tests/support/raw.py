"""Servers whose behaviour towards each connection is a function of the test: peers that are not as they should be."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from tests.support.processes import LOOPBACK

Callback = Callable[[socket.socket], object]

# No callback waits longer than this for bytes that do not come.
CONNECTION_TIMEOUT = 30.0
END_DEADLINE = 20.0


class RawServer:
    """A server on a port of its own, with a thread for each connection.

    `errors` holds what went wrong on the network (refused handshakes, resets), oldest first: for many tests that is
    the subject. Any other error of a callback is raised where the server is stopped.
    """

    def __init__(self, callback: Callback, ssl_context: ssl.SSLContext | None = None) -> None:
        self.callback = callback
        self.ssl_context = ssl_context
        self.errors: list[OSError] = []
        self.faults: list[BaseException] = []
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((LOOPBACK, 0), backlog=1024)
        self.host, self.port = self._listener.getsockname()

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    def wait_for_connections(self, count: int, *, deadline: float = END_DEADLINE) -> None:
        """Wait until `count` connections have been accepted and dealt with.

        Raises:
            TimeoutError: It took longer than `deadline` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.connections >= count and not self._open, deadline):
                msg = f"{self.connections} of {count} connections, {len(self._open)} still open"
                raise TimeoutError(msg)

    def start(self) -> None:
        """Accept connections from now on."""
        self._spawn(self._accept)

    def stop(self) -> None:
        """Break off what is still open, and raise what a callback did wrong."""
        # Closing alone would not wake a thread that waits in accept or recv.
        self._listener.shutdown(socket.SHUT_RDWR)
        with self._changed:
            for connection in self._open:
                _break_off(connection)
        for thread in self._threads:
            thread.join(END_DEADLINE)
        self._listener.close()
        if self.faults:
            raise self.faults[0]
        if any(thread.is_alive() for thread in self._threads):
            msg = "a callback did not end when its connection was broken off"
            raise RuntimeError(msg)

    def _spawn(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was shut down
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(CONNECTION_TIMEOUT)
                if self.ssl_context is not None:
                    connection = self.ssl_context.wrap_socket(
                        connection, server_side=True, do_handshake_on_connect=False
                    )
                with self._changed:
                    self.connections += 1
                    self._open.add(connection)
                self._spawn(partial(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        try:
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            self.callback(connection)
        except OSError as error:
            self.errors.append(error)
        except BaseException as error:  # noqa: BLE001  raised again by `stop`, in the test's own thread
            self.faults.append(error)
        finally:
            with self._changed:
                connection.close()
                self._open.discard(connection)
                self._changed.notify_all()


def _break_off(connection: socket.socket) -> None:
    with suppress(OSError):  # it may be closed already
        # The plain socket's method: SSLSocket's own takes the TLS state from the thread that uses it.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


@contextmanager
def raw_server(callback: Callback) -> Iterator[RawServer]:
    """A plain TCP server; each connection is closed when `callback` returns."""
    yield from _served(RawServer(callback))


@contextmanager
def tls_raw_server(ssl_context: ssl.SSLContext, callback: Callback) -> Iterator[RawServer]:
    """The same behind a TLS handshake; `callback` gets the `SSLSocket`, closed at its end without close_notify."""
    yield from _served(RawServer(callback, ssl_context))


def _served(server: RawServer) -> Iterator[RawServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def receive_exactly(connection: socket.socket, count: int) -> bytes:
    """The next `count` bytes.

    Raises:
        ConnectionError: The peer closed before that.
    """
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            msg = f"the peer closed after {len(parts)} of {count} bytes"
            raise ConnectionError(msg)
        parts += part
    return bytes(parts)


def receive_until_end(connection: socket.socket) -> bytes:
    """All bytes until the peer closes its side."""
    parts = bytearray()
    while part := connection.recv(65536):
        parts += part
    return bytes(parts)


def receive_pdu(connection: socket.socket) -> bytes:
    """One whole PDU, header included (PS3.8 section 9.3.1).

    Raises:
        ConnectionError: The peer closed before its end.
    """
    header = receive_exactly(connection, 6)
    return header + receive_exactly(connection, int.from_bytes(header[2:], "big"))


def reset(connection: socket.socket) -> None:
    """Close with a TCP reset instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def say(port: int, sent: bytes) -> bytes:
    """Say something to a server on loopback, and return the first TLS record of its answer, header included."""
    with socket.create_connection((LOOPBACK, port), timeout=CONNECTION_TIMEOUT) as connection:
        connection.sendall(sent)
        header = receive_exactly(connection, 5)
        return header + receive_exactly(connection, int.from_bytes(header[3:5]))
