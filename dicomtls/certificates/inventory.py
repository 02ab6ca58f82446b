"""Everything that a file holds, of whatever kind: certificates, private keys, requests and revocation lists."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from dicomtls.certificates.content import REFUSALS, conversion_hints
from dicomtls.certificates.describe import iso, key_and_size, readable_name
from dicomtls.certificates.fields import UNREADABLE
from dicomtls.certificates.load import CredentialFile, check_count, key_digest
from dicomtls.certificates.passphrase import Passphrase
from dicomtls.certificates.quiet import quiet
from dicomtls.errors import CredentialError

_MAXIMUM_CERTIFICATES = 2000


@dataclass(frozen=True)
class KeyDescription:
    """A private key, by what may be told of it; all but `encrypted` is None where it could not be opened."""

    key_type: str | None
    key_bits: int | None
    encrypted: bool
    spki_sha256: str | None

    def as_json(self) -> dict[str, object]:
        """Return what the JSON documents have of it."""
        return {
            "key": {"type": self.key_type, "bits": self.key_bits},
            "encrypted": self.encrypted,
            "spki_sha256": self.spki_sha256,
        }


@dataclass(frozen=True)
class RequestDescription:
    """A certificate signing request (RFC 2986); `signature_valid` proves that its author has the key."""

    subject: str
    names: tuple[str, ...]
    key_type: str
    key_bits: int | None
    signature_valid: bool

    def as_json(self) -> dict[str, object]:
        """Return what the JSON documents have of it."""
        return {
            "subject": self.subject,
            "names": list(self.names),
            "key": {"type": self.key_type, "bits": self.key_bits},
            "signature_valid": self.signature_valid,
        }


@dataclass(frozen=True)
class CRLDescription:
    """A certificate revocation list (RFC 5280 section 5); `revoked` counts its entries."""

    issuer: str
    number: int | None
    this_update: datetime | None
    next_update: datetime | None
    revoked: int
    der: bytes = field(repr=False)

    def is_signed_by(self, authorities: Sequence[bytes]) -> bool | None:
        """Whether one of these certificates' keys signed it; None where none of them bears its issuer's name."""
        with quiet():
            crl = x509.load_der_x509_crl(self.der)
            found = [_signed(crl, x509.load_der_x509_certificate(der)) for der in authorities]
        return any(found) if any(one is not None for one in found) else None

    @property
    def is_expired(self) -> bool:
        """Whether a newer list should be there by now."""
        return self.next_update is not None and self.next_update < datetime.now(UTC)

    def as_json(self) -> dict[str, object]:
        """Return what the JSON documents have of it."""
        return {
            "issuer": self.issuer,
            "number": self.number,
            "this_update": iso(self.this_update),
            "next_update": iso(self.next_update),
            "revoked": self.revoked,
        }


@dataclass(frozen=True)
class Inventory:
    """What one file holds; certificates as DER, in its order, each once."""

    kind: str
    certificates: tuple[bytes, ...]
    keys: tuple[KeyDescription, ...]
    requests: tuple[RequestDescription, ...]
    crls: tuple[CRLDescription, ...]


def take_inventory(path: Path, passphrase: Passphrase | None) -> Inventory:
    """Read a file of any kind; a key that is encrypted stays closed where there is no passphrase.

    Raises `CredentialError`: `unreadable-file` (with the command that converts a keystore of another kind),
    `passphrase-needed` for an archive, `bad-passphrase`.
    """
    file = CredentialFile(path, passphrase)
    file.check_damage()
    contents = file.contents
    if contents.is_useless:
        raise _foreign(file)
    certificates = [one.public_bytes(Encoding.DER) for one in file.certificates()]
    check_count(path, len(certificates), "certificates", most=_MAXIMUM_CERTIFICATES)
    for things, name in ((contents.requests, "requests"), (contents.crls, "revocation lists")):
        check_count(path, len(things), name)
    with quiet():
        return Inventory(
            kind=contents.slug(),
            certificates=tuple(dict.fromkeys(certificates)),
            keys=tuple(_keys(file)),
            requests=tuple(_request(der) for der in contents.requests),
            crls=tuple(_crl(der) for der in contents.crls),
        )


def key_of(path: Path, passphrase: Passphrase | None) -> KeyDescription:
    """Return the first private key of a file; raises `CredentialError`, `no-private-key` where it holds none."""
    file = CredentialFile(path, passphrase)
    key = next(file.private_keys(), None)
    if key is None:
        hints = conversion_hints(file.contents, path)
        msg = f"{path} is {file.contents.kind()}, not a private key"
        raise CredentialError(msg, code="no-private-key", hints=hints, evidence={"path": str(path)})
    return _key(key, encrypted=any(sealed.encrypted for sealed in file.contents.keys))


def _foreign(file: CredentialFile) -> CredentialError:
    is_known = bool(file.contents.others)
    lacking = ", not a certificate, a key, a request or a revocation list" if is_known else ""
    msg = f"{file.path} is {file.contents.kind()}{lacking}"
    hints = conversion_hints(file.contents, file.path)
    return CredentialError(msg, hints=hints, evidence={"path": str(file.path)})


def _keys(file: CredentialFile) -> Iterator[KeyDescription]:
    is_encrypted = any(sealed.encrypted for sealed in file.contents.keys)
    try:
        for key in file.private_keys():
            yield _key(key, encrypted=is_encrypted or bool(file.contents.archives))
    except CredentialError as error:
        if error.code != "passphrase-needed":
            raise
        yield KeyDescription(None, None, encrypted=True, spki_sha256=None)


def _key(key: PrivateKeyTypes, *, encrypted: bool) -> KeyDescription:
    kind, bits = key_and_size(key.public_key())
    return KeyDescription(kind, bits, encrypted, key_digest(key))


def _request(der: bytes) -> RequestDescription:
    request = x509.load_der_x509_csr(der)
    try:
        public: PublicKeyTypes | None = request.public_key()
        is_valid = request.is_signature_valid
    except REFUSALS:
        public, is_valid = None, False
    kind, bits = (UNREADABLE, None) if public is None else key_and_size(public)
    try:
        extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(map(_general_name, extension))
    except (*REFUSALS, x509.ExtensionNotFound):
        names = ()
    return RequestDescription(_name(lambda: request.subject), names, kind, bits, is_valid)


def _general_name(name: x509.GeneralName) -> str:
    if isinstance(name, x509.DirectoryName):
        return readable_name(name.value)
    if isinstance(name, x509.RegisteredID):
        return name.value.dotted_string
    return name.type_id.dotted_string if isinstance(name, x509.OtherName) else str(name.value)


def _crl(der: bytes) -> CRLDescription:
    crl = x509.load_der_x509_crl(der)
    try:
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (*REFUSALS, x509.ExtensionNotFound):
        number = None
    this_update, next_update = _date(lambda: crl.last_update_utc), _date(lambda: crl.next_update_utc)
    return CRLDescription(_name(lambda: crl.issuer), number, this_update, next_update, len(crl), der)


def _signed(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool | None:
    try:
        if authority.subject != crl.issuer:
            return None
        return crl.is_signature_valid(authority.public_key())  # type: ignore[arg-type] # those that sign nothing raise
    except REFUSALS:
        return None


def _date(read: Callable[[], datetime | None]) -> datetime | None:
    try:
        return read()
    except REFUSALS:
        return None


def _name(read: Callable[[], x509.Name]) -> str:
    try:
        return readable_name(read())
    except REFUSALS:
        return UNREADABLE
