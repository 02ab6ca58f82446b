"""The query services of a server, put together from an index and a worklist."""

from dicomtls.association.dimse import CommandField
from dicomtls.association.query import FIND_SOP_CLASSES, Model
from dicomtls.association.status import CANCEL, SUCCESS, status_meaning
from dicomtls.scp.events import Severity
from dicomtls.scp.finding import Find, FindOutcome, FindService, grant_extended
from dicomtls.scp.index import Index
from dicomtls.scp.offers import Offer, Scene, Tell
from dicomtls.scp.worklist import Worklist


def find_offer(index: Index | None, worklist: Worklist | None = None) -> Offer:
    """C-FIND in the information models that there is something to find for."""
    sources: dict[Model, Find] = {}
    if index is not None:
        sources |= {Model.STUDY_ROOT: index.find, Model.PATIENT_ROOT: index.find}
    if worklist is not None:
        sources[Model.WORKLIST] = worklist.find

    def make(scene: Scene) -> FindService:
        return FindService(scene.association, scene.requests, sources, on_outcome=lambda one: _tell(scene.tell, one))

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
