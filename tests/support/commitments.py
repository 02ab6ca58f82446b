"""Storage commitment by hand: what is asked for, and who takes reports."""

from collections.abc import Callable, Sequence

from dicomtls.association.association import Association
from dicomtls.association.commitment import (
    REQUEST_ACTION,
    SOP_CLASS,
    SOP_INSTANCE,
    Reference,
    Transaction,
    read_transaction,
)
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.negotiation import ContextProposal
from dicomtls.dataset import IMPLICIT_VR_LE
from dicomtls.dataset.identifier import decode, encode
from tests.support.instances import Instance
from tests.support.servers import context_of, response_of

PROPOSAL = ContextProposal(SOP_CLASS, (IMPLICIT_VR_LE,))


def references_of(made: Sequence[Instance]) -> list[Reference]:
    """What asks for their commitment."""
    return [Reference(one.sop_class_uid, one.sop_instance_uid) for one in made]


def request(action: int = REQUEST_ACTION, instance: str = SOP_INSTANCE) -> Command:
    """An N-ACTION-RQ."""
    return Command(
        command_field=CommandField.N_ACTION_RQ,
        message_id=5,
        requested_sop_class_uid=SOP_CLASS,
        requested_sop_instance_uid=instance,
        action_type_id=action,
        has_dataset=True,
    )


def encoded(references: Sequence[Reference], uid: str = "1.2.3.4") -> bytes:
    """The dataset of a request."""
    return encode(Transaction(uid, tuple(references)).encode(), IMPLICIT_VR_LE)


def receiver_of_reports(reports: list[tuple[Command, Transaction]], status: int = 0) -> Callable[[Association], None]:
    """A script that confirms what is reported to it."""

    def script(association: Association) -> None:
        message = association.receive()
        assert message is not None
        data = b"".join(map(bytes, association.fragments()))
        context = message.context
        assert context.scp_role
        assert not context.scu_role
        reports.append((message.command, read_transaction(decode(data, context.transfer_syntax))))
        response = Command(
            command_field=CommandField.N_EVENT_REPORT_RSP,
            message_id_being_responded_to=message.command.message_id,
            status=status,
        )
        association.send(context.context_id, response)
        association.receive()

    return script


def bring(association: Association, dataset: bytes | None, context_id: int | None = None, event: int = 2) -> Command:
    """Send an N-EVENT-REPORT; its response."""
    command = Command(
        command_field=CommandField.N_EVENT_REPORT_RQ,
        message_id=9,
        affected_sop_class_uid=SOP_CLASS,
        affected_sop_instance_uid=SOP_INSTANCE,
        event_type_id=event,
        has_dataset=dataset is not None,
    )
    association.send(context_id or context_of(association, SOP_CLASS), command, dataset)
    return response_of(association)
