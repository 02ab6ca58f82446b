"""dicomtls.probe.sharing: SSL contexts built once for many probes, and whether a server accepts our authority."""

import threading
from pathlib import Path

import pytest

from dicomtls.certificates.fields import CertificateFields
from dicomtls.certificates.load import load_certificates
from dicomtls.errors import CredentialError
from dicomtls.probe.sharing import SharedTLS
from dicomtls.tls import TLSSettings
from tests.support.pki import PASSPHRASE, PKI
from tests.support.servers import client_tls


def subject(path: Path) -> bytes:
    """The name of the first certificate of a file, in DER."""
    return CertificateFields.parse(load_certificates(path)[0]).subject


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
    """There is no context, and nothing that could fit."""
    shared = SharedTLS(None)
    assert (shared.ssl_context, shared.anonymous_ssl_context, shared.fits((b"name",))) == (None, None, None)


def test_settings_that_cannot_be_had_are_an_error(tmp_path: Path) -> None:
    """Raised where the context is asked for, each time."""
    shared = SharedTLS(TLSSettings(ca=(tmp_path / "missing.pem",)))
    for _ in range(2):
        with pytest.raises(CredentialError):
            _ = shared.ssl_context


def test_certificate_fits_the_authority_that_issued_it(pki: PKI) -> None:
    """Any of those that are named will do; another one does not; where none is named nothing can be said."""
    shared = SharedTLS(client_tls(pki))
    ours, others = subject(pki.ca), subject(pki.other_ca)
    assert shared.fits((others, ours)) is True
    assert shared.fits((others,)) is False
    assert shared.fits(()) is None
    assert SharedTLS(TLSSettings(ca=(pki.ca,))).fits((ours,)) is None


def test_authority_of_an_intermediate_that_we_send_fits_too(pki: PKI) -> None:
    """RFC 8446 section 4.2.4: some certificate of the chain is issued by a named authority."""
    shared = SharedTLS(client_tls(pki, pki.chained))
    assert shared.fits((subject(pki.intermediate),)) is True
    assert shared.fits((subject(pki.ca),)) is True
    assert shared.fits((subject(pki.other_ca),)) is False


def test_archives_are_read_too_and_what_is_none_is_left_open(pki: PKI, tmp_path: Path) -> None:
    """PKCS#12 with its passphrase and DER; where the file holds no certificate there is no answer."""
    archive = TLSSettings(ca=(pki.ca,), cert=(pki.client.pkcs12,), passphrase=lambda _path: PASSPHRASE)
    assert SharedTLS(archive).fits((subject(pki.ca),)) is True
    assert SharedTLS(TLSSettings(cert=(pki.client.cert_der,))).fits((subject(pki.ca),)) is True
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
    assert SharedTLS(TLSSettings(cert=(tmp_path / "broken.pem",))).fits((subject(pki.ca),)) is None
