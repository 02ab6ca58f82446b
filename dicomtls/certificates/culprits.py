"""Which certificate of a chain a verdict is about, where OpenSSL knows it and Python's ssl module does not tell."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from dicomtls.certificates.chain import is_signed_by
from dicomtls.certificates.describe import CertificateDescription
from dicomtls.certificates.fields import CertificateFields

NAME_CONSTRAINTS = "2.5.29.30"

# What OpenSSL looks at itself (its X509_supported_extension); all others must not be critical.
_KNOWN_TO_OPENSSL: Final = frozenset(
    {
        *(f"2.5.29.{number}" for number in (14, 15, 17, 19, 30, 31, 32, 33, 35, 36, 37, 54)),
        *("2.16.840.1.113730.1.1", "1.3.6.1.5.5.7.1.7", "1.3.6.1.5.5.7.1.8", "1.3.6.1.5.5.7.1.14"),
        "1.3.6.1.5.5.7.48.1.5",
    }
)


def wrongly_signed(certificates: Sequence[CertificateDescription], path: Sequence[int]) -> int:
    """The uppermost one whose issuer is there and did not sign it; else the last, whose issuer is an anchor.

    From the top down is OpenSSL's order: a signature counts only once those above it are right.
    """
    for place, issuer in reversed(list(pairwise(path))):
        if not is_signed_by(certificates[place].der, certificates[issuer].der):
            return place
    return path[-1]


def with_unknown_critical_extension(certificates: Sequence[CertificateDescription], path: Sequence[int]) -> int | None:
    """The first one of the path with such an extension, None where none has it: an anchor then."""
    return next((place for place in path if _has_unknown_critical_extension(certificates[place].der)), None)


def constraining(certificates: Sequence[CertificateDescription], path: Sequence[int]) -> int | None:
    """The first authority of the path with name constraints, None where none has any: an anchor then."""
    extensions = {place: CertificateFields.parse(certificates[place].der).extensions for place in path[1:]}
    return next((place for place, found in extensions.items() if NAME_CONSTRAINTS in found), None)


def _has_unknown_critical_extension(der: bytes) -> bool:
    from cryptography import x509

    from dicomtls.certificates.content import REFUSALS
    from dicomtls.certificates.quiet import quiet

    try:
        with quiet():
            found = list(x509.load_der_x509_certificate(der).extensions)
    except REFUSALS:
        return False
    return any(one.critical and one.oid.dotted_string not in _KNOWN_TO_OPENSSL for one in found)
