"""dicomtls.probe.contexts: what a peer accepts, found out with few associations."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.association.association import Association
from dicomtls.association.contexts import MAXIMUM_CONTEXTS
from dicomtls.association.negotiation import ContextProposal
from dicomtls.errors import AssociationAborted, AssociationError, Interrupted
from dicomtls.peer import Peer
from dicomtls.probe.contexts import (
    Propose,
    known_sop_classes,
    known_transfer_syntaxes,
    proposing,
    survey,
    uid_name,
)
from dicomtls.scp.sop_classes import VERIFICATION, storage_sop_classes
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from dicomtls.waiting import Interrupt
from tests.support.peers import dcmtk_storescp
from tests.support.pki import PKI
from tests.support.receivers import requestor_of
from tests.support.servers import CT, MR, acceptor, open_policy

UNCOMPRESSED = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"]
Accepted = dict[str, set[str]]


def _await_release(association: Association) -> None:
    assert association.receive() is None


def peer_that_accepts(accepted: Accepted, *, breaks_after: int | None = None) -> tuple[Propose, list[int]]:
    """A peer that takes the last proposed transfer syntax that it knows; how many contexts each association had."""
    sizes: list[int] = []

    def propose(proposals: Sequence[ContextProposal]) -> dict[int, str]:
        if breaks_after is not None and len(sizes) == breaks_after:
            msg = "enough"
            raise AssociationAborted(msg)
        sizes.append(len(proposals))
        known = [[s for s in p.transfer_syntaxes if s in accepted.get(p.abstract_syntax, ())] for p in proposals]
        return {place: syntaxes[-1] for place, syntaxes in enumerate(known) if syntaxes}

    return propose, sizes


@given(st.data())
def test_survey_finds_what_is_accepted_and_nothing_else(data: st.DataObject) -> None:
    """Whatever the peer takes: each SOP class with all its transfer syntaxes, and no association is too large."""
    sop_classes = [f"1.{number}" for number in range(1, data.draw(st.integers(1, 300)) + 1)]
    syntaxes = [f"2.{number}" for number in range(1, data.draw(st.integers(1, 12)) + 1)]
    some = st.sets(st.sampled_from(syntaxes))
    accepted = data.draw(st.dictionaries(st.sampled_from(sop_classes), some, max_size=40))
    propose, sizes = peer_that_accepts(accepted)
    found = survey(propose, sop_classes, syntaxes)
    assert {uid: set(taken) for uid, taken in found.accepted.items()} == {u: s for u, s in accepted.items() if s}
    assert all(taken == sorted(taken, key=syntaxes.index) for taken in found.accepted.values())
    assert list(found.accepted) == [uid for uid in sop_classes if uid in found.accepted]
    assert (found.error, found.associations) == (None, len(sizes))
    assert all(0 < size <= MAXIMUM_CONTEXTS for size in sizes)


@pytest.mark.parametrize(
    ("sop_classes", "taken", "most"),
    [
        pytest.param(1, 45, 2, id="one SOP class in every transfer syntax"),
        pytest.param(250, 0, 2, id="nothing"),
        pytest.param(250, 3, 8, id="everything uncompressed, as storescp"),
        pytest.param(250, 45, 90, id="everything"),
    ],
)
def test_survey_needs_few_associations(sop_classes: int, taken: int, most: int) -> None:
    """The help of the command names what it takes at most."""
    uids, syntaxes = ([f"{root}.{number}" for number in range(1, count + 1)] for root, count in ((1, 250), (2, 45)))
    accepted = {uid: set(syntaxes[:taken]) for uid in uids[:sop_classes]}
    propose, sizes = peer_that_accepts(accepted)
    found = survey(propose, uids[:sop_classes], syntaxes)
    assert sum(map(len, found.accepted.values())) == sop_classes * taken
    assert len(sizes) <= most


def test_peer_that_breaks_off_keeps_what_was_learnt() -> None:
    """The error stands beside it."""
    uids = [f"1.{number}" for number in range(1, 200)]
    propose, _ = peer_that_accepts({uid: {"2.1", "2.2"} for uid in uids}, breaks_after=3)
    found = survey(propose, uids, ["2.1", "2.2", "2.3"])
    assert len(found.accepted) == 199
    assert isinstance(found.error, AssociationError)
    assert found.associations == 4


def test_known_names_are_those_of_the_standard() -> None:
    """Each UID once: Verification first, every storage SOP class, and what nobody negotiates left out."""
    sop_classes, syntaxes = known_sop_classes(), known_transfer_syntaxes()
    assert sop_classes[0] == VERIFICATION
    assert storage_sop_classes() <= set(sop_classes)
    assert len(set(sop_classes)) == len(sop_classes)
    assert not {"1.2.840.10008.1.3.10", "1.2.840.10008.4.2"} & set(sop_classes)
    assert syntaxes[:2] == UNCOMPRESSED[:2]
    assert (uid_name(CT), uid_name("1.2.3.4")) == ("CT Image Storage", "1.2.3.4")


def test_survey_over_associations_tells_what_the_peer_takes() -> None:
    """CT and MR, one transfer syntax each; an association without any accepted context is an answer too."""
    takes = {(CT, UNCOMPRESSED[1]), (MR, UNCOMPRESSED[0])}
    policy = open_policy(
        supports=lambda uid: uid in {CT, MR},
        accepts_transfer_syntax=lambda uid, syntax: (uid, syntax) in takes,
    )
    with acceptor(_await_release, policy) as peer:
        found = survey(proposing(requestor_of(peer)), [CT, MR, VERIFICATION], UNCOMPRESSED)
    assert found.error is None
    assert found.accepted == {CT: [UNCOMPRESSED[1]], MR: [UNCOMPRESSED[0]]}
    assert peer.ends == []


def test_interrupt_ends_the_survey() -> None:
    """As any other failure does, it stands beside what was learnt."""
    interrupt = Interrupt()
    with acceptor(lambda _association: None) as peer:
        interrupt.set()
        found = survey(proposing(requestor_of(peer, interrupt)), [CT], UNCOMPRESSED)
    assert isinstance(found.error, Interrupted)
    assert (found.accepted, found.associations) == ({}, 1)
    interrupt.close()


def test_storescp_takes_what_its_manual_says(pki: PKI, tmp_path: Path) -> None:
    """Verification and storage in the uncompressed transfer syntaxes."""
    with dcmtk_storescp(pki, tmp_path / "in", tls=False) as scp:
        requestor = Requestor(Peer(scp.host, scp.port), None, AssociationSettings())
        found = survey(proposing(requestor), known_sop_classes(), known_transfer_syntaxes())
    assert found.error is None
    assert found.associations <= 10
    assert all(syntaxes == UNCOMPRESSED for syntaxes in found.accepted.values())
    assert {VERIFICATION, CT, MR} <= set(found.accepted)
