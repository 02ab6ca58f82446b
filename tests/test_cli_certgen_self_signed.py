"""`dicomtls certgen self-signed`."""

import re
from pathlib import Path

import pytest

from dicomtls.cli.app import main
from dicomtls.tls import ClientAuth, TLSSettings
from tests.support.handshakes import shake_hands
from tests.support.openssl import openssl


def test_certificate_is_trusted_by_the_pin_that_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And by its file as an anchor; by nobody else."""
    line = ["certgen", "self-signed", "--name", "ct", "--host", "localhost", "--out", str(tmp_path)]
    assert main([*line, "--key-type", "ec:p256"]) == 0
    found = re.search(r"--pin sha256:([0-9a-f]{64})", capsys.readouterr().out)
    assert found is not None
    server = TLSSettings(cert=(tmp_path / "ct.pem",), key=(tmp_path / "ct.key",), client_auth=ClientAuth.NONE)
    assert shake_hands(TLSSettings(pins=(found[1],)), server).codes == (None, None)
    assert shake_hands(TLSSettings(ca=(tmp_path / "ct.pem",)), server).codes == (None, None)
    assert shake_hands(TLSSettings(), server).codes[0] == "self-signed"
    assert main(line) == 2
    assert "exists already" in capsys.readouterr().err


def test_uri_is_put_in_and_a_host_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A URI alone is nothing that a peer connects to."""
    line = ["certgen", "self-signed", "--name", "ct", "--uri", "urn:oid:1.2.3", "--out", str(tmp_path)]
    assert main(line) == 2
    assert "give each with --host" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert main([*line, "--host", "localhost", "--key-type", "ec:p256"]) == 0
    text = openssl("x509", "-in", tmp_path / "ct.pem", "-noout", "-text").stdout
    assert "DNS:localhost, URI:urn:oid:1.2.3" in text
