"""What a channel needs of a connection: the same for TLS (`dicomtls.tls.TLSStream`) and for a socket as it is."""

import socket
from typing import Final, Protocol


class Stream(Protocol):
    """Bytes in and out of a non-blocking socket, which the stream owns.

    `BlockingIOError` where nothing is there to be read or no more can be sent (then also `ssl.SSLWantWriteError`), any
    other `OSError` where the connection is broken.
    """

    @property
    def sock(self) -> socket.socket:
        """The socket below: to wait for, and to set options of."""

    def read(self, length: int, room: memoryview) -> int:
        """Read at most `length` bytes into `room`; 0 where the peer has closed."""

    def put(self, data: memoryview) -> int:
        """Take so many bytes of `data` for the next `push`, which must come before `data` changes."""

    def push(self) -> None:
        """Send what was taken; goes on where it stopped when it is called again."""

    def close_notify(self) -> None:
        """Tell the peer that nothing follows, as far as that can be said without waiting."""

    def close(self) -> None:
        """Close the socket at once."""


class PlainStream:
    """A socket in clear."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock: Final = sock
        self._unsent = memoryview(b"")

    def read(self, _length: int, room: memoryview) -> int:
        """Read what is there, as far as there is room."""
        return self.sock.recv_into(room)

    def put(self, data: memoryview) -> int:
        """Take all of it."""
        self._unsent = data
        return len(data)

    def push(self) -> None:
        """Send what was taken."""
        while self._unsent:
            self._unsent = self._unsent[self.sock.send(self._unsent) :]

    def close_notify(self) -> None:
        """TCP has its own word for it."""

    def close(self) -> None:
        """Close the socket at once."""
        self.sock.close()
