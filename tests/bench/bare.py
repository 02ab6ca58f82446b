"""Bare `ssl` sockets: what Python can move over TLS in one stream when nothing else is to be done.

`python -m tests.bench.bare receive` listens and discards; `send PORT` prints the seconds from the first byte
until the receiver has acknowledged the last one. Mutual TLS 1.3, as everything that it is compared with.
"""

from __future__ import annotations

import argparse
import socket
import ssl
import time
from pathlib import Path

_WRITE_SIZE = 1 << 20
_READ_SIZE = 256 << 10


def _context(purpose: ssl.Purpose, ca: Path, cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(purpose, cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(cert, key)
    return context


def receive(context: ssl.SSLContext, size: int) -> None:
    """Take connections one after the other, read `size` bytes of each, acknowledge them with one."""
    buffer = bytearray(_READ_SIZE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        while True:
            connection, _ = listener.accept()
            with context.wrap_socket(connection, server_side=True) as stream:
                left = size
                while left:
                    count = stream.recv_into(buffer)
                    if not count:
                        break
                    left -= count
                stream.sendall(b"\0")


def send(context: ssl.SSLContext, port: int, size: int) -> float:
    """Send `size` bytes and return the seconds that this took."""
    chunk = memoryview(bytes(_WRITE_SIZE))
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as stream,
    ):
        started = time.perf_counter()
        for offset in range(0, size, _WRITE_SIZE):
            stream.sendall(chunk[: min(_WRITE_SIZE, size - offset)])
        stream.recv(1)
        return time.perf_counter() - started


def main() -> None:
    """Be the end that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ca", type=Path, required=True)
    parser.add_argument("--cert", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--size", type=int, required=True)
    ends = parser.add_subparsers(dest="end", required=True)
    ends.add_parser("receive")
    ends.add_parser("send").add_argument("port", type=int)
    arguments = parser.parse_args()
    identity = (arguments.ca, arguments.cert, arguments.key)
    if arguments.end == "receive":
        receive(_context(ssl.Purpose.CLIENT_AUTH, *identity), arguments.size)
    else:
        print(send(_context(ssl.Purpose.SERVER_AUTH, *identity), arguments.port, arguments.size))


if __name__ == "__main__":
    main()
