"""How `serve` starts; the whole of it is in test_cli_serve."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dicomtls.cli.output import Output
from dicomtls.cli.serve_log import Log
from dicomtls.cli.serve_start import announced, certificate_source, check_ready_file, stopped_by_signals
from dicomtls.errors import CredentialError, MachineError, UsageError
from dicomtls.scp.certificates import CertificateSource
from dicomtls.scp.events import Event, Severity
from dicomtls.scp.identity import OwnIdentity
from dicomtls.scp.server import Server
from dicomtls.scp.settings import ServerSettings
from dicomtls.scp.storage import FolderStorage
from dicomtls.tls import ClientAuth, TLSSettings
from tests.support.pki import PASSPHRASE, PKI, Identity


def settings(pki: PKI, identity: Identity, **more: object) -> TLSSettings:
    """A server's settings with that identity."""
    return TLSSettings(ca=(pki.ca,), cert=(identity.cert,), key=(identity.key,), **more)  # type: ignore[arg-type]  # typed by the caller


def events_of(tls: TLSSettings | None) -> list[Event]:
    """What is said about the certificates at the start."""
    events: list[Event] = []
    certificate_source(tls, events.append)
    return events


def test_server_in_clear_needs_no_certificate() -> None:
    """Neither a context nor an identity is made."""
    assert certificate_source(None, lambda _: None) == (None, None)


def test_given_certificate_is_used_and_none_is_made(pki: PKI, home: Path) -> None:
    """The user's data folder stays as it is."""
    source, identity = certificate_source(settings(pki, pki.server), lambda _: None)
    assert source is not None
    assert identity is None
    assert not (home / ".local/share/dicomtls").exists()


def test_identity_that_cannot_be_made_says_how_to_do_without(home: Path) -> None:
    """Where the data folder cannot be written, a certificate can still be given."""
    (home / ".local").write_text("a file")
    with pytest.raises(MachineError) as caught:
        certificate_source(TLSSettings(client_auth=ClientAuth.NONE), lambda _: None)
    assert "--cert" in caught.value.hints[0]


def test_own_certificate_that_ends_soon_is_an_event(pki: PKI) -> None:
    """With the days that it has left; one that has expired is served all the same, and said to have."""
    (event,) = events_of(settings(pki, pki.expiring))
    assert (event.name, event.severity) == ("certificate-expires", Severity.WARNING)
    assert event.facts["days_left"] == 9
    assert events_of(settings(pki, pki.expiring, warn_days=5)) == []
    assert events_of(settings(pki, pki.server)) == []
    (expired,) = events_of(settings(pki, pki.expired))
    assert expired.message == f"our certificate has expired: {pki.expired.cert}"


def test_archive_is_opened_once_more_for_its_dates(pki: PKI) -> None:
    """With the passphrase that was given for it."""
    tls = TLSSettings(ca=(pki.ca,), cert=(pki.expiring.pkcs12,), passphrase=lambda _: PASSPHRASE)
    assert [event.name for event in events_of(tls)] == ["certificate-expires"]


def test_reload_is_told_and_the_dates_are_looked_at_again(pki: PKI, tmp_path: Path) -> None:
    """As after a renewal that brought the wrong certificate."""
    tls = settings(pki, Identity(tmp_path, "server"))
    for role in ("cert", "key"):
        getattr(Identity(tmp_path, "server"), role).write_bytes(getattr(pki.server, role).read_bytes())
    events: list[Event] = []
    source, _ = certificate_source(tls, events.append)
    assert source is not None
    tls.cert[0].write_bytes(pki.expiring.cert.read_bytes())
    source.reload()
    source.context()
    assert [event.name for event in events] == ["certificates-reloaded", "certificate-expires"]
    tls.key[0].write_bytes(b"nonsense")
    source.reload()
    source.context()
    assert (events[2].name, events[2].severity) == ("certificates-refused", Severity.ERROR)
    assert events[2].message.startswith("the certificates cannot be read again, the old ones serve on: ")


def test_bad_certificate_is_refused_at_the_start(pki: PKI) -> None:
    """Before anything listens."""
    with pytest.raises(CredentialError):
        certificate_source(TLSSettings(cert=(pki.ca_key,), client_auth=ClientAuth.NONE), lambda _: None)


@contextmanager
def listening(tmp_path: Path) -> Iterator[Server]:
    """A server in clear that is never run."""
    storage = FolderStorage(tmp_path / "in")
    server = Server(ServerSettings(host="127.0.0.1"), None, storage, on_event=lambda _: None)
    try:
        yield server
    finally:
        server.stop()
        server.run()
        storage.close()


def test_ready_file_comes_first_and_goes_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is there when the line is read, and gone when the server is."""
    ready = tmp_path / "ready"
    identity = OwnIdentity(tmp_path / "serve.pem", tmp_path / "serve.key", "ab" * 32, is_new=True)
    log = Log(Output("serve"), as_json=False)
    with listening(tmp_path) as server, announced(log, server, identity, ready):
        assert ready.read_text() == f"127.0.0.1:{server.port}\n"
        captured = capsys.readouterr()
    assert not ready.exists()
    assert captured.out == f"listening on 127.0.0.1:{server.port}\n"
    assert captured.err.splitlines() == [
        f"dicomtls: info: serving with a self-signed certificate of our own: {identity.cert}",
        f"dicomtls: info: clients trust it with: --pin sha256:{'ab' * 32}",
    ]


def test_old_ready_file_is_taken_away(tmp_path: Path) -> None:
    """Before anything listens; one that could not be written is refused then too."""
    ready = tmp_path / "ready"
    ready.write_text("127.0.0.1:1\n")
    check_ready_file(ready)
    check_ready_file(None)
    assert not ready.exists()
    with pytest.raises(UsageError):
        check_ready_file(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_a_running_server(tmp_path: Path, number: signal.Signals) -> None:
    """The handlers that were there before come back."""
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with listening(tmp_path) as server, stopped_by_signals(server, None):
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), number)
        server.run()
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_hangup_asks_for_the_certificates_again(pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next connection gets them."""
    asked: list[str] = []
    source = CertificateSource(settings(pki, pki.server))
    remember: Callable[[], None] = lambda: asked.append("again")  # noqa: E731 -- its type is the point
    monkeypatch.setattr(source, "reload", remember)
    with listening(tmp_path) as server, stopped_by_signals(server, source):
        os.kill(os.getpid(), signal.SIGHUP)
    assert asked == ["again"]


def test_system_without_hangups_has_the_other_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.delattr("signal.SIGHUP")
    with listening(tmp_path) as server, stopped_by_signals(server, None):
        os.kill(os.getpid(), signal.SIGINT)
