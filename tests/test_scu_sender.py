"""Sending over one association: windows, orders of responses, files that change on the way."""

import errno
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomtls.association import outbox as outbox_module
from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import Command, CommandField
from dicomtls.dataset import DEFLATED
from dicomtls.errors import AssociationAborted, RemoteProtocolError
from dicomtls.scu.instances import Instance, find_instances
from dicomtls.scu.ledger import StoreResult
from dicomtls.scu.store import StoreOptions, store
from tests.support.elements import PYDICOM_DATA
from tests.support.receivers import Receiver, dataset_in, instances_in, receiving, requestor_of
from tests.support.servers import open_policy, store_response


def send(
    instances: list[Instance], receiver: Callable[[Association], None], *, window: int = 32, **policy: object
) -> StoreResult:
    """Store the instances to the receiver."""
    with receiving(receiver, open_policy(**policy)) as peer:
        return store(requestor_of(peer), instances, StoreOptions(max_operations=window))


@pytest.mark.parametrize("window", [1, 2, 32, 0])
@pytest.mark.parametrize("pixel_bytes", [1024, 300_000], ids=["small", "large"])
def test_instances_arrive_byte_for_byte_whatever_the_window(tmp_path: Path, window: int, pixel_bytes: int) -> None:
    """In their order, each once, and never more outstanding than was agreed on."""
    instances = instances_in(tmp_path, 40 if pixel_bytes < 10_000 else 6, pixel_bytes=pixel_bytes)
    receiver = Receiver()
    result = send(instances, receiver, window=window)
    assert (result.sent, result.failed, result.warnings, result.error) == (len(instances), [], [], None)
    assert result.bytes == sum(len(dataset_in(instance)) for instance in instances)
    assert receiver.uids == [instance.sop_instance_uid for instance in instances]
    assert [one.dataset for one in receiver.received] == [dataset_in(instance) for instance in instances]


@pytest.mark.parametrize("maximum_length", [0, 8, 13, 1000, 16382, 16383, 131072])
def test_datasets_are_cut_as_the_peer_wants_it(tmp_path: Path, maximum_length: int) -> None:
    """Any maximum length, odd ones too, gets what it can take."""
    instances = instances_in(tmp_path, 2, pixel_bytes=1024 if 0 < maximum_length < 1000 else 200_000)
    receiver = Receiver()
    assert send(instances, receiver, maximum_length=maximum_length).sent == 2
    assert [one.dataset for one in receiver.received] == [dataset_in(instance) for instance in instances]


class Patient:
    """Answers nothing until no more requests can come, and notes how many those were."""

    def __init__(self, window: int, total: int) -> None:
        self.receiver = Receiver()
        self.window = window
        self.total = total
        self.most = 0

    def __call__(self, association: Association) -> None:
        """Take as many as the window allows, then answer one."""
        held: list[Message] = []
        while len(self.receiver.answered) < self.total:
            while len(held) < min(self.window, self.total - len(self.receiver.answered)):
                message = association.receive()
                assert message is not None
                self.receiver.take(association, message, 1)
                held.append(message)
            assert len(self.receiver.received) == self.total or not association.has_input()
            self.most = max(self.most, len(held))
            self.receiver.answer(association, held.pop(0))
        assert association.receive() is None


@pytest.mark.parametrize("window", [1, 3, 7])
def test_window_of_the_peer_is_filled_and_never_exceeded(tmp_path: Path, window: int) -> None:
    """As many as it grants are on their way before the first response, and not one more."""
    instances = instances_in(tmp_path, 12)
    patient = Patient(window, 12)
    result = send(instances, patient, max_operations=window)
    assert result.sent == 12
    assert patient.most == window


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000), together=st.integers(2, 20))
def test_responses_may_come_in_any_order(tmp_path: Path, seed: int, together: int) -> None:
    """Each is booked for the instance whose message identifier it has."""
    folder = tmp_path / "20"
    instances = find_instances([str(folder)]).instances if folder.exists() else instances_in(folder, 20)
    bad = {instance.sop_instance_uid for instance in instances[::3]}

    def turn(held: list[Message]) -> list[Message]:
        return random.Random(seed).sample(held, len(held))

    receiver = Receiver(
        status=lambda message: 0xA700 if message.command.affected_sop_instance_uid in bad else 0,
        turn=turn,
        together=together,
        expected=20,
    )
    result = send(instances, receiver)
    assert result.sent == 20 - len(bad)
    assert {report.sop_instance_uid for report in result.failed} == bad
    assert sorted(receiver.answered) == sorted(receiver.uids)


@pytest.mark.parametrize(
    "answer",
    [
        Command(command_field=CommandField.C_STORE_RSP, message_id_being_responded_to=4711, status=0),
        Command(command_field=CommandField.C_ECHO_RSP, message_id_being_responded_to=1, status=0),
        Command(command_field=CommandField.C_ECHO_RQ, message_id=1),
    ],
    ids=["to a message never sent", "of another kind", "a request"],
)
def test_answer_that_is_none_ends_the_association(tmp_path: Path, answer: Command) -> None:
    """A protocol error of the peer, which gets an A-ABORT; nothing counts as stored."""

    def script(association: Association) -> None:
        message = association.receive()
        assert message is not None
        association.send(message.context.context_id, answer)
        while association.receive() is not None:
            pass

    instances = instances_in(tmp_path, 3)
    with receiving(script) as peer:
        result = store(requestor_of(peer), instances, StoreOptions())
        peer.server.wait_for_connections(1)
    assert isinstance(result.error, RemoteProtocolError)
    assert (result.sent, len(result.failed)) == (0, 3)
    [end] = peer.ends
    assert isinstance(end, AssociationAborted)
    assert end.source == 2


def test_same_response_twice_ends_the_association(tmp_path: Path) -> None:
    """The second one is to a message that is not outstanding any more; the first counts."""

    def script(association: Association) -> None:
        message = association.receive()
        assert message is not None
        for _ in range(2):
            association.send(message.context.context_id, store_response(message.command))
        association.receive()

    instances = instances_in(tmp_path, 2)
    with receiving(script, open_policy(max_operations=1)) as peer:
        result = store(requestor_of(peer), instances, StoreOptions())
    assert isinstance(result.error, RemoteProtocolError)
    assert (result.sent, len(result.failed)) == (1, 1)


@pytest.mark.parametrize("ending", ["release", "abort", "close"])
def test_peer_that_ends_the_association_early_keeps_what_it_answered(tmp_path: Path, ending: str) -> None:
    """What was answered counts, the rest is failed with the reason."""

    def script(association: Association) -> None:
        for _ in range(2):
            message = association.receive()
            assert message is not None
            association.send(message.context.context_id, store_response(message.command))
        if ending == "release":
            association.release()
        elif ending == "abort":
            association.abort()
        else:
            association.close()

    instances = instances_in(tmp_path, 5)
    result = send(instances, script, max_operations=1)
    assert isinstance(result.error, AssociationAborted)
    assert (result.sent, len(result.failed)) == (2, 3)
    assert {report.reason for report in result.failed} == {result.error.message}


def test_way_in_which_the_peer_says_goodbye_changes_nothing(tmp_path: Path) -> None:
    """Every instance has its response: an abort instead of a release response is no failure."""

    def script(association: Association) -> None:
        for _ in range(2):
            message = association.receive()
            assert message is not None
            association.send(message.context.context_id, store_response(message.command))
        association._channel.read_header(None)
        association.abort()

    result = send(instances_in(tmp_path, 2), script)
    assert (result.sent, result.failed, result.error) == (2, [], None)


# Files that change


def vanish(path: Path) -> None:
    """Gone."""
    path.unlink()


def shrink(path: Path) -> None:
    """Shorter than it was, but of even length."""
    os.truncate(path, path.stat().st_size - 100)


def empty(path: Path) -> None:
    """Nothing in it any more."""
    path.write_bytes(b"")


def grow(path: Path) -> None:
    """A byte longer: no message can carry that."""
    with path.open("ab") as file:
        file.write(b"x")


def become_a_folder(path: Path) -> None:
    """Something else with its name."""
    path.unlink()
    path.mkdir()


def become_a_pipe(path: Path) -> None:
    """Something that would block whoever reads it."""
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (vanish, "no such file or directory"),
        (shrink, "changed since"),
        (empty, "changed since"),
        (grow, "changed since"),
        (become_a_folder, "changed since"),
        (become_a_pipe, "changed since"),
    ],
)
def test_file_that_changed_since_it_was_looked_at_is_named(
    tmp_path: Path, change: Callable[[Path], None], reason: str
) -> None:
    """The others are sent over the same association."""
    instances = instances_in(tmp_path, 5)
    change(Path(instances[2].path))
    receiver = Receiver()
    result = send(instances, receiver)
    [report] = result.failed
    assert (report.path, report.status, report.code) == (instances[2].path, None, "unreadable-file")
    assert reason in report.reason
    assert (result.sent, result.error, receiver.associations) == (4, None, 1)


def test_file_that_shrinks_while_it_is_sent_is_named_and_the_others_are_sent(tmp_path: Path) -> None:
    """The message cannot be completed, so the association is aborted; another one takes the rest."""
    instances = instances_in(tmp_path / "small", 4)
    big = find_instances([str(large(tmp_path / "big.dcm"))]).instances
    receiver = Receiver()

    def script(association: Association) -> None:
        if receiver.associations:
            receiver(association)
            return
        receiver.associations += 1
        while (message := association.receive()) is not None:
            if message.command.affected_sop_instance_uid == big[0].sop_instance_uid:
                next(association.fragments())
                os.truncate(big[0].path, 5_000_000)
            receiver.take(association, message, 1)
            receiver.answer(association, message)

    result = send([*instances[:2], *big, *instances[2:]], script, max_operations=1)
    [report] = result.failed
    assert report.path == big[0].path
    assert report.reason == "the file was cut short while it was being sent"
    assert (result.sent, result.error) == (4, None)
    assert receiver.answered == [instance.sop_instance_uid for instance in instances]
    assert receiver.associations == 2


def large(path: Path) -> Path:
    """A file that does not fit into any buffer between the two ends."""
    from tests.support.instances import make_instance

    return make_instance(path, pixel_bytes=128 << 20, sparse=True).path


def test_file_that_cannot_be_read_is_named_and_the_others_are_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk with a bad sector in the middle of an instance."""
    instances = instances_in(tmp_path, 4)
    real = os.preadv
    broken = Path(instances[1].path).stat().st_ino

    def preadv(descriptor: int, views: list[memoryview], offset: int) -> int:
        if os.fstat(descriptor).st_ino == broken:
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, views, offset)

    monkeypatch.setattr(outbox_module, "_preadv", preadv)
    receiver = Receiver()
    result = send(instances, receiver)
    [report] = result.failed
    assert (report.path, report.reason) == (instances[1].path, "input/output error")
    assert (result.sent, result.error) == (3, None)
    assert set(receiver.answered) == {one.sop_instance_uid for one in instances if one is not instances[1]}


def test_file_that_grew_is_sent_as_it_is(tmp_path: Path) -> None:
    """Somebody appended an element; the length is that of the moment when it is opened."""
    instances = instances_in(tmp_path, 1)
    with Path(instances[0].path).open("ab") as file:
        file.write(b"\xfc\xff\xfc\xffOB\0\0\x02\0\0\0ab")
    receiver = Receiver()
    assert send(instances, receiver).sent == 1
    assert receiver.received[0].dataset == dataset_in(instances[0])


@pytest.mark.parametrize("is_padded", [True, False])
def test_deflated_dataset_is_padded_where_it_is_odd(tmp_path: Path, *, is_padded: bool) -> None:
    """No message can carry an odd number of bytes; an inflater stops before the zero behind them."""
    source = PYDICOM_DATA / "test_files" / "image_dfl.dcm"
    path = tmp_path / "deflated.dcm"
    shutil.copy(source, path)
    [instance] = find_instances([str(path)]).instances
    assert instance.transfer_syntax == DEFLATED
    if (instance.size - instance.offset) % 2 == is_padded:
        path.write_bytes(path.read_bytes() + b"\0" if is_padded else path.read_bytes()[:-1])
    [instance] = find_instances([str(path)]).instances
    receiver = Receiver()
    assert send([instance], receiver).sent == 1
    assert receiver.received[0].dataset == dataset_in(instance) + (b"" if is_padded else b"\0")


def test_disk_without_room_for_padding_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary file cannot be written: that instance fails, the others do not."""
    import tempfile

    source = PYDICOM_DATA / "test_files" / "image_dfl.dcm"
    path = tmp_path / "a.dcm"
    raw = source.read_bytes()
    path.write_bytes(raw)
    [instance] = find_instances([str(path)]).instances
    if (instance.size - instance.offset) % 2 == 0:
        path.write_bytes(raw[:-1])
    instances = find_instances([str(path)]).instances + instances_in(tmp_path / "others", 2)

    def refuse() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    result = send(instances, Receiver())
    [report] = result.failed
    assert (report.path, report.reason) == (str(path), "no space left on device")
    assert result.sent == 2


def test_message_identifiers_start_again_after_the_highest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have 16 bits; an instance that is sent after 65535 others is told apart all the same."""
    from dicomtls.scu import sender as sender_module

    monkeypatch.setattr(sender_module, "_HIGHEST_MESSAGE_ID", 5)
    instances = instances_in(tmp_path, 14)
    seen: list[int | None] = []

    def status(message: Message) -> int:
        seen.append(message.command.message_id)
        return 0x0000

    receiver = Receiver(status=status)
    assert send(instances, receiver, max_operations=3).sent == 14
    assert seen == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4]
