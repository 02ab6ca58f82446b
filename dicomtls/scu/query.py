"""C-FIND: what a peer has, match by match as they come (PS3.7 section 9.1.2, PS3.4 annexes C and K).

A query is cancelled where enough has come, where the user interrupts, and where whoever takes the matches goes away;
what the peer had on its way by then is taken from the wire and thrown away, for some seconds.
"""

from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from dicomtls.association.dimse import Command, CommandField, Priority
from dicomtls.association.negotiation import ContextProposal
from dicomtls.association.query import FIND_SOP_CLASSES, ExtendedBehaviour, Model
from dicomtls.association.reasons import AbortSource
from dicomtls.association.status import StatusCategory, category, status_meaning
from dicomtls.association.user_information import ExtendedNegotiation
from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.dataset.attributes import DICTIONARY, name_of
from dicomtls.dataset.character_sets import UTF_8
from dicomtls.dataset.identifier import Element, Identifier, decode, encode
from dicomtls.errors import (
    AssociationAborted,
    AssociationError,
    DataError,
    DIMSEError,
    Interrupted,
    NoPresentationContext,
    RemoteProtocolError,
    StatusFailure,
)
from dicomtls.scu.attempt import Attempt, Requestor
from dicomtls.scu.response import hint_at_titles, receive_response
from dicomtls.waiting import Interrupt, deadline_in

if TYPE_CHECKING:
    from dicomtls.association.association import Association

LONGEST_IDENTIFIER: Final = 16 << 20
"""Bytes of one match: a thousand times what the longest ones have."""
DRAIN_SECONDS: Final = 5.0
"""How long a peer may take to end a query that was cancelled."""

_MESSAGE_ID: Final = 1
_SUPPORTS_ALL_KEYS: Final = 0xFF00
_FRAGMENT_COST: Final = 12
"""Bytes before a fragment in a PDU of its own: empty ones count, too."""


@dataclass(frozen=True, kw_only=True)
class FindOptions:
    """How to ask: `limit` matches at most (0: all), relational queries and fuzzy matching of names where granted.

    The query's text goes out in `character_sets`, defined terms of (0008,0005); None is ASCII where that suffices, and
    UTF-8 (ISO_IR 192) where it does not.
    """

    model: Model = Model.STUDY_ROOT
    limit: int = 0
    relational: bool = False
    fuzzy: bool = False
    character_sets: tuple[str, ...] | None = None


class Match(NamedTuple):
    """One identifier that the peer answered with, decoded, and as it came."""

    identifier: dict[int, Element]
    dataset: bytes
    transfer_syntax: str


@dataclass
class FindResult:
    """What became of a query, filled while its matches come.

    `status` is that of the last response, None as long as there was none; `warning` says what it means where it is one.
    `ignored_keys` is true where the peer did not match by some of the keys, `not_granted` names what it did not agree
    to: "relational", "fuzzy". `is_cancelled` says that we told it to stop.
    """

    matches: int = 0
    status: int | None = None
    warning: str | None = None
    ignored_keys: bool = False
    not_granted: tuple[str, ...] = ()
    is_cancelled: bool = False


def find(
    requestor: Requestor,
    identifier: Identifier,
    options: FindOptions,
    *,
    attempt: Attempt | None = None,
    result: FindResult | None = None,
) -> Generator[Match]:
    """Ask for `identifier` over an association of its own, and yield each match as it comes.

    `attempt` and `result` are filled on the way. Closing the iterator cancels the query. Raises what
    `Requestor.associate` raises, `DataError` for a query that cannot be encoded, `StatusFailure`, `Interrupted` after
    a C-CANCEL, and what `Association.receive` raises.
    """
    result = result if result is not None else FindResult()
    names = _names(identifier, options.character_sets)
    encode(identifier, EXPLICIT_VR_LE, names)  # before anybody is bothered
    sop_class = FIND_SOP_CLASSES[options.model]
    proposal = ContextProposal(abstract_syntax=sop_class, transfer_syntaxes=(EXPLICIT_VR_LE, IMPLICIT_VR_LE))
    try:
        association = requestor.associate(
            attempt or requestor.attempt(), [proposal], extended=_extended(sop_class, options)
        )
    except NoPresentationContext as error:
        error.hints = (f"the peer answers no queries of the model {options.model}: it may have another --model",)
        raise
    try:
        result.not_granted = _not_granted(association, options)
        yield from _Search(association, result, requestor.interrupt).run(identifier, names, options.limit)
        # All is answered: how the peer says goodbye changes nothing.
        with suppress(AssociationError, DIMSEError):
            association.release()
    except AssociationAborted as error:
        if not result.matches:
            hint_at_titles(error)
        raise
    finally:
        association.abort()  # nothing where it has ended already


def _names(identifier: Identifier, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    if chosen is not None:
        return chosen
    try:
        encode(identifier, EXPLICIT_VR_LE)
    except DataError:
        return (UTF_8,)  # which says again what is wrong, if it is not the text
    return ()


def _extended(sop_class: str, options: FindOptions) -> tuple[ExtendedNegotiation, ...]:
    """The sub-item for what is asked for beyond the usual: three bytes but where the first says it all."""
    if not (options.relational or options.fuzzy):
        return ()
    information = bytearray(3 if options.fuzzy else 1)
    information[ExtendedBehaviour.RELATIONAL] = options.relational
    if options.fuzzy:
        information[ExtendedBehaviour.FUZZY] = 1
    return (ExtendedNegotiation(sop_class, bytes(information)),)


def _not_granted(association: "Association", options: FindOptions) -> tuple[str, ...]:
    answer = association.parameters.extended.get(FIND_SOP_CLASSES[options.model], b"")
    answer = answer.ljust(3, b"\0")  # what is left out counts as 0 (PS3.4 section C.5.1.1)
    asked = (
        ("relational", options.relational, ExtendedBehaviour.RELATIONAL),
        ("fuzzy", options.fuzzy, ExtendedBehaviour.FUZZY),
    )
    return tuple(name for name, is_asked, place in asked if is_asked and answer[place] != 1)


class _Search:
    """One C-FIND on an association that has one presentation context."""

    def __init__(self, association: "Association", result: FindResult, interrupt: Interrupt | None) -> None:
        self._association = association
        self._result = result
        self._interrupt = interrupt
        self._context = next(iter(association.parameters.contexts.values()))

    def run(self, identifier: Identifier, names: tuple[str, ...], limit: int) -> Iterator[Match]:
        """Ask, and yield what comes."""
        request = Command(
            command_field=CommandField.C_FIND_RQ,
            message_id=_MESSAGE_ID,
            affected_sop_class_uid=self._context.abstract_syntax,
            priority=Priority.MEDIUM,
            has_dataset=True,
        )
        dataset = encode(identifier, self._context.transfer_syntax, names)
        self._association.send(self._context.context_id, request, dataset)
        # From here on a C-CANCEL comes first, and it cannot go out in the middle of a message.
        self._association.ignore_interrupt()
        try:
            while (match := self._next()) is not None:
                self._result.matches += 1
                yield match
                if self._result.matches == limit:
                    self._cancel()
                    return
        except (Interrupted, GeneratorExit):
            self._cancel()
            raise

    def _next(self) -> Match | None:
        self._association.await_message(self._interrupt)
        response = self._response()
        status = response.status or 0
        if category(status) is StatusCategory.PENDING:
            self._result.ignored_keys |= status != _SUPPORTS_ALL_KEYS
            return self._match(response)
        self._result.status = status
        self._judge(response, status)
        return None

    def _response(self) -> Command:
        return receive_response(self._association, CommandField.C_FIND_RSP, {_MESSAGE_ID})

    def _match(self, response: Command) -> Match:
        if not response.has_dataset:
            msg = "the peer sent a match without an identifier"
            raise self._refuse(msg)
        data = bytearray()
        came = 0
        for fragment in self._association.fragments():
            data += fragment
            came += len(fragment) + _FRAGMENT_COST
            if came > LONGEST_IDENTIFIER:
                msg = f"the peer sent a match of more than {LONGEST_IDENTIFIER} bytes"
                raise self._refuse(msg)
        dataset = bytes(data)
        try:
            identifier = decode(dataset, self._context.transfer_syntax, DICTIONARY)
        except DataError as error:
            msg = f"the peer sent a match that cannot be read: {error.message}"
            raise self._refuse(msg) from error
        return Match(identifier, dataset, self._context.transfer_syntax)

    def _refuse(self, message: str) -> RemoteProtocolError:
        error = RemoteProtocolError(message, evidence={"matches": self._result.matches})
        self._association.abort(AbortSource.SERVICE_PROVIDER, error.abort_reason)
        return error

    def _judge(self, response: Command, status: int) -> None:
        """Raise `StatusFailure` unless the last response is a success, or a warning."""
        kind = category(status)
        meaning = f"{status_meaning(status, CommandField.C_FIND_RSP)} (0x{status:04X})"
        if response.error_comment:
            meaning += f": {response.error_comment}"
        if kind is StatusCategory.WARNING:
            self._result.warning = meaning
        elif kind is StatusCategory.CANCEL:
            msg = "the peer cancelled the query by itself"
            raise self._failure(msg, response, status)
        elif kind is StatusCategory.FAILURE:
            msg = f"the peer answered the query with a failure status: {meaning}"
            raise self._failure(msg, response, status)

    def _failure(self, message: str, response: Command, status: int) -> StatusFailure:
        with suppress(AssociationError, DIMSEError):
            self._association.release()
        error = StatusFailure(message, status=status)
        error.hints = _HINTS.get(status, ())
        error.evidence.update(
            error_comment=response.error_comment,
            offending_elements=[name_of(tag) for tag in response.offending_element or ()],
            matches=self._result.matches,
        )
        return error

    def _cancel(self) -> None:
        """Tell the peer to stop, and throw away what was on its way; whatever happens now, the query is over."""
        self._result.is_cancelled = True
        cancel = Command(command_field=CommandField.C_CANCEL_RQ, message_id_being_responded_to=_MESSAGE_ID)
        with suppress(AssociationError, DIMSEError):
            self._association.send(self._context.context_id, cancel)
            self._drain()
            self._association.release()

    def _drain(self) -> None:
        deadline = deadline_in(min(DRAIN_SECONDS, self._association.timeout))
        while (left := deadline - monotonic()) > 0:
            self._association.timeout = left
            status = self._response().status or 0
            if category(status) is not StatusCategory.PENDING:
                self._result.status = status
                return
            for _ in self._association.fragments():
                if monotonic() > deadline:
                    break
        self._association.abort()


_HINTS: Final = {
    0xA700: ("narrow the query down with more keys, or give --limit",),
    0xA900: (
        "below the top level, give the unique keys of the levels above, such as StudyInstanceUID=1.2.3",
        "or --relational, and check that the peer has this --model and --level",
    ),
    0x0122: ("the peer may have another --model: study-root, patient-root or worklist",),
}
