"""Both ends of one handshake over loopback, and what each of them makes of it.

TLS tests go through `shake_hands` where they can: whatever one end says is held against what the other says. A
handshake is proven by the first bytes that come back, so each end sends the other a greeting after it.
"""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from dicomtls.association.channel import Channel, WriteFailed
from dicomtls.connection import connect
from dicomtls.diagnosis import Diagnosis, diagnose
from dicomtls.errors import By, DicomTLSError
from dicomtls.tls import (
    Negotiated,
    TLSSettings,
    TLSStream,
    client_context,
    client_handshake,
    server_context,
    server_handshake,
)
from dicomtls.waiting import deadline_in
from tests.support.pki import PKI, Identity

# Nothing waits this long when all is well.
DEADLINE = 20.0
# Every code of stage TLS in the contract of the command line, but for `alert-NAME`.
TLS_CODES = frozenset(
    {
        "peer-speaks-plain-dicom",
        "peer-speaks-http",
        "peer-is-not-tls",
        "handshake-timeout",
        "peer-closed",
        "connection-reset",
        "no-shared-protocol",
        "no-shared-cipher",
        "unsafe-renegotiation",
        "tls-error",
        "unknown-issuer",
        "self-signed",
        "incomplete-chain",
        "expired",
        "not-yet-valid",
        "name-mismatch",
        "wrong-purpose",
        "revoked",
        "crl-missing",
        "crl-expired",
        "weak-key",
        "weak-signature",
        "bad-signature",
        "invalid-ca",
        "path-length-exceeded",
        "name-not-permitted",
        "unknown-critical-extension",
        "certificate-refused",
        "pin-mismatch",
        "client-certificate-required",
        "client-certificate-refused",
    }
)
GREETING = b"\x07\x00\x00\x00\x00\x04"


@dataclass(frozen=True)
class End:
    """What one end has to say: what was negotiated, where its handshake returned, and the error that followed."""

    negotiated: Negotiated | None
    error: DicomTLSError | None

    @property
    def diagnosis(self) -> Diagnosis:
        """Why it failed; the test fails where it did not."""
        assert self.error is not None, f"no error: {self.negotiated}"
        return diagnose(self.error)

    @property
    def agreed(self) -> Negotiated:
        """What was negotiated; the test fails where the handshake, or the first read, did."""
        assert self.error is None, diagnose(self.error)
        assert self.negotiated is not None
        return self.negotiated


@dataclass(frozen=True)
class Pair:
    """The two ends."""

    client: End
    server: End

    @property
    def codes(self) -> tuple[str | None, str | None]:
        """The error codes that client and server come to; None where there is no error."""
        client, server = (None if end.error is None else end.diagnosis.code for end in (self.client, self.server))
        return client, server


def negotiated_facts(**others: Any) -> Negotiated:
    """What a handshake left behind: TLS 1.3 with a certificate of ours, and a peer of which nothing is known."""
    known: dict[str, Any] = {
        "protocol": "TLSv1.3",
        "cipher": "TLS_AES_256_GCM_SHA384",
        "cipher_openssl": "TLS_AES_256_GCM_SHA384",
        "bits": 256,
        "group": None,
        "alpn": None,
        "resumed": False,
        "client_certificate": "sent",
        "verified": True,
        "verified_by": "chain",
        "name_matched": True,
        "peer": None,
        "chain_der": (b"leaf",),
    }
    return Negotiated(**{**known, **others})


def client_settings(pki: PKI, identity: Identity | None = None, **others: Any) -> TLSSettings:
    """A client that trusts the test CA, with the certificate of `identity` if one is given."""
    own: dict[str, Any] = {"cert": (identity.cert,), "key": (identity.key,)} if identity is not None else {}
    return TLSSettings(**{"ca": (pki.ca,), **own, **others})


def server_settings(pki: PKI, identity: Identity | None = None, **others: Any) -> TLSSettings:
    """A server that demands a client certificate of the test CA; `identity` is `pki.server` by default."""
    identity = identity or pki.server
    return TLSSettings(**{"ca": (pki.ca,), "cert": (identity.cert,), "key": (identity.key,), **others})


@contextmanager
def connected_sockets(address: str = "127.0.0.1") -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection over loopback: the connecting and the accepting socket, both non-blocking."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        near = socket.create_connection(listener.getsockname()[:2], timeout=DEADLINE)
        far, _ = listener.accept()
    with near, far:
        near.settimeout(0)
        far.settimeout(0)
        yield near, far


def shake_hands(
    client: TLSSettings, server: TLSSettings, *, host: str = "localhost", seconds: float = DEADLINE
) -> Pair:
    """Shake hands and greet; returns what the two ends say of it, having asserted that they agree."""
    client_ssl, server_ssl = client_context(client), server_context(server)
    deadline = deadline_in(seconds)
    with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
        serving = thread.submit(_end, lambda: server_handshake(far, server_ssl, deadline=deadline), deadline)
        connecting = _end(lambda: client_handshake(near, client_ssl, client, host=host, deadline=deadline), deadline)
        pair = Pair(connecting, serving.result())
    _assert_agreement(pair)
    return pair


def reach(
    port: int, settings: TLSSettings, *, host: str = "localhost", reads: bool = True, seconds: float = DEADLINE
) -> End:
    """What our client says of a peer on loopback that is not ours; it waits for the first bytes if it `reads`."""
    ssl_context, deadline = client_context(settings), deadline_in(seconds)
    sock = connect([(socket.AF_INET, ("127.0.0.1", port))], deadline)
    try:
        tls_socket, negotiated = client_handshake(sock, ssl_context, settings, host=host, deadline=deadline)
    except DicomTLSError as error:
        return End(None, error)
    channel = Channel(tls_socket, negotiated=negotiated)
    try:
        if reads:
            channel.read_header(deadline)
    except DicomTLSError as error:
        return End(negotiated, error)
    finally:
        channel.close()
    return End(negotiated, None)


def _end(handshake: Callable[[], tuple[TLSStream, Negotiated]], deadline: float) -> End:
    try:
        sock, negotiated = handshake()
    except DicomTLSError as error:
        return End(None, error)
    channel = Channel(sock, negotiated=negotiated)
    try:
        with suppress(WriteFailed):  # the read then says why
            channel.write(GREETING, DEADLINE)
        assert channel.read_header(deadline) == GREETING
    except DicomTLSError as error:
        return End(negotiated, error)
    finally:
        channel.close()
    return End(negotiated, None)


def _assert_agreement(pair: Pair) -> None:
    client, server = pair.client, pair.server
    assert (client.error is None) == (server.error is None), pair.codes
    if client.error is not None:
        assert {client.diagnosis.by, server.diagnosis.by} == {By.US, By.PEER}, (client.diagnosis, server.diagnosis)
        return
    shared = ("protocol", "cipher", "cipher_openssl", "bits", "group", "alpn", "resumed", "client_certificate")
    for fact in shared:
        assert getattr(client.agreed, fact) == getattr(server.agreed, fact), fact
    assert not client.agreed.resumed
    assert client.agreed.peer is not None, "a server without a certificate"
    assert (server.agreed.peer is not None) == (server.agreed.client_certificate == "sent")
