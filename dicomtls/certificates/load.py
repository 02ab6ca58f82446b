"""Certificates, keys and CRLs from files of any kind: PEM in any order, DER, PKCS#12, PKCS#7.

For what OpenSSL refuses or cannot read itself: the answer is either clean PEM or DER that it takes, or an error
that says what the file is and what is wrong with it. No error, evidence or repr ever holds a key or a passphrase.
"""

import hashlib
import os
import secrets
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs12,
)

from dicomtls.certificates.content import REFUSALS, Contents, SealedKey, conversion_hints, recognise
from dicomtls.certificates.der import DERError, check_derivation_cost
from dicomtls.certificates.fields import spki_sha256
from dicomtls.certificates.passphrase import Passphrase, ask
from dicomtls.certificates.quiet import quiet
from dicomtls.certificates.reading import files_in, read
from dicomtls.certificates.trial import ends_in_time
from dicomtls.errors import CredentialError

MAXIMUM_COUNT = 100
"""Certificates, or keys, of one file of which some are to be paired."""
_ONE_TIME_PASSPHRASE_BYTES = 32
_ENCRYPTED_DATA = bytes.fromhex("2a864886f70d010706")  # PKCS#7's content type (RFC 2315 section 14)


@dataclass(frozen=True)
class PEMIdentity:
    """A certificate chain and its key, ready for OpenSSL.

    `chain_der` begins with the leaf; `key_pem` is PKCS#8, encrypted under `key_passphrase`, which is random and made
    for this object alone, so that the key may pass through a temporary file.
    """

    chain_der: tuple[bytes, ...]
    key_pem: bytes = field(repr=False)
    key_passphrase: bytes = field(repr=False)

    @property
    def chain_pem(self) -> bytes:
        """The chain as OpenSSL takes it from a file."""
        return b"".join(ssl.DER_cert_to_PEM_cert(der).encode() for der in self.chain_der)


def load_identity(cert: Path, key: Path | None, passphrase: Passphrase | None) -> PEMIdentity:
    """Load a certificate and the key that belongs to it; `key` is None where the certificate's file holds it.

    The leaf is the certificate that the key belongs to, wherever it stands in its file; the others follow it, issuer
    after issuer, then those that are nobody's issuer. Each file's passphrase is asked for at most once.
    Raises `CredentialError`: `unreadable-file`, `not-a-certificate`, `no-private-key`, `key-mismatch`,
    `passphrase-needed`, `bad-passphrase`.
    """
    cert_file = CredentialFile(cert, passphrase)
    key_file = cert_file if key is None or key == cert else CredentialFile(key, passphrase)
    certificates = cert_file.certificates()
    if not certificates:
        raise _no_certificate(cert_file, key_file)
    check_count(cert, len(certificates), "certificates")
    leaf, private_key = _matching_pair(cert_file, certificates, key_file)
    return _identity(chain_order(leaf, certificates), private_key)


def load_certificates(path: Path, passphrase: Passphrase | None = None) -> list[bytes]:
    """Load every certificate of a file, or of the files of a folder, as DER, in order and each once.

    In a folder, whatever holds no certificate is passed over, archives that need a passphrase too.
    Raises `CredentialError`: `unreadable-file`, `not-a-certificate`, `passphrase-needed`, `bad-passphrase`.
    """
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where it may not look
        return _certificates_in_folder(path)
    file = CredentialFile(path, passphrase)
    certificates = file.certificates()
    if not certificates:
        raise _no_certificate(file)
    return list(dict.fromkeys(certificate.public_bytes(Encoding.DER) for certificate in certificates))


def parse_certificates(ders: Iterable[bytes], source: Path) -> list[x509.Certificate]:
    """Parse certificates that came from a file, and are to be worked with by their names.

    Raises `CredentialError` (`unreadable-file`) where one cannot be read: `cryptography` tries only when it is asked.
    """
    with quiet():
        found = [x509.load_der_x509_certificate(der) for der in ders]
    try:
        for certificate in found:
            _ = certificate.subject, certificate.issuer
    except REFUSALS:
        msg = f"{source} has a certificate with a name that cannot be read"
        raise CredentialError(msg, evidence={"path": str(source)}) from None
    return found


def load_crls(path: Path) -> list[bytes]:
    """Load every certificate revocation list of a file, as DER; raises `CredentialError` (`unreadable-file`)."""
    file = CredentialFile(path, None)
    file.check_damage()
    if not file.contents.crls:
        msg = f"{path} is {file.contents.kind()}, not a certificate revocation list (CRL)"
        raise CredentialError(msg, code="unreadable-file", evidence={"path": str(path)})
    return file.contents.crls


class CredentialFile:
    """One file, what was recognised in it, and the passphrase that was asked for it, once."""

    def __init__(self, path: Path, passphrase: Passphrase | None) -> None:
        """Read the file; raises `CredentialError` (`unreadable-file`)."""
        self.path = path
        self.contents: Contents = recognise(read(path))
        self._ask = passphrase
        self._answer: bytes | None = None
        self._opened: list[pkcs12.PKCS12KeyAndCertificates] | None = None

    def certificates(self) -> list[x509.Certificate]:
        """Those that stand in the open, then those in PKCS#12 archives.

        Raises `CredentialError`: `unreadable-file`, `passphrase-needed`, `bad-passphrase`.
        """
        self.check_damage()
        with quiet():
            found = [x509.load_der_x509_certificate(der) for der in self.contents.certificates]
        for archive in self._archives():
            inside = ([] if archive.cert is None else [archive.cert]) + archive.additional_certs
            found += [one.certificate for one in inside]
        return found

    def private_keys(self) -> Iterator[PrivateKeyTypes]:
        """Those that need no passphrase first, so that it is asked for only when it is needed.

        Raises `CredentialError`: `unreadable-file`, `passphrase-needed`, `bad-passphrase`.
        """
        if not self.contents.keys and not self.contents.archives:
            self.check_damage()
        check_count(self.path, len(self.contents.keys), "private keys")
        for sealed in sorted(self.contents.keys, key=lambda key: key.encrypted):
            yield self._open_key(sealed)
        yield from (archive.key for archive in self._archives() if archive.key is not None)

    def check_damage(self) -> None:
        """Raise `CredentialError` (`unreadable-file`) where a part of the file cannot be read."""
        if self.contents.damaged:
            msg = f"{self.path} is damaged: {self.contents.damaged[0]}"
            raise CredentialError(msg, code="unreadable-file", evidence={"path": str(self.path)})

    def _passphrase(self) -> bytes:
        if self._answer is None:
            self._answer = ask(self.path, self._ask)
        return self._answer

    def _open_key(self, sealed: SealedKey) -> PrivateKeyTypes:
        if sealed.encrypted:
            self._check_cost()
        secret = self._passphrase() if sealed.encrypted else None
        load = load_pem_private_key if sealed.is_pem else load_der_private_key
        try:
            return load(sealed.data, secret)
        except REFUSALS:
            # Not chained: below it stands what was decrypted.
            raise self._bad_passphrase() if sealed.encrypted else self._damaged_key() from None

    def _archives(self) -> list[pkcs12.PKCS12KeyAndCertificates]:
        if self._opened is None:
            self._opened = [self._open_archive(archive) for archive in self.contents.archives]
        return self._opened

    def _open_archive(self, archive: bytes) -> pkcs12.PKCS12KeyAndCertificates:
        self._check_cost()
        for nothing in (None, b""):  # writers disagree on how to write "no passphrase"
            try:
                return self._load_archive(archive, nothing)
            except REFUSALS:
                continue
        secret = self._passphrase()
        try:
            return self._load_archive(archive, secret)
        except REFUSALS:
            raise self._bad_passphrase() from None

    def _load_archive(self, archive: bytes, secret: bytes | None) -> pkcs12.PKCS12KeyAndCertificates:
        # The counts inside encrypted contents can be seen by nobody before those are opened.
        if _ENCRYPTED_DATA in archive and not ends_in_time(lambda: _load_pkcs12(archive, secret)):
            msg = f"{self.path} asks for too much work to be opened"
            raise CredentialError(msg, code="unreadable-file", evidence={"path": str(self.path)})
        return _load_pkcs12(archive, secret)

    def _check_cost(self) -> None:
        """Check all encrypted parts together, before any of them is opened."""
        encrypted = [key.data for key in self.contents.keys if key.encrypted and not key.is_pem]
        try:
            check_derivation_cost(*self.contents.archives, *encrypted)
        except DERError as error:
            msg = f"{self.path} {error}"
            raise CredentialError(msg, code="unreadable-file", evidence={"path": str(self.path)}) from None

    def _bad_passphrase(self) -> CredentialError:
        msg = f"wrong passphrase for {self.path}"
        return CredentialError(msg, code="bad-passphrase", evidence={"path": str(self.path)})

    def _damaged_key(self) -> CredentialError:
        msg = f"{self.path} is damaged: its private key cannot be read"
        return CredentialError(msg, code="unreadable-file", evidence={"path": str(self.path)})


def _load_pkcs12(archive: bytes, passphrase: bytes | None) -> pkcs12.PKCS12KeyAndCertificates:
    with quiet():
        return pkcs12.load_pkcs12(archive, passphrase)


def check_count(path: Path, count: int, things: str, *, most: int = MAXIMUM_COUNT) -> None:
    """Raise `CredentialError` (`unreadable-file`) for a file that holds more than is sane.

    By default that is what would take minutes to pair up, and what no peer would take as a chain anyway.
    """
    if count > most:
        msg = f"{path} holds {count} {things}, more than {most}"
        raise CredentialError(msg, code="unreadable-file", evidence={"path": str(path)})


def _certificates_in_folder(directory: Path) -> list[bytes]:
    found: dict[bytes, None] = {}
    count = 0
    for path in files_in(directory):
        count += 1
        try:
            found.update(dict.fromkeys(load_certificates(path)))
        except CredentialError:
            continue  # not every file of a folder is meant
    if not found:
        msg = f"no certificate in any file of {directory}"
        raise CredentialError(msg, code="not-a-certificate", evidence={"path": str(directory), "files": count})
    return list(found)


def _matching_pair(
    cert_file: CredentialFile, certificates: list[x509.Certificate], key_file: CredentialFile
) -> tuple[x509.Certificate, PrivateKeyTypes]:
    first: PrivateKeyTypes | None = None
    for key in key_file.private_keys():
        first = first or key
        certificate = next((one for one in certificates if _belongs(key, one)), None)
        if certificate is not None:
            return certificate, key
    if first is None:
        raise _no_key(cert_file, key_file)
    raise _mismatch(cert_file, certificates[0], key_file, first)


def _belongs(key: PrivateKeyTypes, certificate: x509.Certificate) -> bool:
    try:
        with quiet():
            return bool(key.public_key() == certificate.public_key())
    except REFUSALS:
        return False


def chain_order(leaf: x509.Certificate, certificates: list[x509.Certificate]) -> list[x509.Certificate]:
    """Put the leaf first, each issuer behind what it issued, the rest last as found; each certificate once."""
    rest = [certificate for certificate in dict.fromkeys(certificates) if certificate != leaf]
    chain = [leaf]
    while issuer := next((candidate for candidate in rest if is_issuer(candidate, chain[-1])), None):
        rest.remove(issuer)
        chain.append(issuer)
    return chain + rest


def is_issuer(candidate: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether a certificate bears the candidate's name as its issuer's, and its signature."""
    try:
        with quiet():
            certificate.verify_directly_issued_by(candidate)
    except (*REFUSALS, InvalidSignature):
        return False
    return True


def _identity(chain: list[x509.Certificate], key: PrivateKeyTypes) -> PEMIdentity:
    one_time = secrets.token_hex(_ONE_TIME_PASSPHRASE_BYTES).encode()
    return PEMIdentity(
        chain_der=tuple(certificate.public_bytes(Encoding.DER) for certificate in chain),
        key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(one_time)),
        key_passphrase=one_time,
    )


def _no_certificate(file: CredentialFile, key_file: CredentialFile | None = None) -> CredentialError:
    """Say what the file is, and where it belongs."""
    path, contents = file.path, file.contents
    hints = conversion_hints(contents, path)
    if contents.keys and key_file is not None and key_file.contents.certificates:
        hints += ("the files given as --cert and --key are exchanged",)
    elif contents.keys:
        hints += ("give the certificate's file here, and the private key with --key",)
    elif contents.requests:
        hints += ("give the certificate that the CA made from this request",)
    elif contents.archives:
        hints += ("export it again with the certificate included",)
    lacking = "without a certificate" if contents.archives else "not a certificate"
    msg = f"{path} is {contents.kind()}, {lacking}"
    return CredentialError(msg, code="not-a-certificate", hints=hints, evidence={"path": str(path)})


def _no_key(cert_file: CredentialFile, key_file: CredentialFile) -> CredentialError:
    path, contents = key_file.path, key_file.contents
    evidence = {"path": str(path)}
    if key_file is cert_file:
        msg = f"{path} is {contents.kind()}, without the private key"
        return CredentialError(
            msg, code="no-private-key", hints=("give the private key's file with --key",), evidence=evidence
        )
    hints = conversion_hints(contents, path)
    lacking = "without a private key" if contents.archives else "not a private key"
    msg = f"{path} is {contents.kind()}, {lacking}"
    return CredentialError(msg, code="no-private-key", hints=hints, evidence=evidence)


def _mismatch(
    cert_file: CredentialFile, certificate: x509.Certificate, key_file: CredentialFile, key: PrivateKeyTypes
) -> CredentialError:
    msg = f"the private key in {key_file.path} belongs to no certificate in {cert_file.path}"
    evidence = {
        "certificate": str(cert_file.path),
        "certificate_spki_sha256": spki_sha256(certificate.public_bytes(Encoding.DER)),
        "key": str(key_file.path),
        "key_spki_sha256": key_digest(key),
    }
    hints = ("look for the key that the certificate was requested with, or request a new certificate",)
    return CredentialError(msg, code="key-mismatch", hints=hints, evidence=evidence)


def key_digest(key: PrivateKeyTypes) -> str:
    """SHA-256 of the public half's SubjectPublicKeyInfo, in hex: what `spki_sha256` gives for its certificate."""
    info = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).hexdigest()
