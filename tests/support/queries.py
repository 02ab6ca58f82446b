"""Queries over an association of ours, command by command."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from dicomtls.association.association import Association
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.negotiation import IMPLICIT_VR_LITTLE_ENDIAN, ContextProposal
from dicomtls.association.query import FIND_SOP_CLASSES, QUERY_RETRIEVE_LEVEL, Level, Model
from dicomtls.dataset import EXPLICIT_VR_LE
from dicomtls.dataset.identifier import Element, Identifier, decode, encode
from dicomtls.scp.querying import find_offer
from dicomtls.scp.sqlite_index import SQLiteIndex
from dicomtls.scp.worklist import Worklist
from tests.support.servers import DEADLINE, RunningServer, context_of, our_server

FIND_CONTEXTS = [ContextProposal(uid, (EXPLICIT_VR_LE, IMPLICIT_VR_LITTLE_ENDIAN)) for uid in FIND_SOP_CLASSES.values()]
PENDING, PENDING_WITHOUT_KEYS, SUCCESS, CANCELLED = 0xFF00, 0xFF01, 0x0000, 0xFE00


def find_request(message_id: int = 1, model: Model = Model.STUDY_ROOT) -> Command:
    """A C-FIND-RQ."""
    return Command(
        command_field=CommandField.C_FIND_RQ,
        message_id=message_id,
        affected_sop_class_uid=FIND_SOP_CLASSES[model],
        priority=0,
        has_dataset=True,
    )


def cancel_request(message_id: int = 1) -> Command:
    """A C-CANCEL-RQ."""
    return Command(command_field=CommandField.C_CANCEL_RQ, message_id_being_responded_to=message_id)


def with_level(level: Level | str | None, keys: Identifier) -> dict[int, Element]:
    """An identifier with its query/retrieve level."""
    return {**keys, **({QUERY_RETRIEVE_LEVEL: Element("CS", (str(level),))} if level is not None else {})}


def send_find(
    association: Association,
    identifier: Identifier | bytes,
    *,
    names: tuple[str, ...] = (),
    model: Model = Model.STUDY_ROOT,
    message_id: int = 1,
) -> None:
    """Send a C-FIND-RQ with an identifier, or with bytes in the place of one."""
    context_id = context_of(association, FIND_SOP_CLASSES[model])
    syntax = association.parameters.contexts[context_id].transfer_syntax
    data = identifier if isinstance(identifier, bytes) else encode(identifier, syntax, names)
    association.send(context_id, find_request(message_id, model), data)


def responses(association: Association) -> Iterator[tuple[Command, dict[int, Element]]]:
    """Yield every response up to the final one, with its identifier."""
    while True:
        message = association.receive(DEADLINE)
        assert message is not None, "the peer released the association"
        data = b"".join(map(bytes, association.fragments())) if message.command.has_dataset else b""
        yield message.command, decode(data, message.context.transfer_syntax)
        if message.command.status not in (PENDING, PENDING_WITHOUT_KEYS):
            return


def ask_for(
    association: Association,
    identifier: Identifier | bytes,
    *,
    names: tuple[str, ...] = (),
    model: Model = Model.STUDY_ROOT,
) -> tuple[list[int], list[dict[int, Element]], Command]:
    """One C-FIND: the pending statuses, the identifiers, the final response."""
    send_find(association, identifier, names=names, model=model)
    *pending, (final, _) = responses(association)
    return [command.status or 0 for command, _ in pending], [found for _, found in pending], final


def write_worklist(folder: Path, items: Sequence[Mapping[int, Element]]) -> None:
    """Write worklist items as bare datasets, as dump2dcm makes them."""
    folder.mkdir(exist_ok=True)
    for number, item in enumerate(items):
        (folder / f"{number:03}.wl").write_bytes(encode(item, EXPLICIT_VR_LE, ("ISO_IR 192",)))


@contextmanager
def archive(root: Path, *, worklist: Path | None = None, **options: Any) -> Iterator[RunningServer]:
    """A server in clear that answers queries about a folder."""
    with ExitStack() as stack:
        index = stack.enter_context(closing(SQLiteIndex(root)))
        items = Worklist(worklist, on_event=lambda _event: None) if worklist is not None else None
        offers = [find_offer(index, items)]
        yield stack.enter_context(our_server(root, index=index, offers=offers, **options))
