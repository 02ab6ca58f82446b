"""What offers make a server agree to."""

from dicomtls.association.dimse import CommandField
from dicomtls.dataset import EXPLICIT_VR_LE
from dicomtls.scp.offers import Offer, Scene, Service, policy_with
from tests.support.servers import CT, MR, VERIFICATION

QUERY, OTHER = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.3"


def make(_scene: Scene) -> Service:
    """Nobody calls this here."""
    raise NotImplementedError


def offer(uid: str, *, answer: bytes | None = None, stores: bool = False) -> Offer:
    """An offer for one SOP class."""
    return Offer(
        command_field=CommandField.C_FIND_RQ,
        sop_classes=frozenset({uid}),
        make=make,
        extended=lambda _uid, _information: answer,
        stores_at_requestor=stores,
    )


def test_offers_add_to_storage() -> None:
    """Their SOP classes, in native transfer syntaxes; instances may come in any."""
    policy = policy_with([offer(QUERY)], frozenset({CT}), accept_unknown=False, maximum_length=1, max_operations=2)
    assert [policy.supports(uid) for uid in (CT, QUERY, OTHER, MR)] == [True, True, False, False]
    for syntax, is_fine in [
        (EXPLICIT_VR_LE, True),
        ("1.2.840.10008.1.2.1.99", False),
        ("1.2.840.10008.1.2.4.50", False),
    ]:
        assert policy.accepts_transfer_syntax(QUERY, syntax) is is_fine
        assert policy.accepts_transfer_syntax(CT, syntax)
    assert (policy.maximum_length, policy.max_operations) == (1, 2)
    assert not policy.scp_role_allowed(CT)


def test_extended_negotiation_is_that_of_the_offer() -> None:
    """The first one that has an answer."""
    offers = [offer(QUERY), offer(QUERY, answer=b"\1"), offer(OTHER, answer=b"\2")]
    policy = policy_with(offers, frozenset(), accept_unknown=False, maximum_length=0, max_operations=1)
    assert [policy.extended(uid, b"x") for uid in (QUERY, OTHER, CT)] == [b"\1", b"\2", None]


def test_requestor_may_store_where_an_offer_needs_it() -> None:
    """For instances, not for the offered services themselves."""
    policy = policy_with(
        [offer(QUERY, stores=True)], frozenset({CT}), accept_unknown=True, maximum_length=0, max_operations=1
    )
    assert policy.scp_role_allowed(CT)
    assert not policy.scp_role_allowed(QUERY)
    assert policy.supports(VERIFICATION)
