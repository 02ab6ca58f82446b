"""An established association and peers that break the protocol, abort, fall silent or go away."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import pytest

from dicomtls.association.association import MAXIMUM_COMMAND_LENGTH
from dicomtls.association.channel import BUFFER_SIZE
from dicomtls.association.dimse import encode_command
from dicomtls.association.pdu import Abort, AssociateReject, PDUType, ReleaseResponse, encode
from dicomtls.errors import (
    AssociationAborted,
    DIMSETimeout,
    RemoteProtocolError,
)
from tests.support.messages import (
    ACCEPT,
    BY_USER,
    CT_ID,
    ECHO,
    INVALID,
    REFUSED_ID,
    RELEASE,
    REQUEST,
    STORE,
    UNEXPECTED,
    UNRECOGNIZED,
    VERIFICATION_ID,
    data,
    echo_request,
    grant,
    header,
    proposal,
    store_request,
)
from tests.support.pairs import (
    SECONDS,
    accepted,
    associated,
    read_everything,
    receive_pdu,
    reset,
    saying,
)

SHORT = 0.05
FOUR_GIGABYTES = 0xFFFF_FFFF
NEVER_AGREED_ID = 7
ALLOWED = 16_384
FIRST = data(CT_ID, b"first!", is_last=False)
ROLES = pytest.mark.parametrize("role", [associated, accepted])
# A role is one of two context managers with the same yield and different keywords.
Role = Any


def command_fragments(encoded: bytes, context_id: int = CT_ID, *, size: int = 16_000) -> list[bytes]:
    """A command set cut into fragments."""
    return [
        data(context_id, encoded[place : place + size], is_command=True, is_last=place + size >= len(encoded))
        for place in range(0, len(encoded), size)
    ]


def value(context_id: int, content: bytes, length: int) -> bytes:
    """A P-DATA-TF with one presentation data value that claims `length` bytes."""
    body = length.to_bytes(4) + bytes((context_id, 0b10)) + content
    return header(PDUType.P_DATA_TF, len(body)) + body


HALF_A_COMMAND, OTHER_HALF = command_fragments(encode_command(store_request()), size=40)[:2]

# What is not due

# Table 9-10 of PS3.8, state 6: what is not due, in front of, between and behind the parts of a message.
NOT_DUE = {
    "A-ASSOCIATE-RQ": (encode(REQUEST), UNEXPECTED),
    "A-ASSOCIATE-AC": (encode(ACCEPT), UNEXPECTED),
    "A-ASSOCIATE-RJ": (encode(AssociateReject(1, 1, 1)), UNEXPECTED),
    "A-RELEASE-RP": (encode(ReleaseResponse()), UNEXPECTED),
    "type 0": (header(0x00, 4) + bytes(4), UNRECOGNIZED),
    "type 8": (header(0x08, 0), UNRECOGNIZED),
    "type 255 of 4 GB": (header(0xFF, FOUR_GIGABYTES), UNRECOGNIZED),
    "A-ABORT of 4 GB": (header(PDUType.A_ABORT, FOUR_GIGABYTES), INVALID),
    "A-ABORT of 3 bytes": (header(PDUType.A_ABORT, 3) + bytes(3), INVALID),
    "A-RELEASE-RQ of 5 bytes": (header(PDUType.A_RELEASE_RQ, 5) + bytes(5), INVALID),
    "P-DATA-TF above our limit": (data(CT_ID, bytes(ALLOWED - 6 + 1)), INVALID),
    "P-DATA-TF of 4 GB": (header(PDUType.P_DATA_TF, FOUR_GIGABYTES), INVALID),
    "P-DATA-TF of nothing": (header(PDUType.P_DATA_TF, 0), INVALID),
    "P-DATA-TF cut in its header": (header(PDUType.P_DATA_TF, 5) + bytes(5), INVALID),
    "value too long": (value(CT_ID, b"1234", 7), INVALID),
    "value of 4 GB": (value(CT_ID, b"1234", FOUR_GIGABYTES), INVALID),
    "value too short": (value(CT_ID, b"1234", 5), INVALID),
    "value of 1 byte": (value(CT_ID, b"1234", 1), INVALID),
    "value of nothing": (value(CT_ID, b"", 0), INVALID),
    "even context": (data(2, b"1234"), INVALID),
    "context never proposed": (data(NEVER_AGREED_ID, b"1234", is_command=True), INVALID),
    "context refused": (data(REFUSED_ID, encode_command(echo_request()), is_command=True), INVALID),
}
BEFORE = {"first": b"", "between": ECHO, "in a command": HALF_A_COMMAND, "in a dataset": STORE + FIRST}


@ROLES
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize(("not_due", "farewell"), NOT_DUE.values(), ids=NOT_DUE)
def test_the_peer_is_aborted_when_it_sends_what_is_not_due(
    role: Role, before: bytes, not_due: bytes, farewell: Abort
) -> None:
    """The right source and reason, in every place of the exchange, without memory for what a length promises."""
    with role(saying(before, not_due)) as (association, opposite):
        with pytest.raises(RemoteProtocolError) as caught:
            read_everything(association)
        assert opposite.outcome() == [farewell]
        assert caught.value.abort_reason == farewell.reason
        assert not association.is_established
        assert len(association._channel._buffer) == BUFFER_SIZE


OUT_OF_ORDER = {
    "dataset before its command": FIRST,
    "dataset that no command promised": ECHO + data(VERIFICATION_ID, b"1234"),
    "dataset after its end": STORE + data(CT_ID, b"1234") + FIRST,
    "dataset in the middle of a command": HALF_A_COMMAND + FIRST,
    "command in the middle of a dataset": STORE + FIRST + ECHO,
    "command where its dataset is due": STORE + STORE,
    "dataset of another context": STORE + data(VERIFICATION_ID, b"1234"),
    "dataset that changes its context": STORE + FIRST + data(VERIFICATION_ID, b"1234"),
    "command that changes its context": HALF_A_COMMAND + data(VERIFICATION_ID, OTHER_HALF[12:], is_command=True),
    "two commands interleaved": HALF_A_COMMAND
    + command_fragments(encode_command(echo_request()), VERIFICATION_ID, size=40)[0],
    "release in a command": HALF_A_COMMAND + RELEASE,
    "release in a dataset": STORE + FIRST + RELEASE,
    "release where a dataset is due": STORE + RELEASE,
}


@pytest.mark.parametrize("order", OUT_OF_ORDER.values(), ids=OUT_OF_ORDER)
def test_the_peer_is_aborted_when_fragments_are_out_of_order(order: bytes) -> None:
    """Messages are never interleaved (PS3.8 annex E.1), and nothing ends in their middle."""
    with accepted(saying(order)) as (association, opposite):
        with pytest.raises(RemoteProtocolError) as caught:
            read_everything(association)
        assert opposite.outcome() == [Abort(2, caught.value.abort_reason)]
    assert caught.value.abort_reason == (UNEXPECTED.reason if order.endswith(RELEASE) else INVALID.reason)


def test_what_came_before_a_fault_is_handed_out() -> None:
    """The peer's fault is raised where it stands, not before."""
    with accepted(saying(STORE, FIRST, ECHO)) as (association, _):
        association.receive()
        fragments = association.fragments()
        assert bytes(next(fragments)) == b"first!"
        with pytest.raises(RemoteProtocolError, match="in the middle of a dataset"):
            next(fragments)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\0\0\0",
        encode_command(echo_request())[:-1],
        encode_command(echo_request()).replace(b"\x30\x00", b"\x31\x00"),
        bytes(12),
    ],
)
def test_the_peer_is_aborted_when_its_command_is_none(encoded: bytes) -> None:
    """Empty, cut, of a type that DICOM does not have, or without its type."""
    with accepted(saying(data(VERIFICATION_ID, encoded, is_command=True))) as (association, opposite):
        with pytest.raises(RemoteProtocolError):
            association.receive()
        assert opposite.outcome() == [INVALID]


def long_command(length: int) -> bytes:
    """A valid command set of so many bytes, most of them in an element that is skipped."""
    encoded = encode_command(echo_request())[12:]
    return (
        encoded
        + b"\x00\x00\x00\x51"
        + (length - len(encoded) - 8).to_bytes(4, "little")
        + bytes(length - len(encoded) - 8)
    )


@pytest.mark.parametrize("size", [1000, 16_000, 128_000])
@pytest.mark.parametrize("excess", [0, 2])
def test_the_peer_is_aborted_when_its_command_never_ends(size: int, excess: int) -> None:
    """64 KiB are enough for any command, in one fragment or in many."""
    asked = proposal(maximum_length=131_072)
    parts = command_fragments(long_command(MAXIMUM_COMMAND_LENGTH + excess), VERIFICATION_ID, size=size)
    with associated(saying(*parts), asked=asked, granted=grant(asked)) as (association, opposite):
        if excess:
            with pytest.raises(RemoteProtocolError, match="more than 65536 bytes"):
                association.receive()
        else:
            message = association.receive()
            assert message is not None
            assert message.command == echo_request()
            association.abort()
        assert opposite.outcome() == [INVALID if excess else BY_USER]


# Aborts


@ROLES
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize(
    ("source", "reason"), [(0, 0), (2, 0), (2, 1), (2, 2), (2, 4), (2, 5), (2, 6), (1, 3), (9, 99)]
)
def test_the_abort_is_raised_when_the_peer_aborts(role: Role, before: bytes, source: int, reason: int) -> None:
    """Each source and reason, defined or not, wherever it comes; an A-ABORT is not answered."""
    with role(saying(before, encode(Abort(source, reason)))) as (association, opposite):
        with pytest.raises(AssociationAborted) as caught:
            read_everything(association)
        assert opposite.outcome() == []
        assert not association.is_established
    assert (caught.value.source, caught.value.reason) == (source, reason)


@ROLES
@pytest.mark.parametrize("farewell", [BY_USER, UNEXPECTED, Abort(2, 0)])
def test_the_peer_is_told_when_we_abort(role: Role, farewell: Abort) -> None:
    """Once, however often we say it."""
    with role(saying()) as (association, opposite):
        association.abort(farewell.source, farewell.reason)
        association.abort()
        assert opposite.outcome() == [farewell]
        assert not association.is_established


def test_nothing_is_said_when_we_close() -> None:
    """For a connection that is gone."""
    with associated(saying()) as (association, opposite):
        association.close()
        assert opposite.outcome() == []
        assert not association.is_established


def test_an_abort_gives_up_when_the_peer_has_gone() -> None:
    """Nobody is there to be told."""
    with associated(reset) as (association, opposite):
        opposite.outcome()
        start = monotonic()
        association.abort()
        assert monotonic() - start < SECONDS / 2


# Silence


@ROLES
@pytest.mark.parametrize(
    "before", [b"", ECHO[:3], ECHO[:6], ECHO[:-1], HALF_A_COMMAND, STORE, STORE + FIRST, STORE + FIRST[:10]]
)
def test_the_peer_is_aborted_when_it_falls_silent(role: Role, before: bytes) -> None:
    """Between messages, and in the middle of a header, a PDU, a command or a dataset."""
    with role(saying(before), timeout=SHORT) as (association, opposite):
        with pytest.raises(DIMSETimeout, match=r"silent for 0\.05 s"):
            read_everything(association)
        assert opposite.outcome() == [BY_USER]


def test_the_patience_is_the_caller_s_when_it_gives_one() -> None:
    """A server's idle time is not the time within which a dataset must go on; the message says which it was."""
    with accepted(saying(STORE), timeout=SHORT) as (association, _):
        association.receive(SECONDS)
        with pytest.raises(DIMSETimeout, match=r"silent for 0\.05 s"):
            next(association.fragments())
    with accepted(saying(), timeout=SECONDS) as (association, _), pytest.raises(DIMSETimeout, match=r"for 0\.06 s"):
        association.receive(0.06)


def test_a_command_has_its_deadline_when_it_comes_in_empty_fragments() -> None:
    """A peer that is always busy with the same command is as late as one that is silent."""

    def peer(sock: socket.socket) -> None:
        many = data(CT_ID, b"", is_command=True, is_last=False) * 1000
        with suppress(OSError):
            while True:
                sock.sendall(many)

    with accepted(peer, timeout=0.2) as (association, _), pytest.raises(DIMSETimeout):
        association.receive()


def test_the_peer_is_aborted_when_it_trickles() -> None:
    """One byte now and then is not enough."""

    def peer(sock: socket.socket) -> None:
        pace = threading.Event()
        sock.settimeout(0.01)
        for byte in ECHO:
            sock.sendall(bytes((byte,)))
            try:
                if sock.recv(100):
                    return
            except TimeoutError:
                pace.wait(0)

    with accepted(peer, timeout=0.1) as (association, _), pytest.raises(DIMSETimeout):
        association.receive()


# Peers that go away


@ROLES
@pytest.mark.parametrize("before", [b"", ECHO[:3], ECHO[:6], ECHO[:-1], HALF_A_COMMAND, STORE + FIRST])
@pytest.mark.parametrize(("end", "closed"), [(socket.socket.close, "eof"), (reset, "reset")])
def test_the_end_is_raised_when_the_peer_goes_away(
    role: Role, before: bytes, end: Callable[[socket.socket], None], closed: str
) -> None:
    """With what is known of how it ended."""

    def peer(sock: socket.socket) -> None:
        sock.sendall(before)
        end(sock)

    with role(peer) as (association, opposite):
        opposite.outcome()
        with pytest.raises(AssociationAborted) as caught:
            read_everything(association)
        assert not association.is_established
    assert caught.value.source is None
    assert caught.value.evidence["closed"] == closed


def test_the_end_is_raised_when_the_peer_goes_away_before_it_answers_the_release() -> None:
    """A peer that just hangs up has not released."""

    def peer(sock: socket.socket) -> None:
        receive_pdu(sock)

    with associated(peer) as (association, _), pytest.raises(AssociationAborted):
        association.release()
