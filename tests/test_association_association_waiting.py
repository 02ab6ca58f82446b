"""Waiting for a message with an interrupt that does not end the association."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomtls.association.association import Association
from dicomtls.association.dimse import CommandField, encode_command
from dicomtls.association.pdu import PDUType
from dicomtls.errors import DIMSETimeout, Interrupted
from dicomtls.waiting import Interrupt
from tests.support.receivers import requestor_of
from tests.support.servers import (
    ECHO_CONTEXT,
    VERIFICATION,
    RunningServer,
    acceptor,
    context_of,
    echo_request,
    our_server,
    response_of,
)


@pytest.fixture
def interrupt() -> Iterator[Interrupt]:
    """The user's."""
    flag = Interrupt()
    yield flag
    flag.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """One that answers echoes."""
    with our_server(tmp_path) as running:
        yield running


def ask(association: Association, message_id: int = 1) -> None:
    """An echo that will be answered."""
    association.send(context_of(association, VERIFICATION), echo_request(message_id))


def test_message_ends_the_wait(server: RunningServer, interrupt: Interrupt) -> None:
    """And is there to be received, once."""
    association = server.associate(interrupt=interrupt)
    association.ignore_interrupt()
    for message_id in (1, 2):
        ask(association, message_id)
        association.await_message(interrupt)
        assert response_of(association).message_id_being_responded_to == message_id
    association.release()


@pytest.mark.parametrize("when", ["before", "during"])
def test_interrupt_ends_the_wait_and_not_the_association(
    server: RunningServer, interrupt: Interrupt, when: str
) -> None:
    """The peer can be told something, and answers."""
    association = server.associate(interrupt=interrupt)
    association.ignore_interrupt()
    timer = threading.Timer(0.0 if when == "before" else 0.1, interrupt.set)
    timer.start()
    if when == "before":
        timer.join()
    with pytest.raises(Interrupted):
        association.await_message(interrupt)
    assert association.is_established
    ask(association)
    association.await_message(None)
    assert response_of(association).command_field is CommandField.C_ECHO_RSP
    association.release()


def test_interrupt_is_seen_where_something_always_comes(server: RunningServer, interrupt: Interrupt) -> None:
    """A peer that never stops talking keeps nobody from interrupting."""
    association = server.associate(interrupt=interrupt)
    association.ignore_interrupt()
    ask(association)
    association.await_message(interrupt)
    interrupt.set()
    with pytest.raises(Interrupted):
        association.await_message(interrupt)
    assert response_of(association).status == 0
    association.release()


def test_silence_ends_the_association(server: RunningServer, interrupt: Interrupt) -> None:
    """As it does in `receive`."""
    association = server.associate(interrupt=interrupt)
    association.ignore_interrupt()
    with pytest.raises(DIMSETimeout):
        association.await_message(interrupt, 0.05)
    assert not association.is_established


def test_message_that_came_in_one_pdu_with_the_last_is_not_waited_for(interrupt: Interrupt) -> None:
    """Two commands in one P-DATA-TF: the second is there already."""

    def script(association: Association) -> None:
        context_id = context_of(association, VERIFICATION)
        values = b""
        for message_id in (1, 2):
            command = encode_command(echo_request(message_id))
            values += (len(command) + 2).to_bytes(4) + bytes((context_id, 3)) + command
        association.write(bytes((PDUType.P_DATA_TF, 0)) + len(values).to_bytes(4) + values)
        association.receive()

    with acceptor(script) as peer:
        requestor = requestor_of(peer)
        association = requestor.associate(requestor.attempt(), [ECHO_CONTEXT])
        association.ignore_interrupt()
        for message_id in (1, 2):
            association.await_message(interrupt, 5.0)
            assert response_of(association).message_id == message_id
        association.release()
