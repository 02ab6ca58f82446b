"""What all probes of one run have in common: SSL contexts, each built once."""

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from dicomtls.tls import TLSSettings


class SharedTLS:
    """The SSL contexts for one set of settings, built when they are first needed; threads may share it.

    Both raise `CredentialError`, `UsageError`, and `MachineError` where the key log cannot be written. In clear they
    are None.
    """

    def __init__(self, tls: "TLSSettings | None") -> None:
        self.tls = tls
        self.anonymous_tls = None if tls is None else replace(tls, cert=(), key=())
        self._lock = threading.Lock()
        self._contexts: dict[bool, ssl.SSLContext] = {}

    @property
    def ssl_context(self) -> "ssl.SSLContext | None":
        """With our certificate, where we have one."""
        return self._context(is_anonymous=False)

    @property
    def anonymous_ssl_context(self) -> "ssl.SSLContext | None":
        """The same without any certificate of ours."""
        return self._context(is_anonymous=True)

    def _context(self, *, is_anonymous: bool) -> "ssl.SSLContext | None":
        tls = self.anonymous_tls if is_anonymous else self.tls
        if tls is None:
            return None
        from dicomtls.tls import client_context

        with self._lock:
            if is_anonymous not in self._contexts:
                self._contexts[is_anonymous] = client_context(tls)
            return self._contexts[is_anonymous]
