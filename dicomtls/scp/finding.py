"""C-FIND: matches as pending responses, as they are found (PS3.4 sections C.4.1 and K.4.1)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from time import monotonic
from typing import Final, NamedTuple, TypeAlias

from dicomtls.association.association import Association, Message
from dicomtls.association.query import (
    FIND_SOP_CLASSES,
    QUERY_RETRIEVE_LEVEL,
    RETRIEVE_AE_TITLE,
    ExtendedBehaviour,
    Level,
    Model,
)
from dicomtls.association.status import CANCEL, SUCCESS
from dicomtls.dataset import tags
from dicomtls.dataset.identifier import Element, Identifier
from dicomtls.errors import MachineError
from dicomtls.scp.index import Query
from dicomtls.scp.patience import Patience
from dicomtls.scp.requests import Refused, Requests, level_of, read_identifier
from dicomtls.scp.responding import Responder
from dicomtls.waiting import Interrupt

PENDING: Final = 0xFF00
PENDING_WITHOUT_KEYS: Final = 0xFF01
OUT_OF_RESOURCES: Final = 0xA700
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122

FIND_MODELS: Final = {uid: model for model, uid in FIND_SOP_CLASSES.items()}
_NOT_KEYS: Final = frozenset({tags.SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, RETRIEVE_AE_TITLE})

Find: TypeAlias = Callable[[Query], Iterator[dict[int, Element]]]
"""What finds the matches of a query; raises `MachineError`."""


class FindOutcome(NamedTuple):
    """How a C-FIND ended; `reason` says why it failed."""

    model: Model | None
    level: Level | None
    status: int
    matches: int
    seconds: float
    reason: str | None


class FindService:
    """Answers C-FIND requests; `sources` find by information model."""

    def __init__(
        self,
        association: Association,
        requests: Requests,
        sources: Mapping[Model, Find],
        *,
        on_outcome: Callable[[FindOutcome], None],
        interrupt: Interrupt | None = None,
    ) -> None:
        self._association = association
        self._requests = requests
        self._sources = sources
        self._on_outcome = on_outcome
        self._interrupt = interrupt

    def run(self, message: Message) -> None:
        """Answer one request to its final response; raises what ends the association."""
        started = monotonic()
        query, count, reason = None, 0, None
        responder = Responder(self._association, message)
        try:
            query, names = self._read(message)
            responder = Responder(self._association, message, names)
            status, count = self._send_matches(message, query, responder)
        except Refused as refused:
            status, reason = refused.status, refused.reason
        except MachineError as error:  # what it says of our files is for our log alone
            status, reason = OUT_OF_RESOURCES, error.message
        if not self._requests.is_released:
            responder.finish(status, None if status in (SUCCESS, CANCEL, OUT_OF_RESOURCES) else reason)
        level = query.level if query is not None and query.model is not Model.WORKLIST else None
        model = query.model if query is not None else None
        self._on_outcome(FindOutcome(model, level, status, count, monotonic() - started, reason))

    def _read(self, message: Message) -> tuple[Query, tuple[str, ...]]:
        """The query, and the character sets that it came in; raises `Refused`."""
        identifier = read_identifier(self._association, message)
        sop_class = message.context.abstract_syntax
        model = FIND_MODELS.get(sop_class)
        if model is None or model not in self._sources or message.command.affected_sop_class_uid != sop_class:
            raise Refused(SOP_CLASS_NOT_SUPPORTED, "the SOP class is not that of the presentation context")
        level = Level.IMAGE if model is Model.WORKLIST else level_of(identifier, model)
        names = identifier.get(tags.SPECIFIC_CHARACTER_SET, Element("CS")).values
        keys = {tag: element for tag, element in identifier.items() if tag not in _NOT_KEYS and tag & 0xFFFF}
        granted = self._association.parameters.extended.get(sop_class, b"")
        return (
            Query(
                model,
                level,
                keys,
                relational=_has(granted, ExtendedBehaviour.RELATIONAL),
                fuzzy=_has(granted, ExtendedBehaviour.FUZZY),
                date_time=_has(granted, ExtendedBehaviour.DATE_TIME),
            ),
            tuple(name for name in names if isinstance(name, str)),
        )

    def _send_matches(self, message: Message, query: Query, responder: Responder) -> tuple[int, int]:
        """Send all matches, or those before the peer cancels; the final status, and how many there were."""
        constant = self._constant(query)
        count, is_cancelled = 0, False

        def unwanted() -> bool:
            nonlocal is_cancelled
            if self._interrupt is not None:
                self._interrupt.check()
            is_cancelled = is_cancelled or self._requests.is_cancelled(message)
            return is_cancelled

        patience = Patience(unwanted)
        if patience.is_over(at_once=True):
            return CANCEL, 0
        for match in self._sources[query.model](replace(query, unwanted=unwanted)):
            status = PENDING if query.keys.keys() <= match.keys() else PENDING_WITHOUT_KEYS
            is_flushed = responder.pending(status, {**match, **constant})
            count += 1
            if patience.is_over(at_once=is_flushed):
                break
        return CANCEL if is_cancelled else SUCCESS, count

    def _constant(self, query: Query) -> Identifier:
        """What all responses have: the level, and where the instances can be retrieved."""
        if query.model is Model.WORKLIST:
            return {}
        title = self._association.parameters.called_ae_title
        return {
            QUERY_RETRIEVE_LEVEL: Element("CS", (str(query.level),)),
            RETRIEVE_AE_TITLE: Element("AE", (title,)),
        }


def _has(granted: bytes, position: int) -> bool:
    return len(granted) > position and granted[position] == 1


def grant_extended(sop_class_uid: str, information: bytes) -> bytes | None:
    """What we grant of the extended negotiation of queries: relational ones, dates with times, fuzzy names.

    PS3.4 section C.5.1.1.
    """
    if sop_class_uid not in FIND_MODELS:
        return None
    can = {ExtendedBehaviour.FUZZY, ExtendedBehaviour.DATE_TIME}
    if FIND_MODELS[sop_class_uid] is not Model.WORKLIST:
        can.add(ExtendedBehaviour.RELATIONAL)
    return bytes(int(asked == 1 and position in can) for position, asked in enumerate(information[:_MOST_BEHAVIOURS]))


_MOST_BEHAVIOURS: Final = 5
