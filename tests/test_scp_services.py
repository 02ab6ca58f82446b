"""What a server answers to each message, and what it does wrong when it is told to."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomtls.association.dimse import Command, CommandField
from dicomtls.errors import AssociationAborted, AssociationRejected, DataError, MachineError
from dicomtls.scp.services import Faults, StoreOutcome
from dicomtls.scp.storage import FolderStorage, InstanceHeader, StoredInstance
from tests.support.kept import DATASET, UID, cut, dataset_of
from tests.support.servers import (
    CT,
    MR,
    VERIFICATION,
    RunningServer,
    all_files,
    context_of,
    data_fragments,
    echo_request,
    our_server,
    put_store,
    response_of,
    store_request,
    stored_files,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server in clear."""
    with our_server(tmp_path / "kept") as running:
        yield running


def test_echo_is_answered_with_success(server: RunningServer) -> None:
    """As often as asked, each by its message identifier."""
    association = server.associate()
    for message_id in (1, 7, 65535):
        association.send(context_of(association, VERIFICATION), echo_request(message_id))
        response = response_of(association)
        assert response.command_field is CommandField.C_ECHO_RSP
        assert response.message_id_being_responded_to == message_id
        assert response.affected_sop_class_uid == VERIFICATION
        assert response.status == 0x0000
    association.release()
    assert server.wait_for("association-released").facts["echoed"] == 3


def test_store_is_answered_with_success_when_the_file_is_there(server: RunningServer, tmp_path: Path) -> None:
    """The response names what was stored, and nothing is missing by the time it comes."""
    association = server.associate()
    response = put_store(association, UID, DATASET, message_id=9)
    [path] = stored_files(tmp_path / "kept")
    assert dataset_of(path) == DATASET
    association.release()
    assert response.command_field is CommandField.C_STORE_RSP
    assert (response.status, response.message_id_being_responded_to) == (0x0000, 9)
    assert (response.affected_sop_class_uid, response.affected_sop_instance_uid) == (CT, UID)
    assert response.error_comment is None
    assert not response.has_dataset


def test_store_of_what_is_there_already_is_a_success(server: RunningServer, tmp_path: Path) -> None:
    """Senders repeat what they are not sure of; the first copy stays."""
    association = server.associate()
    assert put_store(association, UID, DATASET).status == 0x0000
    assert put_store(association, UID, DATASET + b"\x10\0\x10\0\x02\0\0\0xx", message_id=2).status == 0x0000
    association.release()
    [path] = stored_files(tmp_path / "kept")
    assert dataset_of(path) == DATASET
    assert [event.facts["is_new"] for event in server.named("stored")] == [True, False]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, len(DATASET)), max_size=20), together=st.booleans())
def test_dataset_arrives_whatever_the_fragments(
    server: RunningServer, tmp_path: Path, places: list[int], *, together: bool
) -> None:
    """One to a PDU, of any length, empty ones too, in one write or in many."""
    association = server.associate()
    context_id = context_of(association)
    pieces = [data_fragments(context_id, cut(DATASET, places))]
    if not together:
        pieces = cut(pieces[0], places)
    association.send(context_id, store_request(UID))
    for piece in pieces:
        association.write(piece)
    assert response_of(association).status == 0x0000
    association.release()
    [path] = stored_files(tmp_path / "kept")
    assert dataset_of(path) == DATASET
    path.unlink()


@pytest.mark.parametrize(
    ("request_", "status", "comment"),
    [
        (store_request(UID, sop_class=MR), 0x0122, "SOP class is not that of the presentation context"),
        (store_request(UID, has_dataset=False), 0xC000, "no dataset"),
    ],
    ids=["another SOP class", "no dataset"],
)
def test_store_that_cannot_be_is_refused_and_the_association_goes_on(
    server: RunningServer, tmp_path: Path, request_: Command, status: int, comment: str
) -> None:
    """The dataset is passed over, nothing is kept, and the next instance is."""
    association = server.associate()
    context_id = context_of(association)
    association.send(context_id, request_, DATASET if request_.has_dataset else None)
    response = response_of(association)
    assert response.status == status
    assert comment in (response.error_comment or "")
    assert all_files(tmp_path / "kept") == []
    assert put_store(association, UID, DATASET, message_id=2).status == 0x0000
    association.release()
    [event] = server.named("store-failed")
    assert event.facts["status"] == f"0x{status:04X}"
    assert server.wait_for("association-released").facts["refused"] == 1


def raw_store_request(uid: bytes) -> bytes:
    """A C-STORE-RQ for CT whose SOP instance UID is any bytes, as no encoder of ours would make it."""
    from tests.support.elements import implicit

    body = (
        implicit(0x0002, CT.encode() + b"\0")
        + implicit(0x0100, b"\x01\0")
        + implicit(0x0110, b"\x05\0")
        + implicit(0x0700, b"\0\0")
        + implicit(0x0800, b"\x01\0")
        + implicit(0x1000, uid)
    )
    return implicit(0x0000, len(body).to_bytes(4, "little")) + body


@pytest.mark.parametrize("uid", [b"", b"../../x", b"1.2.x\0", b"1/2/", b"\xff\xfe", b"1" * 66])
def test_store_of_an_invalid_uid_is_refused(server: RunningServer, tmp_path: Path, uid: bytes) -> None:
    """What is no UID is no instance: 0x0117, without the UID, and the association goes on."""
    from dicomtls.association.outbox import pack

    association = server.associate()
    context_id = context_of(association)
    association.write(pack(context_id, raw_store_request(uid), is_command=True, fragment=1000))
    association.write(pack(context_id, DATASET, is_command=False, fragment=1000))
    response = response_of(association)
    assert (response.status, response.message_id_being_responded_to) == (0x0117, 5)
    assert response.affected_sop_instance_uid is None
    assert put_store(association, UID, DATASET).status == 0x0000
    association.release()
    assert len(all_files(tmp_path)) == 1


@pytest.mark.parametrize(
    "request_",
    [
        Command(
            command_field=CommandField.C_FIND_RQ,
            message_id=3,
            affected_sop_class_uid=CT,
            priority=0,
            has_dataset=True,
        ),
        Command(
            command_field=CommandField.N_DELETE_RQ,
            message_id=3,
            requested_sop_class_uid=CT,
            requested_sop_instance_uid=UID,
        ),
    ],
    ids=["C-FIND", "N-DELETE"],
)
def test_other_operation_is_unrecognized(server: RunningServer, request_: Command) -> None:
    """0x0211 in a response of its own kind; the association goes on."""
    association = server.associate()
    association.send(context_of(association), request_, DATASET if request_.has_dataset else None)
    response = response_of(association)
    assert response.command_field is request_.command_field.response
    assert (response.status, response.message_id_being_responded_to) == (0x0211, 3)
    assert response.affected_sop_class_uid == CT
    association.send(context_of(association, VERIFICATION), echo_request(4))
    assert response_of(association).status == 0x0000
    association.release()


@pytest.mark.parametrize(
    "message",
    [
        Command(command_field=CommandField.C_CANCEL_RQ, message_id_being_responded_to=1),
        Command(command_field=CommandField.C_ECHO_RSP, message_id_being_responded_to=1, status=0),
    ],
    ids=["C-CANCEL", "a response"],
)
def test_message_that_calls_for_no_answer_gets_none(server: RunningServer, message: Command) -> None:
    """Nothing comes back for it; the next request is answered."""
    association = server.associate()
    association.send(context_of(association, VERIFICATION), message)
    association.send(context_of(association, VERIFICATION), echo_request(8))
    assert response_of(association).message_id_being_responded_to == 8
    association.release()


class Failing:
    """A storage that fails as it is told, at one of its steps."""

    def __init__(self, directory: Path, step: str, error: Exception) -> None:
        self.inner = FolderStorage(directory)
        self.step = step
        self.error = error

    def receive(self, header: InstanceHeader) -> "FailingInstance":
        """Fail, or begin an instance that may fail later."""
        if self.step == "receive":
            raise self.error
        return FailingInstance(self, header)


class FailingInstance:
    """One instance on its way into it."""

    def __init__(self, storage: Failing, header: InstanceHeader) -> None:
        self.storage = storage
        self.inner = storage.inner.receive(header)

    def write(self, fragment: memoryview) -> None:
        """Fail after a part."""
        self.inner.write(fragment)
        if self.storage.step == "write":
            raise self.storage.error

    def commit(self) -> StoredInstance:
        """Fail, or do it."""
        if self.storage.step == "commit":
            raise self.storage.error
        return self.inner.commit()

    def discard(self) -> None:
        """Do it."""
        self.inner.discard()


@pytest.mark.parametrize("step", ["receive", "write", "commit"])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MachineError("cannot write /secret/path: no space left on device", code="disk-full"), 0xA700),
        (MachineError("cannot write /secret/path: permission denied"), 0xA700),
        (DataError("not a valid SOP instance UID: 'x'"), 0x0117),
    ],
    ids=["disk full", "no permission", "invalid"],
)
def test_machine_that_fails_is_an_answer_and_not_the_end(
    tmp_path: Path, step: str, error: Exception, status: int
) -> None:
    """0xA700 without our paths in it, nothing left behind, and the next instance is kept when there is room again."""
    storage = Failing(tmp_path / "kept", step, error)
    with our_server(storage) as server:
        association = server.associate()
        response = put_store(association, UID, DATASET)
        assert response.status == status
        assert "secret" not in (response.error_comment or "")
        assert all_files(tmp_path) == []
        storage.step = "none"
        assert put_store(association, UID, DATASET, message_id=2).status == 0x0000
        association.release()
        event = server.wait_for("store-failed")
        released = server.wait_for("association-released")
    assert event.facts["sop_instance_uid"] == UID
    assert str(error) in event.message
    assert (released.facts["stored"], released.facts["refused"]) == (1, 1)
    storage.inner.close()
    assert len(all_files(tmp_path)) == 1


def test_peer_that_leaves_in_the_middle_of_a_dataset_leaves_nothing(server: RunningServer, tmp_path: Path) -> None:
    """Half an instance is none."""
    association = server.associate()
    context_id = context_of(association)
    association.send(context_id, store_request(UID))
    association.write(data_fragments(context_id, [DATASET[:100], DATASET[100:]])[:150])
    association.abort()
    server.wait_for("association-aborted")
    assert all_files(tmp_path / "kept") == []


def test_whoever_wants_to_know_hears_of_new_instances_only(tmp_path: Path) -> None:
    """Once for each, with its path; not for copies, and not for what failed."""
    heard: list[StoreOutcome] = []
    with our_server(tmp_path / "kept", on_stored=heard.append) as server:
        association = server.associate()
        put_store(association, UID, DATASET)
        put_store(association, UID, DATASET, message_id=2)
        put_store(association, f"{UID}.1", b"", message_id=3)
        association.release()
    assert [outcome.header.sop_instance_uid for outcome in heard] == [UID, f"{UID}.1"]
    assert all(outcome.stored is not None and outcome.stored.path.exists() for outcome in heard)
    assert (heard[0].header.calling_ae_title, heard[0].header.called_ae_title) == ("DICOMTLS", "ANY-SCP")


# Faults on purpose


def test_fault_status_answers_every_store_and_keeps_nothing(tmp_path: Path) -> None:
    """Senders see the status that they are tested with; an echo succeeds."""
    with our_server(tmp_path / "kept", faults=Faults(status=0xA900)) as server:
        association = server.associate()
        for message_id in (1, 2):
            response = put_store(association, UID, DATASET, message_id=message_id)
            assert (response.status, response.error_comment) == (0xA900, "refused on purpose")
        association.send(context_of(association, VERIFICATION), echo_request())
        assert response_of(association).status == 0x0000
        association.release()
    assert all_files(tmp_path) == []


def test_fault_status_of_success_keeps_nothing_either(tmp_path: Path) -> None:
    """A liar is the worst receiver of all, and can be had: --status 0x0000."""
    with our_server(tmp_path / "kept", faults=Faults(status=0x0000)) as server:
        association = server.associate()
        assert put_store(association, UID, DATASET).status == 0x0000
        association.release()
    assert all_files(tmp_path) == []


def test_fault_delay_holds_back_each_response(tmp_path: Path) -> None:
    """By so many seconds, the echo's too."""
    with our_server(tmp_path / "kept", faults=Faults(delay=0.1)) as server:
        association = server.associate()
        start = monotonic()
        put_store(association, UID, DATASET)
        association.send(context_of(association, VERIFICATION), echo_request())
        response_of(association)
        assert monotonic() - start >= 0.2
        association.release()


@pytest.mark.parametrize("after", [1, 3])
def test_fault_abort_after_so_many_instances(tmp_path: Path, after: int) -> None:
    """The last of them is kept and not answered."""
    with our_server(tmp_path / "kept", faults=Faults(abort_after=after)) as server:
        association = server.associate()
        for number in range(1, after):
            assert put_store(association, f"{UID}.{number}", DATASET, message_id=number).status == 0x0000
        with pytest.raises(AssociationAborted) as caught:
            put_store(association, UID, DATASET)
        assert caught.value.source == 0
        assert server.wait_for("association-aborted").message.startswith("aborted on purpose")
        assert len(stored_files(tmp_path / "kept")) == after


def test_fault_refuse_rejects_every_association(tmp_path: Path) -> None:
    """For good, and without a reason."""
    with our_server(tmp_path / "kept", faults=Faults(refuse=True)) as server:
        for count in (1, 2):
            with pytest.raises(AssociationRejected) as caught:
                server.associate()
            assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, 1)
            assert "refused on purpose" in server.wait_for("association-rejected", count).message


def test_responses_come_with_an_asynchronous_window_too(server: RunningServer, tmp_path: Path) -> None:
    """Thirty requests on their way at once, and as many answers, in their order."""
    association = server.associate(max_operations=32)
    assert association.parameters.window == 32
    context_id = context_of(association)
    for number in range(1, 31):
        association.send(context_id, store_request(f"{UID}.{number}", message_id=number), DATASET)
    answered = [response_of(association) for _ in range(30)]
    association.release()
    assert [response.message_id_being_responded_to for response in answered] == list(range(1, 31))
    assert {response.status for response in answered} == {0x0000}
    assert len(stored_files(tmp_path / "kept")) == 30
    assert association.parameters.calling_ae_title == "DICOMTLS"
