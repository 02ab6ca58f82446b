"""What a requestor says in the middle of its retrieval, beside what is due."""

from pathlib import Path

import pytest

from dicomtls.association.association import Association
from dicomtls.association.commitment import SOP_CLASS as COMMITMENT
from dicomtls.association.dimse import Command, CommandField
from dicomtls.errors import AssociationAborted
from tests.support import commitments
from tests.support.archives import GET, GET_PROPOSALS, MOVE, MOVE_PROPOSAL, moving, our_archive, paths_of
from tests.support.instances import make_instances
from tests.support.retrieving import send_request, study_of
from tests.support.servers import context_of, response_of


def test_request_in_the_middle_of_a_get_is_told_to_wait(tmp_path: Path) -> None:
    """A peer with an asynchronous window may send one; it is answered between two instances, and the C-GET goes on."""
    made = make_instances(tmp_path / "made", 3, pixel_bytes=3_000_000)
    with our_archive(tmp_path / "archive", paths_of(made)) as archive:
        requestor = archive.requestor()
        association = requestor.associate(requestor.attempt(), GET_PROPOSALS, max_operations=8)
        send_request(association, GET, study_of(made))
        echo = Command(command_field=CommandField.C_ECHO_RQ, message_id=2, affected_sop_class_uid=GET)
        association.send(context_of(association, GET), echo)
        statuses = serve_stores(association)
        association.release()
    assert (CommandField.C_ECHO_RSP, 0x0213) in statuses
    assert (CommandField.C_GET_RSP, 0x0000) in statuses


@pytest.mark.parametrize("sop_class", [GET, MOVE])
def test_report_that_is_confirmed_in_the_middle_is_confirmed(tmp_path: Path, sop_class: str) -> None:
    """Storage commitment and retrieval on one association do not have to wait for each other."""
    made = make_instances(tmp_path / "made", 3, pixel_bytes=1024)
    with moving(tmp_path, made) as (archive, _):
        requestor = archive.requestor()
        proposals = [*GET_PROPOSALS, MOVE_PROPOSAL, commitments.PROPOSAL]
        association = requestor.associate(requestor.attempt(), proposals)
        context_id = context_of(association, COMMITMENT)
        association.send(context_id, commitments.request(), commitments.encoded(commitments.references_of(made)))
        assert response_of(association).status == 0
        assert response_of(association).command_field is CommandField.N_EVENT_REPORT_RQ
        send_request(association, sop_class, study_of(made))
        confirmed = Command(command_field=CommandField.N_EVENT_REPORT_RSP, message_id_being_responded_to=1, status=0)
        association.send(context_id, confirmed)
        assert serve_stores(association)[-1][1] == 0
        association.release()
        archive.wait(lambda: bool(archive.commitments))
    assert archive.commitments[0].delivered == "same"


def send_echoes(association: Association, count: int) -> None:
    """So many requests, whatever comes."""
    echo = Command(command_field=CommandField.C_ECHO_RQ, message_id=2, affected_sop_class_uid=GET)
    for _ in range(count):
        association.send(context_of(association, GET), echo)


def test_requestor_that_asks_on_and_on_in_the_middle_is_aborted(tmp_path: Path) -> None:
    """What it sends in place of a response would be kept until it is answered, and that is never."""
    made = make_instances(tmp_path / "made", 2, pixel_bytes=1024)
    with our_archive(tmp_path / "archive", paths_of(made)) as archive:
        requestor = archive.requestor()
        association = requestor.associate(requestor.attempt(), GET_PROPOSALS)
        send_request(association, GET, study_of(made))
        with pytest.raises(AssociationAborted):
            send_echoes(association, 100_000)
        archive.wait(lambda: bool(archive.ends))
    assert archive.ends[0].message == "the peer sent more than 1000 messages in the middle of a retrieval"


def serve_stores(association: Association) -> list[tuple[CommandField, int | None]]:
    """Answer C-STORE requests with success until the final response; all responses that came."""
    heard: list[tuple[CommandField, int | None]] = []
    while True:
        message = association.receive()
        assert message is not None
        command = message.command
        if command.command_field is CommandField.C_STORE_RQ:
            answer = Command(
                command_field=CommandField.C_STORE_RSP, message_id_being_responded_to=command.message_id, status=0
            )
            association.send(message.context.context_id, answer)
            continue
        heard.append((command.command_field, command.status))
        if command.command_field in (CommandField.C_GET_RSP, CommandField.C_MOVE_RSP) and command.status != 0xFF00:
            return heard
