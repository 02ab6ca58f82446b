"""TLS over one connected socket, encrypted and decrypted in memory.

Not an `ssl.SSLSocket`, for four reasons. It asks the system twice for each record of 16 KiB that it reads, and once for
each that it writes; here one call moves many records (receiving 2 GB takes 0.73 s of CPU instead of 0.90). What is
to be sent next can be encrypted while the peer is still busy. A reset is told from an end of file on every Python
(CPython before 3.12.3 takes one for the other, cpython#115627). And a signal cannot end a write within a record, after
which an `SSLSocket` is of no more use.
"""

import mmap
import socket
import ssl
from collections import deque
from contextlib import suppress
from typing import Final, Self, cast

from dicomtls.tls.transcript import Transcript, WatchedObject

_READ_SIZE: Final = 128 * 1024
"""Bytes of one read: half of it takes a tenth more CPU, and twice as much saves next to nothing."""
_WRITE_SIZE: Final = 256 * 1024
_MOST_ANSWERS: Final = 64 * 1024
_BEGINNING: Final = 80
"""Bytes to be kept of what is not TLS: the fixed part of an A-ASSOCIATE-RQ (PS3.8 table 9-11), a line of HTTP."""


class TLSStream:
    """TLS over a connected, non-blocking socket, which it owns.

    Where nothing can be read yet `BlockingIOError` is raised, where nothing more can be sent `ssl.SSLWantWriteError`;
    what is wrong with the TLS of the peer is an `ssl.SSLError`, what is wrong with the connection any other `OSError`.
    """

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
    ) -> None:
        """Begin a handshake; nothing is sent before `do_handshake`. Raises `ValueError` for names that are none."""
        self.sock: Final = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls: Final = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self.transcript: Final = Transcript(server_side=server_side)
        """What passes in the handshake; empty where the context does not tell."""
        if isinstance(self.tls, WatchedObject):
            self.tls.transcript = self.transcript
        # Anonymous memory: pages that are never written cost nothing.
        self._raw = memoryview(mmap.mmap(-1, _READ_SIZE))
        self._unsent: deque[memoryview] = deque()
        self._answers = 0
        self._may_hold = False
        self._is_held = False
        self._beginning = b""
        self._was_reset = False

    def do_handshake(self) -> bool:
        """Go on with the handshake as far as what is there allows; says whether it is done."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._push_handshake()
            self._fill()
            return False
        except ssl.SSLError:
            with suppress(ssl.SSLWantWriteError):  # our alert, if it still finds its way
                self._push_handshake()
            raise
        self._push_handshake()
        return True

    def _push_handshake(self) -> None:
        """Send what there is; a connection that takes it no more is left to the next read, which may find an alert."""
        self._collect()
        try:
            self.push()
        except ssl.SSLWantWriteError:
            raise
        except OSError:
            self._unsent.clear()
            # The system tells of a reset once: the read that follows would take it for an end of file.
            self._was_reset = True

    def read(self, length: int, room: memoryview) -> int:
        """Decrypt at most `length` bytes into `room`; returns how many, 0 where the peer has closed.

        Whether it said so before (close_notify) is not told: many peers never do.
        """
        while True:
            if self._may_hold:
                try:
                    # With a buffer it returns a count; typeshed knows it as bytes.
                    return cast("int", self.tls.read(length, room))
                except ssl.SSLEOFError:
                    return 0
                except ssl.SSLWantReadError:
                    self._may_hold = False
                if self._outgoing.pending:
                    self._answer()
            self._fill()

    @property
    def foreign(self) -> bytes:
        """The beginning of what the peer sent, where it is not TLS; empty where it is."""
        return b"" if _begins_tls(self._beginning) else self._beginning

    def _fill(self) -> None:
        received = self.sock.recv_into(self._raw)
        if received and not self._beginning:
            self._beginning = bytes(self._raw[: min(received, _BEGINNING)])
        if received:
            self._incoming.write(self._raw[:received])
        elif self._was_reset:
            raise ConnectionResetError
        else:
            self._incoming.write_eof()
        self._may_hold = True

    def _answer(self) -> None:
        """Send what the peer's TLS demands of ours (KeyUpdate, RFC 8446 section 4.6.3), behind what waits to be sent.

        A peer that demands without end and reads nothing must not fill our memory.
        """
        self._answers += self._outgoing.pending
        self._collect()
        if self._answers > _MOST_ANSWERS:
            msg = "the peer demands answers and does not take them"
            raise ConnectionAbortedError(msg)
        if not self._is_held:
            with suppress(ssl.SSLWantWriteError):
                self.push()

    def hold(self, data: memoryview) -> None:
        """Encrypt `data` now and send it with the next `push`: what follows in between stays behind it."""
        self._is_held = True
        self._encrypt(data)

    def put(self, data: memoryview) -> int:
        """Encrypt what one write should take of `data`, and say how many bytes it was; `push` sends it."""
        part = data[:_WRITE_SIZE]
        self._encrypt(part)
        return len(part)

    def _encrypt(self, data: memoryview) -> None:
        # In one piece: what it comes out as is one object, and a second one beside it would make the allocator give
        # the memory back to the system and take it again each time.
        while data:
            data = data[self.tls.write(data) :]
        self._collect()

    def push(self) -> None:
        """Send everything that was encrypted; goes on where it stopped when it is called again."""
        self._is_held = False
        unsent = self._unsent
        while unsent:
            try:
                sent = self.sock.send(unsent[0])
            except BlockingIOError:
                raise ssl.SSLWantWriteError from None
            if sent < len(unsent[0]):
                unsent[0] = unsent[0][sent:]
            else:
                unsent.popleft()
        self._answers = 0

    def _collect(self) -> None:
        if self._outgoing.pending:
            self._unsent.append(memoryview(self._outgoing.read()))

    def close_notify(self) -> None:
        """Say that nothing follows, without waiting for the peer to say the same (RFC 8446 section 6.1)."""
        if not self._unsent:  # behind half a record nothing can be said
            with suppress(OSError, ValueError):  # the want-read that says that the peer's is missing, too
                self.tls.unwrap()
            with suppress(OSError):
                self._collect()
                self.push()

    def close(self) -> None:
        """Close the socket at once."""
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _begins_tls(data: bytes) -> bool:
    """Whether bytes may be a record (RFC 8446 section 5.1), or the hello of a client from before TLS (SSL 2.0)."""
    return not data or data[0] in _RECORD_TYPES or (data[0] & _SSL2_LENGTH > 0 and data[2:3] in (b"\x01", b""))


_RECORD_TYPES: Final = frozenset({20, 21, 22, 23, 24})
_SSL2_LENGTH: Final = 0x80
