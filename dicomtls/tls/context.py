"""The only place where SSL contexts are built: a common part, a client's door and a server's.

The same certificate gets the same verdict on every Python: partial chains are on (a pinned leaf or an
intermediate given as `--ca` is an anchor), X.509 strictness is off (it refuses certificate authorities made by
plain `openssl req -x509`, which every DICOM product accepts), whatever this Python's defaults are.
"""

import os
import ssl
import warnings
from contextlib import suppress
from pathlib import Path

from dicomtls.errors import MachineError, UsageError
from dicomtls.profiles import Profile, find_profile
from dicomtls.tls.ciphers import to_iana, to_openssl
from dicomtls.tls.credentials import load_crl, load_identity, load_trust_anchors
from dicomtls.tls.settings import ClientAuth, TLSSettings
from dicomtls.tls.transcript import watch

ALPN = "dicom"
"""The application protocol that IANA registered for DICOM over TLS."""

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


def client_context(settings: TLSSettings) -> ssl.SSLContext:
    """Build a client's context: the chain and the name are verified unless the settings say otherwise.

    Where pins are given, or the peer is to be remembered, the chain is left to `handshake`, since a pin stands for it;
    so is the name where it is not to be sent; a revocation list would then not be looked at, and is refused. Raises
    `CredentialError`, `UsageError`, and `MachineError` where the key log cannot be written.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    if settings.insecure or settings.pins or settings.remember is not None:
        if settings.crl:
            msg = "a revocation list would not be looked at where no chain is verified"
            raise UsageError(msg, hints=("leave out --crl, or --insecure, --pin and --trust-on-first-use",))
        settings.pin_digests()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.check_hostname = settings.verify_name and settings.sni
        _load_anchors(context, settings)
    _apply_common(context, settings)
    return context


def server_context(settings: TLSSettings) -> ssl.SSLContext:
    """Build a server's context: a client certificate is demanded unless the settings say otherwise.

    There are no session tickets: a resumed session would skip the check of the client's certificate. A client of
    TLS 1.2 can still take one up by its identifier, for minutes and from this context only; `ssl` cannot forbid it.
    Raises `CredentialError`, `UsageError`, and `MachineError` where the key log cannot be written.
    """
    if not settings.cert:
        msg = "a server needs a certificate"
        raise UsageError(msg, hints=("give --cert and --key",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0
    context.verify_mode = {
        ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
        ClientAuth.OPTIONAL: ssl.CERT_OPTIONAL,
        ClientAuth.NONE: ssl.CERT_NONE,
    }[settings.client_auth]
    if settings.client_auth is not ClientAuth.NONE:
        if not settings.ca:
            msg = f"client authentication is {settings.client_auth}, but no trust anchors are given"
            raise UsageError(
                msg,
                hints=(
                    "give --ca with the certificates of the authorities that issue your clients' certificates",
                    "or let any client in with --client-auth none",
                ),
            )
        _load_anchors(context, settings)
    _load_dh_parameters(context)
    _apply_common(context, settings)
    return context


def _apply_common(context: ssl.SSLContext, settings: TLSSettings) -> None:
    profile = find_profile(settings.profile)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    _refuse_compressed_certificates(context)
    _set_versions(context, settings, profile)
    _set_ciphers(context, settings, profile)
    _load_identities(context, settings)
    if settings.alpn:
        context.set_alpn_protocols([ALPN])
    if settings.keylog is not None:
        _set_keylog(context, settings.keylog)
    watch(context)


def _refuse_compressed_certificates(context: ssl.SSLContext) -> None:
    """Neither send them nor offer to take them (RFC 8879): none would be seen by `watch`, and any could be a bomb."""
    if ssl.OPENSSL_VERSION_INFO >= (3, 2):
        with suppress(OverflowError):  # Python has 32 bits for options on Windows, and there no compression
            context.options |= _NO_TX_CERTIFICATE_COMPRESSION | _NO_RX_CERTIFICATE_COMPRESSION


# From OpenSSL's ssl.h; Python names neither.
_NO_TX_CERTIFICATE_COMPRESSION, _NO_RX_CERTIFICATE_COMPRESSION = 1 << 32, 1 << 33


def _load_anchors(context: ssl.SSLContext, settings: TLSSettings) -> None:
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    if settings.ca:
        for path in settings.ca:
            load_trust_anchors(context, path, settings.passphrase)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    for path in settings.crl:
        load_crl(context, path)
    if settings.crl:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _load_identities(context: ssl.SSLContext, settings: TLSSettings) -> None:
    if settings.key and len(settings.key) != len(settings.cert):
        msg = f"{len(settings.cert)} certificates and {len(settings.key)} keys are given"
        raise UsageError(msg, hints=("give one --key for each --cert, in the same order, or none",))
    for number, cert in enumerate(settings.cert):
        load_identity(context, cert, settings.key[number] if settings.key else None, settings.passphrase)


def _set_versions(context: ssl.SSLContext, settings: TLSSettings, profile: Profile) -> None:
    lowest = _version(settings.tls_min or profile.tls_min)
    highest = _version(settings.tls_max or profile.tls_max)
    if settings.tls_min and not settings.tls_max:
        highest = max(lowest, highest)
    if settings.tls_max and not settings.tls_min:
        lowest = min(lowest, highest)
    if lowest > highest:
        msg = f"the lowest version, TLS {settings.tls_min}, lies above the highest, TLS {settings.tls_max}"
        raise UsageError(msg, hints=("swap --tls-min and --tls-max",))
    if highest < _version(profile.tls_min) and not settings.ciphers:
        msg = f"the profile {profile.name} has no cipher suite for TLS {settings.tls_max}"
        raise UsageError(msg, hints=("choose --profile bcp195-2015 (TLS 1.0 on) or --profile aes",))
    with warnings.catch_warnings():  # TLS 1.0 and 1.1 are deprecated; whoever asks for them knows
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = lowest
        context.maximum_version = highest


def _version(text: str) -> ssl.TLSVersion:
    if text not in _VERSIONS:
        msg = f"not a TLS version: {text!r}"
        raise UsageError(msg, hints=(f"choose one of {', '.join(_VERSIONS)}",))
    return _VERSIONS[text]


def _set_ciphers(context: ssl.SSLContext, settings: TLSSettings, profile: Profile) -> None:
    level = profile.security_level
    if context.minimum_version < ssl.TLSVersion.TLSv1_2:
        level = 0
    names = [to_openssl(name) for name in settings.ciphers or profile.suites] or ["DEFAULT"]
    for name in settings.ciphers:
        _refuse_cipher(to_openssl(name))
    try:
        context.set_ciphers(":".join([*names, _NEVER, f"@SECLEVEL={level}"]))
    except ssl.SSLError:
        raise _no_cipher(settings, profile) from None
    if settings.ciphers:
        _refuse_unknown_ciphers(context, names)


# Suites without certificates, which HIGH and ALL bring along at level 0: any stranger would pass for the peer.
_NEVER = "!aNULL"


def _refuse_cipher(name: str) -> None:
    if name.startswith("TLS_") and "_WITH_" not in name:
        msg = f"this Python cannot choose TLS 1.3 cipher suites: {name}"
        raise UsageError(
            msg,
            code="not-supported-here",
            hints=("leave it out: every suite of TLS 1.3 is offered as it is",),
        )
    if "_anon_" in to_iana(name):
        msg = f"the cipher suite {name} authenticates nobody, so it is never used"
        raise UsageError(msg, hints=("choose one with a certificate: openssl ciphers -stdname 'ALL:!aNULL'",))


def _refuse_unknown_ciphers(context: ssl.SSLContext, names: list[str]) -> None:
    """OpenSSL passes over a name that it does not know; whoever typed it wants to hear of it."""
    known = {str(cipher["name"]) for cipher in context.get_ciphers()}
    missing = [name for name in names if _is_suite(name) and name not in known]
    if missing:
        msg = f"this OpenSSL has no cipher suite {', '.join(missing)}"
        raise UsageError(msg, code="not-supported-here", hints=("list what there is: openssl ciphers -stdname",))


def _is_suite(name: str) -> bool:
    """Whether this names one suite, and is not a class, an exclusion or a command of OpenSSL's cipher strings."""
    return name.startswith("TLS_") or ("-" in name and name[0].isalnum())


def _no_cipher(settings: TLSSettings, profile: Profile) -> UsageError:
    if settings.ciphers:
        return UsageError(
            f"this OpenSSL has none of the cipher suites {', '.join(settings.ciphers)}",
            code="not-supported-here",
            hints=("list what there is: openssl ciphers -stdname",),
        )
    return UsageError(
        f"this OpenSSL has none of the cipher suites of the profile {profile.name}: {', '.join(profile.suites)}",
        code="not-supported-here",
        hints=("choose another --profile that the peer also has, such as bcp195-2015",),
    )


def missing_ciphers(context: ssl.SSLContext, settings: TLSSettings) -> tuple[str, ...]:
    """IANA names of the suites that the profile asks for and this OpenSSL does not have."""
    known = {to_iana(str(cipher["name"])) for cipher in context.get_ciphers()}
    return (
        ()
        if settings.ciphers
        else tuple(suite for suite in find_profile(settings.profile).suites if suite not in known)
    )


def _load_dh_parameters(context: ssl.SSLContext) -> None:
    # Python's servers offer no DHE without parameters; these are RFC 7919's ffdhe2048.
    context.load_dh_params(os.fspath(Path(__file__).with_name("ffdhe2048.pem")))


def _set_keylog(context: ssl.SSLContext, path: Path) -> None:
    try:
        # Whoever reads this file reads the traffic, so it is the owner's from the first byte on.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        context.keylog_filename = os.fspath(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        msg = f"cannot write the key log {path}: {reason}"
        raise MachineError(msg, code="no-permission", evidence={"path": str(path)}) from error
