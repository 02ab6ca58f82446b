"""What a user can choose about TLS, as values; `context` turns them into SSL contexts."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dicomtls.certificates.passphrase import Passphrase
from dicomtls.errors import UsageError

_PIN_PREFIX = "sha256:"
_PIN_DIGITS = 64


class ClientAuth(StrEnum):
    """Whether a server asks for a client certificate, and whether it insists."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class TLSSettings:
    """Everything that shapes a handshake; what a field means is in the help of the option of its name.

    `pins`, `insecure`, `verify_name`, `server_name` and `sni` are the client's, `client_auth` is the server's.
    A server never trusts the system's anchors: only those in `ca`. `remember` is told fingerprint and subject of a peer
    that is met for the first time, which is trusted for that alone: its chain and its name are not looked at.
    `warn_days` is how many days before its end a certificate is warned of.
    """

    ca: tuple[Path, ...] = ()
    cert: tuple[Path, ...] = ()
    key: tuple[Path, ...] = ()
    passphrase: Passphrase | None = None
    profile: str = "bcp195"
    tls_min: str | None = None
    tls_max: str | None = None
    ciphers: tuple[str, ...] = ()
    server_name: str | None = None
    verify_name: bool = True
    insecure: bool = False
    pins: tuple[str, ...] = ()
    remember: Callable[[str, str], None] | None = None
    crl: tuple[Path, ...] = ()
    keylog: Path | None = None
    alpn: bool = True
    sni: bool = True
    client_auth: ClientAuth = ClientAuth.REQUIRED
    warn_days: int = 30

    def pin_digests(self) -> frozenset[str]:
        """The pins as 64 lower-case hexadecimal digits each; raises `UsageError` where one is none.

        `sha256:` may be left out, and colons may stand between the digits, as in what `openssl x509 -fingerprint` says.
        """
        return frozenset(_pin_digest(pin) for pin in self.pins)


def _pin_digest(pin: str) -> str:
    digest = pin.casefold().removeprefix(_PIN_PREFIX).replace(":", "")
    if len(digest) != _PIN_DIGITS or not set(digest) <= set("0123456789abcdef"):
        msg = f"not a pin: {pin!r}"
        raise UsageError(
            msg, hints=("a pin is sha256: and the 64 hexadecimal digits of a certificate or a public key",)
        )
    return digest
