"""How `serve` starts and stops: which certificate it shows, what it says once it listens, what signals do."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dicomtls.cli.sentences import days_in_words
from dicomtls.cli.writing import check_writable, remove_file, replace_file
from dicomtls.errors import CredentialError, MachineError
from dicomtls.peer import format_address
from dicomtls.scp.events import Event, Listener, Severity

if TYPE_CHECKING:
    from dicomtls.cli.serve_log import Log
    from dicomtls.errors import DicomTLSError
    from dicomtls.scp.certificates import CertificateSource
    from dicomtls.scp.identity import OwnIdentity
    from dicomtls.scp.server import Server
    from dicomtls.tls import TLSSettings


def certificate_source(
    settings: "TLSSettings | None", on_event: Listener
) -> "tuple[CertificateSource | None, OwnIdentity | None]":
    """Return what gives the SSL context of each connection, and the identity that is used where none was given.

    Raises `CredentialError`, `UsageError`, `MachineError`.
    """
    if settings is None:
        return None, None
    from dicomtls.scp.certificates import CertificateSource

    identity = None if settings.cert else _own_identity()
    if identity is not None:
        settings = replace(settings, cert=(identity.cert,), key=(identity.key,))
    source = CertificateSource(settings, on_reload=lambda error: _tell_of_reload(error, settings, on_event))
    _warn_of_expiry(settings, on_event)
    return source, identity


def _own_identity() -> "OwnIdentity":
    from dicomtls.cli.folders import data_folder
    from dicomtls.scp.identity import own_identity

    try:
        return own_identity(data_folder())
    except (MachineError, CredentialError) as error:
        error.hints = ("give a certificate with --cert and --key: none is needed there then",)
        raise


def _tell_of_reload(error: "DicomTLSError | None", settings: "TLSSettings", on_event: Listener) -> None:
    if error is None:
        on_event(Event("certificates-reloaded", "the certificates were read again"))
        _warn_of_expiry(settings, on_event)
        return
    message = f"the certificates cannot be read again, the old ones serve on: {error.message}"
    on_event(Event("certificates-refused", message, Severity.ERROR, facts={"code": error.code}))


def _warn_of_expiry(settings: "TLSSettings", on_event: Listener) -> None:
    """An event for each certificate of ours that ends within `warn_days`."""
    for path in settings.cert:
        with suppress(CredentialError):  # dates that nobody can read, in a file that OpenSSL took
            days_left = _days_left(path, settings)
            if days_left < settings.warn_days:
                message = f"our certificate {days_in_words(days_left)}: {path}"
                facts = {"path": str(path), "days_left": days_left}
                on_event(Event("certificate-expires", message, Severity.WARNING, facts=facts))


def _days_left(path: Path, settings: "TLSSettings") -> int:
    """Whole days until the first certificate of the chain in the file expires."""
    from dicomtls.certificates.fields import days_left
    from dicomtls.certificates.load import load_certificates

    return days_left(load_certificates(path, settings.passphrase))


@contextmanager
def announced(log: "Log", server: "Server", identity: "OwnIdentity | None", ready_file: Path | None) -> Iterator[None]:
    """Say whom clients can trust and where we listen: last on stdout, so that who waits for that finds all else there.

    The ready file is taken away at the end. Raises `MachineError` where it cannot be written.
    """
    address = format_address(server.host, server.port)
    if identity is not None:
        log.notice(f"serving with a self-signed certificate of our own: {identity.cert}")
        log.notice(f"clients trust it with: --pin sha256:{identity.fingerprint_sha256}")
    if ready_file is not None:
        replace_file(ready_file, f"{address}\n".encode())
    try:
        log.result(
            Event(
                "listening",
                f"listening on {address}",
                facts={
                    "host": server.host,
                    "port": server.port,
                    "fingerprint_sha256": identity.fingerprint_sha256 if identity else None,
                },
            )
        )
        yield
        log(Event("stopped", "stopped"))
    finally:
        if ready_file is not None:
            remove_file(ready_file)


def check_ready_file(ready_file: Path | None) -> None:
    """Refuse a ready file that could not be written, and take away an old one; raises `UsageError`, `MachineError`."""
    if ready_file is not None:
        check_writable(ready_file, "ready file")
        remove_file(ready_file)


@contextmanager
def stopped_by_signals(server: "Server", certificates: "CertificateSource | None") -> Iterator[None]:
    """SIGINT and SIGTERM stop gracefully, a second one at once; SIGHUP reads the certificates again."""
    previous = {number: signal.signal(number, lambda *_: server.stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    if hasattr(signal, "SIGHUP"):
        previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda *_: _reload(certificates))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _reload(certificates: "CertificateSource | None") -> None:
    # Where there is nothing to read again, the signal is to end nothing either.
    if certificates is not None:
        certificates.reload()
