"""dicomtls.dataset.identifier: what we write pydicom reads, what it writes we read; hostile bytes end in DataError."""

from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

from dicomtls.dataset import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE, tags
from dicomtls.dataset.file_meta import locate_dataset
from dicomtls.dataset.identifier import DEEPEST, Element, Identifier, decode, encode
from dicomtls.errors import DataError
from tests.support.elements import ITEM_END, OPEN_ITEM, SEQUENCE_END, UNDEFINED, explicit, implicit
from tests.support.mutations import mutations

DATASETS = ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "rtplan.dcm", "examples_rgb_color.dcm"]
CHARACTERS = ["chrH31.dcm", "chrKoreanMulti.dcm", "chrX2.dcm", "chrGerm.dcm", "chrH32.dcm", "chrArab.dcm", "chrX1.dcm"]
PATHS = [Path(str(get_testdata_file(name))) for name in DATASETS] + [
    Path(path) for path in get_charset_files("chr*.dcm") if Path(path).name in CHARACTERS
]
SYNTAXES = [IMPLICIT_VR_LE, EXPLICIT_VR_LE, EXPLICIT_VR_BE]
every_syntax = pytest.mark.parametrize("syntax", SYNTAXES)

PATIENT_NAME, PATIENT_ID, STUDY_DATE, COMMENTS = 0x00100010, 0x00100020, 0x00080020, 0x00104000
ROWS, FRAME_POINTER, STEP_SEQUENCE, SCHEDULED_MODALITY = 0x00280010, 0x00280009, 0x00400100, 0x00080060
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\\\0", exclude_categories=["Cc", "Cs"]), max_size=12)
STRIPPED = TEXT.map(lambda text: text.strip(" ")).filter(bool)
# One to three component groups; to pydicom a sign of equality behind the last is nothing.
NAMES = st.lists(STRIPPED.filter(lambda text: "=" not in text), min_size=1, max_size=3).map("=".join)
ITEM = st.fixed_dictionaries({SCHEDULED_MODALITY: st.just(Element("CS", ("CT",)))})
IDENTIFIERS = st.fixed_dictionaries(
    {},
    optional={
        PATIENT_NAME: st.lists(NAMES, max_size=3).map(lambda values: Element("PN", tuple(values))),
        PATIENT_ID: STRIPPED.map(lambda value: Element("LO", (value,))),
        COMMENTS: STRIPPED.map(lambda value: Element("LT", (value,))),
        STUDY_DATE: st.just(Element("DA", ("20200101-20201231",))),
        ROWS: st.lists(st.integers(0, 65535), max_size=3).map(lambda values: Element("US", tuple(values))),
        FRAME_POINTER: st.lists(st.integers(0, 0xFFFFFFFF), max_size=3).map(
            lambda values: Element("AT", tuple(values))
        ),
        0x00189310: st.lists(st.floats(width=64, allow_nan=False), max_size=2).map(
            lambda values: Element("FD", tuple(values))
        ),
        0x00080018: st.just(Element("UI", ("1.2.3",))),
        STEP_SEQUENCE: st.lists(ITEM, max_size=3).map(lambda items: Element("SQ", tuple(items))),
        0x00420011: st.binary(min_size=2, max_size=8)
        .filter(lambda data: len(data) % 2 == 0)
        .map(lambda data: Element("OB", (data,))),
    },
)

EXAMPLE: Identifier = {
    PATIENT_NAME: Element("PN", ("Müller^A",)),
    ROWS: Element("US", (1, 2)),
    STEP_SEQUENCE: Element("SQ", ({SCHEDULED_MODALITY: Element("CS", ("CT", "MR"))},)),
}


def read_by_pydicom(data: bytes, syntax: str) -> Dataset:
    """What pydicom makes of our bytes."""
    dataset = read_dataset(
        BytesIO(data), is_implicit_VR=syntax == IMPLICIT_VR_LE, is_little_endian=syntax != EXPLICIT_VR_BE
    )
    dataset.decode()
    return dataset


def written_by_pydicom(dataset: Dataset, syntax: str) -> bytes:
    """The bytes that pydicom makes of a dataset."""
    stream = DicomBytesIO()
    stream.is_implicit_VR = syntax == IMPLICIT_VR_LE
    stream.is_little_endian = syntax != EXPLICIT_VR_BE
    write_dataset(stream, dataset)
    return stream.getvalue()


def plain(values: Any) -> list[Any]:
    """The values of an element of pydicom's, as a list of ours."""
    found = list(values) if isinstance(values, MultiValue | list) else [] if values in (None, "", b"") else [values]
    return [str(value) if isinstance(value, PersonName | str) else value for value in found]


@every_syntax
@given(IDENTIFIERS)
def test_what_is_written_is_read_again(syntax: str, identifier: Identifier) -> None:
    """Every kind of value, in every layout, in a character set that has everything."""
    data = encode(identifier, syntax, ("ISO_IR 192",))
    assert len(data) % 2 == 0
    found = decode(data, syntax)
    assert found.pop(tags.SPECIFIC_CHARACTER_SET) == Element("CS", ("ISO_IR 192",))
    assert found == dict(identifier)


@every_syntax
@given(IDENTIFIERS)
def test_pydicom_reads_the_same(syntax: str, identifier: Identifier) -> None:
    """The other opinion."""
    dataset = read_by_pydicom(encode(identifier, syntax, ("ISO_IR 192",)), syntax)
    for tag, (vr, values) in identifier.items():
        element = dataset[tag]
        assert vr == element.VR
        if vr == "SQ":
            assert [item[SCHEDULED_MODALITY].value for item in element.value] == ["CT"] * len(values)
        else:
            assert plain(element.value) == list(values)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
@every_syntax
def test_real_datasets_are_read_as_pydicom_reads_them(path: Path, syntax: str) -> None:
    """Text and numbers of the files that come with pydicom, rewritten in each layout."""
    dataset = dcmread(path, stop_before_pixels=True)
    for element in [
        one for one in dataset if one.VR in ("UN", "OW", "OB", "US or SS", "OW or OB") or one.tag.is_private
    ]:
        del dataset[element.tag]
    found = decode(written_by_pydicom(dataset, syntax), syntax)
    compared = 0
    for element in dataset:
        if element.VR in ("PN", "LO", "SH", "CS", "UI", "DA", "TM", "UL") and element.tag.element:
            assert [str(value) for value in found[element.tag].values] == [
                str(value).strip() for value in plain(element.value)
            ], element
            compared += 1
    assert compared > 5


def test_sequences_of_either_length_are_read() -> None:
    """Defined, undefined, nested in each other, empty."""
    inner = b"\x08\x00\x60\x00\x02\x00\x00\x00CT"
    item = b"\xfe\xff\x00\xe0" + (10).to_bytes(4, "little") + inner
    open_item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + inner + b"\xfe\xff\x0d\xe0\0\0\0\0"
    end = b"\xfe\xff\xdd\xe0\0\0\0\0"
    header = b"\x40\x00\x00\x01"
    sequence = header + (len(item)).to_bytes(4, "little") + item
    for content in (
        sequence,
        header + b"\xff\xff\xff\xff" + item + end,
        header + b"\xff\xff\xff\xff" + open_item + end,
        header + (len(open_item)).to_bytes(4, "little") + open_item,
    ):
        (found,) = decode(content, IMPLICIT_VR_LE)[STEP_SEQUENCE].values
        assert found == {SCHEDULED_MODALITY: Element("CS", ("CT",))}
    assert decode(header + b"\0\0\0\0", IMPLICIT_VR_LE)[STEP_SEQUENCE] == Element("SQ")


def nested(depth: int, *, undefined: bool) -> bytes:
    """Sequences within each other."""
    data = b""
    for _ in range(depth):
        item = b"\xfe\xff\x00\xe0" + len(data).to_bytes(4, "little") + data
        if undefined:
            item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + data + b"\xfe\xff\x0d\xe0\0\0\0\0"
            data = b"\x40\x00\x00\x01\xff\xff\xff\xff" + item + b"\xfe\xff\xdd\xe0\0\0\0\0"
        else:
            data = b"\x40\x00\x00\x01" + len(item).to_bytes(4, "little") + item
    return data


@pytest.mark.parametrize("undefined", [False, True])
def test_depth_is_bounded(*, undefined: bool) -> None:
    """Deeper than anybody means it is an attack."""
    assert decode(nested(DEEPEST, undefined=undefined), IMPLICIT_VR_LE)
    for depth in (DEEPEST + 2, 2000):
        with pytest.raises(DataError):
            decode(nested(depth, undefined=undefined), IMPLICIT_VR_LE)


@every_syntax
@given(data=st.data())
def test_damaged_bytes_raise_nothing_else(syntax: str, data: st.DataObject) -> None:
    """Or are read as what they have become."""
    original = encode(EXAMPLE, syntax, ("ISO_IR 100",))
    with suppress(DataError):
        decode(data.draw(mutations(original) | st.binary(max_size=80)), syntax)


@pytest.mark.parametrize(
    "element",
    [
        Element("US", (70000,)),
        Element("US", ("1",)),
        Element("PN", (1,)),
        Element("UI", ("ü",)),
        Element("SQ", ("x",)),
        Element("LO", ("x" * 70000,)),
        Element("OB", ("x",)),
    ],
    ids=repr,
)
def test_value_of_another_kind_is_refused(element: Element) -> None:
    """With the tag, and nothing is written."""
    with pytest.raises(DataError):
        encode({PATIENT_NAME: element}, EXPLICIT_VR_LE)


def test_unknown_attributes_are_bytes() -> None:
    """Private ones and those that no dictionary has; private creators are text."""
    data = b"".join(
        tag + (2).to_bytes(4, "little") + b"AB" for tag in (b"\x09\0\x10\0", b"\x09\0\x01\x10", b"\x08\0\xee\xee")
    )
    found = decode(data, IMPLICIT_VR_LE)
    assert [(element.vr, element.values) for element in found.values()] == [
        ("LO", ("AB",)),
        ("UN", (b"AB",)),
        ("UN", (b"AB",)),
    ]


def undefined(tag: int, vr: bytes, *items: bytes) -> bytes:
    """A sequence without a length, of items without one, in Explicit VR Little Endian."""
    return explicit(tag, vr, length=UNDEFINED) + b"".join(OPEN_ITEM + item + ITEM_END for item in items) + SEQUENCE_END


INNER = implicit(SCHEDULED_MODALITY, b"CT")
DEEPER = implicit(STEP_SEQUENCE, length=UNDEFINED) + OPEN_ITEM + INNER + ITEM_END + SEQUENCE_END
MODALITY_ITEM = {SCHEDULED_MODALITY: Element("CS", ("CT",))}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (undefined(0x00091010, b"UN", INNER), {0x00091010: Element("SQ", (MODALITY_ITEM,))}),
        (
            undefined(0x00091010, b"UN", DEEPER),
            {0x00091010: Element("SQ", ({STEP_SEQUENCE: Element("SQ", (MODALITY_ITEM,))},))},
        ),
        (
            undefined(STEP_SEQUENCE, b"SQ", undefined(0x00091010, b"UN", INNER, INNER)),
            {STEP_SEQUENCE: Element("SQ", ({0x00091010: Element("SQ", (MODALITY_ITEM, MODALITY_ITEM))},))},
        ),
    ],
    ids=["alone", "with a sequence in it", "in a sequence"],
)
def test_unknown_value_without_length_is_a_sequence_in_implicit_vr(data: bytes, expected: Identifier) -> None:
    """Whatever surrounds it (PS3.5 section 6.2.2); what follows it is read as before."""
    after = explicit(PATIENT_ID, b"LO", b"P1")
    assert decode(data + after, EXPLICIT_VR_LE) == {**expected, PATIENT_ID: Element("LO", ("P1",))}
    with pytest.raises(DataError):
        decode(data[:-8], EXPLICIT_VR_LE)


def test_file_with_such_a_sequence_is_read() -> None:
    """One that comes with pydicom."""
    content = Path(str(get_testdata_file("UN_sequence.dcm"))).read_bytes()
    _, syntax, offset = locate_dataset(content, len(content))
    found = decode(content[offset:], syntax)
    assert [element.vr for tag, element in found.items() if tag >> 16 & 1 and element.vr == "SQ"] == ["SQ"]
