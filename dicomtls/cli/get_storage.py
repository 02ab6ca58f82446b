"""Where `get` keeps what comes, as `serve` does."""

from time import monotonic
from typing import TYPE_CHECKING

from dicomtls.scp.services import Services, StoreOutcome
from dicomtls.scp.storage import Storage

if TYPE_CHECKING:
    from dicomtls.association.association import Association
    from dicomtls.cli.output import Output
    from dicomtls.errors import MachineError


class Keeper:
    """Counts what is kept, and names what is not."""

    def __init__(self, output: "Output", storage: Storage) -> None:
        self.kept = 0
        self.octets = 0
        self.has_refused = False
        """Whether an instance came and was not kept: asking for it again would change nothing."""
        self.seconds = 0.0
        self._output = output
        self._storage = storage
        self._started = monotonic()
        self._obstacle: MachineError | None = None

    def services(self, association: "Association") -> Services:
        """What takes the instances off an association."""
        self._started = monotonic()
        return Services(association, self._storage, on_outcome=self._on_outcome)

    def check(self) -> None:
        """Raise what kept this machine from keeping all, if anything did."""
        if self._obstacle is not None:
            raise self._obstacle

    def _on_outcome(self, outcome: StoreOutcome) -> None:
        self.seconds = monotonic() - self._started
        if outcome.stored is not None:
            self.kept += 1
            self.octets += outcome.stored.size
            if self._output.verbose:  # a path costs a twentieth of a small instance's time
                self._output.detail(f"kept {outcome.stored.path}")
            return
        self.has_refused = True
        self._obstacle = self._obstacle or outcome.error
        self._output.warning(f"not kept: {outcome.header.sop_instance_uid}: {outcome.reason}")
