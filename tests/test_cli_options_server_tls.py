"""The options about TLS where we are the server."""

from pathlib import Path
from typing import Any

import pytest

from dicomtls.cli.options import ServerTLSOptions
from dicomtls.errors import UsageError
from dicomtls.tls import ClientAuth

A, B = Path("a.pem"), Path("b.pem")


def test_server_options_become_settings() -> None:
    """Several certificates with their keys, in their order, and who must show one."""
    settings = ServerTLSOptions(ca=(A,), cert=(A, B), key=(B, A), client_auth="optional", crl=(B,)).settings()
    assert settings is not None
    assert (settings.ca, settings.cert, settings.key) == ((A,), (A, B), (B, A))
    assert (settings.client_auth, settings.crl) == (ClientAuth.OPTIONAL, (B,))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({}, "--client-auth required needs --ca"),
        ({"client_auth": "optional"}, "--client-auth optional needs --ca"),
        ({"client_auth": "none", "crl": (A,)}, "--client-auth none asks for no certificate, so --crl"),
        ({"ca": (A,), "key": (A,)}, "--key without --cert"),
        ({"ca": (A,), "cert": (A, B), "key": (A,)}, "2 certificates but 1 private key$"),
        ({"ca": (A,), "passphrase_file": A, "passphrase_env": "X"}, "--passphrase-file and --passphrase-env"),
        ({"ca": (A,), "tls_min": "1.3", "tls_max": "1.0"}, "leave no protocol"),
    ],
)
def test_server_options_that_contradict_each_other_are_refused(said: dict[str, Any], error: str) -> None:
    """A server never trusts the system's anchors, so that it needs a CA; the rest is as on the client."""
    with pytest.raises(UsageError, match=error) as caught:
        ServerTLSOptions(**said).settings()
    assert caught.value.hints
