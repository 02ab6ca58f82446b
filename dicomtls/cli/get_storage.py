"""What `get` says of the instances that come."""

from typing import TYPE_CHECKING

from dicomtls.scp.keeper import Keeper

if TYPE_CHECKING:
    from dicomtls.cli.output import Output
    from dicomtls.scp.services import StoreOutcome
    from dicomtls.scp.storage import Storage


def keeper(output: "Output", storage: "Storage") -> Keeper:
    """Keep instances in `storage`, and name those that are not kept."""

    def tell(outcome: "StoreOutcome") -> None:
        if outcome.stored is None:
            output.warning(f"not kept: {outcome.header.sop_instance_uid}: {outcome.reason}")
        elif output.verbose:  # a path costs a twentieth of a small instance's time
            output.detail(f"kept {outcome.stored.path}")

    return Keeper(storage, tell)
