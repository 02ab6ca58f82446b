"""A server's SSL context, which follows its files: a renewed certificate serves from the next association on."""

import os
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final

from dicomtls.errors import DicomTLSError
from dicomtls.tls import TLSSettings, server_context

_LOOK_EVERY_SECONDS: Final = 1.0


class CertificateSource:
    """Gives the context for a new connection; `on_reload` hears of each change, and of each that failed."""

    def __init__(
        self, settings: TLSSettings, *, on_reload: Callable[[DicomTLSError | None], None] | None = None
    ) -> None:
        """Build the first context; raises `CredentialError`, `UsageError`."""
        self._settings = settings
        self._on_reload = on_reload
        self._lock = threading.Lock()
        self._stamp = self._read_stamp()
        self._context = server_context(settings)
        self._looked = monotonic()
        self._is_asked = False

    @property
    def settings(self) -> TLSSettings:
        """What the contexts are built from."""
        return self._settings

    def context(self) -> ssl.SSLContext:
        """The context of now, which knows no session; the files are looked at once a second at most.

        `ssl` cannot switch off that a client of TLS 1.2 takes up its session by the identifier, by which the check of
        its certificate would be skipped. What a context remembers is forgotten with it.
        """
        with self._lock:
            if self._is_asked or monotonic() - self._looked > _LOOK_EVERY_SECONDS:
                self._looked = monotonic()
                stamp = self._read_stamp()
                if self._is_asked or stamp != self._stamp:
                    self._is_asked, self._stamp = False, stamp
                    self._load()
            if self._context.session_stats()["number"]:
                with suppress(DicomTLSError):  # half a change of the files: the next look at them tells
                    self._context = server_context(self._settings)
            return self._context

    def reload(self) -> None:
        """Read the files again for the next connection, changed or not; safe in a signal handler."""
        self._is_asked = True

    def _load(self) -> None:
        failure = None
        try:
            self._context = server_context(self._settings)
        except DicomTLSError as error:  # half a change: the old files were good, so they go on serving
            failure = error
        if self._on_reload is not None:
            self._on_reload(failure)

    def _read_stamp(self) -> tuple[tuple[int, int, int] | None, ...]:
        settings = self._settings
        return tuple(_stamp_of(path) for path in (*settings.cert, *settings.key, *settings.ca, *settings.crl))


def _stamp_of(path: os.PathLike[str]) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 -- a PathLike is enough
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
