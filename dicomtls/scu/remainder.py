"""What a C-GET left behind for want of a presentation context: find out what it is, and ask for that again.

An association has 128 contexts, which is too few for every storage SOP class in every transfer syntax. Where an archive
counts failures, a C-FIND tells the SOP classes of what there is (a required key of the image level, PS3.4 table C.6-4),
and another C-GET proposes those that matter, each in every transfer syntax.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from dicomtls.association.query import LEVELS, QUERY_RETRIEVE_LEVEL, UNIQUE_KEYS, Level, Model
from dicomtls.association.status import SUCCESS
from dicomtls.dataset import tags
from dicomtls.dataset.identifier import Element, Identifier
from dicomtls.errors import DicomTLSError, Interrupted, StatusFailure
from dicomtls.scu.query import FindOptions, find
from dicomtls.scu.retrieve import RetrieveObserver, RetrieveRequest, RetrieveResult, get
from dicomtls.scu.suboperations import Counts
from dicomtls.uid import is_uid

if TYPE_CHECKING:
    from dicomtls.association.association import Association
    from dicomtls.scu.attempt import Attempt, Requestor
    from dicomtls.scu.retrieve import InstanceReceiver

_MOST_LISTED: Final = 100_000
_MOST_BRANCHES: Final = 1_000
"""Studies or series that are looked into one by one, each over an association of its own."""
_ASKED_AT_ONCE: Final = 500


class _Located(NamedTuple):
    study: str
    series: str
    instance: str
    sop_class: str


class Receiving(Protocol):
    """Keeps what comes, over one association after another."""

    has_refused: bool

    def services(self, association: "Association") -> "InstanceReceiver":
        """What takes the instances off an association."""


def get_whole(
    requestor: "Requestor",
    request: RetrieveRequest,
    receiving: Receiving,
    *,
    sop_classes: Sequence[str] = (),
    attempt: "Attempt | None" = None,
    observer: RetrieveObserver | None = None,
    on_again: Callable[[Sequence[str]], None] = lambda _sop_classes: None,
) -> RetrieveResult:
    """Retrieve as `get` does, and what that left behind as `get_remainder` does, unless it was us who refused it."""
    result = get(requestor, request, receiving.services, sop_classes=sop_classes, attempt=attempt, observer=observer)
    if receiving.has_refused:
        return result
    return get_remainder(
        requestor,
        request,
        result,
        receiving.services,
        sop_classes=sop_classes,
        observer=observer,
        on_again=on_again,
    )


def get_remainder(
    requestor: "Requestor",
    request: RetrieveRequest,
    result: RetrieveResult,
    receiver: "Callable[[Association], InstanceReceiver]",
    *,
    sop_classes: Sequence[str] = (),
    observer: RetrieveObserver | None = None,
    on_again: Callable[[Sequence[str]], None] = lambda _sop_classes: None,
) -> RetrieveResult:
    """Ask again for what failed, where other presentation contexts may help; returns how both together ended.

    `result` is how `request` ended, for which `sop_classes` were proposed in every transfer syntax already. `on_again`
    hears which ones are now. Nothing is raised: where nothing better came of it, `result` is returned as it was.
    """
    failed = set(result.failed_instances)
    if result.error is not None or not (failed or result.counts.failed):
        return result
    try:
        located = [one for one in _list(requestor, request) if not failed or one.instance in failed]
        known = set(sop_classes) if failed else {*sop_classes, *result.sop_classes}
        wanted = list(dict.fromkeys(one.sop_class for one in located if one.sop_class not in known))
        if not wanted:
            return result
        on_again(wanted)
        if not failed:  # the archive gave up at the first, and what it would have sent after that is not known
            return get(requestor, request, receiver, sop_classes=wanted, observer=observer)
        parts = _parts(request, (one for one in located if one.sop_class in wanted))
        again = [get(requestor, part, receiver, sop_classes=wanted, observer=observer) for part in parts]
    except Interrupted as interrupted:
        return replace(result, error=interrupted)
    except DicomTLSError:
        return result
    return _together(result, again)


def _list(requestor: "Requestor", request: RetrieveRequest) -> list[_Located]:
    """All instances of a request: at once, or level by level where the archive wants the unique keys of each."""
    try:
        return list(_search(requestor, request, Level.IMAGE, request.keys))
    except StatusFailure:
        looks = iter(range(_MOST_BRANCHES))
        return list(islice(_walk(requestor, request, request.level, request.keys, looks), _MOST_LISTED))


def _walk(
    requestor: "Requestor", request: RetrieveRequest, level: Level, keys: Identifier, looks: Iterator[int]
) -> Iterator[_Located]:
    """All below these keys; `looks` has one for each branch that may still be looked into, of whatever level."""
    if level is Level.IMAGE:
        yield from _search(requestor, request, level, keys)
        return
    levels = LEVELS[request.model]
    below = levels[levels.index(level) + 1]
    unique = UNIQUE_KEYS[level]
    asked = {**keys, unique: keys.get(unique, _ANY)}
    options = FindOptions(model=request.model, limit=_MOST_BRANCHES)
    identifier = {**asked, QUERY_RETRIEVE_LEVEL: Element("CS", (level.value,))}
    uids = dict.fromkeys(_text(match.identifier, unique) for match in find(requestor, identifier, options))
    for uid in filter(None, uids):
        if next(looks, None) is None:
            return
        yield from _walk(requestor, request, below, {**keys, unique: Element(_VR[level], (uid,))}, looks)


def _search(requestor: "Requestor", request: RetrieveRequest, level: Level, keys: Identifier) -> Iterator[_Located]:
    returned = (tags.STUDY_INSTANCE_UID, tags.SERIES_INSTANCE_UID, tags.SOP_INSTANCE_UID, tags.SOP_CLASS_UID)
    identifier = {
        **dict.fromkeys(returned, _ANY),
        **keys,
        QUERY_RETRIEVE_LEVEL: Element("CS", (level.value,)),
    }
    for match in find(requestor, identifier, FindOptions(model=request.model, limit=_MOST_LISTED)):
        located = _Located(*(_text(match.identifier, tag) or _text(keys, tag) for tag in returned))
        if is_uid(located.sop_class) and is_uid(located.instance):
            yield located


def _text(identifier: Identifier, tag: int) -> str:
    element = identifier.get(tag, _ANY)
    return str(element.values[0]) if len(element.values) == 1 else ""


_ANY: Final = Element("UI", ())
_VR: Final = {Level.PATIENT: "LO", Level.STUDY: "UI", Level.SERIES: "UI", Level.IMAGE: "UI"}


def _parts(request: RetrieveRequest, located: Iterable[_Located]) -> Iterator[RetrieveRequest]:
    """Requests for these instances with the unique keys of every level above, as strict archives want them."""
    patient = {tag: element for tag, element in request.keys.items() if tag == tags.PATIENT_ID}
    above = patient if request.model is Model.PATIENT_ROOT else {}
    for (study, series), members in groupby(sorted(located), key=lambda one: (one.study, one.series)):
        uids = [one.instance for one in members]
        levels = {tags.STUDY_INSTANCE_UID: study, tags.SERIES_INSTANCE_UID: series}
        keys = {**above, **{tag: Element("UI", (uid,)) for tag, uid in levels.items() if uid}}
        for start in range(0, len(uids), _ASKED_AT_ONCE):
            some = Element("UI", tuple(uids[start : start + _ASKED_AT_ONCE]))
            yield RetrieveRequest(model=request.model, level=Level.IMAGE, keys={**keys, tags.SOP_INSTANCE_UID: some})


def _together(result: RetrieveResult, again: Sequence[RetrieveResult]) -> RetrieveResult:
    """The first result with what came later; the last error that there was stands."""
    completed = sum(one.counts.completed or 0 for one in again)
    warning = sum(one.counts.warning or 0 for one in again)
    first = result.counts
    failed = max(first.failed or 0, len(result.failed_instances)) - completed - warning
    still = {uid for one in again for uid in one.failed_instances}
    left = tuple(uid for uid in result.failed_instances if uid in still) if failed > 0 else ()
    return replace(
        result,
        status=SUCCESS if failed <= 0 else result.status,
        counts=Counts(None, (first.completed or 0) + completed, max(0, failed), (first.warning or 0) + warning),
        failed_instances=left,
        received=result.received + sum(one.received for one in again),
        remarks=tuple(dict.fromkeys((*result.remarks, *(remark for one in again for remark in one.remarks)))),
        error=next((one.error for one in reversed(again) if one.error is not None), None),
        comment=None if failed <= 0 else result.comment,
    )
