"""Keeping what a peer sends over an association of ours (C-GET), as a server keeps what it receives."""

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from dicomtls.scp.services import Services, StoreOutcome
from dicomtls.scp.storage import Storage

if TYPE_CHECKING:
    from dicomtls.association.association import Association
    from dicomtls.errors import MachineError


class Keeper:
    """Counts what is kept, and remembers the first thing that kept this machine from it; `on_outcome` hears of each.

    `octets` and `seconds` are those of the instances that were kept, from the association on.
    """

    def __init__(self, storage: Storage, on_outcome: Callable[[StoreOutcome], None] = lambda _outcome: None) -> None:
        self.kept = 0
        self.octets = 0
        self.has_refused = False
        """Whether an instance came and was not kept: asking for it again would change nothing."""
        self.seconds = 0.0
        self._storage = storage
        self._on_outcome = on_outcome
        self._started = monotonic()
        self._obstacle: MachineError | None = None

    def services(self, association: "Association") -> Services:
        """What takes the instances off an association."""
        self._started = monotonic()
        return Services(association, self._storage, on_outcome=self.count)

    def check(self) -> None:
        """Raise the `MachineError` that kept this machine from keeping all, if there is one."""
        if self._obstacle is not None:
            raise self._obstacle

    def count(self, outcome: StoreOutcome) -> None:
        """One more was kept, or not."""
        self.seconds = monotonic() - self._started
        if outcome.stored is not None:
            self.kept += 1
            self.octets += outcome.stored.size
        else:
            self.has_refused = True
            self._obstacle = self._obstacle or outcome.error
        self._on_outcome(outcome)
