"""dicomtls.certificates.throwaway."""

import ssl
from pathlib import Path

from dicomtls.certificates.throwaway import throwaway_identity


def test_identity_serves(tmp_path: Path) -> None:
    """OpenSSL takes certificate and key, and no two are the same."""
    path = tmp_path / "identity.pem"
    path.write_bytes(throwaway_identity())
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    assert throwaway_identity() != throwaway_identity()
