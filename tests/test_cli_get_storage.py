"""What `get` counts of what it keeps; where it is used as users do is in test_cli_get."""

import pytest

from dicomtls.cli.get_storage import Keeper
from dicomtls.cli.output import Output
from dicomtls.errors import MachineError
from dicomtls.scp.services import StoreOutcome
from dicomtls.scp.storage import StoredInstance
from tests.support.kept import header


class Nowhere:
    """A storage that nobody asks."""

    def receive(self, _header: object) -> object:
        """Not in these tests."""
        raise NotImplementedError


def keeper() -> Keeper:
    """One that counts."""
    return Keeper(Output("get"), Nowhere())  # type: ignore[arg-type]  # nothing is stored


def test_kept_instances_are_counted() -> None:
    """With their bytes."""
    counting = keeper()
    for size in (100, 200):
        counting._on_outcome(StoreOutcome(header(), 0, StoredInstance("/a", size, is_new=True)))
    assert (counting.kept, counting.octets) == (2, 300)
    counting.check()


def test_first_obstacle_of_this_machine_is_raised(capsys: pytest.CaptureFixture[str]) -> None:
    """What a peer did wrong is none, and is named like the others."""
    counting = keeper()
    counting._on_outcome(StoreOutcome(header(), 0xC000, None, "the request has no dataset"))
    counting.check()
    full = MachineError("the disk is full", code="disk-full")
    counting._on_outcome(StoreOutcome(header(), 0xA700, None, full.message, full))
    counting._on_outcome(StoreOutcome(header(), 0xA700, None, "another", MachineError("another")))
    with pytest.raises(MachineError) as caught:
        counting.check()
    assert caught.value is full
    assert len(capsys.readouterr().err.splitlines()) == 3
