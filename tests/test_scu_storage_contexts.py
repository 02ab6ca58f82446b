"""What a C-GET proposes."""

from collections import Counter

from pynetdicom.presentation import AllStoragePresentationContexts

from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.scu.storage_contexts import NATIVE, USUAL_COMPRESSIONS, storage_proposals
from tests.support.servers import CT, MR


def test_there_is_room_for_the_get_itself() -> None:
    """127 contexts, none of them twice, each with us in the SCP's role."""
    proposals = storage_proposals()
    assert len(proposals) == len(set(proposals)) == 127
    assert all(proposal.scp_role and not proposal.scu_role for proposal in proposals)


def test_every_class_is_a_storage_class_and_has_a_native_context() -> None:
    """By pynetdicom's table; the native context comes before the compressed ones."""
    known = {str(context.abstract_syntax) for context in AllStoragePresentationContexts}
    proposals = storage_proposals()
    classes = {proposal.abstract_syntax for proposal in proposals}
    assert classes <= known
    first: dict[str, tuple[str, ...]] = {}
    for proposal in proposals:
        first.setdefault(proposal.abstract_syntax, proposal.transfer_syntaxes)
    assert set(first.values()) == {NATIVE}


def test_compressed_classes_have_a_context_for_each_compression() -> None:
    """An acceptor picks one syntax for each context."""
    for sop_class in (CT, MR):
        syntaxes = [one.transfer_syntaxes for one in storage_proposals() if one.abstract_syntax == sop_class]
        assert syntaxes == [NATIVE, *[(syntax,) for syntax in USUAL_COMPRESSIONS]]


def test_named_classes_come_first_in_every_syntax() -> None:
    """And crowd out what is less usual."""
    proposals = storage_proposals(["1.2.3.4", CT])
    assert len(proposals) == 127
    assert [one.abstract_syntax for one in proposals[:32]] == ["1.2.3.4", CT] * 16
    assert proposals[0].transfer_syntaxes == (EXPLICIT_VR_LE, IMPLICIT_VR_LE)
    assert Counter(proposals).most_common(1)[0][1] == 1


def test_many_named_classes_stay_within_the_limit() -> None:
    """However many there are; each has its native context before any has another."""
    proposals = storage_proposals(f"1.2.3.{number}" for number in range(100))
    assert len(proposals) == 127
    assert len({one.abstract_syntax for one in proposals[:100]}) == 100
