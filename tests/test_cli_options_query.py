"""The options that say what a query is about."""

from pathlib import Path

import pytest

from dicomtls.association.query import Level, Model
from dicomtls.cli.options.query import QueryOptions
from dicomtls.dataset.identifier import Element
from dicomtls.errors import CredentialError, DataError, UsageError
from dicomtls.scu.queries import Asked

PATIENT_ID = 0x00100020
KEYS = {PATIENT_ID: Element("LO", ("P1",))}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (QueryOptions(), Asked(Model.STUDY_ROOT, Level.STUDY, {})),
        (QueryOptions(query_key=("PatientID=P1",)), Asked(Model.STUDY_ROOT, Level.STUDY, KEYS)),
        (QueryOptions(level="patient"), Asked(Model.PATIENT_ROOT, Level.PATIENT, {})),
        (QueryOptions(level="image", model="patient-root"), Asked(Model.PATIENT_ROOT, Level.IMAGE, {})),
        (QueryOptions(model="worklist"), Asked(Model.WORKLIST, None, {})),
        (QueryOptions(query_key=("QueryRetrieveLevel=SERIES",)), Asked(Model.STUDY_ROOT, Level.SERIES, {})),
        (QueryOptions(query_key=("0008,0052=IMAGE",), level="image"), Asked(Model.STUDY_ROOT, Level.IMAGE, {})),
    ],
)
def test_options_say_what_is_asked_for(options: QueryOptions, expected: Asked) -> None:
    """The level may be typed as a key, as findscu's users do."""
    assert options.read() == expected


@pytest.mark.parametrize(
    ("options", "level"),
    [
        (QueryOptions(), Level.SERIES),
        (QueryOptions(level="image"), Level.IMAGE),
        (QueryOptions(query_key=("0008,0052=STUDY",)), Level.STUDY),
    ],
)
def test_what_is_typed_wins_over_the_file(options: QueryOptions, level: Level, tmp_path: Path) -> None:
    """Its level too."""
    path = tmp_path / "query.json"
    path.write_text(
        '{"00080052": {"vr": "CS", "Value": ["SERIES"]}, "00100020": {"vr": "LO", "Value": ["P1"]},'
        ' "00080060": {"vr": "CS"}}'
    )
    options = QueryOptions(query=path, level=options.level, query_key=(*options.query_key, "Modality=CT"))
    assert options.read() == Asked(Model.STUDY_ROOT, level, {**KEYS, 0x00080060: Element("CS", ("CT",))})


@pytest.mark.parametrize(
    "options",
    [
        QueryOptions(query_key=("Nonsense=1",)),
        QueryOptions(query_key=("QueryRetrieveLevel=FRAME",)),
        QueryOptions(query_key=("QueryRetrieveLevel=STUDY",), level="image"),
        QueryOptions(query_key=("QueryRetrieveLevel=STUDY\\IMAGE",)),
        QueryOptions(level="study", model="worklist"),
        QueryOptions(level="patient", model="study-root"),
    ],
)
def test_contradictions_are_refused(options: QueryOptions) -> None:
    """With a hint."""
    with pytest.raises(UsageError) as caught:
        options.read()
    assert caught.value.hints


@pytest.mark.parametrize("key", ["SeriesInstanceUID=1.2", "SOPInstanceUID=1.2"])
def test_unique_key_below_the_level_is_refused(key: str) -> None:
    """Archives that pass over it answer with everything; asking for its value is harmless."""
    with pytest.raises(UsageError, match="below the level study") as caught:
        QueryOptions(query_key=(key,)).read()
    assert f"give --level {'series' if key.startswith('Series') else 'image'}" in caught.value.hints[0]
    assert QueryOptions(query_key=(key.partition("=")[0],)).read().level is Level.STUDY
    assert QueryOptions(query_key=(key,), level="image").read().level is Level.IMAGE


def test_file_that_holds_no_query_is_named(tmp_path: Path) -> None:
    """Not there, something else, too long."""
    path = tmp_path / "query"
    with pytest.raises(CredentialError, match=str(path)):
        QueryOptions(query=path).read()
    path.write_text("hello, this is no query at all")
    with pytest.raises(DataError, match=f"{path} holds no query"):
        QueryOptions(query=path).read()
    path.write_bytes(bytes((4 << 20) + 1))
    with pytest.raises(CredentialError, match="more than"):
        QueryOptions(query=path).read()
