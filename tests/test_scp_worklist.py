"""A worklist from files: matched with the keys of sequences, read again when they change."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicomtls.association.query import Level, Model
from dicomtls.dataset import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE, encode_file_meta
from dicomtls.dataset.identifier import Element, Identifier, encode
from dicomtls.errors import MachineError
from dicomtls.scp.events import Event
from dicomtls.scp.index import Query
from dicomtls.scp.worklist import Worklist
from tests.support.keeping import MODALITY, PATIENT_ID, PATIENT_NAME, keys
from tests.support.queries import write_worklist

STEPS, STATION, START_DATE, START_TIME = 0x00400100, 0x00400001, 0x00400002, 0x00400003


def step(modality: str, station: str, date: str = "20240229", time: str = "101500") -> Identifier:
    """A scheduled procedure step."""
    return keys({MODALITY: modality, STATION: station, START_DATE: date, START_TIME: time})


def item(name: str, *steps: Identifier) -> dict[int, Element]:
    """A worklist item."""
    return {**keys({PATIENT_NAME: name, PATIENT_ID: name[:2], 0x0020000D: "1.2"}), STEPS: Element("SQ", steps)}


ITEMS = [
    item("Adam^A", step("CT", "CT1")),
    item("Berta^B", step("MR", "MR1", "20240301"), step("CT", "CT2", "20240302", "2330")),
    item("Cäsar^C", step("US", "US1", "20240303", "0030")),
    item("Dora^D"),
]


@pytest.fixture
def worklist(tmp_path: Path) -> Worklist:
    """The four items in files."""
    write_worklist(tmp_path / "items", ITEMS)
    return Worklist(tmp_path / "items", on_event=lambda _event: None)


def found(worklist: Worklist, asked: Identifier, *, fuzzy: bool = False) -> list[dict[int, Element]]:
    """What is found for these keys."""
    return list(worklist.find(Query(Model.WORKLIST, Level.IMAGE, asked, fuzzy=fuzzy)))


def names(worklist: Worklist, asked: Identifier, *, fuzzy: bool = False) -> list[str]:
    """The first letters of the names that are found."""
    matches = found(worklist, {PATIENT_NAME: Element("PN"), **asked}, fuzzy=fuzzy)
    return [str(match[PATIENT_NAME].values[0])[0] for match in matches]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "ABCD"),
        (keys({PATIENT_NAME: "*^b"}), "B"),
        (keys({PATIENT_NAME: "cÄsar^c"}), "C"),
        (keys({PATIENT_ID: "do"}), ""),
        (keys({PATIENT_ID: "Do"}), "D"),
        ({STEPS: Element("SQ", (keys({MODALITY: "CT"}),))}, "AB"),
        ({STEPS: Element("SQ", (keys({MODALITY: "CT", STATION: "CT2"}),))}, "B"),
        ({STEPS: Element("SQ", (keys({MODALITY: "MR", STATION: "CT2"}),))}, ""),
        ({STEPS: Element("SQ", (keys({START_DATE: "20240301-20240303"}),))}, "BC"),
        ({STEPS: Element("SQ", (keys({START_TIME: "2300-0100"}),))}, "BC"),
        ({STEPS: Element("SQ", (keys({MODALITY: None, STATION: None}),))}, "ABCD"),
        ({STEPS: Element("SQ", ({},))}, "ABCD"),
        ({STEPS: Element("SQ")}, "ABCD"),
        (keys({0x00081030: "no such attribute"}), ""),
    ],
)
def test_items_are_found_by_their_keys(worklist: Worklist, asked: Identifier, expected: str) -> None:
    """At the top and within steps."""
    assert "".join(names(worklist, asked)) == expected


def test_match_has_the_steps_that_match_and_what_was_asked_for(worklist: Worklist) -> None:
    """In a sequence too; what an item lacks is empty."""
    inner = keys({MODALITY: "CT", STATION: None, 0x00400010: None})
    [_, match] = found(
        worklist, {PATIENT_NAME: Element("PN"), STEPS: Element("SQ", (inner,)), 0x00081030: Element("LO")}
    )
    assert match == {
        **keys({PATIENT_NAME: "Berta^B", 0x00081030: None}),
        STEPS: Element("SQ", (keys({MODALITY: "CT", STATION: "CT2", 0x00400010: None}),)),
    }


def test_empty_sequence_asks_for_all_of_it(worklist: Worklist) -> None:
    """As an empty item does."""
    several: tuple[tuple[Identifier, ...], ...] = ((), ({},))
    for values in several:
        [match] = found(worklist, {**keys({PATIENT_NAME: "berta*"}), STEPS: Element("SQ", values)})
        assert match[STEPS].values == ITEMS[1][STEPS].values


def test_fuzzy_names_are_found(worklist: Worklist) -> None:
    """Where that was agreed on."""
    assert names(worklist, keys({PATIENT_NAME: "casar"}), fuzzy=True) == ["C"]
    assert names(worklist, keys({PATIENT_NAME: "casar"})) == []


def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    """New ones, changed ones, and those that are gone."""
    folder = tmp_path / "items"
    write_worklist(folder, ITEMS[:2])
    worklist = Worklist(folder, on_event=lambda _event: None)
    assert names(worklist, {}) == ["A", "B"]
    assert names(worklist, {}) == ["A", "B"]
    (folder / "000.wl").write_bytes(encode(item("Emil^Emil"), EXPLICIT_VR_LE, ("ISO_IR 100",)))
    (folder / "001.wl").unlink()
    (folder / "002.dcm").write_bytes(
        encode_file_meta("1.2.840.10008.5.1.4.31", "1.2.3", EXPLICIT_VR_LE, "X") + encode(item("Fritz"), EXPLICIT_VR_LE)
    )
    assert names(worklist, {}) == ["E", "F"]


def test_file_that_another_one_of_its_size_and_time_replaced_is_read_again(tmp_path: Path) -> None:
    """As cp -p and rsync leave it; written to in place, too."""
    folder = tmp_path / "items"
    write_worklist(folder, [item("Adam^A")])
    worklist = Worklist(folder, on_event=lambda _event: None)
    assert names(worklist, {}) == ["A"]
    path, times = folder / "000.wl", (folder / "000.wl").stat()
    for name in ("Emil^E", "Udos^U"):
        content = encode(item(name), EXPLICIT_VR_LE, ("ISO_IR 192",))
        assert len(content) == times.st_size
        if name.startswith("E"):
            other = tmp_path / "other"
            other.write_bytes(content)
            os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
            other.replace(path)
        else:
            path.write_bytes(content)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert path.stat().st_mtime_ns == times.st_mtime_ns
        assert names(worklist, {}) == [name[0]]


def wanted_for(times: int) -> Callable[[], bool]:
    """Says yes so often, and then no more."""
    left = iter(range(times))
    return lambda: next(left, None) is None


@pytest.mark.parametrize("times", [0, 2, 5, 7])
def test_search_ends_when_nobody_wants_it(worklist: Worklist, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """While the files are read, and while they are compared; what was read is kept for the next one."""
    monkeypatch.setattr("dicomtls.scp.patience.ASK_EVERY", 0.0)
    asked = Query(Model.WORKLIST, Level.IMAGE, keys({PATIENT_NAME: None}), unwanted=wanted_for(times))
    assert len(list(worklist.find(asked))) == max(0, times - len(ITEMS))
    assert names(worklist, {}) == ["A", "B", "C", "D"]


def test_search_ends_while_another_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whom it would have to wait for."""
    write_worklist(tmp_path / "items", ITEMS)
    reading, go_on = threading.Event(), threading.Event()

    def slow(path: Path) -> Identifier:
        reading.set()
        assert go_on.wait(20)
        return item(path.name)

    monkeypatch.setattr("dicomtls.scp.worklist._read", slow)
    worklist = Worklist(tmp_path / "items", on_event=lambda _event: None)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(names, worklist, {})
        try:
            assert reading.wait(20)
            asked = Query(Model.WORKLIST, Level.IMAGE, keys({PATIENT_NAME: None}), unwanted=wanted_for(1))
            assert list(worklist.find(asked)) == []
        finally:
            go_on.set()
        assert len(first.result()) == 4


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE, EXPLICIT_VR_BE])
def test_bare_items_need_no_group_0008(tmp_path: Path, syntax: str) -> None:
    """They begin with the patient, then; whatever else begins so is none."""
    (tmp_path / "item").write_bytes(encode(item("Emil^E", step("CT", "CT1")), syntax))
    (tmp_path / "patient").write_bytes(encode(keys({PATIENT_NAME: "Fritz"}), syntax))
    events: list[Event] = []
    worklist = Worklist(tmp_path, on_event=events.append)
    assert names(worklist, {STEPS: Element("SQ", (keys({MODALITY: "CT"}),))}) == ["E"]
    assert [Path(str(event.facts["path"])).name for event in events] == ["patient"]


def test_files_that_are_no_items_are_told_of_once(tmp_path: Path) -> None:
    """And passed over: text, an empty file, one that is too long, one that nobody may read."""
    folder = tmp_path / "items"
    write_worklist(folder, ITEMS[:1])
    (folder / "text").write_text("no DICOM at all, but long enough to be looked at" * 10)
    (folder / "empty").write_bytes(b"")
    (folder / "long").write_bytes(bytes(1_100_000))
    (folder / ".hidden").write_text("not looked at")
    (folder / "folder").mkdir()
    events: list[Event] = []
    worklist = Worklist(folder, on_event=events.append)
    for _ in range(3):
        assert names(worklist, {}) == ["A"]
    assert sorted(Path(str(event.facts["path"])).name for event in events) == ["empty", "long", "text"]


def test_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """Not an empty worklist."""
    with pytest.raises(MachineError):
        found(Worklist(tmp_path / "gone", on_event=lambda _event: None), {})
