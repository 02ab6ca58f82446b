"""The DICOM JSON Model: what we write pydicom reads, what it writes we read, and nobody's JSON gets past the checks."""

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.data import get_charset_files, get_testdata_file

from dicomtls.dataset.identifier import DEEPEST, Element, Identifier, decode, encode
from dicomtls.dataset.json_model import from_json, from_text, to_json, to_line
from dicomtls.errors import DataError
from tests.test_dataset_identifier import IDENTIFIERS, read_by_pydicom

EXPLICIT = "1.2.840.10008.1.2.1"
PATIENT_NAME, PATIENT_ID, STUDY_DATE, SERIES_NUMBER, SLICE, STEPS, MODALITY = (
    0x00100010,
    0x00100020,
    0x00080020,
    0x00200011,
    0x00180050,
    0x00400100,
    0x00080060,
)

WRITTEN: list[tuple[int, Element, dict[str, Any]]] = [
    (PATIENT_ID, Element("LO"), {"vr": "LO"}),
    (PATIENT_ID, Element("LO", ("P1", "", "P2")), {"vr": "LO", "Value": ["P1", None, "P2"]}),
    (PATIENT_NAME, Element("PN", ("A^B",)), {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]}),
    (
        PATIENT_NAME,
        Element("PN", ("A=\u5c71^\u7530=\u3084",)),
        {"vr": "PN", "Value": [{"Alphabetic": "A", "Ideographic": "\u5c71^\u7530", "Phonetic": "\u3084"}]},
    ),
    (PATIENT_NAME, Element("PN", ("=\u5c71",)), {"vr": "PN", "Value": [{"Ideographic": "\u5c71"}]}),
    (PATIENT_NAME, Element("PN", ("", "B")), {"vr": "PN", "Value": [None, {"Alphabetic": "B"}]}),
    (SERIES_NUMBER, Element("IS", ("007",)), {"vr": "IS", "Value": [7]}),
    (SERIES_NUMBER, Element("IS", ("x", "")), {"vr": "IS", "Value": ["x", None]}),
    (SLICE, Element("DS", ("1.50", "2E1", "5.")), {"vr": "DS", "Value": [1.5, 20.0, 5.0]}),
    (SLICE, Element("DS", ("1E999", "about 5")), {"vr": "DS", "Value": ["1E999", "about 5"]}),
    (0x00280010, Element("US", (512,)), {"vr": "US", "Value": [512]}),
    (0x00280010, Element("US", (b"\1\2\3",)), {"vr": "UN", "InlineBinary": "AQID"}),
    (0x00189310, Element("FD", (1.5, math.inf, -math.inf)), {"vr": "FD", "Value": [1.5, "inf", "-inf"]}),
    (0x00189310, Element("FD", (math.nan,)), {"vr": "FD", "Value": ["NaN"]}),
    (0x00280009, Element("AT", (0x00181063,)), {"vr": "AT", "Value": ["00181063"]}),
    (0x00091001, Element("UN", (b"abc",)), {"vr": "UN", "InlineBinary": "YWJj"}),
    (0x00091001, Element("UN"), {"vr": "UN"}),
    (0x00091001, Element("ZZ", ("a", "b")), {"vr": "UN", "InlineBinary": "YVxi"}),
    (
        STEPS,
        Element("SQ", ({}, {MODALITY: Element("CS", ("CT",))})),
        {"vr": "SQ", "Value": [{}, {"00080060": {"vr": "CS", "Value": ["CT"]}}]},
    ),
    (0x00080005, Element("CS", ("ISO_IR 100",)), {"vr": "CS", "Value": ["ISO_IR 192"]}),
]


@pytest.mark.parametrize(("tag", "element", "expected"), WRITTEN)
def test_element_is_written_as_the_model_has_it(tag: int, element: Element, expected: dict[str, Any]) -> None:
    """By its VR: names in groups, numbers as numbers, bytes in Base64, nothing as null."""
    assert to_json({tag: element}) == {f"{tag:08X}": expected}


def test_line_is_ascii_without_breaks_and_in_the_order_of_tags() -> None:
    """A pipe's reader need not share our locale, and splits at line ends."""
    line = to_line({PATIENT_ID: Element("LO", ("a\nb",)), PATIENT_NAME: Element("PN", ("M\u00fcller",))})
    assert line.isascii()
    assert "\n" not in line
    assert list(json.loads(line)) == ["00100010", "00100020"]


@given(IDENTIFIERS)
def test_pydicom_reads_what_we_write(identifier: Identifier) -> None:
    """And finds the same values as in the bytes of the same identifier."""
    ours = Dataset.from_json(to_line(identifier))
    theirs = read_by_pydicom(encode(identifier, EXPLICIT, ("ISO_IR 192",)), EXPLICIT)
    del theirs.SpecificCharacterSet
    assert ours == theirs


@given(IDENTIFIERS)
def test_what_we_write_we_read(identifier: Identifier) -> None:
    """Nothing is lost."""
    assert from_text(to_line(identifier)) == dict(identifier)


FILES = [
    str(get_testdata_file(name)) for name in ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "examples_rgb_color.dcm")
]


@pytest.mark.parametrize("path", [*FILES, *get_charset_files("chrH31.dcm"), *get_charset_files("chrX*.dcm")])
def test_pydicom_and_we_write_the_same(path: str) -> None:
    """For real datasets in many character sets, and we read what pydicom wrote."""
    dataset = dcmread(path)
    for tag in (0x7FE00010, 0xFFFCFFFC):
        if tag in dataset:
            del dataset[tag]
    dataset.decode()
    theirs = {tag: value for tag, value in dataset.to_json_dict().items() if tag != "00080005"}
    from_theirs = from_json(theirs)
    ours = {tag: value for tag, value in to_json(from_theirs).items() if tag != "00080005"}
    assert _comparable(ours) == _comparable(theirs)


def _comparable(found: Any) -> Any:
    """Without what two writers may do differently: lists without a value."""
    if isinstance(found, dict):
        return {key: _comparable(value) for key, value in found.items() if value not in ([], [None], "")}
    return [_comparable(value) for value in found] if isinstance(found, list) else found


def test_dataset_as_it_came_is_what_pydicom_makes_of_it() -> None:
    """Decoded by us and written by us, against pydicom alone."""
    dataset = read_by_pydicom(
        encode(
            {PATIENT_NAME: Element("PN", ("M\u00fcller=\u5c71",)), SERIES_NUMBER: Element("IS", ("3",))},
            EXPLICIT,
            ("ISO_IR 192",),
        ),
        EXPLICIT,
    )
    raw = encode(from_json(dataset.to_json_dict()), EXPLICIT, ("ISO_IR 192",))
    assert to_json(decode(raw, EXPLICIT)) == dataset.to_json_dict()


READ: list[tuple[dict[str, Any], Element]] = [
    ({"vr": "IS", "Value": [7, "8"]}, Element("IS", ("7", "8"))),
    ({"vr": "DS", "Value": [1.5, 0.1 + 0.2]}, Element("DS", ("1.5", "0.3"))),
    ({"vr": "DS", "Value": [1e-300 / 3]}, Element("DS", ("3.333333333e-301",))),
    ({"vr": "PN", "Value": ["A^B", {"Phonetic": "x"}, None]}, Element("PN", ("A^B", "==x", ""))),
    ({"vr": "FL", "Value": ["inf", 1]}, Element("FL", (math.inf, 1.0))),
    ({"vr": "SV", "Value": ["-9223372036854775808"]}, Element("SV", (-(2**63),))),
    ({"vr": "OB", "InlineBinary": "AQI="}, Element("OB", (b"\1\2",))),
    ({"vr": "OB"}, Element("OB")),
    ({"Value": ["P1"]}, Element("LO", ("P1",))),
    ({"vr": "SQ", "Value": [None]}, Element("SQ", ({},))),
]


@pytest.mark.parametrize(("attribute", "expected"), READ)
def test_attribute_is_read_as_others_write_it(attribute: dict[str, Any], expected: Element) -> None:
    """Numbers as strings or not, names in the old form, the VR left out."""
    assert from_json({"00100020": attribute}) == {PATIENT_ID: expected}


def test_array_with_one_object_is_that_object() -> None:
    """As DICOMweb answers; what is about the encoding is left out."""
    text = '[{"00020010": {"vr": "UI", "Value": ["1.2"]}, "00080005": {"vr": "CS"}, "00100020": {"vr": "LO"}}]'
    assert from_text(text) == {PATIENT_ID: Element("LO")}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nonsense",
        "[]",
        "[{}, {}]",
        "3",
        "null",
        '{"PatientID": {"vr": "LO"}}',
        '{"command": "find", "ok": false}',
        '{"00100020": "P1"}',
        '{"00100020": {"vr": "XX"}}',
        '{"00100020": {"vr": ["LO"]}}',
        '{"00100020": {"vr": "LO", "Value": "P1"}}',
        '{"00100020": {"vr": "LO", "Value": [1]}}',
        '{"00100020": {"vr": "LO", "Value": ["\\ud800"]}}',
        '{"00100020": {"vr": "LO", "BulkDataURI": "http://x"}}',
        '{"00200011": {"vr": "IS", "Value": [true]}}',
        '{"00200011": {"vr": "DS", "Value": [1e999]}}',
        '{"00280010": {"vr": "US", "Value": ["x"]}}',
        '{"00280010": {"vr": "US", "Value": [1.5]}}',
        '{"00280009": {"vr": "AT", "Value": ["x"]}}',
        '{"00280009": {"vr": "FD", "Value": ["x"]}}',
        '{"00280009": {"vr": "FD", "Value": [null]}}',
        '{"00420011": {"vr": "OB", "InlineBinary": "?"}}',
        '{"00420011": {"vr": "OB", "InlineBinary": 5}}',
        '{"00400100": {"vr": "SQ", "Value": [5]}}',
        '{"00100010": {"vr": "PN", "Value": [{"Alphabetic": 5}]}}',
        '{"00080020": {"vr": "DS", "Value": [1' + "0" * 5000 + "]}}",
        b"\xff\xfe{}",
        "[" * 100_000,
    ],
)
def test_what_is_no_such_object_is_refused(text: str | bytes) -> None:
    """With one line that can be shown."""
    with pytest.raises(DataError) as caught:
        from_text(text)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


def test_nesting_is_bounded() -> None:
    """As deep as identifiers may be, and no deeper."""

    def nested(depth: int) -> dict[str, Any]:
        return {"00400100": {"vr": "SQ", "Value": [nested(depth - 1)] if depth else []}}

    assert from_json(nested(DEEPEST))
    with pytest.raises(DataError, match="deep"):
        from_json(nested(DEEPEST + 1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["00100010", "00400100", "vr", "Value", "InlineBinary"]) | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_json_says_is_read_or_refused(found: Any) -> None:
    """Nothing but `DataError` comes out of it."""
    with suppress(DataError):
        from_json(found)


@given(st.sampled_from(["PN", "IS", "DS", "SV", "US", "FD", "AT", "SQ", "OB", "LO"]), st.lists(JSON, max_size=2))
def test_whatever_a_value_is_is_read_or_refused(vr: str, values: list[Any]) -> None:
    """And what is read can be written again."""
    with suppress(DataError):
        to_line(from_json({"00100020": {"vr": vr, "Value": values}}))
