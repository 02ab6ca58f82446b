"""What is wrong with the authorities of a chain as issuers: they are none, or issued what they may not.

As OpenSSL decides it (its `check_chain` and `check_ca`), which is milder than RFC 5280 section 6.1.4: a root without
basicConstraints is an authority if its keyUsage says so.
"""

from collections.abc import Iterator, Sequence

from dicomtls.certificates.checks import REISSUE, name_of
from dicomtls.certificates.der import DERError
from dicomtls.certificates.describe import CertificateDescription
from dicomtls.certificates.fields import (
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    CertificateFields,
    path_length,
    permits_issuing_for,
)
from dicomtls.certificates.findings import Finding, Severity


def issuer_flaws(
    certificates: Sequence[CertificateDescription], path: Sequence[int], *, purpose: str | None
) -> Iterator[Finding]:
    """Yield the faults of each certificate of the path but the leaf for which a handshake may fail, as errors."""
    below = 0
    for place in path[1:]:
        certificate = certificates[place]
        fields = CertificateFields.parse(certificate.der)
        what = name_of(certificate, place, path)
        if lacking := _lacks(certificate, fields):
            yield Finding("invalid-ca", Severity.ERROR, f"{what} {lacking}, but issued another", place, REISSUE)
        if purpose and not permits_issuing_for(certificate.der, purpose):
            message = f"{what} may not issue for a TLS {purpose}: its extended key usage lacks {purpose}Auth"
            yield Finding("wrong-purpose", Severity.ERROR, message, place, REISSUE)
        limit = _limit(fields)
        if limit is not None and below > limit:
            message = f"{what} has more authorities below it than its path length of {limit} allows: {below}"
            hints = ("its owner must have it issued with a longer path length, or issue the leaf with it directly",)
            yield Finding("path-length-exceeded", Severity.ERROR, message, place, hints)
        # RFC 5280 section 4.2.1.9: what was issued to oneself, for a new key say, does not count.
        below += fields.subject != fields.issuer


def _lacks(certificate: CertificateDescription, fields: CertificateFields) -> str | None:
    """What keeps it from being an authority; None where it is one."""
    if KEY_USAGE in fields.extensions and "keyCertSign" not in certificate.key_usage:
        return "has a keyUsage without keyCertSign"
    if certificate.is_ca or (certificate.self_signed and not fields.extensions):  # a root of X.509 version 1
        return None
    if BASIC_CONSTRAINTS in fields.extensions:
        return "is not a CA by its basicConstraints"
    return None if KEY_USAGE in fields.extensions else "has neither basicConstraints nor keyUsage, so it is no CA"


def _limit(fields: CertificateFields) -> int | None:
    try:
        return path_length(fields)
    except DERError:
        return None
