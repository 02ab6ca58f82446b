"""A server's SSL context follows its files, and a broken file never takes the good one away."""

import shutil
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from dicomtls.errors import CredentialError, DicomTLSError, UsageError
from dicomtls.scp import certificates as certificates_module
from dicomtls.scp.certificates import CertificateSource
from dicomtls.tls import TLSSettings, server_handshake
from dicomtls.waiting import deadline_in
from tests.support.pairs import SECONDS, connected_sockets
from tests.support.pki import PKI, Identity, client_context


@pytest.fixture
def files(pki: PKI, tmp_path: Path) -> TLSSettings:
    """The files of a server, which a test may change."""
    settings = TLSSettings(ca=(tmp_path / "ca.pem",), cert=(tmp_path / "cert.pem",), key=(tmp_path / "key.pem",))
    shutil.copy(pki.ca, settings.ca[0])
    put(settings, pki.server)
    return settings


def put(settings: TLSSettings, identity: Identity) -> None:
    """Replace certificate and key, as a renewal does."""
    for source, target in ((identity.cert, settings.cert[0]), (identity.key, settings.key[0])):
        draft = target.with_suffix(".new")
        shutil.copy(source, draft)
        draft.replace(target)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the files each time."""
    monkeypatch.setattr(certificates_module, "_LOOK_EVERY_SECONDS", -1.0)


def test_settings_are_those_of_the_contexts(files: TLSSettings) -> None:
    """For whoever looks at a refused certificate again."""
    assert CertificateSource(files).settings == files


@pytest.mark.usefixtures("at_once")
def test_context_stays_while_the_files_do(files: TLSSettings) -> None:
    """Nothing is read again without need."""
    heard: list[DicomTLSError | None] = []
    source = CertificateSource(files, on_reload=heard.append)
    assert source.context() is source.context()
    assert heard == []


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("listens", [True, False])
def test_context_is_new_when_a_file_changed(pki: PKI, files: TLSSettings, *, listens: bool) -> None:
    """The next connection gets it, once."""
    heard: list[DicomTLSError | None] = []
    source = CertificateSource(files, on_reload=heard.append if listens else None)
    old = source.context()
    put(files, pki.server_ec)
    new = source.context()
    assert new is not old
    assert source.context() is new
    assert heard == ([None] if listens else [])


@pytest.mark.usefixtures("at_once")
def test_new_trust_anchors_count_too(pki: PKI, files: TLSSettings) -> None:
    """The authorities are files like the certificate."""
    source = CertificateSource(files)
    old = source.context()
    shutil.copy(pki.other_ca, files.ca[0])
    assert source.context() is not old


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("fault", ["garbage", "empty", "missing", "the key of another"])
def test_old_context_serves_on_while_a_new_file_is_broken(pki: PKI, files: TLSSettings, fault: str) -> None:
    """Half a renewal is no reason to stop; it is said once, and over when the files are good again."""
    heard: list[DicomTLSError | None] = []
    source = CertificateSource(files, on_reload=heard.append)
    old = source.context()
    if fault == "missing":
        files.cert[0].unlink()
    elif fault == "the key of another":
        shutil.copy(pki.server_ec.key, files.key[0])
    else:
        files.cert[0].write_bytes(b"-----BEGIN CERTIFICATE-----\n" if fault == "garbage" else b"")
    assert source.context() is old
    assert source.context() is old
    [error] = heard
    assert isinstance(error, CredentialError)
    put(files, pki.server_ec)
    assert source.context() is not old
    assert heard == [error, None]


def test_files_are_looked_at_once_in_a_while_only(
    pki: PKI, files: TLSSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand connections a second do not look at the disk a thousand times."""
    monkeypatch.setattr(certificates_module, "_LOOK_EVERY_SECONDS", 1000.0)
    source = CertificateSource(files)
    old = source.context()
    put(files, pki.server_ec)
    assert source.context() is old


def test_reload_does_not_wait(pki: PKI, files: TLSSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP reads the files for the next connection, changed or not, once."""
    monkeypatch.setattr(certificates_module, "_LOOK_EVERY_SECONDS", 1000.0)
    heard: list[DicomTLSError | None] = []
    source = CertificateSource(files, on_reload=heard.append)
    old = source.context()
    put(files, pki.server_ec)
    source.reload()
    new = source.context()
    assert new is not old
    source.reload()
    assert source.context() is not new
    assert heard == [None, None]


def test_first_files_must_be_good(files: TLSSettings) -> None:
    """There is nothing to fall back on yet."""
    files.key[0].unlink()
    with pytest.raises(CredentialError):
        CertificateSource(files)
    with pytest.raises(UsageError):
        CertificateSource(replace(files, cert=(), key=()))


def visit(
    foreign: ssl.SSLContext, session: ssl.SSLSession | None, ours: ssl.SSLContext
) -> tuple[ssl.SSLSession | None, bool]:
    """A connection that ends as it should; the session of the client, and whether it was taken up again."""
    near, far = connected_sockets()
    with near, far, ThreadPoolExecutor(1) as thread:
        serving = thread.submit(server_handshake, far, ours, deadline=deadline_in(SECONDS))
        near.settimeout(SECONDS)
        with foreign.wrap_socket(near, server_hostname="localhost", session=session) as theirs:
            stream, negotiated = serving.result()
            with stream:
                stream.close_notify()
                assert theirs.recv(1) == b""
                return theirs.session, negotiated.resumed


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_that_comes_back_is_checked_anew(pki: PKI, files: TLSSettings, version: ssl.TLSVersion) -> None:
    """Its certificate may have expired meanwhile; no session is taken up, by ticket or by identifier."""
    source, foreign = CertificateSource(files), client_context(pki, protocol=version)
    session, first = visit(foreign, None, source.context())
    session, second = visit(foreign, session, source.context())
    assert not first
    assert not second


def test_session_is_taken_up_where_the_context_is_kept(pki: PKI, files: TLSSettings) -> None:
    """The negative twin: why a context that has met a client of TLS 1.2 is not used again."""
    kept, foreign = CertificateSource(files).context(), client_context(pki, protocol=ssl.TLSVersion.TLSv1_2)
    session, _ = visit(foreign, None, kept)
    assert visit(foreign, session, kept)[1]


def test_context_goes_on_serving_when_no_new_one_can_be_made(pki: PKI, files: TLSSettings) -> None:
    """The files are half changed: the next look at them tells."""
    heard: list[DicomTLSError | None] = []
    source = CertificateSource(files, on_reload=heard.append)
    visit(client_context(pki, protocol=ssl.TLSVersion.TLSv1_2), None, source.context())
    kept = source._context
    files.key[0].unlink()
    assert source.context() is kept
    assert heard == []
