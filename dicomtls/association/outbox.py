"""Many P-DATA-TF PDUs laid out side by side, filled straight from files, written in one go (PS3.8 section 9.3.5).

A dataset is never decoded, joined or copied on its way: the headers go into one reusable buffer, and one
`preadv` fills the fragments between them.
"""

import mmap
import os
from collections.abc import Callable
from typing import Protocol

from dicomtls.association.pdu import DATA_HEADER_LENGTH, DATA_VALUE_OVERHEAD, data_header
from dicomtls.errors import RemoteProtocolError

CAPACITY = 1 << 20
_LONGEST_FRAGMENT = 256 * 1024
_SMALLEST_LAST_ROOM = 4096
_SMALLEST_FRAGMENT = 2
# What POSIX systems take in one call (IOV_MAX); more is an error.
_MOST_VIEWS = 1024


class FileShrank(Exception):
    """A file became shorter while it was being sent; what was announced cannot be completed."""


def fragment_length(peer_maximum_length: int) -> int:
    """Bytes of a dataset in one PDU: even, and never above what the peer said (0: no limit, then ours).

    Raises `RemoteProtocolError` where not even two bytes fit into what the peer allows.
    """
    if not peer_maximum_length:
        return _LONGEST_FRAGMENT
    room = peer_maximum_length - DATA_VALUE_OVERHEAD
    if room < _SMALLEST_FRAGMENT:
        msg = f"the peer's maximum length of {peer_maximum_length} bytes leaves no room for a fragment"
        raise RemoteProtocolError(msg)
    return min(room, _LONGEST_FRAGMENT) & ~1


def pack(context_id: int, data: bytes, *, is_command: bool, fragment: int) -> bytes:
    """Whole PDUs for a command set or a dataset that is in memory, in fragments of at most `fragment` bytes.

    What is empty takes one empty fragment: the peer waits for a last one.
    """
    parts: list[bytes] = []
    for start in range(0, len(data) or 1, fragment):
        part = data[start : start + fragment]
        is_last = start + fragment >= len(data)
        parts += data_header(context_id, len(part), is_command=is_command, is_last=is_last), part
    return b"".join(parts)


class Writer(Protocol):
    """Where the PDUs of an outbox go: an association."""

    def write(self, pdus: memoryview) -> None:
        """Send all of it, behind what `write_ahead` took."""

    def write_ahead(self, pdus: memoryview) -> int:
        """Do what can be done before it is sent, and say for how many bytes; they cannot be taken back any more."""

    def send_ahead(self) -> None:
        """Send what `write_ahead` took."""


class Outbox:
    """Collects PDUs until they are flushed.

    `before_flush` is called before the buffer is flushed because it is full, in the middle of a message.
    """

    def __init__(
        self, writer: Writer, peer_maximum_length: int, before_flush: Callable[[], None] | None = None
    ) -> None:
        self._writer = writer
        self._before_flush = before_flush
        self._fragment = fragment_length(peer_maximum_length)
        # Anonymous memory: what small messages never reach is never taken.
        self._buffer = memoryview(mmap.mmap(-1, CAPACITY))
        self.used = 0
        self._last_pdu = 0
        self._ahead = 0

    def put_command(self, context_id: int, command: bytes) -> None:
        """Add an encoded command set."""
        pdus = pack(context_id, command, is_command=True, fragment=self._fragment)
        if self.used + len(pdus) > CAPACITY:
            self._make_way()
        self._buffer[self.used : self.used + len(pdus)] = pdus
        self._last_pdu = self.used
        self.used += len(pdus)

    def put_file(self, context_id: int, descriptor: int, offset: int, end: int) -> None:
        """Add the bytes of a file from `offset` to `end` as one dataset; flushes whenever the buffer is full.

        Raises `FileShrank` where the file has fewer bytes by now.
        """
        while offset < end:
            room = CAPACITY - self.used - DATA_HEADER_LENGTH
            if room < min(end - offset, self._fragment, _SMALLEST_LAST_ROOM):
                self._make_way()
            offset = self._fill(context_id, descriptor, offset, end)

    def get_ready(self) -> None:
        """Prepare to send everything but the last PDU.

        Without that no message is complete: whoever aborts now, or after `begin`, has asked for nothing.
        """
        self._ahead += self._writer.write_ahead(self._buffer[self._ahead : self._last_pdu])

    def begin(self) -> None:
        """Send what has been prepared."""
        if self._ahead:
            self._writer.send_ahead()

    def flush(self) -> None:
        """Write what has been collected."""
        used, ahead = self.used, self._ahead
        self.used = self._ahead = self._last_pdu = 0
        if used:
            self._writer.write(self._buffer[ahead:used])

    def _make_way(self) -> None:
        if self._before_flush is not None:
            self._before_flush()
        self.flush()

    def _add_header(self, context_id: int, length: int, *, is_command: bool, is_last: bool) -> None:
        self._last_pdu = self.used
        self._buffer[self.used : self.used + DATA_HEADER_LENGTH] = data_header(
            context_id, length, is_command=is_command, is_last=is_last
        )
        self.used += DATA_HEADER_LENGTH

    def _fill(self, context_id: int, descriptor: int, offset: int, end: int) -> int:
        """Lay out and fill what the buffer holds and one read can take; returns the new offset."""
        views: list[memoryview] = []
        position = offset
        while position < end and len(views) < _MOST_VIEWS:
            length = min(self._fragment, end - position, CAPACITY - self.used - DATA_HEADER_LENGTH)
            if length < end - position:
                length &= ~1
            if length <= 0 or (views and length < min(self._fragment, end - position, _SMALLEST_LAST_ROOM)):
                break
            position += length
            self._add_header(context_id, length, is_command=False, is_last=position == end)
            views.append(self._buffer[self.used : self.used + length])
            self.used += length
        _read_into(descriptor, views, offset, position - offset)
        return position


def _read_into(descriptor: int, views: list[memoryview], offset: int, count: int) -> None:
    if _preadv is not None and _preadv(descriptor, views, offset) == count:
        return
    # The slow way: no preadv here, or it stopped half way, as the system may.
    os.lseek(descriptor, offset, os.SEEK_SET)
    for view in views:
        _read_exactly(descriptor, view)


def _read_exactly(descriptor: int, view: memoryview) -> None:
    filled = 0
    while filled < len(view):
        data = os.read(descriptor, len(view) - filled)
        if not data:
            raise FileShrank
        view[filled : filled + len(data)] = data
        filled += len(data)


_preadv = getattr(os, "preadv", None)
