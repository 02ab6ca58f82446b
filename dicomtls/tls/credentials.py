"""Certificates, keys and CRLs on their way from files into an SSL context.

Plain PEM goes straight to OpenSSL. Only what OpenSSL refuses is read with `cryptography` (65 ms to import),
which either says precisely what is wrong with the file or gives PEM that OpenSSL takes.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicomtls.certificates.passphrase import Passphrase, ask
from dicomtls.errors import CredentialError

_PEM_MARK = b"-----BEGIN "
_HEAD = 65536
_DESCRIPTORS = "/proc/self/fd"


def load_identity(context: ssl.SSLContext, cert: Path, key: Path | None, passphrase: Passphrase | None) -> None:
    """Load a certificate chain and its key, which is None where the certificate's file holds it.

    Raises `CredentialError` as `certificates.load.load_identity` does, and `unreadable-file` for what OpenSSL does not
    accept at the security level of the profile; besides that, whatever `passphrase` raises.
    """
    try:
        # A callable even where none is needed, or OpenSSL would prompt by itself.
        context.load_cert_chain(cert, key, password=lambda: ask(key or cert, passphrase))
    except (ssl.SSLError, OSError, ValueError):  # ValueError: a passphrase of over 1 KiB, a NUL in a path
        _load_converted(context, cert, key, passphrase)


def _load_converted(context: ssl.SSLContext, cert: Path, key: Path | None, passphrase: Passphrase | None) -> None:
    from dicomtls.certificates.load import load_identity as convert  # only where OpenSSL refused

    identity = convert(cert, key, passphrase)
    with as_path(identity.chain_pem + identity.key_pem) as path:
        try:
            context.load_cert_chain(path, password=lambda: identity.key_passphrase)
        except (ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", None) or str(error)
            msg = f"OpenSSL does not accept the certificate in {cert}: {_REFUSALS.get(reason, reason)}"
            hints = _REFUSAL_HINTS if reason in _REFUSALS else ()
            raise CredentialError(msg, hints=hints, evidence={"path": str(cert), "reason": reason}) from None


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
    """Give OpenSSL, which takes only paths, a name for bytes that never touch a disk where that can be had.

    Elsewhere it is a file that only its owner may read. Raises `MachineError` where that cannot be written.
    """
    if hasattr(os, "memfd_create") and os.path.isdir(_DESCRIPTORS):  # noqa: PTH112 - Path.is_dir raises where it may not look
        descriptor = os.memfd_create("dicomtls", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            yield f"{_DESCRIPTORS}/{descriptor}"
        return
    import tempfile  # 2 ms that only systems without memfd_create need

    from dicomtls.files import machine_errors

    with machine_errors("a temporary file"):
        descriptor, name = tempfile.mkstemp(prefix="dicomtls-")  # 0600
    try:
        with machine_errors(name), os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield name
    finally:
        Path(name).unlink()


def load_trust_anchors(context: ssl.SSLContext, path: Path, passphrase: Passphrase | None) -> None:
    """Trust every certificate in a file (PEM, DER, PKCS#12, PKCS#7) or in the files of a folder.

    Raises `CredentialError` as `certificates.load.load_certificates` does, and `not-a-certificate` for what OpenSSL
    does not accept; besides that, whatever `passphrase` raises.
    """
    if _is_pem(path) and _load_pem(context, path):
        return
    from dicomtls.certificates.load import load_certificates

    try:
        context.load_verify_locations(cadata=b"".join(load_certificates(path, passphrase)))
    except ssl.SSLError as error:
        msg = f"OpenSSL does not accept the certificates in {path}"
        evidence = {"path": str(path), "reason": error.reason}
        raise CredentialError(msg, code="not-a-certificate", evidence=evidence) from None


def _load_pem(context: ssl.SSLContext, path: Path) -> bool:
    """Whether OpenSSL found a new certificate in the file; where it did not, the slow way says why."""
    before = context.cert_store_stats()["x509"]
    try:
        context.load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError):
        return False
    return context.cert_store_stats()["x509"] > before  # it is content with a revocation list, which trusts nobody


def load_crl(context: ssl.SSLContext, path: Path) -> None:
    """Load the certificate revocation lists of a file, PEM or DER.

    Raises `CredentialError` (`unreadable-file`) where it holds none, or one that OpenSSL does not accept.
    """
    from dicomtls.certificates.load import load_crls

    pem = b"".join(_crl_to_pem(der) for der in load_crls(path))
    with as_path(pem) as name:
        try:
            context.load_verify_locations(cafile=name)
        except ssl.SSLError as error:
            msg = f"OpenSSL does not accept the revocation lists in {path}"
            raise CredentialError(msg, evidence={"path": str(path), "reason": error.reason}) from None


def _crl_to_pem(der: bytes) -> bytes:
    pem = ssl.DER_cert_to_PEM_cert(der).replace("BEGIN CERTIFICATE", "BEGIN X509 CRL")
    return pem.replace("END CERTIFICATE", "END X509 CRL").encode()


def _is_pem(path: Path) -> bool:
    try:
        if not path.is_file():  # a folder, or a FIFO, which would never end
            return False
        with path.open("rb") as file:
            return _PEM_MARK in file.read(_HEAD)
    except OSError:
        return False
