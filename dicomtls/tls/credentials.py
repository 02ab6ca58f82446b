"""Certificates, keys and CRLs on their way from files into an SSL context.

Plain PEM goes straight to OpenSSL. Only what OpenSSL refuses is read with `cryptography` (65 ms to import),
which either says precisely what is wrong with the file or gives PEM that OpenSSL takes.
"""

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dicomtls.errors import CredentialError
from dicomtls.tls.settings import Passphrase

_PEM_MARK = b"-----BEGIN "
_HEAD = 65536


def load_identity(context: ssl.SSLContext, cert: Path, key: Path | None, passphrase: Passphrase | None) -> None:
    """Load a certificate chain and its key; raises `CredentialError` saying what is wrong with which file."""
    asker = _passphrase_asker(key or cert, passphrase)
    try:
        # A callable even where none is needed, or OpenSSL would prompt by itself.
        context.load_cert_chain(cert, key, password=asker)
    except (ssl.SSLError, OSError, ValueError):  # ValueError: a passphrase of over 1 KiB, a NUL in a path
        _load_converted(context, cert, key, passphrase)


def _passphrase_asker(path: Path, passphrase: Passphrase | None) -> Callable[[], bytes]:
    def ask() -> bytes:
        answer = passphrase(path) if passphrase is not None else None
        if answer is None:
            msg = f"{path} is encrypted, and there is no passphrase"
            raise CredentialError(msg, code="passphrase-needed", hints=("give --passphrase-file or --passphrase-env",))
        return answer

    return ask


def _load_converted(context: ssl.SSLContext, cert: Path, key: Path | None, passphrase: Passphrase | None) -> None:
    from dicomtls.certificates.load import load_identity as convert  # only where OpenSSL refused

    identity = convert(cert, key, passphrase)
    with as_path(identity.chain_pem + identity.key_pem) as path:
        try:
            context.load_cert_chain(path, password=lambda: identity.key_passphrase)
        except (ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", None) or str(error)
            msg = f"OpenSSL does not accept the certificate in {cert}: {_REFUSALS.get(reason, reason)}"
            raise CredentialError(msg, hints=_REFUSAL_HINTS, evidence={"path": str(cert), "reason": reason}) from None


# What it refuses at the security level of the profile, though the file is in order.
_REFUSALS = {
    "EE_KEY_TOO_SMALL": "its key is too small",
    "CA_KEY_TOO_SMALL": "the key of one of its issuers is too small",
    "CA_MD_TOO_WEAK": "it, or one of its issuers, is signed with a hash that is too weak",
}
_REFUSAL_HINTS = (
    "it must be issued anew with RSA of 2048 bits or more, or EC, and SHA-256",
    "for old devices only: --profile bcp195-2015",
)


@contextmanager
def as_path(content: bytes) -> Iterator[str]:
    """Give OpenSSL, which takes only paths, a name for bytes that never touch a disk where that can be had."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("dicomtls", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{descriptor}"
        return
    import tempfile  # 2 ms that only systems without memfd_create need

    descriptor, name = tempfile.mkstemp(prefix="dicomtls-")  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield name
    finally:
        Path(name).unlink()


def load_trust_anchors(context: ssl.SSLContext, path: Path, passphrase: Passphrase | None) -> None:
    """Trust every certificate in a file (PEM, DER, PKCS#12, PKCS#7) or in the files of a folder."""
    if not path.is_dir() and _is_pem(path):
        try:
            context.load_verify_locations(cafile=path)
        except (ssl.SSLError, OSError):
            pass  # the slow way says why
        else:
            return
    from dicomtls.certificates.load import load_certificates

    try:
        context.load_verify_locations(cadata=b"".join(load_certificates(path, passphrase)))
    except ssl.SSLError as error:
        msg = f"OpenSSL does not accept the certificates in {path}"
        raise CredentialError(msg, code="not-a-certificate", evidence={"reason": error.reason}) from None


def load_crl(context: ssl.SSLContext, path: Path) -> None:
    """Load the certificate revocation lists of a file, PEM or DER."""
    from dicomtls.certificates.load import load_crls

    pem = b"".join(_crl_to_pem(der) for der in load_crls(path))
    with as_path(pem) as name:
        context.load_verify_locations(cafile=name)


def _crl_to_pem(der: bytes) -> bytes:
    pem = ssl.DER_cert_to_PEM_cert(der).replace("BEGIN CERTIFICATE", "BEGIN X509 CRL")
    return pem.replace("END CERTIFICATE", "END X509 CRL").encode()


def _is_pem(path: Path) -> bool:
    try:
        if not path.is_file():  # a FIFO would never end
            return False
        with path.open("rb") as file:
            return _PEM_MARK in file.read(_HEAD)
    except OSError:
        return False
