"""The identity that a server makes for itself, once, when it is given none: self-signed, to be trusted by its pin."""

import hashlib
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dicomtls.errors import UsageError
from dicomtls.files import alone_in, machine_errors, write_files

_NAME: Final = "serve"


@dataclass(frozen=True)
class OwnIdentity:
    """Where the identity lies, and what a peer pins; `is_new` where it was made just now."""

    cert: Path
    key: Path
    fingerprint_sha256: str
    is_new: bool


def own_identity(folder: Path) -> OwnIdentity:
    """Return the identity kept in `folder`; where there is none, or it has expired, make one (RSA 2048, five years).

    The key is readable by its owner only. Raises `MachineError`, `CredentialError`.
    """
    cert, key = folder / f"{_NAME}.pem", folder / f"{_NAME}.key"
    is_new = not _is_usable(cert, key)
    if is_new:
        with machine_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with alone_in(folder, "the identity of serve"):
            # Another server may have been quicker: its identity is as good as ours.
            is_new = not _is_usable(cert, key)
            if is_new:
                _make(folder)
    return OwnIdentity(cert, key, hashlib.sha256(_certificate(cert)).hexdigest(), is_new)


def _is_usable(cert: Path, key: Path) -> bool:
    from dicomtls.certificates.fields import validity

    if not (cert.exists() and key.exists()):
        return False
    _, not_after = validity(_certificate(cert))
    return datetime.now(UTC) < not_after


def _certificate(path: Path) -> bytes:
    from dicomtls.certificates.load import load_certificates

    return load_certificates(path)[0]


def _make(folder: Path) -> None:
    from dicomtls.certificates.issue import identity_files, make_self_signed

    host = socket.gethostname()
    issued = make_self_signed(f"dicomtls {host}"[:64], [*_names(host), "localhost", "127.0.0.1", "::1"])
    contents, private = identity_files(issued, _NAME, pkcs12=True).below(folder)
    write_files(contents, private=private, force=True)


def _names(host: str) -> list[str]:
    from dicomtls.certificates.names import general_names

    try:
        general_names([host])
    except UsageError:  # a host name that no certificate can hold
        return []
    return [host]
