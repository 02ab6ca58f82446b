"""Reading the same attributes off many datasets gives what reading each by itself gives."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dicomtls.dataset import (
    DEFLATED,
    EXPLICIT_VR_BE,
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
    Attributes,
    FileMeta,
    encode_file_meta,
    read_attributes,
    read_file_meta,
    repeated,
    tags,
)
from dicomtls.dataset.repeated import AttributeReader, FileMetaReader
from dicomtls.errors import DataError
from tests.support.elements import OPEN_ITEM, UNDEFINED, explicit, implicit, name_of, pydicom_files

CT = "1.2.840.10008.5.1.4.1.1.2"
WANTED = frozenset({tags.PATIENT_ID, tags.STUDY_INSTANCE_UID, tags.SERIES_INSTANCE_UID})


def dataset(patient: bytes, study: bytes, *, time: bytes = b"120000") -> bytes:
    """A few elements in Explicit VR Little Endian, the wanted ones among them."""
    return b"".join(
        (
            explicit(0x00080030, b"TM", time),
            explicit(0x00081140, b"SQ", b""),
            explicit(tags.PATIENT_ID, b"LO", patient),
            explicit(tags.STUDY_INSTANCE_UID, b"UI", study),
            explicit(tags.SERIES_INSTANCE_UID, b"UI", b"1.2.3\0"),
            explicit(tags.INSTANCE_NUMBER, b"IS", b"1 "),
        )
    )


def outcome(read: "object", head: bytes) -> Attributes | str:
    """What reading gives, or what it says."""
    assert callable(read)
    try:
        found = read(head)
    except DataError as error:
        return error.message
    assert isinstance(found, Attributes)
    return found


def count_walks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the walks element by element; one entry for each."""
    walks: list[int] = []

    def walk(head: bytes, transfer_syntax: str, wanted: frozenset[int]) -> Attributes:
        walks.append(len(head))
        return read_attributes(head, transfer_syntax, wanted)

    monkeypatch.setattr(repeated, "read_attributes", walk)
    return walks


def test_values_are_those_of_each_dataset_when_all_are_laid_out_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twenty datasets one is walked; the values are each one's own."""
    walks = count_walks(monkeypatch)
    reader = AttributeReader(EXPLICIT_VR_LE, WANTED)
    for number in range(20):
        head = dataset(b"ID%02d" % number, b"1.2.%02d\0" % number)
        assert reader.read(head) == read_attributes(head, EXPLICIT_VR_LE, WANTED)
    assert len(walks) == 1


def test_a_dataset_laid_out_otherwise_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A longer value before the wanted ones moves them, and is noticed."""
    walks = count_walks(monkeypatch)
    reader = AttributeReader(EXPLICIT_VR_LE, WANTED)
    for time in (b"120000", b"120000.123456 ", b"120000"):
        head = dataset(b"ID", b"1.2.3\0", time=time)
        assert reader.read(head) == read_attributes(head, EXPLICIT_VR_LE, WANTED)
    assert len(walks) == 3


def test_datasets_that_are_all_different_are_noted_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noting a layout costs more than a walk, so a hundred misses pay for seven notes."""
    notes: list[int] = []
    note = repeated._arrangement

    def counted(head: bytes, transfer_syntax: str, wanted: frozenset[int]) -> object:
        notes.append(len(head))
        return note(head, transfer_syntax, wanted)

    monkeypatch.setattr(repeated, "_arrangement", counted)
    reader = AttributeReader(EXPLICIT_VR_LE, WANTED)
    for number in range(100):
        reader.read(dataset(b"I" * (2 * number + 2), b"1.2.3\0"))
    assert len(notes) == 7


def test_a_value_of_undefined_length_is_walked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where elements lie behind a sequence of undefined length depends on what is in it."""
    walks = count_walks(monkeypatch)
    sequence = explicit(0x00081140, b"SQ", OPEN_ITEM, length=UNDEFINED) + (
        b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    )
    reader = AttributeReader(EXPLICIT_VR_LE, WANTED)
    for _ in range(3):
        assert reader.read(sequence + dataset(b"ID", b"1.2.3\0")).values[tags.PATIENT_ID] == b"ID"
    assert len(walks) == 3


def test_a_head_that_ends_too_early_is_not_complete() -> None:
    """What a known layout reaches beyond is walked, and says that more may follow."""
    reader = AttributeReader(EXPLICIT_VR_LE, WANTED)
    whole = dataset(b"ID", b"1.2.3\0")
    assert reader.read(whole).complete
    assert not reader.read(whole[:-12]).complete


def test_deflated_datasets_are_inflated_each_time() -> None:
    """The headers of a deflated dataset are not there to be compared."""
    assert outcome(AttributeReader(DEFLATED, WANTED).read, b"\xff" * 40) == outcome(
        lambda head: read_attributes(head, DEFLATED, WANTED), b"\xff" * 40
    )


@pytest.mark.parametrize("path", pydicom_files(), ids=name_of)
def test_every_real_file_reads_alike_after_itself(path: "object") -> None:
    """Real datasets, read twice by one reader, give what they give by themselves."""
    data = path.read_bytes()  # type: ignore[attr-defined]  # a path
    try:
        meta = read_file_meta(data, len(data))
    except DataError:
        return
    head = data[meta.dataset_offset :]
    reader = AttributeReader(meta.transfer_syntax, WANTED)
    expected = outcome(lambda each: read_attributes(each, meta.transfer_syntax, WANTED), head)
    assert [outcome(reader.read, head) for _ in range(3)] == [expected] * 3


@given(
    changes=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 130),
    syntax=st.sampled_from([EXPLICIT_VR_LE, EXPLICIT_VR_BE, IMPLICIT_VR_LE]),
)
@example(changes=[], cut=0, syntax=EXPLICIT_VR_LE)
def test_a_changed_dataset_reads_as_if_it_were_the_first(changes: list[tuple[int, int]], cut: int, syntax: str) -> None:
    """Whatever byte differs from the dataset before, the values are those that a walk finds."""
    first = dataset(b"ID", b"1.2.3\0")
    if syntax == IMPLICIT_VR_LE:
        first = b"".join(implicit(tag, b"1.2.3\0") for tag in sorted({0x00080030, *WANTED, tags.INSTANCE_NUMBER}))
    reader = AttributeReader(syntax, WANTED)
    outcome(reader.read, first)
    changed = bytearray(first)
    for position, byte in changes:
        changed[position % len(changed)] = byte
    head = bytes(changed[: len(changed) - cut])
    assert outcome(reader.read, head) == outcome(lambda each: read_attributes(each, syntax, WANTED), head)


# Files


def judged(read: "object", head: bytes, size: int) -> FileMeta | str:
    """What reading a file's head gives, or what it says."""
    assert callable(read)
    try:
        found = read(head, size)
    except DataError as error:
        return error.message
    assert isinstance(found, FileMeta)
    return found


def test_every_file_gives_what_it_gives_by_itself() -> None:
    """pydicom's files, each twice and among the others, however long the head is."""
    reader = FileMetaReader()
    for path in pydicom_files():
        data = path.read_bytes()
        for length in (400, 1000, 4096):
            for _ in range(2):
                head = data[:length]
                assert judged(reader.read, head, len(data)) == judged(read_file_meta, head, len(data)), path


def file_of(
    instance: str, *, sop_class: str = CT, transfer_syntax: str = EXPLICIT_VR_LE, time: bytes = b"120000"
) -> bytes:
    """A file of a series: meta information, a few elements before the SOP UIDs, one behind."""

    def write(tag: int, vr: bytes, value: bytes) -> bytes:
        return implicit(tag, value) if transfer_syntax == IMPLICIT_VR_LE else explicit(tag, vr, value)

    uids = ((tags.SOP_CLASS_UID, sop_class), (tags.SOP_INSTANCE_UID, instance))
    return b"".join(
        (
            encode_file_meta(sop_class, instance or "1.2.3", transfer_syntax),
            write(0x00080013, b"TM", time),
            *(write(tag, b"UI", uid.encode() + b"\0" * (len(uid) % 2)) for tag, uid in uids),
            write(0x00080030, b"TM", b"120000"),
        )
    )


def test_files_of_a_series_are_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first tells how the others are laid out; another class, syntax or length is looked at anew."""
    walks: list[int] = []

    def walk(head: bytes, size: int) -> FileMeta:
        walks.append(size)
        return read_file_meta(head, size)

    monkeypatch.setattr(repeated, "read_file_meta", walk)
    reader = FileMetaReader()
    for number in range(100, 200):
        data = file_of(f"1.2.{number}")
        assert reader.read(data, len(data)).sop_instance_uid == f"1.2.{number}"
    assert len(walks) == 1
    for other in (
        file_of("1.2.100", sop_class="1.2.840.10008.5.1.4.1.1.4"),
        file_of("1.2.100", transfer_syntax=IMPLICIT_VR_LE),
        file_of("1.2.1000"),
        file_of("1.2.100", time=b"1200"),
    ):
        count = len(walks)
        assert judged(reader.read, other, len(other)) == judged(read_file_meta, other, len(other))
        assert len(walks) == count + 1


@pytest.mark.parametrize("uid", [b"1.2.\xff00", b"../../x", b"\0" * 7, b"1.2.3\n9"])
def test_uid_that_is_none_is_refused_among_good_ones_too(uid: bytes) -> None:
    """At the place where the others have theirs, of the same length."""
    reader = FileMetaReader()
    good = file_of("1.2.345")
    assert judged(reader.read, good, len(good)) == judged(read_file_meta, good, len(good))
    start = good.rindex(b"1.2.345")
    bad = good[:start] + uid + good[start + 7 :]
    assert judged(reader.read, bad, len(bad)) == judged(read_file_meta, bad, len(bad))


CUTS = st.lists(st.tuples(st.integers(0, 420), st.binary(min_size=1, max_size=3)), max_size=4)


@given(cuts=CUTS, end=st.integers(0, 420))
def test_damaged_file_gives_what_it_gives_by_itself(cuts: list[tuple[int, bytes]], end: int) -> None:
    """After a good one has been read, bytes changed anywhere and a head cut anywhere make no difference."""
    reader = FileMetaReader()
    good = file_of("1.2.345")
    reader.read(good, len(good))
    data = bytearray(good)
    for position, bytes_ in cuts:
        data[position : position + len(bytes_)] = bytes_
    head = bytes(data[: len(data) - end % 40])
    assert judged(reader.read, head, len(data)) == judged(read_file_meta, head, len(data))
