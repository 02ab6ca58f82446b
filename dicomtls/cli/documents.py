"""The JSON documents of the command line's contract, built from what the library found out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dicomtls import __version__
from dicomtls.errors import CredentialError

if TYPE_CHECKING:
    from dicomtls.diagnosis import Diagnosis
    from dicomtls.scu.attempt import Attempt
    from dicomtls.tls import Negotiated

TIMES = ("resolve", "connect", "handshake", "associate", "total")
"""What `timing_ms` holds, in the order in which it happens."""


def envelope(
    command: str | None,
    attempt: "Attempt | None",
    failure: "Diagnosis | None",
    values: Mapping[str, object],
) -> dict[str, object]:
    """Return the document of one invocation: what all commands share, then `values`, the command's own."""
    negotiated = attempt.negotiated if attempt else None
    return {
        "command": command,
        "ok": failure is None,
        "version": __version__,
        "peer": _peer(attempt) if attempt else None,
        "tls": _tls(negotiated) if negotiated else None,
        "timing_ms": {name: _milliseconds(attempt.timing_ms.get(name)) for name in TIMES} if attempt else None,
        **values,
        "error": _error(failure) if failure else None,
    }


def _peer(attempt: "Attempt") -> dict[str, object]:
    return {
        "host": attempt.peer.host,
        "port": attempt.peer.port,
        "address": attempt.address,
        "called_aet": attempt.peer.called_ae_title,
        "calling_aet": attempt.calling_ae_title,
    }


def _tls(negotiated: "Negotiated") -> dict[str, object]:
    chain = _chain(negotiated.chain_der)
    return {
        "protocol": negotiated.protocol,
        "cipher": negotiated.cipher,
        "cipher_openssl": negotiated.cipher_openssl,
        "bits": negotiated.bits,
        "group": negotiated.group,
        "alpn": negotiated.alpn,
        "resumed": negotiated.resumed,
        "client_certificate": negotiated.client_certificate,
        "verified": negotiated.verified,
        "name_matched": negotiated.name_matched,
        "peer": chain[0] if chain else None,
        "chain": chain,
    }


def _chain(chain_der: tuple[bytes, ...]) -> list[dict[str, object] | None]:
    return [_certificate(der) for der in chain_der]


def _certificate(der: bytes) -> dict[str, object] | None:
    """The description of a certificate; None for what OpenSSL took for one and `cryptography` does not."""
    from dicomtls.certificates.describe import describe  # 65 ms that only --json needs

    try:
        return describe(der).as_json()
    except CredentialError:
        return None


def _error(failure: "Diagnosis") -> dict[str, object]:
    return {
        "code": failure.code,
        "stage": failure.stage,
        "by": failure.by,
        "message": failure.message,
        "hints": list(failure.hints),
        "evidence": failure.evidence,
    }


def _milliseconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
