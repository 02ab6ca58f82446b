"""Certificate signing requests (PKCS#10, RFC 2986): made, and read by the CA that is to sign one."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from dicomtls.certificates.building import KeyType, PrivateKey, PublicKey, signature_hash, usable_key
from dicomtls.certificates.content import REFUSALS, recognise
from dicomtls.certificates.issue import CredentialFiles, encryption
from dicomtls.certificates.names import general_name, resource_identifiers
from dicomtls.certificates.quiet import quiet
from dicomtls.certificates.reading import read
from dicomtls.errors import CredentialError, UsageError

_NOT_TAKEN: Final = "alternative names that no peer would look for"


@dataclass(frozen=True)
class SigningRequest:
    """What a request asks for and we take over: its subject, its key and its names; `ignored` is what else it asks."""

    subject: x509.Name
    key: PublicKey
    names: tuple[x509.GeneralName, ...]
    ignored: tuple[str, ...]


def make_request(subject: x509.Name, names: Sequence[x509.GeneralName], key: PrivateKey) -> bytes:
    """Make a request as PEM, signed with the key that it is for."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, signature_hash(key)).public_bytes(Encoding.PEM)


def request_files(
    subject: x509.Name, names: Sequence[x509.GeneralName], kind: KeyType, name: str, passphrase: bytes | None
) -> CredentialFiles:
    """Make a key, and a request with it, as `NAME.csr` and `NAME.key`; raises `UsageError` as `encryption` does."""
    key = kind.generate()
    contents = {
        f"{name}.csr": make_request(subject, names, key),
        f"{name}.key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption(passphrase)),
    }
    return CredentialFiles(contents, frozenset({f"{name}.key"}))


def load_request(path: Path) -> SigningRequest:
    """Read a request and check that whoever made it has the key.

    Raises `CredentialError` (`unreadable-file`, `bad-signature`), and `UsageError` for a key that is too weak to sign.
    """
    contents = recognise(read(path))
    if len(contents.requests) != 1:
        kind = "several certificate signing requests" if contents.requests else contents.kind()
        msg = f"{path} is {kind}, not a certificate signing request (CSR)"
        raise CredentialError(msg, hints=("give the .csr file that the device, or certgen request, made",))
    try:
        with quiet():
            return _read(path, x509.load_der_x509_csr(contents.requests[0]))
    except REFUSALS:
        msg = f"{path} cannot be read: its subject, key or extensions are damaged, or of a kind that we do not know"
        raise CredentialError(msg) from None


def _read(path: Path, request: x509.CertificateSigningRequest) -> SigningRequest:
    if not request.is_signature_valid:
        msg = f"the signature of {path} is wrong: it was changed, or whoever made it does not have the key"
        raise CredentialError(msg, code="bad-signature", hints=("have the device make a new request",))
    names: tuple[x509.GeneralName, ...] = ()
    ignored: list[str] = []
    for extension in request.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names = tuple(dict.fromkeys(filter(_is_taken, extension.value)))
            ignored += [_NOT_TAKEN] if not all(map(_is_taken, extension.value)) else []
        else:
            ignored.append(extension.oid._name.replace("Unknown OID", extension.oid.dotted_string))  # noqa: SLF001 -- the only name there is
    hint = "have the device make a key of RSA 2048 or more, or EC P-256"
    key = usable_key(request.public_key(), f"the key in {path}", hint)
    return SigningRequest(request.subject, key, names, tuple(ignored))


def _is_taken(name: x509.GeneralName) -> bool:
    """Whether we would have written it ourselves: no address as a DNS name, no range, no control characters."""
    try:
        if isinstance(name, x509.DNSName):
            return isinstance(general_name(name.value), x509.DNSName)
        if isinstance(name, x509.UniformResourceIdentifier):
            return bool(resource_identifiers((name.value,)))
    except UsageError:
        return False
    return isinstance(name, x509.IPAddress) and isinstance(name.value, IPv4Address | IPv6Address)
