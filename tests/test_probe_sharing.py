"""dicomtls.probe.sharing: SSL contexts built once for many probes."""

import threading
from pathlib import Path

import pytest

from dicomtls.errors import CredentialError
from dicomtls.probe.sharing import SharedTLS
from dicomtls.tls import TLSSettings
from tests.support.pki import PKI
from tests.support.servers import client_tls


def test_contexts_are_built_once_for_all_threads(pki: PKI) -> None:
    """One with our certificate and one without, however many ask at once."""
    shared = SharedTLS(client_tls(pki))
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(shared.ssl_context)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(map(id, found)) == {id(shared.ssl_context)}
    assert shared.anonymous_ssl_context is shared.anonymous_ssl_context
    assert shared.anonymous_ssl_context is not shared.ssl_context
    assert shared.anonymous_tls is not None
    assert (shared.anonymous_tls.cert, shared.anonymous_tls.key) == ((), ())


def test_nothing_is_built_in_clear() -> None:
    """There is no context then."""
    shared = SharedTLS(None)
    assert (shared.ssl_context, shared.anonymous_ssl_context) == (None, None)


def test_settings_that_cannot_be_had_are_an_error(tmp_path: Path) -> None:
    """Raised where the context is asked for, each time."""
    shared = SharedTLS(TLSSettings(ca=(tmp_path / "missing.pem",)))
    for _ in range(2):
        with pytest.raises(CredentialError):
            _ = shared.ssl_context
