"""dicomtls.scu.fetch: the chain of a peer, trusted or not."""

import ssl

import pytest

from dicomtls.certificates.load import load_certificates
from dicomtls.errors import HandshakeError, NetworkError
from dicomtls.peer import Peer
from dicomtls.scu.attempt import Attempt
from dicomtls.scu.fetch import fetch_chain
from dicomtls.tls import TLSSettings
from tests.support.pki import PKI, server_context
from tests.support.raw import raw_server, receive_until_end, tls_raw_server


def attempt_at(port: int) -> Attempt:
    """An attempt to reach a peer on loopback."""
    return Attempt(Peer("127.0.0.1", port), "DICOMTLS")


@pytest.mark.parametrize("protocol", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("client_auth", [ssl.CERT_NONE, ssl.CERT_REQUIRED])
def test_chain_is_fetched_whatever_the_peer_wants(
    pki: PKI, protocol: ssl.TLSVersion, client_auth: ssl.VerifyMode
) -> None:
    """Of either protocol, with and without a demand for our certificate."""
    context = server_context(pki, pki.chained, client_auth=client_auth, protocol=protocol)
    with tls_raw_server(context, receive_until_end) as server:
        attempt = attempt_at(server.port)
        chain = fetch_chain(attempt, TLSSettings(ca=(pki.other_ca,)), timeout=20)
    assert list(chain) == load_certificates(pki.chained.cert)
    assert attempt.address == f"127.0.0.1:{server.port}"
    assert set(attempt.timing_ms) == {"resolve", "connect", "handshake", "total"}


def test_peer_that_speaks_no_tls_is_an_error() -> None:
    """There is no chain to look at; nor is there where nobody listens."""
    with raw_server(lambda connection: connection.sendall(b"HTTP/1.0 400 Bad\r\n\r\n")) as server:
        with pytest.raises(HandshakeError):
            fetch_chain(attempt_at(server.port), TLSSettings(), timeout=20)
        port = server.port
    with pytest.raises(NetworkError):
        fetch_chain(attempt_at(port), TLSSettings(), timeout=20)
