"""The record of what a CA has issued: one line a certificate, for people and for the next run.

    # dicomtls certgen: what this CA has issued, one line a certificate
    # crl 3
    serial  not_before            not_after             revoked               reason          subject
    5d0c..  2026-11-24T09:00:00Z  2028-11-24T09:00:00Z  -                     -               CN=pacs

Fields are separated by tabs. `revoked` is the time of the revocation, `reason` that of RFC 5280 section 5.3.1 as
OpenSSL writes it; `crl` is the number of the last list.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

from dicomtls.certificates.describe import readable_name, serial_hex
from dicomtls.errors import CredentialError, UsageError

RECORD_NAME: Final = "issued.txt"
"""Of the record in the CA's folder."""

_TITLE: Final = "# dicomtls certgen: what this CA has issued, one line a certificate"
_CRL: Final = "# crl "
_COLUMNS: Final = "serial\tnot_before\tnot_after\trevoked\treason\tsubject"
_NONE: Final = "-"
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_LONGEST_SERIAL: Final = 40  # digits
_LARGEST_SERIAL: Final = (1 << 159) - 1

REASONS: Final = {
    reason.value: reason
    for reason in (
        x509.ReasonFlags.unspecified,
        x509.ReasonFlags.key_compromise,
        x509.ReasonFlags.ca_compromise,
        x509.ReasonFlags.affiliation_changed,
        x509.ReasonFlags.superseded,
        x509.ReasonFlags.cessation_of_operation,
        x509.ReasonFlags.privilege_withdrawn,
    )
}
"""Why a certificate may be revoked, by the names of RFC 5280; those that can be taken back are not among them."""


@dataclass(frozen=True)
class Entry:
    """One certificate; `revoked` is None while it is good. Times are in UTC, to the second."""

    serial: int
    not_before: datetime
    not_after: datetime
    subject: str
    revoked: datetime | None = None
    reason: str | None = None

    @property
    def serial_hex(self) -> str:
        """The serial number as `describe.serial_hex` writes it."""
        return serial_hex(self.serial)


def parse_serial(text: str) -> int | None:
    """Read a serial number in hexadecimal, with or without colons; None where it is none that a CA may give."""
    digits = text.strip().replace(":", "").lower().removeprefix("0x")
    if not 0 < len(digits) <= _LONGEST_SERIAL or set(digits) - set("0123456789abcdef"):
        return None
    number = int(digits, 16)
    return number if _is_serial(number) else None


def _is_serial(number: int) -> bool:
    """Whether a CRL can name it: positive, in 20 octets (RFC 5280 section 4.1.2.2)."""
    return 0 < number <= _LARGEST_SERIAL


@dataclass(frozen=True)
class Record:
    """All that a CA has issued, in that order, and the number of its last CRL (0: none yet)."""

    entries: tuple[Entry, ...] = ()
    crl_number: int = 0

    @classmethod
    def parse(cls, data: bytes, source: str) -> "Record":
        """Read a record; raises `CredentialError` (`unreadable-file`) with the line that is none."""
        entries: list[Entry] = []
        crl_number = 0
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            try:
                if line.startswith(_CRL):
                    crl_number = _parse_number(line.removeprefix(_CRL))
                elif line and not line.startswith("#") and line != _COLUMNS:
                    entries.append(_parse_entry(line))
            except ValueError:
                what = "number of a list" if line.startswith(_CRL) else "record of a certificate"
                msg = f"line {number} of {source} is no {what}"
                hints = ("correct or remove the line; a copy of the file may be in a backup",)
                raise CredentialError(msg, code="unreadable-file", hints=hints) from None
        return cls(tuple(entries), crl_number)

    def encode(self) -> bytes:
        """Write the record as its file has it."""
        lines = [_TITLE, f"{_CRL}{self.crl_number}", _COLUMNS, *map(_format_entry, self.entries)]
        return "".join(f"{line}\n" for line in lines).encode()

    def with_issued(self, certificate: x509.Certificate) -> "Record":
        """The record with one certificate more; raises `UsageError` where no CRL could ever name it."""
        if not _is_serial(certificate.serial_number):
            msg = (
                f"the serial number {serial_hex(certificate.serial_number)} is not positive, or is over 20 octets long"
            )
            raise UsageError(msg, hints=("a revocation list cannot name it: whoever trusts it must stop that by hand",))
        entry = Entry(
            certificate.serial_number,
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            readable_name(certificate.subject) or "(none)",
        )
        return replace(self, entries=(*self.entries, entry))

    def with_revoked(self, serial: int, reason: str, now: datetime | None = None) -> "Record":
        """The record with one certificate revoked; raises `UsageError` where it is not there, or revoked already."""
        entry = self.find(serial)
        if entry is None:
            msg = f"this CA has no record of a certificate with the serial number {serial_hex(serial)}"
            raise UsageError(msg, hints=(f"look it up in {RECORD_NAME}, in the CA's folder",))
        if entry.revoked is not None:
            msg = f"that certificate was revoked on {entry.revoked:{_TIME}} already"
            raise UsageError(msg)
        moment = (now or datetime.now(UTC)).replace(microsecond=0)
        revoked = replace(entry, revoked=moment, reason=reason)
        return replace(self, entries=tuple(revoked if one is entry else one for one in self.entries))

    def find(self, serial: int) -> Entry | None:
        """The certificate with this serial number."""
        return next((entry for entry in self.entries if entry.serial == serial), None)

    def revoked(self) -> Iterator[Entry]:
        """Yield what belongs on a CRL."""
        return (entry for entry in self.entries if entry.revoked is not None)


def _parse_number(text: str) -> int:
    """A list with a lower number than the last would be taken for an old one: what is damaged is not passed over."""
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_SERIAL):
        raise ValueError(text)
    return int(text)


def _parse_entry(line: str) -> Entry:
    serial, not_before, not_after, revoked, reason, subject = line.split("\t")
    number = parse_serial(serial)
    if number is None or (revoked == _NONE) != (reason == _NONE) or (reason != _NONE and reason not in REASONS):
        raise ValueError(line)
    return Entry(
        number,
        _parse_time(not_before),
        _parse_time(not_after),
        subject,
        None if revoked == _NONE else _parse_time(revoked),
        None if reason == _NONE else reason,
    )


def _parse_time(text: str) -> datetime:
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC)


def _format_entry(entry: Entry) -> str:
    revoked = _NONE if entry.revoked is None else f"{entry.revoked:{_TIME}}"
    times = (f"{entry.not_before:{_TIME}}", f"{entry.not_after:{_TIME}}")
    return "\t".join((entry.serial_hex, *times, revoked, entry.reason or _NONE, entry.subject))
