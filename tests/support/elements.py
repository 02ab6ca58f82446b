"""DICOM elements built by hand, also such as no writer should make, and the files that come with pydicom."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from struct import pack

import pydicom
import pydicom.data
from pydicom.dataset import FileDataset

PYDICOM_DATA = Path(pydicom.data.__file__).parent
UNDEFINED = 0xFFFFFFFF
LONG_FORM = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})

ITEM = b"\xfe\xff\x00\xe0"
ITEM_END = b"\xfe\xff\x0d\xe0\0\0\0\0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
OPEN_ITEM = ITEM + b"\xff\xff\xff\xff"


def explicit(tag: int, vr: bytes, value: bytes = b"", *, length: int | None = None, order: str = "<") -> bytes:
    """An element with explicit VR; `length` is what its header says when that is not the truth."""
    said = len(value) if length is None else length
    header = pack(order + "HH2s", tag >> 16, tag & 0xFFFF, vr)
    return header + (pack(order + "HL", 0, said) if vr in LONG_FORM else pack(order + "H", said)) + value


def implicit(tag: int, value: bytes = b"", *, length: int | None = None, order: str = "<") -> bytes:
    """An element with implicit VR."""
    said = len(value) if length is None else length
    return pack(order + "HHL", tag >> 16, tag & 0xFFFF, said) + value


def part10(dataset: bytes, *meta: bytes) -> bytes:
    """A file with a preamble, these elements as its meta information without a group length, and this dataset."""
    return bytes(128) + b"DICM" + b"".join(meta) + dataset


def pydicom_files() -> list[Path]:
    """Every data file that pydicom brings along, DICOM or not."""
    return sorted(
        path
        for path in PYDICOM_DATA.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".py", ".json")
    )


def name_of(path: Path) -> str:
    """The path of one of pydicom's files within its folder, for the names of tests."""
    return path.relative_to(PYDICOM_DATA).as_posix()


def read_with_pydicom(path: Path) -> FileDataset:
    """What pydicom makes of the file, without its pixel data and its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path, force=True, stop_before_pixels=True)


def count_calls(function: Callable[[], object]) -> int:
    """How many calls, of Python functions and of those written in C, the function makes: time without a clock."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(before)
    return calls
