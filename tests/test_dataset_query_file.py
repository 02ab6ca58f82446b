"""Queries in files: DICOM files, bare datasets, DICOM JSON, and what is none of them."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from dicomtls.dataset import DEFLATED, EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE, encode_file_meta
from dicomtls.dataset.identifier import Element, Identifier, encode
from dicomtls.dataset.json_model import to_line
from dicomtls.dataset.query_file import read_query
from dicomtls.errors import DataError
from tests.support.elements import explicit
from tests.support.mutations import mutations

LEVEL, PATIENT_NAME, STEPS, MODALITY = 0x00080052, 0x00100010, 0x00400100, 0x00080060
QUERY: Identifier = {
    LEVEL: Element("CS", ("STUDY",)),
    PATIENT_NAME: Element("PN", ("M\u00fcller*",)),
    STEPS: Element("SQ", ({MODALITY: Element("CS", ("CT",))},)),
}


def as_file(syntax: str, *, names: tuple[str, ...] = ("ISO_IR 100",)) -> bytes:
    """The query as a DICOM file in this transfer syntax."""
    return encode_file_meta("1.2.3", "1.2.3.4", syntax) + encode(QUERY, syntax, names)


@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LE, EXPLICIT_VR_LE, EXPLICIT_VR_BE])
@pytest.mark.parametrize("names", [("ISO_IR 100",), ("ISO_IR 192",), ("GB18030",)])
def test_dicom_file_is_read_in_its_character_set(syntax: str, names: tuple[str, ...]) -> None:
    """Which is not a key; nor is anything of the meta information."""
    assert read_query(as_file(syntax, names=names)) == QUERY


@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LE, EXPLICIT_VR_LE])
def test_bare_dataset_is_read_too(syntax: str) -> None:
    """As dump2dcm writes it."""
    assert read_query(encode(QUERY, syntax, ("ISO_IR 100",))) == QUERY


@pytest.mark.parametrize("around", ["{}", "[{}]", "\ufeff{}", "\n  {}\n"])
def test_dicom_json_is_read_whatever_stands_around_it(around: str) -> None:
    """An array, a byte order mark, blanks."""
    assert read_query(around.replace("{}", to_line(QUERY)).encode()) == QUERY


def test_what_is_about_the_encoding_is_left_out() -> None:
    """Group lengths at any depth, padding, pixels."""
    item = explicit(0x00080000, b"UL", b"\x0c\0\0\0") + explicit(MODALITY, b"CS", b"CT")
    dataset = (
        explicit(0x00080000, b"UL", b"\x10\0\0\0")
        + explicit(0x00080005, b"CS", b"ISO_IR 100")
        + explicit(STEPS, b"SQ", b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item)
        + explicit(0x7FE00010, b"OW", b"\0\0")
        + explicit(0xFFFCFFFC, b"OB", b"\0\0")
    )
    meta = encode_file_meta("1.2.3", "1.2.3.4", EXPLICIT_VR_LE)
    assert read_query(meta + dataset) == {STEPS: Element("SQ", ({MODALITY: Element("CS", ("CT",))},))}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"hello, world; this is no query", "not DICOM"),
        (b"{", "no JSON"),
        (b'{"ok": true}', "no attribute"),
        (as_file(EXPLICIT_VR_LE)[:-1], "claims"),
        (encode_file_meta("1.2.3", "1.2.3.4", DEFLATED) + bytes(20), "deflated"),
        (encode_file_meta("1.2.3", "1.2.3.4", EXPLICIT_VR_LE), "ends"),
    ],
)
def test_what_holds_no_query_is_refused(content: bytes, message: str) -> None:
    """In words for people."""
    with pytest.raises(DataError, match=message):
        read_query(content)


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ({"00080020": {"vr": "DA", "Value": ["last tuesday"]}}, "StudyDate: 'last tuesday'"),
        ({"00080060": {"vr": "CS", "Value": ["CT", "mr"]}}, "Modality: 'mr'"),
        ({"00080060": {"vr": "CS", "Value": ["CT\\MR"]}}, "Modality: "),
        ({"00080060": {"vr": "CS", "Value": ["CT", None]}}, "Modality: ''"),
        ({"0020000D": {"vr": "UI", "Value": ["1.2.x"]}}, "StudyInstanceUID: '1.2.x'"),
        ({"00200013": {"vr": "IS", "Value": [2**40]}}, "InstanceNumber: '1099511627776'"),
        ({"00280010": {"vr": "US", "Value": [70_000]}}, "Rows: '70000'"),
        ({"00100010": {"vr": "PN", "Value": [{"Alphabetic": "DOE\u001b[2J"}]}}, "PatientName: "),
        ({"00400100": {"vr": "SQ", "Value": [{}, {"00080060": {"vr": "CS", "Value": ["ct"]}}]}}, r"\[1\]\.Modality"),
    ],
)
def test_dicom_json_is_held_against_its_vrs(query: object, where: str) -> None:
    """As what is typed is: a peer would answer nonsense with silence."""
    with pytest.raises(DataError, match=where) as caught:
        read_query(json.dumps(query).encode())
    assert caught.value.hints


def test_dicom_json_asks_for_what_has_no_value() -> None:
    """Whichever way that is written; what is right is left as it is."""
    query = {
        "00080020": {"vr": "DA", "Value": ["20240101-"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "D?E*"}]},
        "00100020": {"vr": "LO", "Value": [None]},
        "00280010": {"vr": "US", "Value": [512]},
        "0020000D": {"vr": "UI"},
        "00101000": {"vr": "LO", "Value": []},
        "00104000": {"vr": "LT", "Value": ["two\nlines"]},
    }
    assert {tag: element.values for tag, element in read_query(json.dumps(query).encode()).items()} == {
        0x00080020: ("20240101-",),
        PATIENT_NAME: ("D?E*",),
        0x00100020: (),
        0x00280010: (512,),
        0x0020000D: (),
        0x00101000: (),
        0x00104000: ("two\nlines",),
    }


@pytest.mark.parametrize(
    ("name", "patient"), [("CT_small.dcm", "CompressedSamples^CT1"), ("MR_small_RLE.dcm", "CompressedSamples^MR1")]
)
def test_image_is_a_query_without_its_pixels(name: str, patient: str) -> None:
    """Whoever has one of the study can ask for all of it."""
    content = Path(str(get_testdata_file(name))).read_bytes()
    query = read_query(content)
    assert query[PATIENT_NAME].values == (patient,)
    assert 0x7FE00010 not in query


@given(mutations(as_file(EXPLICIT_VR_LE)) | mutations(to_line(QUERY).encode()) | st.binary(max_size=60))
def test_whatever_is_in_a_file_is_read_or_refused(content: bytes) -> None:
    """Nothing but `DataError` comes out of it."""
    with suppress(DataError):
        read_query(content)
