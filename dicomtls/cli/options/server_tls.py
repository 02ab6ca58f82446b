"""What a user can say about TLS where we are the server."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from dicomtls.cli.declaring import option
from dicomtls.cli.options.tls_shared import (
    CA,
    CRL,
    PANEL,
    Ciphers,
    Contradiction,
    Keylog,
    NoALPN,
    NoTLS,
    PassphraseEnv,
    PassphraseFile,
    ProfileName,
    SharedTLSOptions,
    TLSMax,
    TLSMin,
    WarnDays,
)
from dicomtls.cli.options.values import path_option


@dataclass(frozen=True, kw_only=True)
class ServerTLSOptions(SharedTLSOptions):
    """What a user can say about TLS where we are the server."""

    ca: CA = ()
    cert: Annotated[
        tuple[Path, ...],
        path_option("--cert", panel=PANEL, help="our certificate and its chain; twice: RSA and EC"),
    ] = ()
    key: Annotated[
        tuple[Path, ...],
        path_option("--key", panel=PANEL, help="its private key, where --cert does not hold it"),
    ] = ()
    passphrase_file: PassphraseFile = None
    passphrase_env: PassphraseEnv = None
    client_auth: Annotated[
        Literal["required", "optional", "none"],
        option("--client-auth", metavar="HOW", panel=PANEL, help="client certificates: required, optional or none"),
    ] = "required"
    profile: ProfileName = "bcp195"
    tls_min: TLSMin = None
    tls_max: TLSMax = None
    ciphers: Ciphers = None
    crl: CRL = ()
    keylog: Keylog = None
    no_alpn: NoALPN = False
    warn_days: WarnDays = 30
    no_tls: NoTLS = False
    from_environment: frozenset[str] = field(default=frozenset(), repr=False)

    def _own_settings(self) -> dict[str, Any]:
        from dicomtls.tls import ClientAuth

        return {"cert": self.cert, "key": self.key, "client_auth": ClientAuth(self.client_auth)}

    def _relaxations(self) -> Iterator[str]:
        if self.no_tls:
            yield "everything is received in clear (--no-tls)"
            return
        if self.client_auth != "required":
            yield f"clients without a certificate are let in (--client-auth {self.client_auth})"
        yield from super()._relaxations()

    def _contradictions(self) -> Iterator[Contradiction]:
        yield from super()._contradictions()
        yield (
            self.client_auth != "none" and not self.ca,
            f"--client-auth {self.client_auth} needs --ca: whose client certificates are to be trusted?",
            "give your CA with --ca ('dicomtls certgen pki' makes one), or let everybody in with --client-auth none",
        )
        yield (
            self.client_auth == "none" and bool(self.crl),
            "--client-auth none asks for no certificate, so --crl would not be looked at",
            "leave out one of them",
        )
        yield (
            len(self.key) > len(self.cert),
            "--key without --cert: a private key proves nothing without its certificate",
            "give one --cert for each --key",
        )
        yield (
            0 < len(self.key) < len(self.cert),
            f"{len(self.cert)} certificates but {len(self.key)} private key{'s' if len(self.key) > 1 else ''}",
            "give one --key for each --cert, in the same order; it may be the same file",
        )
