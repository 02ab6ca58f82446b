"""An established association: messages in and out, its memory, and pynetdicom at its other end."""

import gc
import os
import socket
import threading
import weakref
from pathlib import Path

import pytest

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import Command, CommandField, encode_command
from dicomtls.association.pdu import PDU, ReleaseResponse
from dicomtls.dataset import read_file_meta
from tests.support import pki as foreign
from tests.support.elements import implicit
from tests.support.instances import make_instance
from tests.support.messages import (
    BY_USER,
    CT,
    CT_ID,
    ECHO,
    EXPLICIT,
    IMPLICIT,
    INSTANCE,
    RELEASE,
    STORE,
    VERIFICATION,
    VERIFICATION_ID,
    command,
    data,
    echo_request,
    echo_response,
    grant,
    pdus,
    proposal,
    store_request,
    store_response,
)
from tests.support.pairs import (
    SECONDS,
    accepted,
    acceptor,
    associated,
    both_ours,
    receive_until_end,
    received,
    requestor_to,
    saying,
)
from tests.support.peers import LOOPBACK, pynetdicom_scp
from tests.support.pki import PKI
from tests.support.pynetdicom_scu import echo_status, pynetdicom_association, store_statuses


def serve(association: Association) -> list[tuple[Message, bytes]]:
    """Answer every request with success until the peer releases; returns the requests and their datasets."""
    requests = []
    while (message := association.receive()) is not None:
        dataset = b"".join(bytes(fragment) for fragment in association.fragments())
        requests.append((message, dataset))
        request = message.command
        response = Command(
            command_field=request.command_field.response,
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=request.affected_sop_class_uid,
            affected_sop_instance_uid=request.affected_sop_instance_uid,
            status=0,
        )
        association.respond(message.context.context_id, response)
    return requests


# Messages


@pytest.mark.parametrize("with_tls", [False, True])
def test_messages_arrive_as_they_were_sent(pki: PKI, with_tls: bool) -> None:  # noqa: FBT001 -- a parameter
    """Commands with and without a dataset, many fragments of it included, and the release at the end."""
    dataset = bytes(range(256)) * 400
    with both_ours(serve, pki=pki if with_tls else None) as (association, opposite):
        association.send(VERIFICATION_ID, echo_request(7))
        assert received(association) == Command(
            command_field=CommandField.C_ECHO_RSP,
            message_id_being_responded_to=7,
            affected_sop_class_uid=VERIFICATION,
            status=0,
        )
        association.send(CT_ID, store_request(8), dataset)
        assert received(association).message_id_being_responded_to == 8
        association.release()
        assert not association.is_established
        (echo, nothing), (store, stored) = opposite.outcome()
    assert (echo.command, nothing) == (echo_request(7), b"")
    assert (store.command, stored) == (store_request(8), dataset)
    assert (store.context.abstract_syntax, store.context.transfer_syntax) == (CT, EXPLICIT)


def test_a_dataset_is_passed_over_when_nobody_reads_it() -> None:
    """The next command is the next command, whether the dataset before it was read, in part, or not at all."""
    parts = [data(CT_ID, bytes(1000), is_last=False), data(CT_ID, bytes(1000))]
    with accepted(saying(STORE, *parts, STORE, *parts, ECHO, RELEASE)) as (association, opposite):
        assert received(association) == store_request()
        assert received(association) == store_request()
        assert len(next(association.fragments())) == 1000
        assert received(association) == echo_request()
        assert association.receive() is None
        assert opposite.outcome() == [ReleaseResponse()]


def test_an_empty_dataset_arrives_as_an_empty_dataset() -> None:
    """A command that promises a dataset is followed by one."""
    with both_ours(serve) as (association, opposite):
        association.send(CT_ID, store_request(), b"")
        received(association)
        association.release()
        ((message, dataset),) = opposite.outcome()
    assert message.command.has_dataset
    assert dataset == b""


def test_several_fragments_in_one_pdu_are_read_one_after_the_other() -> None:
    """A PDU may hold a command and its dataset, cut wherever the peer likes (PS3.8 section 9.3.5)."""
    encoded = encode_command(store_request())
    values = [
        data(CT_ID, encoded[:20], is_command=True, is_last=False),
        data(CT_ID, encoded[20:], is_command=True),
        data(CT_ID, b"", is_last=False),
        data(CT_ID, b"abcd", is_last=False),
        data(CT_ID, b"efgh"),
    ]
    body = b"".join(value[6:] for value in values)
    with accepted(saying(b"\x04\x00" + len(body).to_bytes(4) + body)) as (association, _):
        assert received(association) == store_request()
        assert [bytes(fragment) for fragment in association.fragments()] == [b"", b"abcd", b"efgh"]
        association.abort()


def test_a_command_is_put_together_when_it_comes_in_fragments() -> None:
    """The shortest fragments that there are, one PDU each."""
    encoded = encode_command(echo_request())
    cut = [
        data(VERIFICATION_ID, encoded[place : place + 1], is_command=True, is_last=place + 1 == len(encoded))
        for place in range(len(encoded))
    ]
    with accepted(saying(*cut)) as (association, _):
        assert received(association) == echo_request()
        association.abort()


@pytest.mark.parametrize("maximum_length", [8, 9, 16, 1024])
def test_no_pdu_is_longer_than_the_peer_allows(maximum_length: int) -> None:
    """Commands, datasets and responses alike."""

    def peer(sock: socket.socket) -> list[PDU | bytes]:
        return pdus(receive_until_end(sock))

    with accepted(peer, asked=proposal(maximum_length=maximum_length)) as (association, opposite):
        association.send(CT_ID, store_request(), bytes(3000))
        association.respond(VERIFICATION_ID, echo_response())
        association.abort()
        found = opposite.outcome()
    assert found.pop() == BY_USER
    lengths = [len(pdu) for pdu in found if isinstance(pdu, bytes)]
    assert len(lengths) == len(found)
    assert max(lengths) <= maximum_length
    assert max(lengths) > maximum_length - 2


def test_a_pdu_of_any_length_is_read_when_we_set_no_limit() -> None:
    """A maximum length of 0 allows the peer what it likes."""
    asked = proposal(maximum_length=0)
    dataset = bytes(range(256)) * 4000
    with associated(saying(STORE, data(CT_ID, dataset)), asked=asked, granted=grant(asked)) as (association, _):
        received(association)
        assert [bytes(fragment) for fragment in association.fragments()] == [dataset]
        association.abort()


def test_a_file_goes_out_through_an_outbox(tmp_path: Path) -> None:
    """Command and file side by side, in fragments as long as the peer allows."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 10_000)
    with both_ours(serve) as (association, opposite), path.open("rb") as file:
        outbox = association.outbox()
        for message_id in (1, 2):
            outbox.put_command(CT_ID, encode_command(store_request(message_id)))
            outbox.put_file(CT_ID, file.fileno(), 100, path.stat().st_size)
        outbox.flush()
        assert [received(association).message_id_being_responded_to for _ in range(2)] == [1, 2]
        association.release()
        requests = opposite.outcome()
    assert [dataset for _, dataset in requests] == [path.read_bytes()[100:]] * 2


def test_a_response_arrives_with_all_that_it_says() -> None:
    """Status, comment and the elements that offend."""
    response = store_response(
        status=0xA900, error_comment="no such patient", offending_element=(0x00100010, 0x00100020)
    )
    with associated(saying(command(response))) as (association, _):
        assert received(association) == response
        association.abort()


def test_input_is_noticed_before_it_is_read() -> None:
    """So that a sender can look for responses without waiting for them."""
    may_answer = threading.Event()

    def peer(sock: socket.socket) -> None:
        may_answer.wait(SECONDS)
        sock.sendall(ECHO)
        receive_until_end(sock)

    with accepted(peer) as (association, _):
        assert not association.has_input()
        may_answer.set()
        association._channel._waiter.readable(None)
        assert association.has_input()
        assert received(association) == echo_request()
        association.abort()


# Memory


def test_memory_stays_flat_when_much_is_received() -> None:
    """200 MB pass through the one buffer, fragment by fragment."""
    fragment = bytes(16_000)
    count = 200_000_000 // len(fragment)

    def peer(sock: socket.socket) -> None:
        sock.sendall(STORE)
        many = data(CT_ID, fragment, is_last=False) * 50
        for _ in range(count // 50):
            sock.sendall(many)
        sock.sendall(data(CT_ID, b""))
        receive_until_end(sock)

    with accepted(peer) as (association, _):
        received(association)
        before = resident_bytes()
        size = most = 0
        for number, view in enumerate(association.fragments()):
            size += len(view)
            if number % 1000 == 0:
                most = max(most, resident_bytes())
        association.abort()
    assert size == count * len(fragment)
    assert most - before < 4_000_000


def resident_bytes() -> int:
    """What this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_an_association_is_gone_when_nobody_holds_it_any_more() -> None:
    """Its buffer does not wait for the next garbage collection: hundreds of associations come and go."""
    gc.disable()
    try:
        with accepted(saying(ECHO, RELEASE)) as (association, opposite):
            assert serve(association)
            gone = weakref.ref(association)
            del association
            opposite.outcome()
        assert gone() is None
    finally:
        gc.enable()


# pynetdicom

PIXELS = bytes(range(256)) * 1000
DATASET = (
    implicit(0x00080016, CT.encode() + b"\0")
    + implicit(0x00080018, INSTANCE.encode() + b"\0")
    + implicit(0x7FE00010, PIXELS)
)


@pytest.mark.parametrize("with_tls", [False, True])
def test_pynetdicom_takes_what_our_requestor_sends(pki: PKI, with_tls: bool) -> None:  # noqa: FBT001 -- a parameter
    """C-ECHO and a C-STORE in many fragments, byte for byte."""
    tls = pki if with_tls else None
    with (
        pynetdicom_scp(foreign.server_context(pki) if tls else None, maximum_length=8000) as peer,
        requestor_to(peer.port, pki=tls) as association,
    ):
        association.send(VERIFICATION_ID, echo_request())
        assert received(association).status == 0
        association.send(CT_ID, store_request(2), DATASET)
        response = received(association)
        association.release()
        (stored,) = peer.stored
    assert response.command_field is CommandField.C_STORE_RSP
    assert (response.status, response.message_id_being_responded_to) == (0, 2)
    assert (stored.sop_class_uid, stored.sop_instance_uid, stored.transfer_syntax) == (CT, INSTANCE, IMPLICIT)
    assert stored.dataset == DATASET


@pytest.mark.parametrize("with_tls", [False, True])
def test_pynetdicom_is_answered_by_our_acceptor(pki: PKI, tmp_path: Path, with_tls: bool) -> None:  # noqa: FBT001 -- a parameter
    """The same in the other role."""
    instance = make_instance(tmp_path / "instance.dcm", transfer_syntax=IMPLICIT)
    content = instance.path.read_bytes()
    offset = read_file_meta(content, len(content)).dataset_offset
    tls = foreign.client_context(pki) if with_tls else None
    with acceptor(serve, pki=pki if with_tls else None) as (port, opposite):
        with pynetdicom_association(LOOPBACK, port, tls, [(CT, IMPLICIT)]) as association:
            assert echo_status(association) == 0
            assert store_statuses(association, [instance.path]) == [0]
        (echo, _), (store, stored) = opposite.outcome()
    assert echo.command.command_field is CommandField.C_ECHO_RQ
    assert store.command.affected_sop_instance_uid == instance.sop_instance_uid
    assert store.context.transfer_syntax == IMPLICIT
    assert stored == content[offset:]
