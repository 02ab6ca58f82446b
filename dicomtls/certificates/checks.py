"""What can be said of certificates one by one, whoever verifies them: the faults behind the first, and the warnings.

The verdict itself is OpenSSL's (`dicomtls.diagnosis.inspection`); nothing here decides whether a handshake succeeds.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from dicomtls.certificates.chain import Arrangement
from dicomtls.certificates.describe import CertificateDescription
from dicomtls.certificates.fields import BASIC_CONSTRAINTS, CertificateFields, permits_client, permits_server
from dicomtls.certificates.findings import Finding, Severity

if TYPE_CHECKING:
    from dicomtls.certificates.inventory import CRLDescription, RequestDescription

SMALLEST_RSA, SMALLEST_EC = 2048, 224
"""In bits: RFC 9325 section 4.5, and OpenSSL's security level 2."""
WEAK_HASHES = frozenset({"md2", "md4", "md5", "sha1"})
"""Under which nothing is signed any more: RFC 9325 section 4.5 asks for SHA-256."""
_SOON = 30
_LONG = 825
_RENEW = ("it must be renewed", "check the clock of this machine too")
_WAIT = ("check the clock of this machine and of the machine that issued it",)
CRL_FORGED_HINTS: Final = (
    "fetch the list anew from the authority: it was damaged on its way, or somebody else made it",
    "if the authority has a new key by now, give its new certificate with --ca",
)
REISSUE = ("it must be issued anew",)


def flaws(
    certificates: Sequence[CertificateDescription], path: Sequence[int], *, purpose: str | None, now: datetime
) -> Iterator[Finding]:
    """Yield the faults of each certificate of the path for which a handshake may fail, as errors.

    What is wrong with them as issuers is in `issuer_flaws`.
    """
    for place in path:
        certificate = certificates[place]
        what = name_of(certificate, place, path)
        yield from _times(certificate, place, what, now)
        if is_weak_key(certificate):
            size = f"{certificate.key_type} {certificate.key_bits}"
            hints = ("it must be made anew with RSA of 2048 bits or more, or EC",)
            yield Finding("weak-key", Severity.ERROR, f"{what} has a key that is too small: {size}", place, hints)
        is_root = certificate.self_signed and place != path[0]
        if certificate.signature_hash in WEAK_HASHES and not is_root:
            message = f"{what} is signed with {certificate.signature_hash.upper()}, which is too weak"
            yield Finding("weak-signature", Severity.ERROR, message, place, ("it must be issued anew with SHA-256",))
    leaf = certificates[path[0]]
    if purpose and not {"server": permits_server, "client": permits_client}[purpose](leaf.der):
        message = f"the certificate is not made for a TLS {purpose}: it has {_purposes(leaf)}"
        hints = (f"it must be issued anew with the extended key usage {purpose}Auth",)
        yield Finding("wrong-purpose", Severity.ERROR, message, path[0], hints)


def time_flaws(certificates: Sequence[CertificateDescription], now: datetime) -> Iterator[Finding]:
    """Yield what is wrong with the dates of certificates that form no chain."""
    for place, certificate in enumerate(certificates):
        yield from _times(certificate, place, f"the certificate of {certificate.subject}", now)


def remarks(certificates: Sequence[CertificateDescription], arrangement: Arrangement) -> Iterator[Finding]:
    """Yield what a handshake of dicomtls tolerates and others may not, and what will soon be wrong."""
    path = arrangement.path
    for place in path if arrangement.is_chain else range(len(certificates)):
        certificate = certificates[place]
        yield from _date_remarks(certificate, place, name_of(certificate, place, path))
        yield from _form_remarks(certificate, place, name_of(certificate, place, path))
    if not arrangement.is_chain:
        return
    leaf = certificates[path[0]]
    if not leaf.is_ca and permits_server(leaf.der) and not (leaf.dns_names or leaf.ip_addresses):
        message = "the certificate has no subject alternative name, so it is for no server at all (RFC 9525)"
        hints = ("let a server's certificate be issued with its names: dicomtls certgen issue --host NAME",)
        yield Finding("no-alternative-name", Severity.WARNING, message, path[0], hints)
    if not arrangement.is_ordered:
        yield _order(path[0])
    for place in arrangement.extra:
        message = f"{certificates[place].subject} is no part of the chain"
        yield Finding("not-in-chain", Severity.WARNING, message, place, ("leave it out of the file",))
    for place in path[1:]:
        if BASIC_CONSTRAINTS not in CertificateFields.parse(certificates[place].der).extensions:
            message = f"{certificates[place].subject} issued another and has no basicConstraints"
            yield Finding("no-basic-constraints", Severity.WARNING, message, place, REISSUE)


def request_findings(requests: "Sequence[RequestDescription]") -> Iterator[Finding]:
    """Yield what is wrong with signing requests: a signature by its own key is all that one has to prove (RFC 2986)."""
    for request in requests:
        if not request.signature_valid:
            message = f"the request of {request.subject} is not signed with its own key: it was damaged, or changed"
            hints = ("sign nothing for it; let it be made anew: dicomtls certgen request",)
            yield Finding("bad-signature", Severity.ERROR, message, None, hints)


def crl_findings(crls: "Sequence[CRLDescription]", authorities: Sequence[bytes] = ()) -> Iterator[Finding]:
    """Yield what is wrong with revocation lists that are looked at by themselves, or against who may have signed them.

    `authorities` are certificates in DER.
    """
    for crl in crls:
        is_signed = crl.is_signed_by(authorities)
        if is_signed is None:
            message = f"the signature of the revocation list of {crl.issuer} was not checked"
            hints = ("give its authority's certificate with --ca",)
            yield Finding("not-checked-signature", Severity.INFO, message, None, hints)
        elif not is_signed:
            message = f"the revocation list is not signed by {crl.issuer}, whose name it bears"
            yield Finding("bad-signature", Severity.ERROR, message, None, CRL_FORGED_HINTS)
        if crl.is_expired and crl.next_update is not None:
            message = f"the revocation list of {crl.issuer} should have been replaced on {_day(crl.next_update)}"
            yield Finding("crl-expired", Severity.ERROR, message, None, ("fetch the current list from the authority",))


def name_of(certificate: CertificateDescription, place: int, path: Sequence[int]) -> str:
    """What to call it in a message: the leaf is simply the certificate."""
    return "the certificate" if path and place == path[0] else f"the certificate of {certificate.subject}"


def is_weak_key(certificate: CertificateDescription) -> bool:
    """Whether its key is smaller than OpenSSL's security level 2 takes."""
    bits = certificate.key_bits
    if bits is None:
        return False
    return bits < (SMALLEST_RSA if certificate.key_type in {"RSA", "DSA"} else SMALLEST_EC)


def _order(leaf: int) -> Finding:
    message = "the certificates are not in the order that TLS 1.2 asks for (leaf, then each issuer)"
    if leaf:
        message = (
            f"the leaf is certificate {leaf + 1} of the file, not the first: dicomtls finds it by its key, but OpenSSL"
            " and what is built on it (DCMTK, Orthanc) take the first and say that the key does not match"
        )
    return Finding("wrong-order", Severity.WARNING, message, None, ("put them in order: dicomtls certgen bundle",))


def _times(certificate: CertificateDescription, place: int, what: str, now: datetime) -> Iterator[Finding]:
    if certificate.not_after is not None and certificate.not_after < now:
        message = f"{what} expired on {_day(certificate.not_after)}"
        yield Finding("expired", Severity.ERROR, message, place, _RENEW)
    if certificate.not_before is not None and certificate.not_before > now:
        message = f"{what} is not valid before {_day(certificate.not_before)}"
        yield Finding("not-yet-valid", Severity.ERROR, message, place, _WAIT)


def _date_remarks(certificate: CertificateDescription, place: int, what: str) -> Iterator[Finding]:
    left = certificate.days_left
    if left is not None and 0 <= left < _SOON:
        yield Finding("expires-soon", Severity.WARNING, f"{what} has {left} days left", place, ("renew it in time",))
    if certificate.not_before is None or certificate.not_after is None:
        yield Finding("unreadable-field", Severity.WARNING, f"{what} has dates that cannot be read", place, REISSUE)
    elif not certificate.is_ca and (certificate.not_after - certificate.not_before).days > _LONG:
        days = (certificate.not_after - certificate.not_before).days
        message = f"{what} is valid for {days} days; some software takes no more than {_LONG}"
        yield Finding("long-lifetime", Severity.INFO, message, place)


def _form_remarks(certificate: CertificateDescription, place: int, what: str) -> Iterator[Finding]:
    for field in certificate.unreadable:
        if field != "validity":
            message = f"{what} has a field that cannot be read: {field.replace('_', ' ')}"
            yield Finding("unreadable-field", Severity.WARNING, message, place, REISSUE)
    if certificate.serial.startswith("-") or certificate.serial == "00":
        message = f"{what} has a serial number that is not positive (RFC 5280 section 4.1.2.2)"
        yield Finding("strict-serial-number", Severity.WARNING, message, place, REISSUE)
    if CertificateFields.parse(certificate.der).has_repeated_extension:
        message = f"{what} has an extension twice (RFC 5280 section 4.2)"
        yield Finding("strict-repeated-extension", Severity.WARNING, message, place, REISSUE)


def _purposes(certificate: CertificateDescription) -> str:
    found = certificate.extended_key_usage or certificate.key_usage
    return ", ".join(found[:10]) or "none that can be read"


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
