"""Which SOP classes and transfer syntaxes a peer accepts, found out with few associations.

An acceptor names one transfer syntax of those that a presentation context proposes, so each context tells one that is
accepted, or that none of its transfer syntaxes is. Every round asks for all that is still open, spread over as many
contexts as its associations can hold: an association is an entry in the peer's log, a context is not.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from dicomtls.association.contexts import MAXIMUM_CONTEXTS
from dicomtls.association.negotiation import ContextProposal
from dicomtls.errors import AssociationError, DicomTLSError, DIMSEError, NoPresentationContext

if TYPE_CHECKING:
    from dicomtls.scu.attempt import Requestor

_NOT_NEGOTIATED: Final = frozenset({"_SERVICE_CLASSES", "_APPLICATION_EVENT_CLASSES", "_MEDIA_STORAGE_CLASSES"})

Propose: TypeAlias = Callable[[Sequence[ContextProposal]], dict[int, str]]
"""Proposes presentation contexts, 128 at most; returns the accepted transfer syntax by the place of its proposal.

What it returns for a place is one of those that were proposed there.
"""


@dataclass
class Survey:
    """What was learnt: the accepted transfer syntaxes of each SOP class that has any, by UID, in their known order.

    `associations` is how many were tried, `error` what ended it before all was asked, if anything did.
    """

    accepted: dict[str, list[str]] = field(default_factory=dict)
    associations: int = 0
    error: DicomTLSError | OSError | None = None


def survey(propose: Propose, sop_classes: Sequence[str], transfer_syntaxes: Sequence[str]) -> Survey:
    """Ask for every pair of SOP class and transfer syntax (UIDs); raises nothing that `propose` may.

    What was learnt from a peer till it broke off is kept.
    """
    found = Survey()
    is_open = {uid: list(transfer_syntaxes) for uid in sop_classes}
    try:
        while is_open:
            for batch in _batches(list(_round(is_open))):
                found.associations += 1
                _take(found, is_open, batch, propose(batch))
            is_open = {uid: left for uid, left in is_open.items() if left}
    except (DicomTLSError, OSError) as error:
        found.error = error
    order = {uid: place for place, uid in enumerate(transfer_syntaxes)}
    found.accepted = {
        uid: sorted(found.accepted[uid], key=order.__getitem__) for uid in sop_classes if uid in found.accepted
    }
    return found


def proposing(requestor: "Requestor") -> Propose:
    """Return what proposes to a peer, with an association for each proposal; it raises as `associate` does."""

    def propose(proposals: Sequence[ContextProposal]) -> dict[int, str]:
        try:
            association = requestor.associate(requestor.attempt(), proposals)
        except NoPresentationContext:
            return {}
        answers = {
            context.context_id // 2: context.transfer_syntax for context in association.parameters.contexts.values()
        }
        with suppress(AssociationError, DIMSEError):  # the answers are there: its goodbye changes nothing
            association.release()
        return answers

    return propose


def known_sop_classes() -> list[str]:
    """Every SOP class that an association can be asked for, by pynetdicom's tables: Verification comes first."""
    from pynetdicom import sop_class

    tables = [
        value
        for name, value in vars(sop_class).items()
        if name.endswith("_CLASSES") and name not in _NOT_NEGOTIATED and isinstance(value, dict)
    ]
    known = dict.fromkeys(str(uid) for table in tables for uid in table.values())
    return sorted(known, key=lambda uid: [int(part) for part in uid.split(".")])


def known_transfer_syntaxes() -> list[str]:
    """Every transfer syntax of PS3.5 that is not retired, the uncompressed ones first."""
    from pynetdicom import ALL_TRANSFER_SYNTAXES

    return list(map(str, ALL_TRANSFER_SYNTAXES))


def uid_name(uid: str) -> str:
    """The name of a UID in the Standard; the UID itself where it has none."""
    from pydicom.uid import UID

    return UID(uid).name


def _round(is_open: dict[str, list[str]]) -> Iterator[ContextProposal]:
    """One or more contexts for each SOP class, its open transfer syntaxes dealt out among them."""
    associations = -(-len(is_open) // MAXIMUM_CONTEXTS)
    share = associations * MAXIMUM_CONTEXTS // len(is_open)
    for uid, syntaxes in is_open.items():
        count = min(share, len(syntaxes))
        yield from (ContextProposal(uid, tuple(syntaxes[start::count])) for start in range(count))


def _batches(proposals: list[ContextProposal]) -> Iterator[list[ContextProposal]]:
    for start in range(0, len(proposals), MAXIMUM_CONTEXTS):
        yield proposals[start : start + MAXIMUM_CONTEXTS]


def _take(
    found: Survey, is_open: dict[str, list[str]], batch: Sequence[ContextProposal], answers: dict[int, str]
) -> None:
    for place, (uid, syntaxes, *_) in enumerate(batch):
        accepted = answers.get(place)
        settled = syntaxes if accepted is None else (accepted,)
        is_open[uid] = [syntax for syntax in is_open[uid] if syntax not in settled]
        if accepted is not None:
            found.accepted.setdefault(uid, []).append(accepted)
