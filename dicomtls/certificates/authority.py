"""A CA in its folder: `ca.pem` (with the CAs above it), `ca.key`, and the record of what it has issued.

Whoever changes the record holds a lock on the folder meanwhile. The record goes to the disk before what it records: a
crash in between leaves a line about a certificate that nobody has, never a certificate that cannot be revoked.
"""

import os
import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from dicomtls.certificates.building import (
    KeyType,
    PrivateKey,
    PublicKey,
    Purpose,
    authority_identifier,
    extension_of,
    is_authority,
    issued_by,
    new_builder,
    organization_subject,
    signature_hash,
    signed,
    with_ca_extensions,
    with_leaf_extensions,
)
from dicomtls.certificates.bundle import load_leaf
from dicomtls.certificates.guard import check_replaced
from dicomtls.certificates.issue import CredentialFiles, Issued, identity_files
from dicomtls.certificates.load import is_issuer, load_identity, parse_certificates
from dicomtls.certificates.passphrase import Passphrase
from dicomtls.certificates.reading import read
from dicomtls.certificates.record import REASONS, RECORD_NAME, Record, parse_serial
from dicomtls.errors import CredentialError, UsageError
from dicomtls.files import alone_in, write_files


@dataclass(frozen=True)
class Authority:
    """A CA that can issue; `above` are the certificates from its own issuer up to its root."""

    directory: Path
    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    above: tuple[x509.Certificate, ...] = ()

    @classmethod
    def load(cls, directory: Path, passphrase: Passphrase | None, *, today: bool = True) -> "Authority":
        """Load `ca.pem` and `ca.key` of a folder; raises `CredentialError`, and `UsageError` for what is no CA.

        With `today` it has to be valid, as it must to issue anything but its own renewed certificate.
        """
        cert, key = directory / "ca.pem", directory / "ca.key"
        if not os.path.exists(cert):  # noqa: PTH110 - Path.exists raises where it may not look
            msg = f"there is no CA in {directory}: it has no ca.pem"
            hints = ("name its folder with --ca-dir, or make one: dicomtls certgen ca --name NAME",)
            raise CredentialError(msg, code="unreadable-file", hints=hints)
        identity = load_identity(cert, key, passphrase)
        certificate, *above = parse_certificates(identity.chain_der, cert)
        private = load_pem_private_key(identity.key_pem, identity.key_passphrase)
        if not isinstance(private, get_args(PrivateKey)):
            msg = f"the key in {key} is of a kind that cannot sign here"
            raise UsageError(msg, hints=("a CA has an RSA, EC or Ed25519 key: dicomtls certgen ca --key-type",))
        authority = cls(directory, certificate, private, tuple(above))
        if authority._constraints() is None:
            msg = f"the certificate in {cert} is not that of a CA"
            raise UsageError(msg, hints=("make a CA: dicomtls certgen ca --name NAME",))
        if today:
            authority.check_dates()
        return authority

    def check_dates(self) -> None:
        """Raise `UsageError` where the CA is not valid today."""
        now = datetime.now(UTC)
        if now > self.end:
            file, own = (shlex.quote(str(path)) for path in (self.directory / "ca.pem", self.directory))
            folder = own if self.is_root else "DIR, the folder of the CA above it"
            msg = f"the CA was valid until {self.end:%Y-%m-%d}"
            raise UsageError(msg, hints=(f"renew it: dicomtls certgen renew {file} --force --ca-dir {folder}",))
        if now < self.certificate.not_valid_before_utc:
            msg = f"the CA is not valid before {self.certificate.not_valid_before_utc:%Y-%m-%d}"
            raise UsageError(msg, hints=("is the clock of this machine right?",))

    @property
    def end(self) -> datetime:
        """The moment after which nothing that it issued is trusted any more."""
        return self.certificate.not_valid_after_utc

    @property
    def is_root(self) -> bool:
        """Whether nobody stands above it."""
        return self.certificate.subject == self.certificate.issuer

    def _constraints(self) -> x509.BasicConstraints | None:
        found = extension_of(self.certificate, x509.BasicConstraints)
        return found if found is not None and found.ca else None

    @property
    def root(self) -> x509.Certificate:
        """The topmost certificate of the CA's file."""
        return (self.certificate, *self.above)[-1]

    @property
    def intermediates(self) -> tuple[x509.Certificate, ...]:
        """What a leaf of this CA has to send along: this CA and those above it, without the root."""
        return tuple(one for one in (self.certificate, *self.above) if one.subject != one.issuer)

    # Issuing

    def issue(
        self,
        subject: x509.Name,
        names: Sequence[x509.GeneralName],
        *,
        purposes: x509.ExtendedKeyUsage,
        key: PublicKey,
        days: int,
    ) -> x509.Certificate:
        """Make a leaf for somebody's public key; raises `UsageError` where it would outlive this CA, or is nobody's."""
        if not subject.rdns and not names:
            msg = "a certificate without a subject and without names is nobody's"
            raise UsageError(msg, hints=("give the names or addresses of the device with --host",))
        self._check_subject(subject)
        builder = new_builder(subject, self.certificate.subject, key, days, not_after=self.end)
        builder = issued_by(builder, self.certificate)
        has_subject = bool(subject.rdns)
        return signed(with_leaf_extensions(builder, key, names, purposes, has_subject=has_subject), self.key)

    def _check_subject(self, subject: x509.Name) -> None:
        """What bears its issuer's name looks self-signed, and nobody looks for its issuer."""
        if subject == self.certificate.subject:
            msg = "that is the name of the CA itself"
            raise UsageError(msg, hints=("give another name; the CA's own certificate is renewed with certgen renew",))

    def issue_identity(
        self,
        subject: x509.Name,
        names: Sequence[x509.GeneralName],
        *,
        purpose: Purpose,
        kind: KeyType,
        days: int,
    ) -> Issued:
        """Make a key and a leaf for it; raises `UsageError` as `issue` does."""
        key = kind.generate()
        purposes = purpose.extended_key_usage
        certificate = self.issue(subject, names, purposes=purposes, key=key.public_key(), days=days)
        return Issued(certificate, key, self.intermediates)

    def usual_days(self, usual: int) -> int:
        """The days for which something of this kind is usually valid, cut to what this CA has left; at least one."""
        return max(1, min(usual, (self.end - datetime.now(UTC)).days))

    def issue_authority(self, name: str, *, kind: KeyType, days: int, path_length: int | None) -> Issued:
        """Make an intermediate CA; raises `UsageError` where this CA may have none below it, or not so many."""
        constraints = self._constraints()
        allowed = constraints.path_length if constraints is not None else None
        if allowed == 0:
            msg = "this CA may only issue to devices: its path length is 0"
            raise UsageError(msg, hints=("make the root with --path-length 1 or more",))
        if allowed is not None and (path_length is None or path_length >= allowed):
            msg = f"this CA has the path length {allowed}: a CA below it must have less"
            raise UsageError(msg, hints=(f"give --path-length {allowed - 1}",))
        key = kind.generate()
        subject = organization_subject(name, "CA")
        self._check_subject(subject)
        builder = new_builder(subject, self.certificate.subject, key.public_key(), days, not_after=self.end)
        builder = with_ca_extensions(issued_by(builder, self.certificate), path_length)
        return Issued(signed(builder, self.key), key, (self.certificate, *self.above))

    def has_issued(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate bears this CA's signature."""
        return is_issuer(self.certificate, certificate)

    # The record

    def record(self) -> Record:
        """What has been issued so far; raises `CredentialError` where the record is damaged."""
        path = self.directory / RECORD_NAME
        return Record.parse(read(path), str(path)) if path.exists() else Record()

    def deliver(self, certificate: x509.Certificate, files: CredentialFiles, out: Path, *, force: bool) -> list[Path]:
        """Record a certificate and write its files, all or nothing; returns where they are.

        Raises `UsageError` where a file is there already, or would be one of this CA's own, `MachineError`,
        `CredentialError` for a damaged record.
        """
        contents, private = files.below(out)
        with self._locked():
            check_replaced(contents, private)
            self._write(self.record().with_issued(certificate), contents, private, force=force)
        return list(contents)

    def deliver_authority(
        self, certificate: x509.Certificate, files: CredentialFiles, out: Path, *, force: bool
    ) -> list[Path]:
        """Deliver the folder of a new CA below this one: by force it takes the place of another, but not of this.

        Raises as `deliver` does.
        """
        contents, private = files.below(out)
        with self._locked():
            if out.exists() and out.samefile(self.directory):
                msg = "the new CA would take the place of the one above it"
                raise UsageError(msg, hints=("give another folder with --out",))
            self._write(self.record().with_issued(certificate), contents, private, force=force)
        return list(contents)

    def deliver_again(
        self, old: x509.Certificate, new: x509.Certificate, files: CredentialFiles, out: Path, *, force: bool
    ) -> list[Path]:
        """Deliver what takes the place of `old`; raises as `deliver` does, and where a revoked key is to live on.

        A CA's own `ca.pem` may be replaced here, by the certificate of the same CA with the same key.
        """
        contents, private = files.below(out)
        with self._locked():
            record = self.record()
            entry = record.find(old.serial_number)
            if entry is not None and entry.revoked is not None and old.public_key() == new.public_key():
                msg = "that certificate was revoked: its key is not to be used again"
                hint = "make a new CA: dicomtls certgen ca" if is_authority(new) else "give --new-key"
                raise UsageError(msg, hints=(hint,))
            check_replaced(contents, private, renewed=new)
            self._write(record.with_issued(new), contents, private, force=force)
        return list(contents)

    def revoke(self, serial: int, reason: str, certificate: x509.Certificate | None = None) -> Record:
        """Note that a certificate is not to be trusted any more, for one of `record.REASONS`.

        One that this CA has signed, but of which the record knows nothing (it is older, or was lost), is put into it.
        Raises `UsageError`, also for a serial number that no list can name, `MachineError`, and `CredentialError` for a
        damaged record.
        """
        if reason not in REASONS:
            msg = f"not a reason for a revocation: {reason!r}"
            raise UsageError(msg, hints=(f"one of {', '.join(REASONS)}",))
        with self._locked():
            record = self.record()
            if certificate is not None and record.find(serial) is None and self.has_issued(certificate):
                record = record.with_issued(certificate)
            record = record.with_revoked(serial, reason)
            self._write(record, {}, frozenset(), force=False)
            return record

    def write_crl(self, path: Path, days: int, *, force: bool) -> x509.CertificateRevocationList:
        """Make the list of what is revoked, with the next number, and write it; it is to be replaced after `days`.

        Raises as `deliver` does.
        """
        with self._locked():
            record = self.record()
            record = Record(record.entries, record.crl_number + 1)
            crl = self._crl(record, days)
            contents = {path: crl.public_bytes(Encoding.PEM)}
            check_replaced(contents, ())
            self._write(record, contents, frozenset(), force=force)
            return crl

    def _crl(self, record: Record, days: int) -> x509.CertificateRevocationList:
        now = datetime.now(UTC).replace(microsecond=0)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            # Not backdated: an older list than the last one would be a step back.
            .last_update(now)
            .next_update(now + timedelta(days=days))
            .add_extension(x509.CRLNumber(record.crl_number), critical=False)
            .add_extension(authority_identifier(self.certificate), critical=False)
        )
        for entry in record.revoked():
            revoked = x509.RevokedCertificateBuilder().serial_number(entry.serial)
            revoked = revoked.revocation_date(entry.revoked or now)
            if entry.reason not in (None, "unspecified"):  # RFC 5280 section 5.3.1: that one is to be left out
                revoked = revoked.add_extension(x509.CRLReason(REASONS[entry.reason]), critical=False)
            builder = builder.add_revoked_certificate(revoked.build())
        return builder.sign(self.key, signature_hash(self.key))

    def _write(self, record: Record, contents: dict[Path, bytes], private: frozenset[Path], *, force: bool) -> None:
        path = self.directory / RECORD_NAME
        write_files({path: record.encode(), **contents}, private=private, replaced=(path,), force=force)

    def _locked(self) -> AbstractContextManager[None]:
        """Be alone with the folder; raises as `files.alone_in` does."""
        return alone_in(self.directory, "the CA")


def authority_files(
    made: Issued, out: Path, above: Authority | None, *, passphrase: bytes | None, force: bool
) -> list[Path]:
    """Write a new CA's folder, and into the record of the CA above it, if there is one; raises as `deliver` does."""
    files = identity_files(made, "ca", passphrase=passphrase) | CredentialFiles(
        {RECORD_NAME: Record().encode()}, frozenset()
    )
    if above is None:
        contents, private = files.below(out)
        write_files(contents, private=private, force=force)
        return list(contents)
    return above.deliver_authority(made.certificate, files, out, force=force)


def find_issued(authority: Authority, target: str) -> tuple[int, x509.Certificate | None]:
    """The certificate that a user means, by its file or by its serial number in hexadecimal.

    Raises `UsageError` for a certificate of another CA and what is neither, `CredentialError` for other files.
    """
    path = Path(target)
    if os.path.exists(path):  # noqa: PTH110 - Path.exists raises where the name is too long
        certificate = load_leaf(path)
        if not authority.has_issued(certificate):
            msg = f"this CA has not issued the certificate in {path}"
            raise UsageError(msg, hints=("name the CA's folder with --ca-dir",))
        return certificate.serial_number, certificate
    serial = parse_serial(target)
    if serial is None:
        msg = f"neither a file that is there nor a serial number in hexadecimal: {target!r}"
        raise UsageError(msg, hints=(f"the serial numbers are in {authority.directory / RECORD_NAME}",))
    return serial, None
