"""The index as a whole: what it finds, and that it mends itself from the files."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomtls.association.query import Level, Model
from dicomtls.dataset.identifier import Element, Value, decode
from dicomtls.errors import MachineError
from dicomtls.scp.events import Event
from dicomtls.scp.index import Query
from dicomtls.scp.index_schema import FILE_NAME, SCHEMA_VERSION
from dicomtls.scp.matching import criteria, identifier_matches
from dicomtls.scp.sqlite_index import SQLiteIndex
from tests.support.keeping import (
    INSTANCE_UID,
    MODALITIES,
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    SERIES_UID,
    STUDY_DATE,
    STUDY_INSTANCES,
    STUDY_UID,
    found,
    instance,
    keys,
    query,
    write_instance,
    write_instances,
)

COUNT = 80  # two patients, four studies, eight series
ALL_STUDIES = [f"1.2.{number}" for number in range(4)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQLiteIndex]:
    """An index of instances that were received."""
    root = tmp_path_factory.mktemp("kept")
    with closing(SQLiteIndex(root)) as made:
        for stored in write_instances(root, COUNT):
            made.add(stored)
        yield made


@pytest.mark.parametrize(
    ("level", "model", "count"),
    [
        (Level.PATIENT, Model.PATIENT_ROOT, 2),
        (Level.STUDY, Model.PATIENT_ROOT, 4),
        (Level.STUDY, Model.STUDY_ROOT, 4),
        (Level.SERIES, Model.STUDY_ROOT, 8),
        (Level.IMAGE, Model.STUDY_ROOT, 80),
    ],
)
def test_everything_is_found_at_each_level(index: SQLiteIndex, level: Level, model: Model, count: int) -> None:
    """Without keys, each entity once."""
    values = found(index, level, {}, model)
    assert len(values) == len(set(values)) == count


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({STUDY_UID: "1.2.1"}, ["1.2.1"]),
        ({STUDY_UID: ("1.2.1", "1.2.3", "1.2.9")}, ["1.2.1", "1.2.3"]),
        ({STUDY_UID: tuple(f"1.2.{number}" for number in range(2, 5000))}, ["1.2.2", "1.2.3"]),
        ({STUDY_UID: "1.2.*"}, ALL_STUDIES),
        ({PATIENT_NAME: "patient0*"}, ["1.2.0", "1.2.1"]),
        ({PATIENT_NAME: "*1^te?t"}, ["1.2.2", "1.2.3"]),
        ({PATIENT_NAME: "Patient"}, []),
        ({PATIENT_ID: "P1"}, ["1.2.2", "1.2.3"]),
        ({PATIENT_ID: "p1"}, []),
        ({STUDY_DATE: "20200102-20200103"}, ["1.2.1", "1.2.2"]),
        ({STUDY_DATE: "-20200101"}, ["1.2.0"]),
        ({MODALITIES: "MR"}, ALL_STUDIES),
        ({MODALITIES: ("US", "CT")}, ALL_STUDIES),
        ({MODALITIES: "C?"}, ALL_STUDIES),
        ({MODALITIES: "US"}, []),
        ({STUDY_INSTANCES: "20"}, ALL_STUDIES),
        ({STUDY_INSTANCES: "21"}, []),
        ({PATIENT_ID: "P0", STUDY_DATE: "20200102", STUDY_UID: None}, ["1.2.1"]),
        ({PATIENT_NAME: "' OR 1=1 --"}, []),
        ({PATIENT_ID: "'; DROP TABLE study; --*"}, []),
        ({PATIENT_ID: "%"}, []),
        ({PATIENT_ID: "[P]0*"}, []),
        ({PATIENT_ID: "P\0*"}, []),
    ],
)
def test_studies_are_found_by_their_keys(
    index: SQLiteIndex, values: dict[int, Value | tuple[Value, ...] | None], expected: list[str]
) -> None:
    """Each kind of matching, and values that would be SQL or patterns of SQL."""
    assert found(index, Level.STUDY, values) == expected


def test_keys_above_the_level_count(index: SQLiteIndex) -> None:
    """A missing or an empty unique key above the level matches everything."""
    assert len(found(index, Level.IMAGE, {STUDY_UID: "1.2.1"})) == 20
    assert len(found(index, Level.IMAGE, {STUDY_UID: "1.2.1", SERIES_UID: None})) == 20
    assert len(found(index, Level.IMAGE, {SERIES_UID: "1.2.1.0"})) == 10
    assert found(index, Level.SERIES, {PATIENT_NAME: "patient1*", MODALITY: "MR"}) == ["1.2.2.1", "1.2.3.1"]
    assert found(index, Level.IMAGE, {0x00200013: "7"}) == ["1.2.0.0.7"]


def test_match_has_what_was_asked_for(index: SQLiteIndex) -> None:
    """With values that are counted, and empty ones; what is not known here is left out."""
    asked = query(Level.STUDY, dict.fromkeys((PATIENT_NAME, MODALITIES, STUDY_INSTANCES, 0x00104000, 0x00081140)))
    first = next(iter(index.find(asked)))
    assert first == keys(
        {
            STUDY_UID: "1.2.0",
            PATIENT_NAME: "Patient0^Test",
            MODALITIES: ("CT", "MR"),
            STUDY_INSTANCES: "20",
            0x00104000: None,
        }
    )


def test_instances_below_the_matches_are_listed(index: SQLiteIndex) -> None:
    """With where they are and how they are encoded, in an order that stays."""
    wanted = query(Level.STUDY, {PATIENT_ID: "P0"})
    kept = list(index.instances(wanted))
    assert [one.sop_instance_uid for one in kept] == [str(instance(number)[INSTANCE_UID]) for number in range(40)]
    assert all(Path(one.path).is_file() for one in kept)
    assert {one.transfer_syntax for one in kept} == {"1.2.840.10008.1.2.1"}
    assert list(index.instances(wanted)) == kept
    assert list(index.instances(query(Level.STUDY, {PATIENT_ID: "P9"}))) == []
    [one] = index.instances(query(Level.IMAGE, {INSTANCE_UID: "1.2.0.0.7"}))
    assert one.path.endswith("1.2.0/1.2.0.0.7.dcm")


def test_kept_instance_is_known(index: SQLiteIndex) -> None:
    """By its UID."""
    assert [one.sop_instance_uid for one in index.look_up(["1.2.0.0.7", "1.2.0.0.77", "*"])] == ["1.2.0.0.7"]


PIECES = st.sampled_from(
    ["P", "p", "0", "1", "*", "?", "^", "=", "Test", "atient", "[", "'", "\\", "-", "20200102", "1.2."]
)
TEXTS = st.lists(PIECES, max_size=5).map("".join)
TAGS = st.sampled_from([PATIENT_NAME, PATIENT_ID, STUDY_DATE, STUDY_UID, MODALITIES, STUDY_INSTANCES])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.dictionaries(TAGS, TEXTS, max_size=3), fuzzy=st.booleans())
def test_database_sorts_out_nothing_that_matches(index: SQLiteIndex, asked: dict[int, str], *, fuzzy: bool) -> None:
    """What is found is what `matching` says of all studies, whatever the keys."""
    everything = keys(dict.fromkeys((PATIENT_NAME, PATIENT_ID, STUDY_DATE, STUDY_UID, MODALITIES, STUDY_INSTANCES)))
    wanted = criteria(keys(asked), fuzzy=fuzzy)
    expected = [
        one for one in index.find(Query(Model.STUDY_ROOT, Level.STUDY, everything)) if identifier_matches(wanted, one)
    ]
    got = list(index.find(Query(Model.STUDY_ROOT, Level.STUDY, {**everything, **keys(asked)}, fuzzy=fuzzy)))
    assert got == expected


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=80), level=st.sampled_from(list(Level)))
def test_hostile_keys_are_answered(index: SQLiteIndex, data: bytes, level: Level) -> None:
    """Any value in any attribute that is known."""
    text = data.decode("latin-1")
    for tag in (PATIENT_NAME, STUDY_DATE, 0x00080030, STUDY_UID, MODALITIES):
        list(index.find(query(level, {tag: text}, Model.PATIENT_ROOT)))


# Files and what becomes of them


def reopened(root: Path, **options: bool) -> tuple[list[str], list[Event]]:
    """What the next process finds, and what it says."""
    events: list[Event] = []
    with closing(SQLiteIndex(root, on_event=events.append, **options)) as index:
        return found(index, Level.STUDY), events


def test_index_is_built_from_files_that_were_there_before(tmp_path: Path) -> None:
    """And says so; the next start has nothing to do."""
    write_instances(tmp_path, COUNT)
    studies, [event] = reopened(tmp_path)
    assert studies == ALL_STUDIES
    assert (event.name, event.facts["instances"]) == ("indexed", COUNT)
    assert reopened(tmp_path) == (ALL_STUDIES, [])


def test_reindex_finds_what_changed_behind_our_back(tmp_path: Path) -> None:
    """Files that came or went without us."""
    stored = write_instances(tmp_path, COUNT)
    assert reopened(tmp_path)[0] == ALL_STUDIES
    for one in stored[:20]:
        one.path.unlink()
    write_instance(tmp_path, instance(100))
    assert reopened(tmp_path)[0] == ALL_STUDIES
    assert reopened(tmp_path, reindex=True)[0] == [*ALL_STUDIES[1:], "1.2.5"]


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_damaged_index_is_set_aside_and_built_anew(tmp_path: Path, size: int) -> None:
    """Nonsense, or an empty file, in its place; what is damaged stays for whoever wants to look at it."""
    write_instances(tmp_path, 20)
    (tmp_path / FILE_NAME).write_bytes(b"nonsense" * (size // 8))
    studies, events = reopened(tmp_path)
    assert studies == ["1.2.0"]
    assert [event.name for event in events] == (["index-damaged", "indexed"] if size else ["indexed"])
    assert (tmp_path / f"{FILE_NAME}.damaged-1").exists() is bool(size)


def test_index_of_another_version_is_built_anew(tmp_path: Path) -> None:
    """And one that was being built when the process died."""
    write_instances(tmp_path, 20)
    reopened(tmp_path)
    for version in (0, SCHEMA_VERSION + 1):
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
            connection.execute("DELETE FROM instance")
            connection.execute("DROP TABLE series")
            connection.execute(f"PRAGMA user_version = {version}")
            connection.commit()
        studies, [event] = reopened(tmp_path)
        assert (studies, event.name) == (["1.2.0"], "indexed")


def test_index_that_is_damaged_while_it_is_used_mends_itself(tmp_path: Path) -> None:
    """A query fails once; everything is found after that."""
    mended = threading.Event()

    def hear(event: Event) -> None:
        if event.name == "indexed":
            mended.set()

    stored = write_instances(tmp_path, COUNT)
    with closing(SQLiteIndex(tmp_path, on_event=hear)) as index:
        mended.clear()
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
            connection.execute("DROP TABLE series")
            connection.commit()
        with pytest.raises(MachineError, match="index cannot be used"):
            found(index, Level.STUDY, {MODALITIES: "CT"})
        assert mended.wait(20)
        index.add(stored[0])
        assert found(index, Level.STUDY, {MODALITIES: "CT"}) == ALL_STUDIES


def test_index_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A folder stands in its place."""
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(MachineError) as caught:
        SQLiteIndex(tmp_path)
    assert "a folder" in caught.value.hints[0]  # to build it anew would not help
    assert "--no-index" in caught.value.hints[0]


@pytest.mark.parametrize("count", [1, 10, 20])
def test_missing_instances_leave_with_what_they_were_in(tmp_path: Path, count: int) -> None:
    """A series, a study, a patient that has nothing any more is not found; what is still there stays."""
    stored = write_instances(tmp_path, 60)
    with closing(SQLiteIndex(tmp_path)) as index:
        for one in stored[40 : 40 + count]:
            one.path.unlink()
        if count == 20:
            stored[40].path.parent.rmdir()
        assert index.drop_removed([str(instance(number)[INSTANCE_UID]) for number in range(60)]) == count
        assert len(found(index, Level.IMAGE)) == 60 - count
        assert len(found(index, Level.SERIES)) == 6 - count // 10
        assert len(found(index, Level.STUDY)) == 3 - count // 20
        assert len(found(index, Level.PATIENT, {}, Model.PATIENT_ROOT)) == 2 - count // 20
        for number in range(40, 40 + count):  # and may come back
            index.add(write_instance(tmp_path, instance(number)))
        assert len(found(index, Level.IMAGE)) == 60
        assert found(index, Level.IMAGE, {PATIENT_ID: "P1", STUDY_UID: "1.2.2"}) == sorted(
            str(instance(number)[INSTANCE_UID]) for number in range(40, 60)
        )


def test_instances_out_of_reach_stay(tmp_path: Path) -> None:
    """Their disk is not mounted: they are there again when it is, and others are removed meanwhile."""
    stored = write_instances(tmp_path, 60)
    uids = [str(instance(number)[INSTANCE_UID]) for number in range(60)]
    with closing(SQLiteIndex(tmp_path)) as index:
        stored[0].path.unlink()
        disk = stored[20].path.parent
        elsewhere = disk.rename(tmp_path / ".elsewhere")
        disk.mkdir()
        assert index.drop_removed(uids) == 1
        assert len(found(index, Level.IMAGE)) == 59
        disk.rmdir()
        elsewhere.rename(disk)
        assert index.drop_removed(uids) == 0


def test_index_file_that_is_gone_is_not_made_anew_by_a_retrieval(tmp_path: Path) -> None:
    """An empty one would look like an archive without instances at the next start."""
    write_instances(tmp_path, 20)
    with closing(SQLiteIndex(tmp_path)) as index:
        index.path.unlink()
        with pytest.raises(MachineError):
            index.drop_removed([str(instance(0)[INSTANCE_UID])])
        assert not index.path.exists()


def test_instance_that_came_again_otherwise_is_what_its_file_is(tmp_path: Path) -> None:
    """Removed by hand, and received again in another transfer syntax, and as another patient's."""
    first = write_instance(tmp_path, instance(0))
    with closing(SQLiteIndex(tmp_path)) as index:
        assert len(found(index, Level.STUDY, {PATIENT_ID: "P0"})) == 1
        first.path.unlink()
        index.add(write_instance(tmp_path, instance(0, x00100020="PX"), syntax="1.2.840.10008.1.2"))
        [kept] = index.instances(query(Level.STUDY, {PATIENT_ID: "PX"}))
        assert kept.transfer_syntax == "1.2.840.10008.1.2"
        assert found(index, Level.STUDY, {PATIENT_ID: "P0"}) == []
        index.add(write_instance(tmp_path, instance(1)))
        assert len(found(index, Level.STUDY, {PATIENT_ID: "P0"})) == 1


def test_index_that_another_process_built_anew_is_used_as_it_is_now(tmp_path: Path) -> None:
    """What we remember of its numbers is not true any more."""
    write_instances(tmp_path, 20)
    with closing(SQLiteIndex(tmp_path)) as index:
        index.add(write_instance(tmp_path, instance(40)))
        assert found(index, Level.IMAGE, {PATIENT_ID: "P1"}) == [instance(40)[INSTANCE_UID]]
        for path in (tmp_path / "1.2.0").glob("*.dcm"):
            path.unlink()
        with closing(SQLiteIndex(tmp_path, reindex=True)):
            index.add(write_instance(tmp_path, instance(41)))
            assert len(found(index, Level.IMAGE, {PATIENT_ID: "P1"})) == 2


@pytest.mark.parametrize("ask", ["find", "instances"])
def test_nothing_is_looked_for_that_nobody_wants(index: SQLiteIndex, ask: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as that is so, which is asked while the database works."""
    monkeypatch.setattr("dicomtls.scp.patience._STEPS", 1)
    monkeypatch.setattr("dicomtls.scp.patience.ASK_EVERY", 0.0)
    asked: list[int] = []

    def unwanted() -> bool:
        asked.append(1)
        return len(asked) > 3

    wanted = query(Level.STUDY, {PATIENT_NAME: "*nobody*"})
    assert list(getattr(index, ask)(replace(wanted, unwanted=unwanted))) == []
    assert len(asked) == 4


def test_same_instance_is_there_once(tmp_path: Path) -> None:
    """Added twice, and under two names: the first counts, until its file is gone."""
    first = write_instance(tmp_path, instance(1), place="a.dcm")
    second = write_instance(tmp_path, instance(1), place="b.dcm")
    with closing(SQLiteIndex(tmp_path)) as index:
        for stored in (first, first, second):
            index.add(stored)
        assert [one.path for one in index.instances(query(Level.IMAGE, {}))] == [first.location]
        first.path.unlink()
        index.add(second)
        assert [one.path for one in index.instances(query(Level.IMAGE, {}))] == [second.location]


def test_study_of_two_patients_is_found_for_both(tmp_path: Path) -> None:
    """As after a patient ID was corrected half way."""
    with closing(SQLiteIndex(tmp_path)) as index:
        index.add(write_instance(tmp_path, instance(1)))
        index.add(write_instance(tmp_path, instance(2, x00100020="P7")))
        for patient in ("P0", "P7"):
            assert found(index, Level.STUDY, {PATIENT_ID: patient}) == ["1.2.0"]
            [one] = index.instances(query(Level.STUDY, {PATIENT_ID: patient}))
            assert list(index.look_up([one.sop_instance_uid]))


def test_text_is_decoded_by_its_character_set(tmp_path: Path) -> None:
    """Found by what it says, whatever its encoding."""
    names = {
        "Müller^Jürgen": ("ISO_IR 100",),
        "Люкceмбypг": (  # noqa: RUF001 -- Cyrillic is what it is about
            "ISO_IR 144",
        ),
        "Διονυσιος": ("ISO_IR 126",),
        "Yamada^Tarou=山田^太郎=やまだ^たろう": ("", "ISO 2022 IR 87"),
        "Hong^Gildong=洪^吉洞=홍^길동": ("", "ISO 2022 IR 149"),
        "Wang^XiaoDong=王^小东": ("GB18030",),
        "قباني^لنزار": ("ISO_IR 127",),
    }
    with closing(SQLiteIndex(tmp_path)) as index:
        for number, (name, sets) in enumerate(names.items()):
            attributes = instance(number * 40, x00100010=name)
            index.add(write_instance(tmp_path, attributes, names=sets))
        for name in names:
            wanted = query(Level.STUDY, {PATIENT_NAME: name})
            assert [match[PATIENT_NAME].values for match in index.find(wanted)] == [(name,)], name
        for part in ("müll*", "люк*", "山田*", "*길동", "*小东"):
            assert len(found(index, Level.STUDY, {PATIENT_NAME: part})) == 1, part


def test_long_identifiers_are_told_apart(tmp_path: Path) -> None:
    """What is too long to be remembered is looked up each time."""
    names = ("L" * 3000 + end for end in ("a", "b", "a"))
    for number, name in enumerate(names):
        write_instance(tmp_path, instance(20 * number, x00100020=name))
    with closing(SQLiteIndex(tmp_path)) as index:
        assert len(found(index, Level.PATIENT, {}, Model.PATIENT_ROOT)) == 2
        assert len(found(index, Level.STUDY, {PATIENT_ID: "L" * 3000 + "a"})) == 2


def test_hostile_attributes_are_kept_as_text(tmp_path: Path) -> None:
    """Control characters, SQL, megabytes: found, cut, and never anything else."""
    evil = "x'); DROP TABLE study; --\n\x1b[2J\0"
    with closing(SQLiteIndex(tmp_path)) as index:
        index.add(write_instance(tmp_path, instance(1, x00100010=evil, x00104000="a" * 60_000, x00100020=evil)))
        index.add(write_instance(tmp_path, instance(50)))
        [match] = index.find(query(Level.STUDY, {PATIENT_ID: "x'*", PATIENT_NAME: None, 0x00104000: None}))
        assert len(str(match[0x00104000].values[0])) < 20_000
        assert "\0" not in str(match[PATIENT_NAME].values[0])
        assert len(found(index, Level.STUDY)) == 2


def test_page_ends_do_not_lose_a_match(tmp_path: Path) -> None:
    """More matches than the first pages have rows."""
    write_instances(tmp_path, 700)
    with closing(SQLiteIndex(tmp_path)) as index:
        assert len(found(index, Level.IMAGE)) == 700
        assert len(found(index, Level.IMAGE, {INSTANCE_UID: "*9"})) == 70


def test_query_may_be_left_in_the_middle(tmp_path: Path) -> None:
    """As after a C-CANCEL; nothing is locked afterwards."""
    stored = write_instances(tmp_path, 200)
    with closing(SQLiteIndex(tmp_path)) as index:
        matches = index.find(query(Level.IMAGE, {}))
        assert next(matches)
        index.add(stored[0])
        assert len(found(index, Level.IMAGE)) == 200
        del matches


def test_identifier_of_the_wrong_types_is_no_error(index: SQLiteIndex) -> None:
    """A peer's VRs are not believed: those of the index count."""
    wrong = decode(b"\x10\0\x10\0OB\0\0\4\0\0\0abcd\x10\0\x20\0SQ\0\0\0\0\0\0", "1.2.840.10008.1.2.1")
    asked = {**wrong, STUDY_UID: Element("PN", ("1.2.1",))}
    assert len(list(index.find(Query(Model.STUDY_ROOT, Level.STUDY, asked)))) == 1
