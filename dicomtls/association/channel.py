"""PDUs in and bytes out over one socket, each wait under a deadline. The only I/O of an association.

A channel owns one read buffer and hands out views into it: what a PDU holds goes to its destination without
being joined or copied first. The buffer never grows beyond the longest PDU that is allowed.
"""

import mmap
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from time import monotonic

from dicomtls.association.pdu import HEADER_LENGTH, PDUType, parse_header
from dicomtls.association.stream import PlainStream, Stream
from dicomtls.errors import AssociationAborted, HandshakeError, Interrupted
from dicomtls.tls import Negotiated, TLSStream, read_failure
from dicomtls.waiting import Interrupt, Waiter, deadline_in

BUFFER_SIZE = 256 * 1024

_SPIN_SECONDS = 0.0003
_SPIN_CREDIT = 8
_HAS_CORES = (os.cpu_count() or 1) > 1
_FINISH_SECONDS = 2.0
_LINGER_BYTES = 1 << 20


class WriteFailed(Exception):
    """The connection takes no more bytes; what the peer sent before it went tells why."""


class Channel:
    """One connection, in clear (a connected, non-blocking socket) or over TLS.

    `trace` is told of every PDU in either direction: one line with its type and its length in bytes. `may_spin` says
    at each wait whether this process has nothing better to do than to look again at once.
    """

    def __init__(
        self,
        connection: socket.socket | TLSStream,
        *,
        negotiated: Negotiated | None = None,
        interrupt: Interrupt | None = None,
        trace: Callable[[str], None] | None = None,
        may_spin: Callable[[], bool] | None = None,
    ) -> None:
        self.negotiated = negotiated
        self._trace = trace
        self._tls = connection if isinstance(connection, TLSStream) else None
        self._stream: Stream = PlainStream(connection) if isinstance(connection, socket.socket) else connection
        self._interrupt = interrupt
        self._waiter = Waiter(self._stream.sock, interrupt)
        # Anonymous memory: pages that are never written cost nothing, so an idle association is small.
        self._buffer = memoryview(mmap.mmap(-1, BUFFER_SIZE))
        self._start = 0
        self._end = 0
        # A handshake is proven by the first byte that comes back.
        self._proven = negotiated is None
        self.is_broken = False
        self._may_spin = may_spin if _HAS_CORES else None
        self._spin_credit = _SPIN_CREDIT
        self._finish_by = inf
        self._is_server = self._tls is not None and bool(self._tls.tls.server_side)

    # -- reading -------------------------------------------------------------------------------------------

    def read_header(self, deadline: float | None) -> memoryview:
        """Return the six bytes of the next PDU's header, without taking them.

        Raises `TimeoutError`, `AssociationAborted` where the peer closed, `HandshakeError` where it refused our
        certificate after the handshake, `Interrupted`.
        """
        self._need(HEADER_LENGTH, deadline)
        header = self._buffer[self._start : self._start + HEADER_LENGTH]
        if self._trace is not None:
            self._trace(f"received {_pdu_line(header)}")
        return header

    def read_body(self, length: int, deadline: float | None) -> memoryview:
        """Take the header and `length` bytes after it; the view holds until the next read."""
        whole = HEADER_LENGTH + length
        # No further than the PDU's end: what came of the next one would have to be moved, byte for byte.
        self._need(whole, deadline, at_most=whole)
        body = self._buffer[self._start + HEADER_LENGTH : self._start + whole]
        self._start += whole
        return body

    def has_input(self) -> bool:
        """Whether bytes are there already, so that the next read would not block at once."""
        if self._end > self._start:
            return True
        self._make_room(1)
        try:
            self._fill(1, BUFFER_SIZE)
        except BlockingIOError:
            return False
        return True

    def await_input(self, deadline: float, interrupt: Interrupt | None) -> None:
        """Return when something has come; raises `TimeoutError`, and `Interrupted` for this interrupt only."""
        waiter = Waiter(self._stream.sock, interrupt)
        while not self.has_input():
            if not self._spin(1, BUFFER_SIZE):
                waiter.readable(deadline)

    def _need(self, count: int, deadline: float | None, at_most: int = BUFFER_SIZE) -> None:
        while self._end - self._start < count:
            self._make_room(count)
            try:
                self._fill(count, at_most)
            except BlockingIOError:
                if not self._spin(count, at_most):
                    self._waiter.readable(deadline)
                continue
            if deadline is not None and self._end - self._start < count and monotonic() > deadline:
                raise TimeoutError  # a peer that trickles is as late as one that is silent

    def _spin(self, count: int, at_most: int) -> bool:
        """Look again for a third of a millisecond before sleeping; says whether something came.

        Being woken takes longer than a near peer takes to answer: 2,000 instances to storescp on the same machine take
        an eighth less time. A peer that is farther away than that is not waited for in this way after the first few.
        """
        if not self._spin_credit or self._may_spin is None or not self._may_spin():
            return False
        until = monotonic() + _SPIN_SECONDS
        while monotonic() < until:
            try:
                self._fill(count, at_most)
            except BlockingIOError:
                continue
            self._spin_credit = min(self._spin_credit + 1, _SPIN_CREDIT)
            return True
        self._spin_credit -= 1
        return False

    def _make_room(self, count: int) -> None:
        """Let the buffer take `count` bytes from where it starts, or at least more than it holds."""
        if self._start == self._end:
            self._start = self._end = 0
        size = len(self._buffer)
        if self._start + count <= size or (not self._start and self._end < size):
            return
        held = bytes(self._buffer[self._start : self._end])
        if count > size and len(held) == size:
            # Twice what is there, not what a length field claims: memory follows bytes, not promises.
            self._buffer = memoryview(mmap.mmap(-1, min(count, 2 * size)))
        self._buffer[: len(held)] = held
        self._start, self._end = 0, len(held)

    def _fill(self, count: int, at_most: int) -> None:
        """Read until `count` bytes are held or the buffer is full; raises `BlockingIOError` when no more is there yet.

        More than `count` may be held then, but not more than `at_most`. The loop runs once for each TLS record of
        everything that is received, so it holds everything by name.
        """
        read, buffer, start, end = self._stream.read, self._buffer, self._start, self._end
        wanted, limit = min(start + count, len(buffer)), min(start + at_most, len(buffer))
        try:
            while end < wanted:
                received = read(limit - end, buffer[end:limit])
                if not received:
                    raise self._lost(None)
                end += received
                self._proven = True
        except BlockingIOError:
            raise
        except (OSError, ValueError) as error:  # ValueError: read on a closed TLS object
            raise self._lost(error) from error
        finally:
            self._end = end

    def _lost(self, error: OSError | ValueError | None) -> HandshakeError | AssociationAborted:
        """The connection ended without a farewell: refused after the handshake, or broken off later."""
        alert = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError)
        if not self._proven and self.negotiated is not None and (alert or self._may_be_refused(self.negotiated)):
            refusal = read_failure(error if isinstance(error, OSError) else None, self.negotiated)
            refusal.facts.role = "server" if self._is_server else "client"
            return refusal
        if isinstance(error, ssl.SSLError) and alert:
            lost = AssociationAborted("TLS broke without an A-ABORT")
            lost.evidence["reason"] = error.reason
            return lost
        was_reset = isinstance(error, ConnectionError)
        lost = AssociationAborted(f"the peer {'reset' if was_reset else 'closed'} the connection without an A-ABORT")
        lost.evidence["closed"] = "reset" if was_reset else "eof"
        return lost

    def _may_be_refused(self, negotiated: Negotiated) -> bool:
        """Whether going away in silence may be the answer to our certificate, or to its absence.

        A client that refuses a server does so before its own last message, so a server knows by then.
        """
        asked = negotiated.client_certificate in ("sent", "requested")
        return negotiated.protocol == "TLSv1.3" and asked and not self._is_server

    # -- writing -------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview, timeout: float) -> None:
        """Write all of `data`, whole PDUs; `timeout` seconds without any progress are too long.

        When the user interrupts, what was begun is brought to its end for two more seconds, since an A-ABORT
        cannot follow half a PDU. Raises `TimeoutError`, `WriteFailed`, `Interrupted`.
        """
        view = memoryview(data)
        if self._trace is not None:
            for line in _pdu_lines(view):
                self._trace(f"sent {line}")
        while view:
            with self._watching_writes():
                view = view[self._stream.put(view) :]
            self._push(timeout)
        if self._interrupt is not None:
            self._interrupt.check()

    def write_ahead(self, data: memoryview) -> int:
        """Encrypt whole PDUs that the next `write` is to send before its own; says of how many bytes that was done.

        Nothing is done in clear, where there is nothing to do, nor for a trace, which shows what is sent as it is.
        Raises `WriteFailed`.
        """
        if self._tls is None or self._trace is not None or not data:
            return 0
        with self._watching_writes():
            self._tls.hold(data)
        return len(data)

    def send_ahead(self, timeout: float) -> None:
        """Send what `write_ahead` has encrypted, if anything; raises as `write` does."""
        self._push(timeout)

    def _push(self, timeout: float) -> None:
        while True:
            try:
                with self._watching_writes():
                    return self._stream.push()
            except (ssl.SSLWantWriteError, BlockingIOError):
                self._wait_to_write(timeout)

    @contextmanager
    def _watching_writes(self) -> Iterator[None]:
        try:
            yield
        except (ssl.SSLWantWriteError, BlockingIOError):
            raise
        except (OSError, ValueError) as error:
            self.is_broken = True
            raise WriteFailed from error

    def _wait_to_write(self, timeout: float) -> None:
        """Wait once; after an interrupt all waits together have the time that is left to finish in."""
        try:
            self._waiter.writable(min(deadline_in(timeout), self._finish_by))
        except TimeoutError:
            self.is_broken = True  # half a PDU is out: nothing can follow it
            if self._interrupt is not None:
                self._interrupt.check()
            msg = f"the peer took nothing for {timeout:g} s"
            raise TimeoutError(msg) from None
        except Interrupted:
            self._waiter.ignore_interrupt()
            self._finish_by = deadline_in(_FINISH_SECONDS)

    # -- the end -------------------------------------------------------------------------------------------

    def ignore_interrupt(self) -> None:
        """From now on an interrupt ends no wait: the farewell is under way."""
        self._waiter.ignore_interrupt()
        self._interrupt = None

    def close(self, linger: float = 0.0) -> None:
        """Send close_notify and close.

        With `linger` seconds the peer may close first: closing over unread bytes would reset the connection and
        could take away from the peer what we sent last (PS3.8 section 9.1.5, ARTIM timer).
        """
        self._stream.close_notify()
        if linger:
            with suppress(OSError, ValueError, TimeoutError, Interrupted):
                self._drain(deadline_in(linger))
        self._stream.close()

    def _drain(self, deadline: float) -> None:
        sock = self._stream.sock
        sock.shutdown(socket.SHUT_WR)
        drained = 0
        while drained < _LINGER_BYTES:
            try:
                # Below TLS: nobody wants to know what these bytes mean.
                count = len(sock.recv(BUFFER_SIZE))
            except BlockingIOError:
                self._waiter.readable(deadline)
                continue
            if not count:
                return
            drained += count


def _pdu_lines(pdus: memoryview) -> Iterator[str]:
    position = 0
    while position < len(pdus):
        header = pdus[position : position + HEADER_LENGTH]
        yield _pdu_line(header)
        position += HEADER_LENGTH + parse_header(header)[1]


def _pdu_line(header: memoryview) -> str:
    pdu_type, length = parse_header(header)
    known = pdu_type in PDUType.__members__.values()
    return f"{PDUType(pdu_type) if known else f'PDU of the unknown type 0x{pdu_type:02X}'}, {length} bytes"
