"""Certificates issued again with new dates: a device's, and a CA's own.

A CA keeps its subject, its key and that key's identifier, so that whatever it has issued stays valid under the old
certificate and the new one alike (RFC 5280 section 6.1 knows an issuer by its name and its key).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from cryptography import x509

from dicomtls.certificates.authority import Authority
from dicomtls.certificates.building import (
    KeyType,
    PrivateKey,
    PublicKey,
    Purpose,
    ca_key_usage,
    dated_builder,
    extension_of,
    extensions_of,
    is_authority,
    issued_by,
    signed,
    usable_key,
)
from dicomtls.certificates.content import REFUSALS
from dicomtls.certificates.issue import CA_DAYS, LEAF_DAYS, CredentialFiles, Issued, certificate_files, identity_files
from dicomtls.errors import CredentialError, UsageError


@dataclass(frozen=True)
class Renewal:
    """A certificate issued again; `key` is None where it stays, `chain` what stands behind it in its file."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: PrivateKey | None = field(default=None, repr=False)

    @property
    def is_authority(self) -> bool:
        """Whether it is a CA's."""
        return is_authority(self.certificate)

    @property
    def is_root(self) -> bool:
        """Whether it is signed by itself."""
        return self.certificate.subject == self.certificate.issuer

    @property
    def has_cas_below(self) -> bool:
        """Whether it may have issued to other CAs."""
        constraints = extension_of(self.certificate, x509.BasicConstraints)
        return constraints is not None and constraints.ca and constraints.path_length != 0

    def files(self, name: str, *, passphrase: bytes | None, pkcs12: bool, root: x509.Certificate) -> CredentialFiles:
        """Lay it out as `NAME.pem`, and with a new key as `issue.identity_files` does; raises as that does."""
        if self.key is None:
            return certificate_files(self.certificate, self.chain, name)
        issued = Issued(self.certificate, self.key, self.chain)
        return identity_files(issued, name, passphrase=passphrase, pkcs12=pkcs12, ca=root)


def renewed(authority: Authority, old: x509.Certificate, *, kind: KeyType | None, days: int | None) -> Renewal:
    """Issue a certificate again: its subject, names and purposes, for the same key (`kind` None) or a new one.

    A root's is signed by itself, also when it has expired; an intermediate's by the CA above it. Without `days` a
    device's is valid for two years, a CA's for ten or for what the CA above it has left. Raises `UsageError` where
    `authority` has not issued it or is not valid itself, for a device's old key that peers no longer take, for a CA
    with a new key, and as `Authority.issue` does; `CredentialError` where an extension cannot be read or written again.
    """
    if not authority.has_issued(old):
        raise _not_ours(authority, old)
    if is_authority(old):
        return _renewed_authority(authority, old, kind, days)
    authority.check_dates()
    names = extension_of(old, x509.SubjectAlternativeName)
    purposes = extension_of(old, x509.ExtendedKeyUsage) or Purpose.BOTH.extended_key_usage
    key = None if kind is None else kind.generate()
    public = usable_key(_key(old), "the key of that certificate", "give --new-key") if key is None else key.public_key()
    lifetime = days or authority.usual_days(LEAF_DAYS)
    new = authority.issue(old.subject, list(names or ()), purposes=purposes, key=public, days=lifetime)
    return Renewal(new, authority.intermediates, key)


def _not_ours(authority: Authority, old: x509.Certificate) -> UsageError:
    own = authority.certificate
    if (old.subject, _key(old)) == (own.subject, _key(own)):
        msg = "that is the CA's own certificate, which the CA above it has issued"
        return UsageError(msg, hints=("name the folder of the CA above it with --ca-dir",))
    return UsageError("this CA has not issued that certificate", hints=("name the CA's folder with --ca-dir",))


def _key(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except REFUSALS:
        return None


def _renewed_authority(authority: Authority, old: x509.Certificate, kind: KeyType | None, days: int | None) -> Renewal:
    if kind is not None:
        msg = "a CA with a new key is a new CA, which nobody trusts yet"
        raise UsageError(msg, hints=("renew it without --new-key, or make a new one: dicomtls certgen ca",))
    if old.subject == authority.certificate.subject:
        return Renewal(_again(authority, old, days or CA_DAYS, not_after=None), ())
    authority.check_dates()
    new = _again(authority, old, days or authority.usual_days(CA_DAYS), not_after=authority.end)
    return Renewal(new, (authority.certificate, *authority.above))


def _again(authority: Authority, old: x509.Certificate, days: int, *, not_after: datetime | None) -> x509.Certificate:
    """Sign it anew with everything that it had, name constraints and policies too, in the shape of RFC 5280."""
    try:
        return signed(_rebuilt(authority, old, days, not_after=not_after), authority.key)
    except REFUSALS:
        msg = "the certificate has a key or an extension that cannot be written again"
        raise CredentialError(msg, hints=("make a new CA: dicomtls certgen ca",)) from None


def _rebuilt(
    authority: Authority, old: x509.Certificate, days: int, *, not_after: datetime | None
) -> x509.CertificateBuilder:
    key = cast("PublicKey", old.public_key())
    builder = dated_builder(old.subject, authority.certificate.subject, key, days, not_after=not_after)
    builder = issued_by(builder, authority.certificate)
    kept = [one for one in extensions_of(old) if not isinstance(one.value, x509.AuthorityKeyIdentifier)]
    for one in kept:
        # RFC 5280 section 4.2.1.9: that it is a CA must be critical, which older tools forgot.
        builder = builder.add_extension(one.value, one.critical or isinstance(one.value, x509.BasicConstraints))
    if extension_of(old, x509.SubjectKeyIdentifier) is None:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    if extension_of(old, x509.KeyUsage) is None:
        builder = builder.add_extension(ca_key_usage(), critical=True)
    return builder
