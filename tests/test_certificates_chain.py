"""dicomtls.certificates.chain: which certificate is the leaf, and who issued whom."""

from dicomtls.certificates.chain import MAXIMUM_CHAIN, Arrangement, arrange, is_signed_by
from dicomtls.certificates.describe import describe
from tests.support.chains import Issued, issue

ROOT = issue("root", is_ca=True)
MIDDLE = issue("middle", ROOT, is_ca=True)
LEAF = issue("leaf", MIDDLE)
OTHER = issue("other", ROOT)


def arranged(*certificates: Issued, leaf: int | None = None) -> Arrangement:
    """Their arrangement."""
    return arrange([describe(one.der) for one in certificates], leaf=leaf)


def test_chain_in_order_is_one() -> None:
    """Leaf, then each issuer."""
    assert arranged(LEAF, MIDDLE, ROOT) == Arrangement((0, 1, 2), (), is_ordered=True, is_chain=True)
    assert arranged(LEAF) == Arrangement((0,), (), is_ordered=True, is_chain=True)


def test_chain_in_another_order_is_one_too() -> None:
    """The leaf is found wherever it is."""
    assert arranged(ROOT, LEAF, MIDDLE) == Arrangement((1, 2, 0), (), is_ordered=False, is_chain=True)
    assert not arranged(LEAF, ROOT, MIDDLE).is_ordered


def test_several_leaves_are_a_collection() -> None:
    """Unless it is known which one is meant."""
    assert not arranged(LEAF, OTHER, ROOT).is_chain
    known = arranged(LEAF, OTHER, ROOT, leaf=1)
    assert (known.path, known.extra, known.is_chain) == ((1, 2), (0,), True)


def test_many_certificates_are_a_collection() -> None:
    """No peer sends so many."""
    assert not arranged(LEAF, MIDDLE, *[issue(f"{n}", is_ca=True) for n in range(MAXIMUM_CHAIN)]).is_chain


def test_issuer_by_name_alone_is_on_the_path() -> None:
    """So that the wrong signature is seen; one whose signature fits is preferred."""
    impostor = issue("middle", is_ca=True)
    assert arranged(LEAF, impostor).path == (0, 1)
    assert arranged(LEAF, impostor, MIDDLE).path == (0, 2)


def test_circle_ends() -> None:
    """Two that issued each other are no endless path."""
    one = issue("one", issue("two"), is_ca=True)
    two = issue("two", issue("one"), is_ca=True)
    assert arranged(one, two).path == (0, 1)


def test_signature_counts_and_not_the_name_alone() -> None:
    """Nor is it an error if bytes are no certificate."""
    assert is_signed_by(LEAF.der, MIDDLE.der)
    assert not is_signed_by(LEAF.der, issue("middle", is_ca=True).der)
    assert not is_signed_by(LEAF.der, ROOT.der)
    assert not is_signed_by(LEAF.der, b"0")
    assert not is_signed_by(b"", MIDDLE.der)
