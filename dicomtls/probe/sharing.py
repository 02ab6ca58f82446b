"""What all probes of one run have in common: SSL contexts, each built once, and who issued our certificate."""

import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dicomtls.errors import CredentialError

if TYPE_CHECKING:
    import ssl

    from dicomtls.tls import TLSSettings

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----\s[^-]*-----END CERTIFICATE-----")


class SharedTLS:
    """The SSL contexts for one set of settings, built when they are first needed; threads may share it.

    `ssl_context` raises `CredentialError`, `UsageError` for settings that cannot be had. In clear it is None.
    """

    def __init__(self, tls: "TLSSettings | None") -> None:
        self.tls = tls
        self.anonymous_tls = None if tls is None else replace(tls, cert=(), key=())
        self._lock = threading.Lock()
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._issuers: frozenset[bytes] | None = None

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

    def fits(self, authorities: tuple[bytes, ...]) -> bool | None:
        """Whether our chain leads to one of the authorities, named in DER, that a server accepts for clients.

        None where the server named none, or we have no certificate (RFC 8446 section 4.2.4).
        """
        if not authorities or self.tls is None or not self.tls.cert:
            return None
        with self._lock:
            if self._issuers is None:
                self._issuers = frozenset(_issuers(self.tls))
            return not self._issuers.isdisjoint(authorities) if self._issuers else None


def _issuers(tls: "TLSSettings") -> set[bytes]:
    """The names of those who issued the certificates that we send, in DER; empty where that cannot be read."""
    from dicomtls.certificates.fields import CertificateFields

    try:
        return {CertificateFields.parse(der).issuer for der in _own_chain(tls)}
    except CredentialError:
        return set()


def _own_chain(tls: "TLSSettings") -> list[bytes]:
    from ssl import PEM_cert_to_DER_cert

    from dicomtls.certificates.reading import read

    path = tls.cert[0]
    blocks = _PEM.findall(read(path).decode("latin-1"))
    try:
        # Without `cryptography`, which takes 65 ms to import.
        found = [PEM_cert_to_DER_cert(block) for block in blocks]
    except ValueError:
        found = []
    if found:
        return found
    from dicomtls.certificates.load import load_certificates

    return load_certificates(path, tls.passphrase)
