"""Certificates against revocation lists: on the list, not on it, and lists that are of no use."""

from collections.abc import Iterator
from datetime import timedelta

from dicomtls.certificates.cases.case import Case, Purpose
from dicomtls.certificates.cases.forging import with_bad_signature
from dicomtls.certificates.cases.workshop import RevocationList, Workshop

_DAY = timedelta(days=1)


def revocation(shop: Workshop) -> Iterator[Case]:
    """All of them, for servers and for clients."""
    root, middle = shop.root, shop.intermediate
    revoked = {purpose: shop.leaf(root, subject=f"Test set revoked {purpose}") for purpose in Purpose}
    below = shop.leaf(middle, subject="Test set revoked below")
    current = shop.revocation_list("root", root, [*revoked.values()])
    expired = shop.revocation_list("root-expired", root, ends=-30 * _DAY)
    early = shop.revocation_list("root-early", root, begins=30 * _DAY)
    forged = RevocationList("root-forged", with_bad_signature(shop.revocation_list("root-forged", root).der))
    lower = shop.revocation_list("intermediate", middle, [below])
    for purpose in Purpose:
        leaf = shop.leaf(root, subject=f"Test set {purpose}")
        for name, title, code, der, crl in (
            ("not-revoked", "a good leaf, with the revocation list of its issuer", None, leaf, current),
            ("revoked", "its serial number is on the revocation list", "revoked", revoked[purpose], current),
            ("crl-expired", "the revocation list should have been replaced a month ago", "crl-expired", leaf, expired),
            ("crl-early", "the revocation list is from next month", "crl-expired", leaf, early),
            ("crl-forged", "one bit of the revocation list's signature is wrong", "bad-signature", leaf, forged),
            ("crl-missing", "the revocation list given is of another authority", "crl-missing", leaf, lower),
        ):
            yield Case(name, title, code, (der,), root, purpose=purpose, host=purpose.host, crl=crl)
    chain = (below, middle.der)
    yield Case("revoked-below", "revoked by the intermediate that issued it", "revoked", chain, root, crl=lower)
