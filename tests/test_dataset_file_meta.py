"""File meta information, against pydicom's own reading and writing, and against files that lie."""

import io
import random
import warnings
import zlib
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.filereader import read_partial

from dicomtls.dataset import (
    DEFLATED,
    EXPLICIT_VR_BE,
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
    MEDIA_STORAGE_DIRECTORY,
    FileMeta,
    HeadTooShort,
    encode_file_meta,
    read_file_meta,
    tags,
)
from dicomtls.dataset.file_meta import _template
from dicomtls.errors import DataError
from dicomtls.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from tests.support.elements import (
    PYDICOM_DATA,
    UNDEFINED,
    count_calls,
    explicit,
    implicit,
    name_of,
    part10,
    pydicom_files,
    read_with_pydicom,
)

CT = b"1.2.840.10008.5.1.4.1.1.2"
MR = b"1.2.840.10008.5.1.4.1.1.4"
NOT_DICOM = "the file is not DICOM"
NO_INSTANCE = "the file has no SOP instance UID"
REFUSED = {
    "charset_files/FileInfo.txt": NOT_DICOM,
    "palettes/README.md": NOT_DICOM,
    "test_files/README.txt": NOT_DICOM,
    "test_files/crayons.icc": NOT_DICOM,
    "test_files/dicomdirtests/README.txt": NOT_DICOM,
    "test_files/dicomdirtests/TINY_ALPHA/README": NOT_DICOM,
    "test_files/rtplan.dump": NOT_DICOM,
    "test_files/rtstruct.dump": NOT_DICOM,
    "test_files/zipMR.gz": NOT_DICOM,
    # A dataset without meta information that begins one byte late: pydicom reads one senseless element.
    "test_files/no_meta.dcm": NOT_DICOM,
    # Excerpts that hold neither an SOP instance UID nor one in the meta information.
    "test_files/empty_charset_LEI.dcm": NO_INSTANCE,
    "test_files/meta_missing_tsyntax.dcm": NO_INSTANCE,
    "test_files/nested_priv_SQ.dcm": NO_INSTANCE,
}
GUESSED = {(True, True): IMPLICIT_VR_LE, (False, True): EXPLICIT_VR_LE, (False, False): EXPLICIT_VR_BE}
READABLE = [path for path in pydicom_files() if name_of(path) not in REFUSED]


def read(data: bytes) -> FileMeta:
    """Read a file that is given as a whole."""
    return read_file_meta(data, len(data))


def pydicom_offset(data: bytes) -> int:
    """Where pydicom finds the first element of the dataset."""
    stream = io.BytesIO(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read_partial(stream, stop_when=lambda *_: True, force=True)
    return stream.tell()


@pytest.mark.parametrize("path", READABLE, ids=name_of)
def test_file_is_read_as_pydicom_reads_it(path: Path) -> None:
    """Transfer syntax, SOP UIDs and the dataset's offset are the same, also for the head alone."""
    data = path.read_bytes()
    dataset = read_with_pydicom(path)
    found = read_file_meta(memoryview(data)[:8192], len(data))
    guess = GUESSED[dataset.original_encoding]  # type: ignore[index]  # a file that was read has both
    assert found.transfer_syntax == dataset.file_meta.get("TransferSyntaxUID", guess)
    assert found.sop_class_uid == dataset.get("SOPClassUID", dataset.file_meta.get("MediaStorageSOPClassUID"))
    assert found.sop_instance_uid == dataset.get("SOPInstanceUID", dataset.file_meta.get("MediaStorageSOPInstanceUID"))
    if found.transfer_syntax == DEFLATED:
        assert zlib.decompress(data[found.dataset_offset :], -zlib.MAX_WBITS).startswith(b"\x08\x00")
    else:
        assert found.dataset_offset == pydicom_offset(data)
    assert read(data) == found


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_file_is_refused_when_it_is_no_dicom_instance(name: str) -> None:
    """What cannot be sent is an error that says why."""
    with pytest.raises(DataError, match=REFUSED[name]):
        read((PYDICOM_DATA / name).read_bytes())


def test_directory_is_told_by_its_sop_class() -> None:
    """A DICOMDIR is read like any file; its class says what it is."""
    found = read((PYDICOM_DATA / "test_files/dicomdirtests/DICOMDIR").read_bytes())
    assert found.sop_class_uid == MEDIA_STORAGE_DIRECTORY


DATASET = (
    explicit(tags.SOP_CLASS_UID, b"UI", CT + b"\0")
    + explicit(tags.SOP_INSTANCE_UID, b"UI", b"1.2.3\0")
    + explicit(tags.MODALITY, b"CS", b"CT")
)
META = [
    explicit(tags.FILE_META_INFORMATION_VERSION, b"OB", b"\0\1"),
    explicit(tags.MEDIA_STORAGE_SOP_CLASS_UID, b"UI", CT + b"\0"),
    explicit(tags.MEDIA_STORAGE_SOP_INSTANCE_UID, b"UI", b"1.2.3\0"),
    explicit(tags.TRANSFER_SYNTAX_UID, b"UI", EXPLICIT_VR_LE.encode() + b"\0"),
]
FILE = part10(DATASET, *META)
EXPECTED = FileMeta(CT.decode(), "1.2.3", EXPLICIT_VR_LE, len(FILE) - len(DATASET))


def shifted(offset: int) -> FileMeta:
    """What is expected when the dataset begins elsewhere."""
    return FileMeta(EXPECTED.sop_class_uid, EXPECTED.sop_instance_uid, EXPECTED.transfer_syntax, offset)


def test_group_length_is_not_needed() -> None:
    """Meta information ends where group 0002 ends."""
    assert read(FILE) == EXPECTED


@pytest.mark.parametrize("length", [0, 1, 20, 5000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_group_length_is_not_believed_when_it_lies(length: int) -> None:
    """A wrong group length changes nothing."""
    element = explicit(tags.FILE_META_INFORMATION_GROUP_LENGTH, b"UL", length.to_bytes(4, "little"))
    assert read(part10(DATASET, element, *META)) == shifted(EXPECTED.dataset_offset + len(element))


def test_preamble_may_be_missing() -> None:
    """The prefix, or meta information, may be the first thing in the file."""
    assert read(FILE[128:]) == shifted(EXPECTED.dataset_offset - 128)
    assert read(FILE[132:]) == shifted(EXPECTED.dataset_offset - 132)


def test_meta_information_may_be_missing_behind_the_prefix() -> None:
    """A dataset right behind the prefix is found."""
    assert read(part10(DATASET)) == shifted(132)


def test_meta_information_may_have_implicit_vr() -> None:
    """Some writers encode group 0002 as the dataset; then it is read as it is."""
    syntax = implicit(tags.TRANSFER_SYNTAX_UID, IMPLICIT_VR_LE.encode() + b"\0")
    dataset = implicit(tags.SOP_CLASS_UID, CT + b"\0") + implicit(tags.SOP_INSTANCE_UID, b"1.2.3 ")
    data = part10(dataset, implicit(tags.FILE_META_INFORMATION_GROUP_LENGTH, b"\0\0\0\0"), syntax)
    assert read(data) == FileMeta(CT.decode(), "1.2.3", IMPLICIT_VR_LE, len(data) - len(dataset))


@pytest.mark.parametrize(
    ("order", "transfer_syntax"), [("<", EXPLICIT_VR_LE), (">", EXPLICIT_VR_BE), ("implicit", IMPLICIT_VR_LE)]
)
@pytest.mark.parametrize("prefix", [b"", bytes(128) + b"DICM"])
def test_transfer_syntax_is_guessed_when_it_is_missing(order: str, transfer_syntax: str, prefix: bytes) -> None:
    """The first element of the dataset tells its encoding, with and without a prefix."""
    pairs = [(tags.SOP_CLASS_UID, CT + b"\0"), (tags.SOP_INSTANCE_UID, b"1.2.3\0")]
    dataset = b"".join(
        implicit(tag, value) if order == "implicit" else explicit(tag, b"UI", value, order=order)
        for tag, value in pairs
    )
    assert read(prefix + dataset) == FileMeta(CT.decode(), "1.2.3", transfer_syntax, len(prefix))


def test_uids_of_the_dataset_win_when_they_differ() -> None:
    """C-STORE names what the dataset says."""
    dataset = explicit(tags.SOP_CLASS_UID, b"UI", MR + b"\0") + explicit(tags.SOP_INSTANCE_UID, b"UI", b"6.6.6\0")
    found = read(part10(dataset, *META))
    assert (found.sop_class_uid, found.sop_instance_uid) == (MR.decode(), "6.6.6")


def test_uids_of_the_dataset_win_when_it_is_deflated() -> None:
    """As much as it takes is inflated to look."""
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    dataset = engine.compress(DATASET.replace(b"1.2.3\0", b"6.6.6\0")) + engine.flush()
    meta = [*META[:3], explicit(tags.TRANSFER_SYNTAX_UID, b"UI", DEFLATED.encode())]
    assert read(part10(dataset, *meta)).sop_instance_uid == "6.6.6"


@pytest.mark.parametrize(
    "dataset",
    [
        explicit(tags.MODALITY, b"CS", b"CT"),
        explicit(tags.SOP_CLASS_UID, b"UI") + explicit(tags.SOP_INSTANCE_UID, b"UI"),
        explicit(0x00080006, b"SQ", b"no item", length=UNDEFINED) + DATASET,
        explicit(0x00080006, b"OB", b"too long", length=0x7FFFFFFF),
    ],
)
def test_uids_of_the_meta_information_count_when_the_dataset_has_none_or_is_broken(dataset: bytes) -> None:
    """A dataset that tells nothing leaves the last word to the meta information."""
    assert read(part10(dataset, *META)) == EXPECTED


def test_uids_of_the_meta_information_count_when_the_deflated_dataset_is_broken() -> None:
    """Bytes that do not inflate leave the last word to the meta information."""
    meta = [*META[:3], explicit(tags.TRANSFER_SYNTAX_UID, b"UI", DEFLATED.encode())]
    assert read(part10(b"\xff" * 100, *meta)).sop_instance_uid == "1.2.3"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\0", NOT_DICOM),
        (b"hello, world, this is no DICOM", NOT_DICOM),
        (bytes(1000), NOT_DICOM),
        (implicit(tags.SOP_CLASS_UID, CT, length=5000), NOT_DICOM),
        (explicit(tags.PATIENT_ID, b"LO", b"4711") + bytes(200), NOT_DICOM),
        (part10(DATASET, explicit(0x00020010, b"UI", b"1.2\0", order=">")), NOT_DICOM),
        (part10(b"", *META), "the file ends where its dataset should begin"),
        (FILE[:133], "the file ends where its dataset should begin"),
        (FILE[:135], "cut short in its meta information"),
        (FILE[:200], "cut short in its meta information"),
        (part10(DATASET, explicit(0x00020102, b"OB", b"", length=0x7FFFFFFF)), "cut short in its meta information"),
        (part10(DATASET, explicit(0x00020102, b"OB", b"", length=UNDEFINED)), "a value of undefined length"),
        (part10(explicit(tags.MODALITY, b"CS", b"CT"), META[1], META[3]), NO_INSTANCE),
        (part10(explicit(tags.MODALITY, b"CS", b"CT"), META[2], META[3]), "the file has no SOP class UID"),
        (part10(DATASET.replace(b"1.2.3\0", b"../../")), r"not a valid SOP instance UID: '../../'"),
        (part10(DATASET.replace(CT, b"x" * len(CT))), "not a valid SOP class UID"),
        (part10(DATASET, explicit(0x00020010, b"UI", b"JPEG")), "not a valid transfer syntax UID"),
        (part10(DATASET.replace(b"1.2.3\0", b"..\0\0\0\0")), "not a valid SOP instance UID"),
    ],
)
def test_file_is_refused_when_it_is_broken(data: bytes, message: str) -> None:
    """Each fault has its message, and a whole file never asks for more."""
    with pytest.raises(DataError, match=message) as caught:
        read(data)
    assert not isinstance(caught.value, HeadTooShort)


def test_result_is_the_same_or_an_error_when_the_file_is_cut_anywhere() -> None:
    """A file cut within its meta information is refused; cut later, it is what it was."""
    for length in range(len(FILE)):
        if length < EXPECTED.dataset_offset + 8:
            with pytest.raises(DataError):
                read(FILE[:length])
        else:
            assert read(FILE[:length]) == EXPECTED


def read_growing(data: bytes, first_length: int) -> FileMeta:
    """Read as a caller does: as much more as is asked for, and no more often than makes sense."""
    length = first_length
    for _ in range(20):
        try:
            return read_file_meta(data[:length], len(data))
        except HeadTooShort as short:
            needed = short.needed
        assert length < needed <= len(data)
        length = needed
    pytest.fail("it asks for a little more again and again")


def test_directory_is_told_by_a_head_however_long_it_is() -> None:
    """The UIDs of a DICOMDIR are not searched for behind all its records."""
    data = (PYDICOM_DATA / "test_files/dicomdirtests/DICOMDIR").read_bytes()
    assert read_file_meta(data[:400], len(data)) == read(data)


LONG_META = part10(DATASET, *META, explicit(0x00020102, b"OB", bytes(50_000)))


def test_more_is_asked_for_when_the_head_does_not_tell() -> None:
    """Whatever the first head is, asking on leads to the same result as the whole file."""
    expected = read(LONG_META)
    assert expected == shifted(len(LONG_META) - len(DATASET))
    offset = expected.dataset_offset
    for first_length in (0, 1, 100, 131, 132, 140, 300, 8192, 50_000, offset, offset + 1, offset + 40):
        assert read_growing(LONG_META, first_length) == expected


def test_head_that_is_too_short_is_an_error_about_the_file_too() -> None:
    """A caller that reads no further has a message to show."""
    with pytest.raises(DataError, match="in the first 8192 bytes of the file") as caught:
        read_file_meta(LONG_META[:8192], len(LONG_META))
    assert isinstance(caught.value, HeadTooShort)
    assert caught.value.code == "unreadable-file"


@given(st.binary(max_size=300), st.sampled_from([b"", b"DICM", bytes(128) + b"DICM"]), st.integers(0, 10_000))
@settings(max_examples=300)
def test_any_bytes_give_a_result_or_data_error(data: bytes, prefix: bytes, more: int) -> None:
    """Random bytes never raise anything else; only what has more to come is asked for more."""
    head = prefix + data
    size = len(head) + more
    try:
        offset, needed = read_file_meta(head, size).dataset_offset, size
    except HeadTooShort as short:
        offset, needed = 0, short.needed
    except DataError:
        return
    assert 0 <= offset < max(len(head), 1)
    assert len(head) < needed or not more
    assert needed <= size


MUTABLE = [
    (PYDICOM_DATA / "test_files" / name).read_bytes()
    for name in ("CT_small.dcm", "rtstruct.dcm", "ExplVR_BigEndNoMeta.dcm", "image_dfl.dcm", "priv_SQ.dcm")
]


@given(st.sampled_from(MUTABLE), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_mutated_files_give_a_result_or_data_error(original: bytes, source: random.Random) -> None:
    """Real files with some of their first bytes changed never raise anything else, and end when read on."""
    data = bytearray(original)
    for _ in range(source.randrange(1, 8)):
        data[source.randrange(min(len(data), 600))] = source.randrange(256)
    try:
        found = read_growing(bytes(data), source.randrange(600))
    except DataError:
        return
    assert found.sop_instance_uid.strip("0123456789.") == ""


def test_typical_file_is_read_in_few_steps() -> None:
    """The meta information and the first elements are looked at, the rest of the file is not."""
    data = (PYDICOM_DATA / "test_files/CT_small.dcm").read_bytes()
    assert count_calls(lambda: read(data)) < 200


UID_TEXT = st.from_regex(r"[0-9][0-9.]{0,63}", fullmatch=True)
AE_TITLE = st.from_regex(r"[A-Z][A-Z0-9_ ]{0,14}[A-Z]", fullmatch=True)


@given(UID_TEXT, UID_TEXT, UID_TEXT, st.none() | AE_TITLE)
@settings(max_examples=100)
def test_what_is_written_is_what_was_meant(
    sop_class: str, sop_instance: str, transfer_syntax: str, ae_title: str | None
) -> None:
    """Written meta information reads back, even length and true group length included."""
    written = encode_file_meta(sop_class, sop_instance, transfer_syntax, ae_title)
    dataset = explicit(tags.MODALITY, b"CS", b"CT")
    assert read(written + dataset) == FileMeta(sop_class, sop_instance, transfer_syntax, len(written))
    assert len(written) == 144 + int.from_bytes(written[140:144], "little")
    assert len(written) % 2 == 0


@pytest.mark.parametrize("ae_title", [None, "WS1", "MODALITY"])
@pytest.mark.parametrize("instance", ["1.2.3", "1.2.34"])
def test_pydicom_reads_what_is_written(ae_title: str | None, instance: str) -> None:
    """pydicom finds every element of table 7.1-1 with its value, and a dataset behind them."""
    written = encode_file_meta(CT.decode(), instance, EXPLICIT_VR_LE, ae_title)
    dataset = pydicom.dcmread(io.BytesIO(written + DATASET))
    meta = dataset.file_meta
    assert dataset.preamble == bytes(128)
    assert meta.FileMetaInformationGroupLength == len(written) - 144
    assert meta.FileMetaInformationVersion == b"\0\1"
    assert meta.MediaStorageSOPClassUID == CT.decode()
    assert meta.MediaStorageSOPInstanceUID == instance
    assert meta.TransferSyntaxUID == EXPLICIT_VR_LE
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
    assert meta.get("SourceApplicationEntityTitle") == ae_title
    assert dataset.Modality == "CT"
    assert [int(tag) for tag in meta.keys()] == sorted(int(tag) for tag in meta.keys())  # noqa: SIM118 -- a Dataset


@pytest.mark.parametrize("uid", ["", "..", "1/2", "1" * 65, "1.\u0662", "1.2\0"])
def test_writing_is_refused_when_a_uid_is_none(uid: str) -> None:
    """A UID that came from a peer is checked in each place."""
    with pytest.raises(DataError, match="SOP class UID"):
        encode_file_meta(uid, "1.2", EXPLICIT_VR_LE)
    with pytest.raises(DataError, match="SOP instance UID"):
        encode_file_meta("1.2", uid, EXPLICIT_VR_LE)
    with pytest.raises(DataError, match="transfer syntax UID"):
        encode_file_meta("1.2", "1.2", uid)


@pytest.mark.parametrize("ae_title", ["", "  ", "A" * 17, "A\\B", "A\x1bB", "\u00c4"])
def test_writing_is_refused_when_the_ae_title_is_none(ae_title: str) -> None:
    """An AE title that came from a peer is checked."""
    with pytest.raises(DataError, match="AE title"):
        encode_file_meta("1.2", "1.2", EXPLICIT_VR_LE, ae_title)


def test_templates_are_bounded_when_a_peer_sends_ever_new_classes() -> None:
    """The cache of templates keeps a fixed number of them."""
    for number in range(1000):
        encode_file_meta(f"1.2.{number}", "1.2.3", EXPLICIT_VR_LE)
    assert _template.cache_info().currsize <= 256
