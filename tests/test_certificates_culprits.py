"""dicomtls.certificates.culprits: which certificate of a chain a fault is in."""

from cryptography import x509

from dicomtls.certificates.culprits import constraining, with_unknown_critical_extension, wrongly_signed
from dicomtls.certificates.describe import CertificateDescription, describe
from tests.support.chains import Issued, issue

_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.25.1"), b"\x05\x00")
_CONSTRAINTS = x509.NameConstraints([x509.DNSName("localhost")], None)
ROOT = issue("root", is_ca=True)
MIDDLE = issue("middle", ROOT, is_ca=True)
LEAF = issue("leaf", MIDDLE)


def described(*chain: Issued) -> tuple[list[CertificateDescription], range]:
    """Certificates in order, and the path through them."""
    return [describe(one.der) for one in chain], range(len(chain))


def test_uppermost_wrong_signature_is_found() -> None:
    """Where all that can be checked are right, it is that of the last one, by an anchor."""
    other_middle, other_root = issue("middle", ROOT, is_ca=True), issue("root", is_ca=True)
    assert wrongly_signed(*described(LEAF, other_middle, ROOT)) == 0
    assert wrongly_signed(*described(LEAF, MIDDLE, other_root)) == 1
    assert wrongly_signed(*described(LEAF, other_middle, other_root)) == 1
    assert wrongly_signed(*described(LEAF, MIDDLE)) == 1
    assert wrongly_signed(*described(LEAF)) == 0


def test_unknown_critical_extension_is_found() -> None:
    """One that is not critical is none, nor is one that OpenSSL knows."""
    middle = issue("middle", ROOT, is_ca=True, extensions=((_UNKNOWN, True), (_CONSTRAINTS, True)))
    leaf = issue("leaf", middle, extensions=((_UNKNOWN, False),))
    assert with_unknown_critical_extension(*described(leaf, middle, ROOT)) == 1
    assert with_unknown_critical_extension(*described(leaf)) is None
    assert with_unknown_critical_extension(*described(LEAF, MIDDLE)) is None


def test_authority_with_constraints_is_found() -> None:
    """Those of a leaf mean nothing."""
    middle = issue("middle", ROOT, is_ca=True, extensions=((_CONSTRAINTS, True),))
    leaf = issue("leaf", middle, extensions=((_CONSTRAINTS, True),))
    assert constraining(*described(leaf, middle, ROOT)) == 1
    assert constraining(*described(leaf, MIDDLE, ROOT)) is None
