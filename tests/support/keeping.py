"""A storage folder with instances that an index can be made of, written by our own codec, and queries about them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dicomtls.association.query import UNIQUE_KEYS, Level, Model
from dicomtls.dataset import EXPLICIT_VR_LE, encode_file_meta
from dicomtls.dataset.identifier import DICTIONARY, Element, Value, encode
from dicomtls.scp.index import Index, Query
from dicomtls.scp.storage import StoredInstance
from tests.support.servers import CT

PATIENT_NAME, PATIENT_ID, STUDY_DATE, MODALITY = 0x00100010, 0x00100020, 0x00080020, 0x00080060
MODALITIES, STUDY_INSTANCES = 0x00080061, 0x00201208
STUDY_UID, SERIES_UID, INSTANCE_UID, SOP_CLASS = 0x0020000D, 0x0020000E, 0x00080018, 0x00080016
UTF_8 = ("ISO_IR 192",)


def keys(values: Mapping[int, Value | tuple[Value, ...] | None]) -> dict[int, Element]:
    """Elements with the VRs of the dictionary; None is an empty value."""
    return {
        tag: Element(DICTIONARY.vr(tag), value if isinstance(value, tuple) else () if value is None else (value,))
        for tag, value in values.items()
    }


def instance(number: int, **values: str) -> dict[int, Value | tuple[Value, ...] | None]:
    """The attributes of one instance: ten of them make a series, two series a study, two studies a patient."""
    study, series = f"1.2.{number // 20}", f"1.2.{number // 20}.{number // 10 % 2}"
    attributes: dict[int, Value | tuple[Value, ...] | None] = {
        SOP_CLASS: CT,
        INSTANCE_UID: f"{series}.{number}",
        STUDY_DATE: f"202001{number // 20 + 1:02}",
        MODALITY: "MR" if number // 10 % 2 else "CT",
        PATIENT_NAME: f"Patient{number // 40}^Test",
        PATIENT_ID: f"P{number // 40}",
        STUDY_UID: study,
        SERIES_UID: series,
        0x00200013: str(number),
    }
    return attributes | {int(tag.removeprefix("x"), 16): value for tag, value in values.items()}


def write_instance(
    root: Path,
    attributes: Mapping[int, Value | tuple[Value, ...] | None],
    *,
    place: str | None = None,
    names: tuple[str, ...] = UTF_8,
    syntax: str = EXPLICIT_VR_LE,
) -> StoredInstance:
    """Keep one instance as a storage would; `place` is below the folder."""
    uid, sop_class = str(attributes[INSTANCE_UID]), str(attributes[SOP_CLASS])
    path = root / (place or f"{attributes.get(STUDY_UID)}/{uid}.dcm")
    path.parent.mkdir(parents=True, exist_ok=True)
    data = encode_file_meta(sop_class, uid, syntax, "TEST") + encode(keys(attributes), syntax, names)
    path.write_bytes(data)
    return StoredInstance(str(path), len(data), is_new=True)


def write_instances(root: Path, count: int) -> list[StoredInstance]:
    """Keep `count` instances, made by `instance`."""
    return [write_instance(root, instance(number)) for number in range(count)]


def query(
    level: Level, values: Mapping[int, Value | tuple[Value, ...] | None], model: Model = Model.STUDY_ROOT
) -> Query:
    """A query with these keys, and the unique key of its level to be returned."""
    return Query(model, level, keys({UNIQUE_KEYS[level]: None, **values}))


def found(
    index: Index,
    level: Level,
    values: Mapping[int, Value | tuple[Value, ...] | None] | None = None,
    model: Model = Model.STUDY_ROOT,
) -> list[str]:
    """The unique keys of the matches, sorted."""
    return sorted(unique_values(index.find(query(level, values or {}, model)), level))


def unique_values(matches: Iterable[Mapping[int, Element]], level: Level) -> Iterator[str]:
    """The unique key of each match; empty where it has no value."""
    for match in matches:
        yield str(next(iter(match[UNIQUE_KEYS[level]].values), ""))
