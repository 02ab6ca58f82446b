"""C-FIND against peers that break the protocol, go away, keep silent or never end."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from dicomtls.association.association import Association
from dicomtls.association.dimse import Command, CommandField, encode_command
from dicomtls.association.pdu import data_header
from dicomtls.errors import AssociationAborted, DIMSETimeout, RemoteProtocolError
from dicomtls.scu import AssociationSettings
from dicomtls.scu import query as query_module
from dicomtls.scu.attempt import Requestor
from dicomtls.scu.query import FindOptions, FindResult, find
from tests.support.finding import KEYS, ONE, find_matches, find_response, put_match, received_query
from tests.support.servers import acceptor


def without_dataset(association: Association) -> None:
    """A match without an identifier."""
    association.send(1, find_response(0xFF00))


def unreadable(association: Association) -> None:
    """An identifier whose lengths do not add up."""
    association.send(1, find_response(0xFF00, has_dataset=True), b"\x10\x00\x10\x00PN\xff\x00abc")


def nested(association: Association) -> None:
    """An identifier nested far too deep."""
    deep = b"\x08\x00\x11\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 200
    association.send(1, find_response(0xFF00, has_dataset=True), deep)


def another_message(association: Association) -> None:
    """A response to a request that was never made."""
    association.send(1, replace(find_response(0xFF00), message_id_being_responded_to=7))


def another_kind(association: Association) -> None:
    """A response of another service."""
    association.send(1, Command(command_field=CommandField.C_MOVE_RSP, message_id_being_responded_to=1, status=0xFF00))


def another_context(association: Association) -> None:
    """A presentation context that was never agreed on."""
    association.send(3, find_response(0xFF00))


def request_of_its_own(association: Association) -> None:
    """A request in place of a response."""
    association.send(1, Command(command_field=CommandField.C_ECHO_RQ, message_id=1, affected_sop_class_uid="1.2"))


def dataset_in_another_context(association: Association) -> None:
    """A command here, its dataset there."""
    command = encode_command(find_response(0xFF00, has_dataset=True))
    association.write(
        data_header(1, len(command), is_command=True, is_last=True)
        + command
        + data_header(5, 2, is_command=False, is_last=True)
        + b"xx"
    )


def endless_identifier(association: Association) -> None:
    """An identifier in empty fragments, without end."""
    command = encode_command(find_response(0xFF00, has_dataset=True))
    association.write(data_header(1, len(command), is_command=True, is_last=True) + command)
    while association.is_established:
        association.write(data_header(1, 0, is_command=False, is_last=False) * 5000)


@pytest.mark.parametrize(
    "misbehave",
    [
        without_dataset,
        unreadable,
        nested,
        another_message,
        another_kind,
        another_context,
        request_of_its_own,
        dataset_in_another_context,
        endless_identifier,
    ],
    ids=lambda function: function.__name__,
)
def test_peer_that_breaks_the_protocol_is_aborted(
    misbehave: Callable[[Association], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a match that was right, which is there all the same."""
    monkeypatch.setattr(query_module, "LONGEST_IDENTIFIER", 1 << 20)

    def script(association: Association) -> None:
        received_query(association)
        put_match(association, ONE)
        misbehave(association)
        association.receive()

    result = FindResult()
    with acceptor(script) as peer:
        matches = find(Requestor(peer.peer, None, AssociationSettings()), KEYS, FindOptions(), result=result)
        with pytest.raises(RemoteProtocolError) as caught:
            list(matches)
    assert result.matches == 1
    assert caught.value.message.isprintable()
    assert all(isinstance(end, AssociationAborted) for end in peer.ends)
    assert peer.ends


@pytest.mark.parametrize("leave", ["abort", "close", "release"])
def test_peer_that_goes_away_has_not_answered(leave: str) -> None:
    """However it goes."""

    def script(association: Association) -> None:
        received_query(association)
        put_match(association, ONE)
        getattr(association, leave)()

    with acceptor(script) as peer, pytest.raises(AssociationAborted):
        find_matches(peer.peer)


@pytest.mark.parametrize("matches", [0, 1])
def test_peer_that_aborts_at_once_may_not_know_our_title(matches: int) -> None:
    """After a match it does; whoever merely closes the connection says nothing by it."""

    def script(association: Association) -> None:
        received_query(association)
        for _ in range(matches):
            put_match(association, ONE)
        association.abort()

    with acceptor(script) as peer, pytest.raises(AssociationAborted) as caught:
        find_matches(peer.peer)
    assert ("--calling-aet" in " ".join(caught.value.hints)) is (matches == 0)


def test_peer_that_keeps_silent_is_too_late() -> None:
    """Before its first answer, or in the middle of one."""

    def script(association: Association) -> None:
        received_query(association)
        put_match(association, ONE)
        association.receive()

    with acceptor(script) as peer, pytest.raises(DIMSETimeout):
        find_matches(peer.peer, dimse_timeout=0.2)


def test_pending_without_end_is_taken_as_it_comes() -> None:
    """Match by match, with nothing kept: whoever wants an end sets a limit."""

    def script(association: Association) -> None:
        received_query(association)
        while not association.has_input():
            put_match(association, ONE)
        association.receive()
        association.send(1, find_response(0xFE00))
        association.receive()

    with acceptor(script) as peer:
        matches, result = find_matches(peer.peer, limit=3000)
    assert (len(matches), result.matches) == (3000, 3000)


def test_more_identifiers_behind_the_last_response_are_passed_over() -> None:
    """What comes after the success is nobody's match, and does not keep us from the release."""

    def script(association: Association) -> None:
        received_query(association)
        association.send(1, find_response(0x0000))
        put_match(association, ONE)
        put_match(association, ONE)
        association.receive()

    with acceptor(script) as peer:
        matches, result = find_matches(peer.peer)
    assert (matches, result.status) == ([], 0x0000)
