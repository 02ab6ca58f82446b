"""What is counted of instances that come over an association of ours; real ones come in test_scu_retrieve_get."""

import pytest

from dicomtls.errors import MachineError
from dicomtls.scp.keeper import Keeper
from dicomtls.scp.services import StoreOutcome
from dicomtls.scp.storage import StoredInstance
from tests.support.kept import header


class Nowhere:
    """A storage that nobody asks."""

    def receive(self, _header: object) -> object:
        """Not in these tests."""
        raise NotImplementedError


def keeper(heard: list[StoreOutcome] | None = None) -> Keeper:
    """One that counts."""
    return Keeper(Nowhere(), (heard if heard is not None else []).append)  # type: ignore[arg-type]  # nothing is stored


def test_kept_instances_are_counted() -> None:
    """With their bytes."""
    counting = keeper()
    for size in (100, 200):
        counting.count(StoreOutcome(header(), 0, StoredInstance("/a", size, is_new=True)))
    assert (counting.kept, counting.octets, counting.has_refused) == (2, 300, False)
    counting.check()


def test_first_obstacle_of_this_machine_is_raised() -> None:
    """What a peer did wrong is none; each is told."""
    heard: list[StoreOutcome] = []
    counting = keeper(heard)
    counting.count(StoreOutcome(header(), 0xC000, None, "the request has no dataset"))
    counting.check()
    assert counting.has_refused
    full = MachineError("the disk is full", code="disk-full")
    counting.count(StoreOutcome(header(), 0xA700, None, full.message, full))
    counting.count(StoreOutcome(header(), 0xA700, None, "another", MachineError("another")))
    with pytest.raises(MachineError) as caught:
        counting.check()
    assert caught.value is full
    assert len(heard) == 3
