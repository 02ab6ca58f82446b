"""The query, retrieve and commitment services of a server, put together from an index and a worklist."""

from dicomtls.association.commitment import SOP_CLASS as COMMITMENT
from dicomtls.association.dimse import CommandField
from dicomtls.association.query import FIND_SOP_CLASSES, Model
from dicomtls.association.status import CANCEL, SUCCESS, status_meaning
from dicomtls.scp.commitment import CommitmentOutcome, CommitmentService
from dicomtls.scp.destinations import Destinations
from dicomtls.scp.events import Severity
from dicomtls.scp.finding import Find, FindOutcome, FindService, grant_extended
from dicomtls.scp.index import Index
from dicomtls.scp.offers import Offer, Scene, Tell
from dicomtls.scp.operation import RetrieveOutcome
from dicomtls.scp.retrieving import GET_MODELS, MOVE_MODELS, GetService, MoveService
from dicomtls.scp.worklist import Worklist


def find_offer(index: Index | None, worklist: Worklist | None = None) -> Offer:
    """C-FIND in the information models that there is something to find for."""
    sources: dict[Model, Find] = {}
    if index is not None:
        sources |= {Model.STUDY_ROOT: index.find, Model.PATIENT_ROOT: index.find}
    if worklist is not None:
        sources[Model.WORKLIST] = worklist.find

    def make(scene: Scene) -> FindService:
        return FindService(
            scene.association,
            scene.requests,
            sources,
            on_outcome=lambda one: _tell(scene.tell, one),
            interrupt=scene.interrupt,
        )

    return Offer(
        command_field=CommandField.C_FIND_RQ,
        sop_classes=frozenset(FIND_SOP_CLASSES[model] for model in sources),
        make=make,
        extended=grant_extended,
    )


def _tell(tell: Tell, outcome: FindOutcome) -> None:
    matches = f"{outcome.matches} match{'' if outcome.matches == 1 else 'es'}"
    facts = {
        "model": outcome.model and str(outcome.model),
        "level": outcome.level and str(outcome.level),
        "status": f"0x{outcome.status:04X}",
        "matches": outcome.matches,
        "seconds": round(outcome.seconds, 3),
    }
    if outcome.status in (SUCCESS, CANCEL):
        cancelled = ", cancelled" if outcome.status == CANCEL else ""
        what = " ".join(str(part).lower() for part in (outcome.model, outcome.level) if part)
        tell("find", f"find {what}: {matches} in {outcome.seconds:.2f} s{cancelled}", Severity.DETAIL, **facts)
        return
    reason = outcome.reason or status_meaning(outcome.status, CommandField.C_FIND_RQ)
    tell("find-failed", f"find failed: {reason} (0x{outcome.status:04X})", Severity.WARNING, reason=reason, **facts)


def retrieve_offers(index: Index, destinations: Destinations) -> list[Offer]:
    """C-GET, C-MOVE to these destinations, and storage commitment, of what the index knows."""

    def get(scene: Scene) -> GetService:
        return GetService(
            scene.association,
            index,
            on_outcome=lambda one: _tell_of_retrieval(scene.tell, one),
            interrupt=scene.interrupt,
            requests=scene.requests,
        )

    def move(scene: Scene) -> MoveService:
        return MoveService(
            scene.association,
            index,
            destinations,
            on_outcome=lambda one: _tell_of_retrieval(scene.tell, one),
            interrupt=scene.interrupt,
            requests=scene.requests,
        )

    def commit(scene: Scene) -> CommitmentService:
        return CommitmentService(
            scene.association,
            index,
            destinations,
            on_outcome=lambda one: _tell_of_commitment(scene.tell, one),
            interrupt=scene.interrupt,
        )

    return [
        Offer(
            command_field=CommandField.C_GET_RQ, sop_classes=frozenset(GET_MODELS), make=get, stores_at_requestor=True
        ),
        Offer(command_field=CommandField.C_MOVE_RQ, sop_classes=frozenset(MOVE_MODELS), make=move),
        Offer(
            command_field=CommandField.N_ACTION_RQ,
            also=(CommandField.N_EVENT_REPORT_RSP,),
            sop_classes=frozenset((COMMITMENT,)),
            make=commit,
        ),
    ]


def _tell_of_retrieval(tell: Tell, outcome: RetrieveOutcome) -> None:
    if outcome.missing:
        _tell_of_missing(tell, outcome.missing, outcome.dropped)
    name = outcome.operation.removeprefix("C-").lower()
    facts = {
        "destination": outcome.destination,
        "status": f"0x{outcome.status:04X}",
        "completed": outcome.completed,
        "failed": outcome.failed,
        "warning": outcome.warning,
        "seconds": round(outcome.seconds, 3),
    }
    to = f" to {outcome.destination}" if outcome.destination else ""
    done = f"{outcome.completed} of {outcome.total} instance{'' if outcome.total == 1 else 's'} sent"
    if outcome.status in (SUCCESS, CANCEL):
        cancelled = ", cancelled" if outcome.status == CANCEL else ""
        tell(name, f"{name}{to}: {done} in {outcome.seconds:.2f} s{cancelled}", Severity.INFO, **facts)
        return
    reason = outcome.reason or status_meaning(outcome.status, CommandField.C_MOVE_RQ)
    message = f"{name}{to} failed: {reason} (0x{outcome.status:04X}), {done}"
    tell(f"{name}-failed", message, Severity.WARNING, reason=reason, **facts)


def _tell_of_missing(tell: Tell, missing: int, dropped: int) -> None:
    files = "1 file is" if missing == 1 else f"{missing} files are"
    if dropped == missing:
        left = "and left it; --reindex looks at all files anew"
    else:
        stay = missing - dropped
        left = (
            f"{stay} of which {'stays' if stay == 1 else 'stay'} in it, since a folder on the way is empty, a link, or"
            " not mounted; mount it, or have all files looked at anew with --reindex"
        )
    tell("files-missing", f"{files} gone that the index had, {left}", Severity.WARNING, instances=missing, left=dropped)


def _tell_of_commitment(tell: Tell, outcome: CommitmentOutcome) -> None:
    facts = {
        "transaction_uid": outcome.transaction,
        "committed": outcome.committed,
        "failed": outcome.failed,
        "delivered": outcome.delivered,
    }
    total = outcome.committed + outcome.failed
    done = f"{outcome.committed} of {total} instance{'' if total == 1 else 's'} committed"
    if outcome.delivered in ("same", "new"):
        tell("commitment", done, Severity.INFO, **facts)
    else:
        tell("commitment-undelivered", f"{done}, but not reported: {outcome.delivered}", Severity.WARNING, **facts)
