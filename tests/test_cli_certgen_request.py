"""`dicomtls certgen request`."""

from tests.support.authority import EC, Certgen
from tests.support.openssl import openssl


def test_request_and_key_are_written(certgen: Certgen) -> None:
    """OpenSSL reads the one; the other stays private."""
    base = ("request", "--name", "dev", "--host", "dev.example", "--uri", "urn:x:1", "--out", certgen.directory)
    document = certgen.document(*base, "--key-type", EC)
    assert document["files"] == [str(certgen.directory / name) for name in ("dev.csr", "dev.key")]
    assert (certgen.directory / "dev.key").stat().st_mode & 0o777 == 0o600
    text = openssl("req", "-in", certgen.directory / "dev.csr", "-noout", "-text", "-verify").stdout
    assert "DNS:dev.example, URI:urn:x:1" in text
    assert "dev.csr exists already" in certgen.run(*base, status=2)
