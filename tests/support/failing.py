"""Peers to fail with, as values that say how they are to be started: equal ones are one peer on a `Bench`."""

import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.cases import case_server
from tests.support.following import Bench, Reachable
from tests.support.peers import (
    dcmtk_storescp,
    openssl_s_server,
    orthanc,
    pynetdicom_scp,
    raw_server,
    receive_until_end,
    reset,
    tls_raw_server,
)
from tests.support.pki import PKI, Identity, server_context

Adapt = Callable[[ssl.SSLContext, PKI], object]


@dataclass(frozen=True)
class Storescp:
    """DCMTK's storescp with these options; `identity` by its name in the PKI."""

    options: tuple[str, ...] = ()
    tls: bool = True
    identity: str = "server"
    client_auth: str = "required"

    def __call__(self, bench: Bench) -> AbstractContextManager[Reachable]:
        """Start it."""
        return dcmtk_storescp(
            bench.pki,
            bench.new_folder(),
            *_with_paths(bench.pki, self.options),
            tls=self.tls,
            identity=Identity(bench.pki.directory, self.identity),
            client_auth=self.client_auth,
        )


@dataclass(frozen=True)
class Orthanc:
    """Orthanc; `web` is its HTTP port in place of its DICOM port."""

    tls: bool = True
    client_auth: bool = True
    identity: str = "server"
    web: bool = False
    settings: tuple[tuple[str, object], ...] = ()

    @contextmanager
    def __call__(self, bench: Bench) -> Iterator[Reachable]:
        """Start it."""
        identity = Identity(bench.pki.directory, self.identity)
        with orthanc(
            bench.pki,
            bench.new_folder(),
            tls=self.tls,
            identity=identity,
            client_auth=self.client_auth,
            settings=dict(self.settings),
        ) as peer:
            if self.web:
                peer.port = peer.http_port
            yield peer


@dataclass(frozen=True)
class SServer:
    """`openssl s_server` with these options."""

    options: tuple[str, ...] = ()
    identity: str = "server"
    client_auth: bool = False

    def __call__(self, bench: Bench) -> AbstractContextManager[Reachable]:
        """Start it."""
        identity = Identity(bench.pki.directory, self.identity)
        options = _with_paths(bench.pki, self.options)
        return openssl_s_server(bench.pki, *options, identity=identity, client_auth=self.client_auth)


def _with_paths(pki: PKI, options: tuple[str, ...]) -> list[str]:
    """Options in which a file of the PKI stands by its name."""
    return [str(pki.directory / option) if option.endswith((".pem", ".key")) else option for option in options]


@dataclass(frozen=True)
class CaseServer:
    """`openssl s_server` with the files of a case of the test set."""

    name: str

    def __call__(self, bench: Bench) -> AbstractContextManager[Reachable]:
        """Start it."""
        return case_server(bench.case(self.name), bench.new_folder())


@dataclass(frozen=True)
class Pynetdicom:
    """pynetdicom, with any context of `ssl`: `adapt` does to it what it likes."""

    identity: str = "server"
    client_auth: ssl.VerifyMode = ssl.CERT_NONE
    protocol: ssl.TLSVersion | None = None
    adapt: Adapt | None = None
    tls: bool = True
    handlers: tuple[tuple[Any, Any], ...] = ()
    settings: tuple[tuple[str, object], ...] = ()
    """Attributes of the AE."""
    without: tuple[str, ...] = ()
    """SOP classes that it does not have."""

    def __call__(self, bench: Bench) -> AbstractContextManager[Reachable]:
        """Start it."""
        return pynetdicom_scp(
            self._context(bench.pki), self.handlers, settings=dict(self.settings), without=self.without
        )

    def _context(self, pki: PKI) -> ssl.SSLContext | None:
        if not self.tls:
            return None
        identity = Identity(pki.directory, self.identity)
        context = server_context(pki, identity, client_auth=self.client_auth, protocol=self.protocol)
        if self.adapt is not None:
            self.adapt(context, pki)
        return context


@dataclass(frozen=True)
class Raw:
    """A server that does this to each connection."""

    callback: Callable[[socket.socket], object]

    def __call__(self, _bench: Bench) -> AbstractContextManager[Reachable]:
        """Start it."""
        return raw_server(self.callback)


@dataclass(frozen=True)
class Port:
    """Something that listens, or does not."""

    port: int


@dataclass(frozen=True)
class WebServer:
    """Python's own."""

    @contextmanager
    def __call__(self, _bench: Bench) -> Iterator[Reachable]:
        """Start it."""
        with http.server.HTTPServer(("127.0.0.1", 0), _Quiet) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield Port(server.server_address[1])
            server.shutdown()
            thread.join()


class _Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class TLSRaw:
    """The same behind TLS, with the certificate of the server."""

    callback: Callable[[socket.socket], object]
    client_auth: ssl.VerifyMode = ssl.CERT_NONE

    def __call__(self, bench: Bench) -> AbstractContextManager[Reachable]:
        """Start it."""
        return tls_raw_server(server_context(bench.pki, client_auth=self.client_auth), self.callback)


def close_at_once(connection: socket.socket) -> None:
    """Hear the request, and go."""
    connection.recv(65536)


def reset_at_once(connection: socket.socket) -> None:
    """Go without a farewell."""
    reset(connection)


def say_after_hello(data: bytes) -> Callable[[socket.socket], object]:
    """A server that answers whatever comes first with `data`."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)
        receive_until_end(connection)

    return answer
