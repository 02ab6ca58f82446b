"""The shared core: settings to SSL contexts, the handshake under a deadline, and what it negotiated."""

from dicomtls.certificates.passphrase import Passphrase
from dicomtls.tls.context import ALPN, client_context, missing_ciphers, server_context
from dicomtls.tls.handshake import client_handshake, read_failure, server_handshake
from dicomtls.tls.negotiated import Negotiated, PeerCertificate
from dicomtls.tls.settings import ClientAuth, TLSSettings
from dicomtls.tls.stream import TLSStream

__all__ = [
    "ALPN",
    "ClientAuth",
    "Negotiated",
    "Passphrase",
    "PeerCertificate",
    "TLSSettings",
    "TLSStream",
    "client_context",
    "client_handshake",
    "missing_ciphers",
    "read_failure",
    "server_context",
    "server_handshake",
]
