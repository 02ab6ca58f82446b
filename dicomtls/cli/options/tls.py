"""What a user can say about TLS where we are the client."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from dicomtls.cli.declaring import option
from dicomtls.cli.options.tls_shared import (
    CA,
    CRL,
    PANEL,
    Ciphers,
    Contradiction,
    Key,
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

if TYPE_CHECKING:
    from dicomtls.peer import Peer
    from dicomtls.probe.explain import Target
    from dicomtls.scu import AssociationSettings
    from dicomtls.tls import TLSSettings


@dataclass(frozen=True, kw_only=True)
class TLSOptions(SharedTLSOptions):
    """What a user can say about TLS where we are the client."""

    ca: CA = ()
    cert: Annotated[
        Path | None,
        path_option("--cert", panel=PANEL, help="our certificate and its chain, in any format"),
    ] = None
    key: Key = None
    passphrase_file: PassphraseFile = None
    passphrase_env: PassphraseEnv = None
    profile: ProfileName = "bcp195"
    tls_min: TLSMin = None
    tls_max: TLSMax = None
    ciphers: Ciphers = None
    server_name: Annotated[
        str | None,
        option("--server-name", metavar="NAME", panel=PANEL, help="name to send and to check (default: HOST)"),
    ] = None
    no_verify_name: Annotated[
        bool, option("--no-verify-name", panel=PANEL, help="accept a certificate for any name")
    ] = False
    insecure: Annotated[bool, option("--insecure", panel=PANEL, help="accept any certificate: verify nothing")] = False
    pin: Annotated[
        tuple[str, ...],
        option("--pin", metavar="sha256:HEX", panel=PANEL, help="trust this certificate or public key; repeatable"),
    ] = ()
    trust_on_first_use: Annotated[
        bool, option("--trust-on-first-use", panel=PANEL, help="trust a new peer, remember its pin, refuse a change")
    ] = False
    crl: CRL = ()
    keylog: Keylog = None
    no_alpn: NoALPN = False
    no_sni: Annotated[bool, option("--no-sni", panel=PANEL, help="do not send the server's name")] = False
    warn_days: WarnDays = 30
    no_follow_up: Annotated[
        bool, option("--no-follow-up", panel=PANEL, help="do not look at the peer again after a failure")
    ] = False
    no_tls: NoTLS = False
    from_environment: frozenset[str] = field(default=frozenset(), repr=False)

    def follow_up(self, peer: "Peer", tls: "TLSSettings | None", settings: "AssociationSettings") -> "Target | None":
        """Whom to look at again after a failure, and how; None where that is not wanted."""
        if self.no_follow_up:
            return None
        from dicomtls.probe.target import Target

        return Target(peer, tls, settings)

    def trusting(self, tls: "TLSSettings | None", peer: "Peer") -> "TLSSettings | None":
        """The settings for that peer: with the pin that is remembered of it, or what remembers it.

        Raises `CredentialError` where what is remembered cannot be read.
        """
        if tls is None or not self.trust_on_first_use:
            return tls
        from dicomtls.cli.folders import data_folder
        from dicomtls.remembered import RememberedPeers

        known = RememberedPeers(data_folder())
        pin = known.pin_of(peer.host, peer.port)
        if pin is not None:
            return replace(tls, pins=(pin,))
        return replace(tls, remember=partial(known.remember, peer.host, peer.port))

    def without_memory(self, tls: "TLSSettings | None") -> "TLSSettings | None":
        """The settings for the SSL contexts of many peers: with this option none of their chains is verified."""
        return tls if tls is None or not self.trust_on_first_use else replace(tls, remember=lambda *_: None)

    def _own_settings(self) -> dict[str, Any]:
        return {
            "cert": (self.cert,) if self.cert else (),
            "key": (self.key,) if self.key else (),
            "server_name": self.server_name,
            "verify_name": not self.no_verify_name,
            "insecure": self.insecure,
            "pins": self.pin,
            "sni": not self.no_sni,
        }

    def _relaxations(self) -> Iterator[str]:
        if self.no_tls:
            yield "everything is sent in clear (--no-tls)"
            return
        if self.insecure:
            yield "the peer's certificate is not verified (--insecure)"
        elif self.no_verify_name:
            yield "the peer's certificate may be for any name (--no-verify-name)"
        yield from super()._relaxations()

    def _contradictions(self) -> Iterator[Contradiction]:
        yield from super()._contradictions()
        yield (
            self.key is not None and self.cert is None,
            "--key without --cert: a private key proves nothing without its certificate",
            "give the certificate with --cert",
        )
        yield (
            self.insecure and bool(self.pin),
            "--insecure verifies nothing, so --pin would not be looked at",
            "leave out --insecure: a pin that matches stands for chain and name",
        )
        yield (
            bool(self.pin) and bool(self.crl),
            "--pin stands for the chain, so --crl would not be looked at",
            "leave out one of them: who takes the pin away revokes it",
        )
        yield (
            self.trust_on_first_use and (self.insecure or bool(self.pin) or bool(self.crl)),
            "--trust-on-first-use and --insecure, --pin or --crl contradict each other",
            "leave out one of them: what is remembered is a pin",
        )
        yield (
            self.insecure and bool(self.crl),
            "--insecure verifies nothing, so --crl would not be looked at",
            "leave out one of them",
        )
