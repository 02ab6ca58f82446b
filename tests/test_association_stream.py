"""dicomtls.association.stream: a socket in clear, as a channel sees it; `test_tls_stream` has its twin over TLS."""

import pytest

from dicomtls.association.stream import PlainStream
from tests.support.pairs import connected_sockets, receive_exactly


def test_bytes_go_out_and_come_in_as_they_are() -> None:
    """Nothing is there at first, then what the peer sent, then its end."""
    near, far = connected_sockets()
    with near, far:
        stream = PlainStream(near)
        room = memoryview(bytearray(8))
        with pytest.raises(BlockingIOError):
            stream.read(8, room)
        assert stream.put(memoryview(b"hello")) == 5
        stream.push()
        stream.push()
        assert receive_exactly(far, 5) == b"hello"
        far.sendall(b"world")
        far.close()
        assert stream.read(8, room[:3]) == 3
        assert bytes(room[:3]) == b"wor"
        assert stream.read(8, room) == 2
        assert stream.read(8, room) == 0


def test_what_does_not_fit_is_sent_later() -> None:
    """A push goes on where the one before stopped."""
    near, far = connected_sockets(small_buffers=True)
    data = bytes(range(256)) * 4096
    with near, far:
        stream = PlainStream(near)
        stream.put(memoryview(data))
        received = b""
        while len(received) < len(data):
            try:
                stream.push()
            except BlockingIOError:
                received += far.recv(1 << 16)
            else:
                received += receive_exactly(far, len(data) - len(received))
        assert received == data


def test_the_end_is_the_sockets() -> None:
    """There is no other word for it."""
    near, far = connected_sockets()
    with far:
        stream = PlainStream(near)
        stream.close_notify()
        stream.close()
        assert stream.sock.fileno() == -1
        assert far.recv(1) == b""
