"""Counting sub-operations as a peer does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.association.dimse import Command, CommandField
from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE, tags
from dicomtls.dataset.identifier import Element, encode
from dicomtls.scu import suboperations as module
from dicomtls.scu.suboperations import NOTHING_COUNTED, Counts, SubOperations


def response(counts: Counts, status: int = 0) -> Command:
    """A C-MOVE-RSP with these counts."""
    return Command(
        command_field=CommandField.C_MOVE_RSP,
        message_id_being_responded_to=1,
        status=status,
        number_of_remaining_suboperations=counts.remaining,
        number_of_completed_suboperations=counts.completed,
        number_of_failed_suboperations=counts.failed,
        number_of_warning_suboperations=counts.warning,
    )


def test_counts_add_up() -> None:
    """What has ended, and all of it where the rest is known."""
    assert (Counts(3, 4, 1, 2).done, Counts(3, 4, 1, 2).total) == (7, 10)
    assert (NOTHING_COUNTED.done, NOTHING_COUNTED.total) == (0, None)


def test_honest_peer_gets_no_remark() -> None:
    """From the first pending response to a final one without what remains, or without any count."""
    operations = SubOperations()
    for done in range(4):
        operations.update(response(Counts(3 - done, done, 0, 0)), is_final=False)
    operations.update(response(Counts(None, 3, 0, 0)), is_final=True)
    operations.update(response(NOTHING_COUNTED), is_final=True)
    assert (operations.counts, operations.remarks) == (Counts(None, 3, 0, 0), ())


def test_cancelled_operation_may_leave_some() -> None:
    """They remain."""
    operations = SubOperations()
    operations.update(response(Counts(9, 1, 0, 0)), is_final=False)
    operations.update(response(Counts(8, 2, 0, 0), 0xFE00), is_final=True)
    assert operations.remarks == ()


def test_success_leaves_none() -> None:
    """The negative twin: who has not been told to stop has no reason to."""
    operations = SubOperations()
    operations.update(response(Counts(8, 2, 0, 0)), is_final=True)
    assert operations.remarks == ("the peer ended with 8 sub-operations remaining",)


def test_count_that_is_full_proves_nothing() -> None:
    """A hundred thousand instances do not fit into the field: the peer says the most that it can, until it fits."""
    operations, total = SubOperations(), 100_000
    for done in (0, 10, 40_000, 70_000, total):
        counts = Counts(min(total - done, 0xFFFF), min(done, 0xFFFF), 0, 0)
        operations.update(response(counts), is_final=False)
    operations.update(response(Counts(None, 0xFFFF, 0, 0)), is_final=True)
    assert operations.remarks == ()
    assert not operations.counts.is_exact


def test_remark_is_made_once() -> None:
    """However often it is due."""
    operations = SubOperations()
    for _ in range(3):
        operations.update(response(Counts(1, 1, 0, 0)), is_final=False)
        operations.update(response(Counts(2, 0, 0, 0)), is_final=False)
    assert len(operations.remarks) == 1


@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LE, EXPLICIT_VR_LE])
def test_failed_instances_are_read(syntax: str) -> None:
    """Each once, in either encoding, however it is cut into fragments."""
    data = encode({tags.FAILED_SOP_INSTANCE_UID_LIST: Element("UI", ("1.2.3", "1.2.4", "1.2.3"))}, syntax)
    operations = SubOperations()
    pieces = [memoryview(data[place : place + 1]) for place in range(len(data))]
    assert operations.failed_instances(pieces, syntax) == ("1.2.3", "1.2.4")
    assert len(operations.remarks) == 1  # the doubled one


def test_list_that_is_too_long_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is bounded; a remark says so."""
    monkeypatch.setattr(module, "LONGEST_IDENTIFIER", 100)
    operations = SubOperations()
    assert operations.failed_instances([memoryview(bytes(90))] * 1000, IMPLICIT_VR_LE) == ()
    assert "more than 100 bytes" in operations.remarks[0]


@given(data=st.binary(max_size=200), syntax=st.sampled_from((IMPLICIT_VR_LE, EXPLICIT_VR_LE)))
def test_any_bytes_give_uids_or_a_remark(data: bytes, syntax: str) -> None:
    """Nothing else comes out of it, and nothing is raised."""
    uids = SubOperations().failed_instances([memoryview(data)], syntax)
    assert all(set(uid) <= set("0123456789.") for uid in uids)


COUNT = st.none() | st.integers(0, 0xFFFF)


@given(st.lists(st.builds(Counts, COUNT, COUNT, COUNT, COUNT)))
def test_any_counts_are_taken(counts: list[Counts]) -> None:
    """The last that say anything are those that are shown."""
    operations = SubOperations()
    for one in counts:
        operations.update(response(one), is_final=False)
    said = [one for one in counts if one != NOTHING_COUNTED]
    assert operations.counts == (said[-1] if said else NOTHING_COUNTED)
