"""Other transfer syntaxes for peers that take no others: the same pixels and values, or the reason why not."""

import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.decoders import base as decoders
from pydicom.uid import JPEG2000, RLELossless

from dicomtls.dataset import DEFLATED, EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.scu.instances import Instance, find_instances
from dicomtls.scu.store import StoreOptions, store
from dicomtls.scu.transcode import TARGETS, Transcoder
from tests.support.elements import PYDICOM_DATA, explicit, part10
from tests.support.receivers import Receiver, instances_in, receiving, requestor_of
from tests.support.servers import CT, open_policy

FILES = PYDICOM_DATA / "test_files"

# The same image in another transfer syntax, and natively.
TWINS = [
    ("MR_small_bigendian.dcm", "MR_small.dcm"),
    ("MR_small_RLE.dcm", "MR_small.dcm"),
    ("MR_small_implicit.dcm", "MR_small.dcm"),
    ("SC_rgb_small_odd_big_endian.dcm", "SC_rgb_small_odd.dcm"),
    ("liver_expb_1frame.dcm", "liver_1frame.dcm"),
    ("rtdose_rle_1frame.dcm", "rtdose_1frame.dcm"),
    ("rtdose_rle.dcm", "rtdose.dcm"),
]


def instance_at(path: Path) -> Instance:
    """What `store` knows of a file."""
    found = find_instances([str(path)])
    assert found.instances, found
    return found.instances[0]


def transcode(path: Path, *targets: str) -> bytes | str:
    """The dataset in the first of the targets that is preferred, or why it cannot be had."""
    instance = instance_at(path)
    contexts = {(instance.sop_class_uid, target): 2 * number + 1 for number, target in enumerate(targets)}
    done = Transcoder().transcode(instance, contexts)
    if isinstance(done, str):
        return done
    assert done.context_id in contexts.values()
    with done.file as file:
        file.seek(0)
        return file.read()


def read(dataset: bytes | str, syntax: str = IMPLICIT_VR_LE) -> Dataset:
    """The dataset, which must be one."""
    assert isinstance(dataset, bytes), dataset
    meta = explicit(0x00020010, b"UI", syntax.encode() + b"\0" * (len(syntax) & 1))
    return pydicom.dcmread(BytesIO(part10(dataset, meta)), force=True)


def original(name: str) -> Dataset:
    """One of pydicom's files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(FILES / name)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("name", "twin"), TWINS)
def test_pixels_are_the_same_afterwards(name: str, twin: str, target: str) -> None:
    """Compressed, big endian or implicit: the native little endian pixels come out, byte for byte."""
    dataset = read(transcode(FILES / name, target), target)
    reference = original(twin)
    assert pixels_of(dataset) == pixels_of(reference)
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "SOPInstanceUID"):
        assert dataset.get(keyword) == original(name).get(keyword)
    assert dataset.get("NumberOfFrames") == reference.get("NumberOfFrames")


def pixels_of(dataset: Dataset) -> bytes:
    """The pixels without their padding."""
    bits = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated
    pixels: bytes = dataset.PixelData
    return pixels[: bits * int(dataset.get("NumberOfFrames") or 1) // 8]


@pytest.mark.parametrize("name", ["SC_rgb_rle_16bit_2frame.dcm", "SC_rgb_rle_32bit.dcm", "SC_rgb_rle.dcm"])
def test_colours_come_out_as_the_dataset_then_says(name: str) -> None:
    """RLE holds planes of colour: the planar configuration follows, and the values are the same."""
    dataset = read(transcode(FILES / name, EXPLICIT_VR_LE), EXPLICIT_VR_LE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = original(name)
    assert dataset.PlanarConfiguration == 1
    assert dataset.PhotometricInterpretation == source.PhotometricInterpretation
    assert len(dataset.PixelData) == (
        dataset.Rows * dataset.Columns * 3 * dataset.BitsAllocated // 8 * int(dataset.get("NumberOfFrames") or 1)
    )
    assert ("ExtendedOffsetTable" in dataset) is False


def test_values_are_the_same_afterwards() -> None:
    """Every element of a big endian file but its pixels: numbers, names, sequences."""
    dataset = read(transcode(FILES / "MR_small_bigendian.dcm", IMPLICIT_VR_LE))
    source = original("MR_small_bigendian.dcm")
    del source.PixelData, dataset.PixelData
    source.remove_private_tags()
    dataset.remove_private_tags()
    assert [element for element in dataset if element.tag.element] == [
        element for element in source if element.tag.element
    ]


@pytest.mark.parametrize("tag", [0x00283006, 0x60003000])
def test_words_outside_of_the_pixels_are_turned_round_too(tmp_path: Path, tag: int) -> None:
    """Tables and overlays, in sequences as well."""
    element = explicit(tag, b"OW", b"\x12\x34\x56\x78", order=">")
    nested = explicit(0x00081140, b"SQ", b"\xff\xfe\xe0\x00" + len(element).to_bytes(4, "big") + element, order=">")
    path = big_endian(tmp_path, nested, element if tag == 0x60003000 else b"")
    dataset = read(transcode(path, EXPLICIT_VR_LE), EXPLICIT_VR_LE)
    assert dataset.ReferencedImageSequence[0][tag].value == b"\x34\x12\x78\x56"
    if tag == 0x60003000:
        assert dataset[tag].value == b"\x34\x12\x78\x56"


@pytest.mark.parametrize(
    ("vr", "expected"),
    [
        (b"OF", b"\x04\x03\x02\x01\x08\x07\x06\x05"),
        (b"OL", b"\x04\x03\x02\x01\x08\x07\x06\x05"),
        (b"OD", b"\x08\x07\x06\x05\x04\x03\x02\x01"),
        (b"OV", b"\x08\x07\x06\x05\x04\x03\x02\x01"),
        (b"OB", b"\x01\x02\x03\x04\x05\x06\x07\x08"),
    ],
)
def test_words_of_every_length_are_turned_round(tmp_path: Path, vr: bytes, expected: bytes) -> None:
    """As long as their value representation says; bytes are left alone."""
    element = explicit(0x00091010, vr, bytes(range(1, 9)), order=">")
    creator = explicit(0x00090010, b"LO", b"TEST", order=">")
    dataset = read(transcode(big_endian(tmp_path, creator, element), EXPLICIT_VR_LE), EXPLICIT_VR_LE)
    assert dataset[0x00091010].value == expected


def big_endian(folder: Path, *elements: bytes) -> Path:
    """A file in Explicit VR Big Endian with these elements."""
    meta = explicit(0x00020010, b"UI", EXPLICIT_VR_BE.encode() + b"\0")
    uids = explicit(0x00080016, b"UI", CT.encode() + b"\0", order=">") + explicit(
        0x00080018, b"UI", b"1.2.3\0", order=">"
    )
    path = folder / "big-endian.dcm"
    path.write_bytes(part10(uids + b"".join(elements), meta))
    return path


def test_explicit_is_preferred_to_implicit() -> None:
    """Value representations of private elements are worth keeping."""
    dataset = transcode(FILES / "MR_small_bigendian.dcm", IMPLICIT_VR_LE, EXPLICIT_VR_LE)
    assert isinstance(dataset, bytes)
    assert dataset[4:6] == b"CS"


def test_deflated_dataset_is_inflated() -> None:
    """Which needs no decoder."""
    path = FILES / "image_dfl.dcm"
    assert instance_at(path).transfer_syntax == DEFLATED
    assert read(transcode(path, IMPLICIT_VR_LE)).PixelData == original("image_dfl.dcm").PixelData


def test_report_without_pixels_is_transcoded() -> None:
    """Nothing needs to be decoded in it."""
    assert read(transcode(FILES / "reportsi.dcm", IMPLICIT_VR_LE)).SOPClassUID == original("reportsi.dcm").SOPClassUID


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("JPEG2000.dcm", "no decoder is installed for JPEG 2000"),
        ("MR_small_jpeg_ls_lossless.dcm", "no decoder is installed for JPEG-LS Lossless"),
        ("rtdose_expb.dcm", "pixels of 32 bits have no unambiguous order"),
    ],
)
def test_reason_is_given_when_it_cannot_be_done(name: str, reason: str) -> None:
    """In one line, for the report."""
    said = transcode(FILES / name, IMPLICIT_VR_LE)
    assert isinstance(said, str)
    assert said.startswith("cannot be transcoded: ")
    assert reason in said
    assert "\n" not in said


def test_syntax_that_nobody_can_decode_is_named(tmp_path: Path) -> None:
    """A video, or a private syntax."""
    for syntax in ("1.2.840.10008.1.2.4.100", "1.2.3.4"):
        said = transcode(compressed(tmp_path, syntax), IMPLICIT_VR_LE)
        assert isinstance(said, str)
        assert said.startswith("cannot be transcoded: ")


def compressed(folder: Path, syntax: str, *more: bytes, frame: bytes = b"\0" * 64) -> Path:
    """A file with encapsulated pixels of this syntax."""
    meta = explicit(0x00020010, b"UI", syntax.encode() + b"\0" * (len(syntax) & 1))
    uids = explicit(0x00080016, b"UI", CT.encode() + b"\0") + explicit(0x00080018, b"UI", b"1.2.3\0")
    path = folder / "compressed.dcm"
    path.write_bytes(part10(uids + b"".join(more) + encapsulated(frame), meta))
    return path


def encapsulated(frame: bytes) -> bytes:
    """Pixel data of one frame."""
    items = b"\xfe\xff\x00\xe0\0\0\0\0" + b"\xfe\xff\x00\xe0" + len(frame).to_bytes(4, "little") + frame
    return explicit(0x7FE00010, b"OB", items + b"\xfe\xff\xdd\xe0\0\0\0\0", length=0xFFFFFFFF)


IMAGE = (
    explicit(0x00280002, b"US", b"\x01\0")
    + explicit(0x00280004, b"CS", b"MONOCHROME2 ")
    + explicit(0x00280010, b"US", b"\x02\0")
    + explicit(0x00280011, b"US", b"\x03\0")
    + explicit(0x00280100, b"US", b"\x08\0")
    + explicit(0x00280101, b"US", b"\x08\0")
    + explicit(0x00280102, b"US", b"\x07\0")
    + explicit(0x00280103, b"US", b"\x00\0")
)
RLE_FRAME = b"\x01\0\0\0\x40\0\0\0" + bytes(56) + b"\x05abcdef\x80"


def test_pixels_of_bytes_are_named_so(tmp_path: Path) -> None:
    """Eight bits become OB, of even length."""
    path = compressed(tmp_path, RLELossless, IMAGE, frame=RLE_FRAME)
    dataset = read(transcode(path, EXPLICIT_VR_LE), EXPLICIT_VR_LE)
    assert (dataset["PixelData"].VR, dataset.PixelData) == ("OB", b"abcdef")
    assert "NumberOfFrames" not in dataset


class Decoder:
    """A decoder that is installed elsewhere."""

    is_available = True

    def __init__(self, frame: bytes) -> None:
        self.frame = frame

    def iter_buffer(self, _dataset: Dataset) -> Iterator[tuple[bytes, dict[str, str | int]]]:
        """One frame."""
        facts: dict[str, str | int] = {
            "bits_allocated": 8,
            "photometric_interpretation": "YBR_FULL_422",
            "planar_configuration": 0,
        }
        yield self.frame, facts


@pytest.mark.parametrize(("length", "expected"), [(18, "YBR_FULL"), (12, "YBR_FULL_422")])
def test_subsampled_colours_are_said_to_be_what_the_decoder_made_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int, expected: str
) -> None:
    """Decoders fill in what JPEG left out: with the old name nobody could read the pixels."""
    colours = IMAGE.replace(explicit(0x00280002, b"US", b"\x01\0"), explicit(0x00280002, b"US", b"\x03\0"))
    path = compressed(tmp_path, "1.2.840.10008.1.2.4.50", colours)
    monkeypatch.setattr(decoders, "get_decoder", lambda _uid: Decoder(bytes(length)))
    dataset = read(transcode(path, EXPLICIT_VR_LE), EXPLICIT_VR_LE)
    assert dataset.PhotometricInterpretation == expected
    assert len(dataset.PixelData) == length


def test_reason_is_one_line_however_much_a_decoder_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of pydicom's list are joined, and a novel is cut."""

    def fail(_uid: str) -> None:
        raise RuntimeError("all failed:\n  one\n  two" + " and so on" * 100)

    monkeypatch.setattr(decoders, "get_decoder", fail)
    said = transcode(compressed(tmp_path, RLELossless, IMAGE), IMPLICIT_VR_LE)
    assert isinstance(said, str)
    assert said.startswith("cannot be transcoded: all failed: one two and so on")
    assert len(said) < 400
    assert said.isprintable()


def test_compressed_icon_is_named_as_the_reason(tmp_path: Path) -> None:
    """Only the image itself is decoded; what would stay compressed must not go out as if it were not."""
    item = IMAGE + encapsulated(RLE_FRAME)
    delimited = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + item + b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    icon = explicit(0x00880200, b"SQ", delimited, length=0xFFFFFFFF)
    path = compressed(tmp_path, RLELossless, IMAGE, icon, frame=RLE_FRAME)
    said = transcode(path, IMPLICIT_VR_LE)
    assert said == "cannot be transcoded: an icon in it is compressed too"


def test_broken_file_is_a_reason_and_no_accident(tmp_path: Path) -> None:
    """Words that are none, pixels that are cut short, a file that is gone."""
    odd = big_endian(tmp_path, explicit(0x00283006, b"OW", b"\x12\x34\x56", order=">"))
    instance = Instance(str(odd), CT, "1.2.3", EXPLICIT_VR_BE, 0, 10)
    contexts = {(CT, IMPLICIT_VR_LE): 1}
    assert "cannot be transcoded" in str(Transcoder().transcode(instance, contexts))
    short = compressed(tmp_path, RLELossless, IMAGE, frame=RLE_FRAME[:66])
    assert "cannot be transcoded" in str(transcode(short, IMPLICIT_VR_LE))
    short.unlink()
    gone = Instance(str(short), CT, "1.2.3", RLELossless, 0, 10)
    assert "cannot be transcoded" in str(Transcoder().transcode(gone, contexts))


def test_disk_without_room_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dataset goes through a file; a full disk fails this instance only, and leaves nothing open."""
    from pydicom import filewriter

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(filewriter, "write_dataset", fail)
    assert "No space left" in str(transcode(FILES / "MR_small_bigendian.dcm", IMPLICIT_VR_LE))


def test_peer_that_takes_nothing_that_we_could_make_is_said_to() -> None:
    """The SOP class is there in a syntax that we cannot write, or not at all."""
    instance = instance_at(FILES / "MR_small_RLE.dcm")
    other_syntax = {(instance.sop_class_uid, str(JPEG2000)): 1}
    other_class = {(CT, IMPLICIT_VR_LE): 1}
    for contexts in (other_syntax, other_class, {}):
        said = Transcoder().transcode(instance, contexts)
        assert isinstance(said, str)
        assert "accepts no presentation context" in said


# With `store`


def test_instances_are_transcoded_only_for_whom_they_must_be(tmp_path: Path) -> None:
    """A peer that takes implicit little endian alone gets everything in it; what it takes goes out as it is."""
    paths = [str(FILES / name) for name in ("MR_small_bigendian.dcm", "MR_small_RLE.dcm", "MR_small_implicit.dcm")]
    instances = [*find_instances(paths).instances, *instances_in(tmp_path, 2)]
    receiver = Receiver()
    policy = open_policy(accepts_transfer_syntax=lambda _uid, syntax: syntax == IMPLICIT_VR_LE)
    with receiving(receiver, policy) as peer:
        result = store(requestor_of(peer), instances, StoreOptions(transcode=True))
    assert (result.sent, result.failed, result.error) == (5, [], None)
    assert {one.transfer_syntax for one in receiver.received} == {IMPLICIT_VR_LE}
    native = original("MR_small.dcm").PixelData
    assert [read(one.dataset).PixelData for one in receiver.received[:3]] == [native] * 3
    as_it_is = Path(instances[2].path).read_bytes()[instances[2].offset :]
    assert receiver.received[2].dataset == as_it_is
    assert result.bytes == sum(len(one.dataset) for one in receiver.received)


def test_data_are_never_changed_unless_it_is_asked_for() -> None:
    """Without `--transcode` the same instances are named with what the peer does not take."""
    instances = find_instances([str(FILES / "MR_small_bigendian.dcm"), str(FILES / "MR_small_implicit.dcm")]).instances
    receiver = Receiver()
    policy = open_policy(accepts_transfer_syntax=lambda _uid, syntax: syntax == IMPLICIT_VR_LE)
    with receiving(receiver, policy) as peer:
        result = store(requestor_of(peer), instances, StoreOptions())
    assert result.sent == 1
    [report] = result.failed
    assert EXPLICIT_VR_BE in report.reason


def test_syntax_without_a_decoder_is_named_and_the_others_are_sent() -> None:
    """The reason is in the report of the instance."""
    paths = [str(FILES / "JPEG2000.dcm"), str(FILES / "MR_small_implicit.dcm")]
    receiver = Receiver()
    policy = open_policy(accepts_transfer_syntax=lambda _uid, syntax: syntax == IMPLICIT_VR_LE)
    with receiving(receiver, policy) as peer:
        result = store(requestor_of(peer), find_instances(paths).instances, StoreOptions(transcode=True))
    assert result.sent == 1
    [report] = result.failed
    assert (report.path, report.code) == (paths[0], "no-presentation-context")
    assert "no decoder is installed" in report.reason
