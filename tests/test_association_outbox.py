"""The outbox: what it lays out is what the file holds, in PDUs that the peer allows."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomtls.association import outbox as outbox_module
from dicomtls.association.dimse import decode_command, encode_command
from dicomtls.association.outbox import CAPACITY, FileShrank, Outbox, fragment_length, pack
from dicomtls.association.pdu import Fragment, PDUType, iterate_fragments, parse_header
from dicomtls.errors import RemoteProtocolError
from tests.support.messages import CT_ID, store_request

COMMAND = encode_command(store_request())
NO_LIMIT = 0
PATTERN = bytes(range(251)) * 20_000  # no power of two: a fragment out of place shows


class Wire:
    """What was flushed, write by write; `events` has what happened in its order."""

    def __init__(self, *, takes_ahead: bool = True) -> None:
        self.writes: list[bytes] = []
        self.events: list[str] = []
        self._takes_ahead = takes_ahead
        self._ahead = b""

    def write(self, pdus: memoryview) -> None:
        """Keep a copy, as a socket would."""
        self.events.append("write")
        self.writes.append(self._ahead + bytes(pdus))
        self._ahead = b""

    def write_ahead(self, pdus: memoryview) -> int:
        """Take it, or nothing as a channel in clear."""
        self.events.append("ahead")
        if not self._takes_ahead:
            return 0
        self._ahead += bytes(pdus)
        return len(pdus)

    def send_ahead(self) -> None:
        """Note that it was sent."""
        self.events.append("begin")
        self.writes.append(self._ahead)
        self._ahead = b""

    @property
    def data(self) -> bytes:
        """All that was written."""
        return b"".join(self.writes)


def fragments(data: bytes, maximum_length: int = NO_LIMIT) -> Iterator[Fragment]:
    """The fragments in whole PDUs, none of them longer than allowed, each with a single even one but for the last."""
    view = memoryview(data)
    while view:
        pdu_type, length = parse_header(view[:6])
        assert pdu_type == PDUType.P_DATA_TF
        assert length <= (maximum_length or length)
        assert len(view) >= 6 + length
        (fragment,) = iterate_fragments(view[6 : 6 + length])
        assert fragment[2] or len(fragment[3]) % 2 == 0
        yield fragment
        view = view[6 + length :]


def messages(data: bytes, maximum_length: int = NO_LIMIT) -> list[tuple[int, bool, bytes]]:
    """Context, whether it is a command, and the bytes of each command set and dataset."""
    found = []
    whole = b""
    for context_id, is_command, is_last, fragment in fragments(data, maximum_length):
        whole += fragment
        if is_last:
            found.append((context_id, is_command, whole))
            whole = b""
    assert not whole, "the last message is not whole"
    return found


@pytest.fixture
def make_file(tmp_path: Path) -> Iterator[Callable[[bytes], int]]:
    """Makes a file of these bytes and returns its descriptor."""
    descriptors: list[int] = []

    def make(content: bytes) -> int:
        path = tmp_path / str(len(descriptors))
        path.write_bytes(content)
        descriptors.append(os.open(path, os.O_RDWR))
        return descriptors[-1]

    yield make
    for descriptor in descriptors:
        os.close(descriptor)


# Lengths


@pytest.mark.parametrize(
    ("maximum_length", "expected"),
    [
        (8, 2),
        (9, 2),
        (10, 4),
        (16, 10),
        (17, 10),
        (4096, 4090),
        (16_382, 16_376),
        (131_072, 131_066),
        (131_071, 131_064),
        (256 * 1024 + 6, 256 * 1024),
        (0xFFFF_FFFF, 256 * 1024),
        (NO_LIMIT, 256 * 1024),
    ],
)
def test_a_fragment_is_as_long_as_the_peer_allows(maximum_length: int, expected: int) -> None:
    """Even, with its header never above the peer's maximum, and never above ours."""
    assert fragment_length(maximum_length) == expected


@pytest.mark.parametrize("maximum_length", range(1, 8))
def test_a_maximum_length_is_refused_when_no_fragment_fits_into_it(maximum_length: int) -> None:
    """Fragments have an even number of bytes, and none at all says nothing (PS3.8 annex E.1)."""
    with pytest.raises(RemoteProtocolError, match="no room for a fragment"):
        fragment_length(maximum_length)


# In memory


@pytest.mark.parametrize("size", [1, 9, 10, 11, 100])
@pytest.mark.parametrize("is_command", [True, False])
def test_bytes_in_memory_are_packed_whole(size: int, is_command: bool) -> None:  # noqa: FBT001 -- a parameter
    """Whatever the rest, and only the last fragment is marked as such."""
    data = bytes(range(size))
    packed = pack(CT_ID, data, is_command=is_command, fragment=10)
    assert messages(packed, 16) == [(CT_ID, is_command, data)]
    assert sum(is_last for _, _, is_last, _ in fragments(packed)) == 1


def test_an_empty_dataset_is_one_empty_fragment() -> None:
    """The command promised a dataset: the peer waits for its last fragment."""
    assert messages(pack(CT_ID, b"", is_command=False, fragment=10)) == [(CT_ID, False, b"")]


# Files


@pytest.mark.parametrize("maximum_length", [8, 9, 16, 255, 1024, 4096, 16_383, 131_072, 300_000, NO_LIMIT])
@pytest.mark.parametrize("without_preadv", [False, True])
def test_the_bytes_of_a_file_come_out_whatever_the_peer_allows(
    make_file: Callable[[bytes], int],
    monkeypatch: pytest.MonkeyPatch,
    maximum_length: int,
    without_preadv: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """With and without `preadv`, from the first byte asked for to the last."""
    if without_preadv:
        monkeypatch.setattr(outbox_module, "_preadv", None)
    size = 20_000 if maximum_length < 1000 else 700_000
    wire = Wire()
    outbox = Outbox(wire, maximum_length)
    outbox.put_command(CT_ID, COMMAND)
    outbox.put_file(CT_ID, make_file(PATTERN[: size + 333]), 333, size + 333)
    outbox.flush()
    assert messages(wire.data, maximum_length) == [(CT_ID, True, COMMAND), (CT_ID, False, PATTERN[333 : size + 333])]


@pytest.mark.parametrize("size", [CAPACITY - 12, CAPACITY, CAPACITY + 1, 3 * CAPACITY, 3 * CAPACITY + 7])
@pytest.mark.parametrize("maximum_length", [1031, 65_536, NO_LIMIT])
def test_a_file_goes_out_in_several_writes_when_it_is_larger_than_the_buffer(
    make_file: Callable[[bytes], int], size: int, maximum_length: int
) -> None:
    """Each write is full PDUs and no longer than the buffer; nothing is lost between them."""
    wire = Wire()
    outbox = Outbox(wire, maximum_length)
    outbox.put_file(CT_ID, make_file(PATTERN[:size]), 0, size)
    outbox.flush()
    assert messages(wire.data, maximum_length) == [(CT_ID, False, PATTERN[:size])]
    assert all(len(write) <= CAPACITY and list(fragments(write)) for write in wire.writes)
    assert len(wire.writes) == -(-len(wire.data) // CAPACITY)


def test_a_file_comes_out_whole_when_the_system_reads_less_than_asked_for(
    make_file: Callable[[bytes], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal or a network file system may cut a read short."""

    def read_little(descriptor: int, views: list[memoryview], offset: int) -> int:
        return os.preadv(descriptor, [views[0][:7]], offset)

    def read_by_seven(descriptor: int, count: int, read: Callable[[int, int], bytes] = os.read) -> bytes:
        return read(descriptor, min(count, 7))

    monkeypatch.setattr(outbox_module, "_preadv", read_little)
    monkeypatch.setattr(os, "read", read_by_seven)
    wire = Wire()
    outbox = Outbox(wire, 4096)
    outbox.put_file(CT_ID, make_file(PATTERN[:10_000]), 0, 10_000)
    monkeypatch.undo()
    outbox.flush()
    assert messages(wire.data, 4096) == [(CT_ID, False, PATTERN[:10_000])]


@pytest.mark.parametrize("left", [0, 100, CAPACITY + 100])
def test_a_file_that_shrinks_is_noticed(make_file: Callable[[bytes], int], left: int) -> None:
    """What was announced cannot be completed: the caller has to abort."""
    descriptor = make_file(PATTERN[: 2 * CAPACITY])
    os.ftruncate(descriptor, left)
    outbox = Outbox(Wire(), NO_LIMIT)
    with pytest.raises(FileShrank):
        outbox.put_file(CT_ID, descriptor, 0, 2 * CAPACITY)


def test_a_file_that_grows_is_cut_where_it_ended(make_file: Callable[[bytes], int]) -> None:
    """What was announced is what is sent."""
    wire = Wire()
    outbox = Outbox(wire, NO_LIMIT)
    outbox.put_file(CT_ID, make_file(PATTERN[:1000]), 0, 500)
    outbox.flush()
    assert messages(wire.data) == [(CT_ID, False, PATTERN[:500])]


# Several messages


def test_several_messages_go_out_in_one_write(make_file: Callable[[bytes], int]) -> None:
    """Small instances share a write, and keep their order."""
    wire = Wire()
    outbox = Outbox(wire, 4096)
    expected = []
    for number in range(20):
        content = PATTERN[: 1000 + number]
        outbox.put_command(CT_ID, COMMAND)
        outbox.put_file(CT_ID, make_file(content), 0, len(content))
        expected += [(CT_ID, True, COMMAND), (CT_ID, False, content)]
    assert not wire.writes
    assert outbox.used > 20_000
    outbox.flush()
    assert len(wire.writes) == 1
    assert outbox.used == 0
    assert messages(wire.data, 4096) == expected


def test_nothing_is_written_when_nothing_was_collected() -> None:
    """An empty flush costs nothing."""
    wire = Wire()
    Outbox(wire, NO_LIMIT).flush()
    assert not wire.writes


def test_the_caller_is_asked_first_when_the_buffer_is_full(make_file: Callable[[bytes], int]) -> None:
    """Before a flush in the middle of a message the sender may have to wait for responses; not before its own."""
    wire = Wire()
    events = wire.events
    outbox = Outbox(wire, NO_LIMIT, lambda: events.append("before"))
    size = 2 * CAPACITY
    outbox.put_file(CT_ID, make_file(PATTERN[:size]), 0, size)
    assert events == ["before", "write"] * 2
    outbox.flush()
    assert events == ["before", "write"] * 2 + ["write"]


def test_a_command_makes_way_for_itself_when_it_does_not_fit(make_file: Callable[[bytes], int]) -> None:
    """A command is never cut by the end of the buffer."""
    wire = Wire()
    outbox = Outbox(wire, NO_LIMIT)
    # Four fragments fill all but a few bytes.
    size = CAPACITY - 4 * 12 - 60
    outbox.put_file(CT_ID, make_file(PATTERN[:size]), 0, size)
    outbox.put_command(CT_ID, COMMAND)
    assert len(wire.writes) == 1
    outbox.flush()
    assert messages(wire.writes[1]) == [(CT_ID, True, COMMAND)]


def test_no_crumbs_are_sent_when_the_buffer_is_nearly_full(make_file: Callable[[bytes], int]) -> None:
    """A few bytes at the buffer's end are not worth a PDU of their own."""
    wire = Wire()
    outbox = Outbox(wire, NO_LIMIT)
    size = CAPACITY - 4 * 12 - 60
    outbox.put_file(CT_ID, make_file(PATTERN[:size]), 0, size)
    outbox.put_file(CT_ID, make_file(PATTERN[:10_000]), 0, 10_000)
    outbox.flush()
    assert [len(list(fragments(write))) for write in wire.writes] == [4, 1]


@pytest.mark.parametrize("takes_ahead", [True, False])
@pytest.mark.parametrize("size", [100, 4084, 4085, 20_000])
def test_everything_but_the_last_pdu_is_prepared_and_sent_first(
    make_file: Callable[[bytes], int], size: int, *, takes_ahead: bool
) -> None:
    """What can go ahead completes no message; all of it together is what a flush alone would have written."""
    wire = Wire(takes_ahead=takes_ahead)
    outbox = Outbox(wire, 4096)
    outbox.put_command(CT_ID, COMMAND)
    outbox.put_file(CT_ID, make_file(PATTERN[:size]), 0, size)
    outbox.get_ready()
    outbox.get_ready()
    assert not wire.writes
    outbox.begin()
    assert len(wire.writes) == takes_ahead
    if takes_ahead:
        assert [is_last for _, is_command, is_last, _ in fragments(wire.data, 4096) if not is_command].count(True) == 0
    outbox.flush()
    assert messages(wire.data, 4096) == [(CT_ID, True, COMMAND), (CT_ID, False, PATTERN[:size])]
    outbox.put_command(CT_ID, COMMAND)
    outbox.begin()
    outbox.flush()
    assert messages(wire.writes[-1]) == [(CT_ID, True, COMMAND)]


def test_what_was_prepared_goes_first_when_the_flush_comes_at_once(make_file: Callable[[bytes], int]) -> None:
    """Nobody has to begin: a write sends what was taken before its own bytes."""
    wire = Wire()
    outbox = Outbox(wire, 4096)
    outbox.put_command(CT_ID, COMMAND)
    outbox.put_file(CT_ID, make_file(PATTERN[:9000]), 0, 9000)
    outbox.get_ready()
    outbox.flush()
    assert wire.events == ["ahead", "write"]
    assert messages(wire.data, 4096) == [(CT_ID, True, COMMAND), (CT_ID, False, PATTERN[:9000])]


SIZES = st.integers(1, 70_000) | st.sampled_from((CAPACITY - 24, CAPACITY - 23, CAPACITY, CAPACITY + 3))
LIMITS = st.integers(8, 40) | st.integers(1000, 70_000) | st.sampled_from((NO_LIMIT, 8, 1030, 131_072))


@settings(max_examples=60)
@given(sizes=st.lists(SIZES, min_size=1, max_size=4), start=st.integers(0, 999), maximum_length=LIMITS)
def test_every_file_comes_out_whole_whatever_the_sizes(sizes: list[int], start: int, maximum_length: int) -> None:
    """What `iterate_fragments` reads back is what the files hold, in PDUs within the limit."""
    if 0 < maximum_length < 1000:
        sizes = [size % 5000 + 1 for size in sizes]
    wire = Wire()
    outbox = Outbox(wire, maximum_length)
    expected = []
    with TemporaryFile() as file:
        file.write(PATTERN[: start + max(sizes)])
        file.flush()
        for number, size in enumerate(sizes):
            context_id = 2 * number + 1
            outbox.put_command(context_id, COMMAND)
            outbox.put_file(context_id, file.fileno(), start, start + size)
            expected += [(context_id, True, COMMAND), (context_id, False, PATTERN[start : start + size])]
    outbox.flush()
    assert messages(wire.data, maximum_length) == expected
    assert decode_command(expected[0][2]) == store_request()
