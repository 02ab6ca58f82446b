"""Which of several certificates is the leaf, and who issued whom (RFC 5280 section 6.1, RFC 5246 section 7.4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dicomtls.certificates.describe import CertificateDescription
from dicomtls.certificates.fields import CertificateFields

MAXIMUM_CHAIN = 32
"""More than that is a collection: OpenSSL itself ends a chain at a hundred, no peer sends more than a handful."""
_MAXIMUM_ATTEMPTS = 100


@dataclass(frozen=True)
class Arrangement:
    """Places in the list of certificates that was looked at.

    `path` begins with the leaf and follows the issuers as far as they are there; `extra` is not on it. `is_ordered`
    where the list has the path at its beginning, in this order. `is_chain` is false for a mere collection.
    """

    path: tuple[int, ...]
    extra: tuple[int, ...]
    is_ordered: bool
    is_chain: bool


def arrange(certificates: Sequence[CertificateDescription], *, leaf: int | None = None) -> Arrangement:
    """Find the leaf, unless the caller knows its place, and the path from there; there is at least one certificate.

    Raises `CredentialError` (`not-a-certificate`) where one of them is none.
    """
    names = [_names(one.der) for one in certificates]
    issuers = {issuer for subject, issuer in names if subject != issuer}
    ends = [place for place, (subject, _) in enumerate(names) if subject not in issuers]
    chosen = leaf
    if chosen is None:
        candidates = [place for place in ends if not certificates[place].is_ca] or ends or [0]
        chosen = candidates[0]
    path = _path(certificates, names, chosen)
    extra = tuple(place for place in range(len(certificates)) if place not in path)
    is_ordered = all(one < another for one, another in pairwise(path)) and path[0] == 0
    leaves = [place for place in ends if not certificates[place].is_ca]
    is_chain = len(certificates) <= MAXIMUM_CHAIN and (
        leaf is not None or len(certificates) == 1 or len(leaves) == 1 or (not leaves and not extra)
    )
    return Arrangement(tuple(path), extra, is_ordered, is_chain)


def _names(der: bytes) -> tuple[bytes, bytes]:
    fields = CertificateFields.parse(der)
    return fields.subject, fields.issuer


def _path(certificates: Sequence[CertificateDescription], names: Sequence[tuple[bytes, bytes]], leaf: int) -> list[int]:
    path, attempts = [leaf], _MAXIMUM_ATTEMPTS
    while len(path) < MAXIMUM_CHAIN:
        subject, issuer = names[path[-1]]
        if subject == issuer:
            break
        candidates = [p for p, (name, _) in enumerate(names) if name == issuer and p not in path][:attempts]
        attempts -= len(candidates)
        # A name alone is enough where no signature fits: OpenSSL then says that the signature is wrong.
        signed = (p for p in candidates if is_signed_by(certificates[path[-1]].der, certificates[p].der))
        found = next(signed, next(iter(candidates), None))
        if found is None:
            break
        path.append(found)
    return path


def is_signed_by(der: bytes, issuer: bytes) -> bool:
    """Whether `load.is_issuer` says so of these bytes; False also where one of them cannot be read."""
    from cryptography import x509

    from dicomtls.certificates.content import REFUSALS
    from dicomtls.certificates.load import is_issuer
    from dicomtls.certificates.quiet import quiet

    try:
        with quiet():
            certificate, candidate = (x509.load_der_x509_certificate(one) for one in (der, issuer))
    except REFUSALS:
        return False
    return is_issuer(candidate, certificate)
