"""An established association: responses that are held, and its release, also by both sides at once."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dicomtls.association import association as association_module
from dicomtls.association.association import Association
from dicomtls.association.pdu import PDU, Abort, ReleaseRequest, ReleaseResponse, encode
from dicomtls.association.user_information import OperationsWindow
from dicomtls.errors import (
    AssociationAborted,
    DIMSETimeout,
    LocalProtocolError,
    RemoteProtocolError,
)
from tests.support.messages import (
    ACCEPT,
    BY_USER,
    CT_ID,
    ECHO,
    INVALID,
    RELEASE,
    RELEASED,
    STORE,
    UNEXPECTED,
    VERIFICATION_ID,
    command,
    data,
    echo_request,
    echo_response,
    pdus,
    proposal,
)
from tests.support.pairs import (
    SECONDS,
    accepted,
    associated,
    both_ours,
    receive_exactly,
    receive_pdu,
    receive_until_end,
    received,
    saying,
)

SHORT = 0.05
ROLES = pytest.mark.parametrize("role", [associated, accepted])
# A role is one of two context managers with the same yield and different keywords.
Role = Any


# Responses that are held


class Writes:
    """Every write of an association, one by one."""

    def __init__(self, association: Association, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: list[bytes] = []
        write = association._channel.write

        def record(pdus: bytes, timeout: float) -> None:
            self.found.append(bytes(pdus))
            write(pdus, timeout)

        monkeypatch.setattr(association._channel, "write", record)


def windowed(invoked: int) -> Any:
    """A request for a window of so many operations."""
    return proposal(window=OperationsWindow(invoked, 1))


RESPONSES = [command(echo_response(number), VERIFICATION_ID) for number in range(4)]


def test_a_response_goes_out_at_once_when_the_peer_waits_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an asynchronous window there is nothing to wait for."""
    with accepted(saying(ECHO, ECHO)) as (association, _):
        writes = Writes(association, monkeypatch)
        received(association)
        association.respond(VERIFICATION_ID, echo_response(0))
        assert writes.found == RESPONSES[:1]
        association.abort()


@pytest.mark.parametrize("window", [4, 0])
def test_responses_go_out_together_when_the_requests_have_come_together(
    window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are held while requests are there, and flushed in one write when the input runs dry."""
    answered = threading.Event()

    def peer(sock: socket.socket) -> bytes:
        sock.sendall(ECHO * 3)
        responses = receive_exactly(sock, len(RESPONSES[0]) * 3)
        answered.set()
        sock.sendall(RELEASE)
        receive_until_end(sock)
        return responses

    with accepted(peer, asked=windowed(window), max_operations=window) as (association, opposite):
        assert association.parameters.peer_window == window
        # A slow machine must not make the time run out.
        monkeypatch.setattr(association_module, "_HOLD_SECONDS", SECONDS)
        writes = Writes(association, monkeypatch)
        association._channel._need(3 * len(ECHO), None)
        for number in range(3):
            received(association)
            association.respond(VERIFICATION_ID, echo_response(number))
        assert writes.found == []
        assert association.receive() is None
        assert answered.is_set()
        assert opposite.outcome() == b"".join(RESPONSES[:3])
    assert writes.found == [b"".join(RESPONSES[:3]), RELEASED]


def test_responses_are_held_no_longer_than_some_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer whose requests never cease gets its responses all the same."""
    with accepted(saying(ECHO * 3), asked=windowed(4), max_operations=4) as (association, _):
        writes = Writes(association, monkeypatch)
        association._channel._need(3 * len(ECHO), None)
        received(association)
        association.respond(VERIFICATION_ID, echo_response(0))
        association._held_since -= association_module._HOLD_SECONDS
        received(association)
        assert writes.found == RESPONSES[:1]
        association.respond(VERIFICATION_ID, echo_response(1))
        association.flush_responses()
        association.flush_responses()
        assert writes.found == RESPONSES[:2]
        association.abort()


def test_held_responses_go_out_before_the_release_is_answered() -> None:
    """The peer gets what it waits for, then the A-RELEASE-RP."""
    with accepted(saying(ECHO, RELEASE), asked=windowed(4), max_operations=4) as (association, opposite):
        association._channel._need(len(ECHO) + len(RELEASE), None)
        received(association)
        association.respond(VERIFICATION_ID, echo_response(0))
        assert association.receive() is None
        assert opposite.outcome() == [RESPONSES[0][6:], ReleaseResponse()]


def test_held_responses_go_out_before_we_release_ourselves() -> None:
    """Nothing is left behind."""
    with accepted(saying(ECHO, RELEASED), asked=windowed(4), max_operations=4) as (association, opposite):
        received(association)
        association.respond(VERIFICATION_ID, echo_response(0))
        association.release()
        assert opposite.outcome() == [RESPONSES[0][6:], ReleaseRequest()]


# The release


@ROLES
def test_the_association_is_over_when_the_peer_has_released_it(role: Role) -> None:
    """Nothing can be done with it any more; ending it once more does nothing."""
    with role(saying(RELEASE)) as (association, opposite):
        assert association.receive() is None
        assert opposite.outcome() == [ReleaseResponse()]
        assert not association.is_established
        uses: list[Callable[[], object]] = [
            association.receive,
            association.has_input,
            lambda: association.send(VERIFICATION_ID, echo_request()),
            lambda: association.respond(VERIFICATION_ID, echo_response()),
        ]
        for use in uses:
            with pytest.raises(LocalProtocolError, match="ended"):
                use()
        association.release()
        association.abort()
        association.close()


def test_a_dataset_cannot_be_read_on_when_the_association_has_ended() -> None:
    """Its rest is gone."""
    with accepted(saying(STORE, data(CT_ID, b"ab", is_last=False))) as (association, _):
        received(association)
        fragments = association.fragments()
        next(fragments)
        association.abort()
        with pytest.raises(LocalProtocolError):
            next(fragments)


@ROLES
def test_data_on_its_way_is_taken_when_we_have_asked_for_the_release(role: Role) -> None:
    """State 7: the peer may send until it answers (AR-6)."""
    with role(saying(STORE, data(CT_ID, bytes(5000)), ECHO, RELEASED)) as (association, opposite):
        association.release()
        assert not association.is_established
        assert opposite.outcome() == [ReleaseRequest()]


@ROLES
@pytest.mark.parametrize(
    ("answer", "farewell"),
    [
        (command(echo_request(), VERIFICATION_ID)[:6], None),
        (encode(ACCEPT), UNEXPECTED),
        (b"\x04\x00\xff\xff\xff\xff", INVALID),
        (b"\x06\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00", INVALID),
        (b"\x09\x00\xff\xff\xff\xff", Abort(2, 1)),
    ],
)
def test_the_peer_is_aborted_when_it_answers_the_release_with_something_else(
    role: Role, answer: bytes, farewell: Abort | None
) -> None:
    """State 7: what is not due, too long or unknown; half a PDU is waited for."""
    with role(saying(answer), timeout=SECONDS if farewell else SHORT) as (association, opposite):
        with pytest.raises(RemoteProtocolError if farewell else DIMSETimeout):
            association.release()
        assert opposite.outcome() == [ReleaseRequest(), farewell or BY_USER]


@ROLES
def test_the_abort_is_raised_when_it_answers_the_release(role: Role) -> None:
    """A peer may end it the hard way."""
    with role(saying(encode(Abort(2, 5)))) as (association, opposite):
        with pytest.raises(AssociationAborted) as caught:
            association.release()
        assert opposite.outcome() == [ReleaseRequest()]
    assert (caught.value.source, caught.value.reason) == (2, 5)


def test_a_release_without_an_answer_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds, here shortened, however long the association's own patience is."""
    monkeypatch.setattr(association_module, "_RELEASE_SECONDS", SHORT)
    with associated(saying()) as (association, opposite):
        with pytest.raises(DIMSETimeout, match=r"0\.05 s"):
            association.release()
        assert opposite.outcome() == [ReleaseRequest(), BY_USER]


def test_a_release_ends_when_the_peer_sends_without_end() -> None:
    """Data on its way is taken, but not for ever."""

    def peer(sock: socket.socket) -> None:
        sock.setblocking(False)  # noqa: FBT003 -- the standard library's own signature
        flood = data(CT_ID, bytes(8000), is_last=False)
        rest = b""
        while True:
            try:
                rest = (rest or flood)[sock.send(rest or flood) :]
            except BlockingIOError:
                continue
            except OSError:
                return

    with accepted(peer, timeout=0.2) as (association, _), pytest.raises(DIMSETimeout):
        association.release()


def test_a_requestor_answers_first_when_both_sides_release() -> None:
    """States 9 and 11: A-RELEASE-RP at once, then it waits for the peer's."""

    def peer(sock: socket.socket) -> list[PDU | bytes]:
        sock.sendall(RELEASE)
        found = receive_pdu(sock) + receive_pdu(sock)
        sock.sendall(RELEASED)
        return pdus(found + receive_until_end(sock))

    with associated(peer) as (association, opposite):
        association.release()
        assert opposite.outcome() == [ReleaseRequest(), ReleaseResponse()]


def test_an_acceptor_answers_last_when_both_sides_release() -> None:
    """States 10 and 12: it waits for the requestor's A-RELEASE-RP first."""

    def peer(sock: socket.socket) -> list[PDU | bytes]:
        sock.sendall(RELEASE)
        found = receive_pdu(sock)
        sock.settimeout(SHORT)
        with pytest.raises(TimeoutError):
            receive_pdu(sock)
        sock.settimeout(SECONDS)
        sock.sendall(RELEASED)
        return pdus(found + receive_until_end(sock))

    with accepted(peer) as (association, opposite):
        association.release()
        assert opposite.outcome() == [ReleaseRequest(), ReleaseResponse()]


@ROLES
@pytest.mark.parametrize("second", [RELEASE, ECHO])
def test_the_peer_is_aborted_when_it_goes_on_after_a_collision(role: Role, second: bytes) -> None:
    """States 9 to 11: having asked for the release, a peer has nothing more to ask for or to send."""
    with role(saying(RELEASE, second)) as (association, opposite):
        with pytest.raises(RemoteProtocolError):
            association.release()
        assert opposite.outcome()[-1] == UNEXPECTED


def test_both_ends_are_released_when_both_are_ours_and_release_at_once() -> None:
    """Neither takes the other's release for an error."""
    together = threading.Barrier(2)

    def release(association: Association) -> Association:
        together.wait(SECONDS)
        association.release()
        return association

    with both_ours(release) as (association, opposite):
        release(association)
        assert not association.is_established
        assert not opposite.outcome().is_established
