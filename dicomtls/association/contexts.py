"""Presentation contexts as A-ASSOCIATE PDUs hold them (PS3.8 sections 9.3.2.2 and 9.3.3.2)."""

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from dicomtls.association.items import ItemType, decode_text, encode_uid, pack_item, refuse_item, walk_items
from dicomtls.errors import LocalProtocolError, RemoteProtocolError

MAXIMUM_CONTEXTS: Final = 128
"""How many presentation contexts one association can have: the odd identifiers from 1 to 255."""

_HIGHEST_CONTEXT_ID: Final = 255
_CONTEXT_PREFIX: Final = Struct(">BxBx")


class ContextResult(IntEnum):
    """Result of one presentation context (PS3.8 table 9-18)."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


_CONTEXT_RESULTS: Final = {int(result): result for result in ContextResult}


class ProposedContext(NamedTuple):
    """A presentation context of an A-ASSOCIATE-RQ (PS3.8 section 9.3.2.2)."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


class AnsweredContext(NamedTuple):
    """A presentation context of an A-ASSOCIATE-AC (PS3.8 section 9.3.3.2).

    `transfer_syntax` means something only where the result is acceptance; elsewhere it may be empty.
    """

    context_id: int
    result: ContextResult
    transfer_syntax: str


Contexts = tuple[ProposedContext, ...] | tuple[AnsweredContext, ...]


def check_context_ids(contexts: Contexts) -> None:
    """Raise `LocalProtocolError` where an identifier is even, out of range or used twice."""
    context_ids = [context.context_id for context in contexts]
    for context_id in context_ids:
        if not context_id & 1 or not 0 < context_id <= _HIGHEST_CONTEXT_ID:
            msg = f"a presentation context identifier is odd and from 1 to 255, not {context_id}"
            raise LocalProtocolError(msg)
    if len(set(context_ids)) != len(context_ids):
        msg = "two presentation contexts have the same identifier"
        raise LocalProtocolError(msg)


def encode_proposed(context: ProposedContext) -> bytes:
    """The item of an A-ASSOCIATE-RQ; raises `LocalProtocolError`."""
    if not context.transfer_syntaxes:
        msg = f"the presentation context {context.context_id} proposes no transfer syntax"
        raise LocalProtocolError(msg)
    abstract_syntax = pack_item(ItemType.ABSTRACT_SYNTAX, encode_uid(context.abstract_syntax, "abstract syntax"))
    transfer_syntaxes = b"".join(
        pack_item(ItemType.TRANSFER_SYNTAX, encode_uid(uid, "transfer syntax")) for uid in context.transfer_syntaxes
    )
    return pack_item(
        ItemType.PROPOSED_CONTEXT, _CONTEXT_PREFIX.pack(context.context_id, 0) + abstract_syntax + transfer_syntaxes
    )


def encode_answered(context: AnsweredContext) -> bytes:
    """The item of an A-ASSOCIATE-AC; raises `LocalProtocolError`."""
    is_empty = context.result != ContextResult.ACCEPTANCE and not context.transfer_syntax
    uid = b"" if is_empty else encode_uid(context.transfer_syntax, "transfer syntax")
    prefix = _CONTEXT_PREFIX.pack(context.context_id, context.result)
    return pack_item(ItemType.ANSWERED_CONTEXT, prefix + pack_item(ItemType.TRANSFER_SYNTAX, uid))


def refuse_repeated(contexts: Contexts) -> None:
    """Raise `RemoteProtocolError` where the peer uses an identifier twice."""
    context_ids = [context.context_id for context in contexts]
    if len(set(context_ids)) != len(context_ids):
        msg = "two presentation contexts have the same identifier"
        raise RemoteProtocolError(msg)


def decode_proposed(value: memoryview) -> ProposedContext:
    """Read the value of an item of an A-ASSOCIATE-RQ; raises `RemoteProtocolError`."""
    context_id, _result, items = _decode_context(value, ItemType.ABSTRACT_SYNTAX, ItemType.TRANSFER_SYNTAX)
    abstract_syntaxes, transfer_syntaxes = items[ItemType.ABSTRACT_SYNTAX], items[ItemType.TRANSFER_SYNTAX]
    if len(abstract_syntaxes) != 1 or not transfer_syntaxes:
        msg = (
            f"the presentation context {context_id} has {len(abstract_syntaxes)} abstract syntaxes"
            f" and {len(transfer_syntaxes)} transfer syntaxes"
        )
        raise RemoteProtocolError(msg)
    return ProposedContext(context_id, abstract_syntaxes[0], tuple(transfer_syntaxes))


def decode_answered(value: memoryview) -> AnsweredContext:
    """Read the value of an item of an A-ASSOCIATE-AC; raises `RemoteProtocolError`."""
    context_id, number, items = _decode_context(value, ItemType.TRANSFER_SYNTAX)
    result = _CONTEXT_RESULTS.get(number)
    if result is None:
        msg = f"the presentation context {context_id} has the unknown result {number}"
        raise RemoteProtocolError(msg)
    transfer_syntaxes = items[ItemType.TRANSFER_SYNTAX]
    # Where a context is not accepted the transfer syntax is not significant (table 9-18), and some leave it out.
    if result == ContextResult.ACCEPTANCE and len(transfer_syntaxes) != 1:
        msg = f"the accepted presentation context {context_id} has {len(transfer_syntaxes)} transfer syntaxes"
        raise RemoteProtocolError(msg)
    return AnsweredContext(context_id, result, transfer_syntaxes[0] if transfer_syntaxes else "")


def _decode_context(value: memoryview, *allowed: ItemType) -> tuple[int, int, dict[int, list[str]]]:
    if len(value) < _CONTEXT_PREFIX.size:
        msg = f"a presentation context of {len(value)} bytes is too short"
        raise RemoteProtocolError(msg)
    context_id, result = _CONTEXT_PREFIX.unpack_from(value)
    if not context_id & 1:
        msg = f"the presentation context identifier {context_id} is even"
        raise RemoteProtocolError(msg)
    owner = f"the presentation context {context_id}"
    items: dict[int, list[str]] = {item_type: [] for item_type in allowed}
    for item_type, uid in walk_items(value[_CONTEXT_PREFIX.size :], owner):
        if item_type not in items:
            refuse_item(item_type, owner)
        items[item_type].append(decode_text(uid))
    return context_id, result, items
