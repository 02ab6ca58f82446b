"""What is asked for where nobody says what."""

import pytest

from dicomtls.association.query import LEVELS, QUERY_RETRIEVE_LEVEL, UNIQUE_KEYS, Level, Model
from dicomtls.dataset.identifier import Element
from dicomtls.dataset.keys import identifier_of, parse_keys, paths_of
from dicomtls.errors import UsageError
from dicomtls.scu.return_keys import choose, complete, refuse_below, return_keys

PATIENT_NAME, PATIENT_ID, STUDY_UID, STUDY_DATE = 0x00100010, 0x00100020, 0x0020000D, 0x00080020
STEPS, MODALITY, STATION = 0x00400100, 0x00080060, 0x00400001
EVERY_LEVEL = [(model, level) for model in LEVELS for level in LEVELS[model]]
REQUIRED = {
    Level.PATIENT: "PatientName PatientID",
    Level.STUDY: "StudyDate StudyTime AccessionNumber StudyID StudyInstanceUID",
    Level.SERIES: "Modality SeriesNumber SeriesInstanceUID",
    Level.IMAGE: "InstanceNumber SOPInstanceUID",
}


@pytest.mark.parametrize(("model", "level"), EVERY_LEVEL)
def test_required_and_unique_keys_are_asked_for(model: Model, level: Level) -> None:
    """All of the level, the unique ones of those above, and nothing else of those (PS3.4 C.4.1.2.1)."""
    keys = return_keys(model, level)
    assert set(REQUIRED[level].split()) <= {str(path) for path in paths_of(keys)}
    above = LEVELS[model][: LEVELS[model].index(level)]
    assert {UNIQUE_KEYS[upper] for upper in above} <= set(keys)
    assert all(not element.values for element in keys.values())
    if model is Model.PATIENT_ROOT and level is not Level.PATIENT:
        assert PATIENT_NAME not in keys
    assert (PATIENT_NAME in return_keys(Model.STUDY_ROOT, Level.STUDY)) is True


def test_worklist_asks_for_what_a_modality_needs() -> None:
    """The step's attributes in one item (PS3.4 table K.6-1)."""
    ((step,), *_) = (element.values for tag, element in return_keys(Model.WORKLIST, None).items() if tag == STEPS)
    assert isinstance(step, dict)
    assert {MODALITY, STATION, 0x00400002, 0x00400003, 0x00400006, 0x00400009} <= set(step)


@pytest.mark.parametrize(
    ("model", "level", "expected"),
    [
        (None, None, (Model.STUDY_ROOT, Level.STUDY)),
        (None, Level.PATIENT, (Model.PATIENT_ROOT, Level.PATIENT)),
        (None, Level.IMAGE, (Model.STUDY_ROOT, Level.IMAGE)),
        (Model.PATIENT_ROOT, None, (Model.PATIENT_ROOT, Level.PATIENT)),
        (Model.WORKLIST, None, (Model.WORKLIST, None)),
    ],
)
def test_model_and_level_complete_each_other(
    model: Model | None, level: Level | None, expected: tuple[Model, Level | None]
) -> None:
    """The highest level of the model, and the model that has the level."""
    assert choose(model, level) == expected


@pytest.mark.parametrize(("model", "level"), [(Model.STUDY_ROOT, Level.PATIENT), (Model.WORKLIST, Level.STUDY)])
def test_level_that_a_model_does_not_have_is_refused(model: Model, level: Level) -> None:
    """With a hint."""
    with pytest.raises(UsageError) as caught:
        choose(model, level)
    assert caught.value.hints


def test_usual_keys_are_asked_for_beside_those_that_match() -> None:
    """In their places, what is not among them behind."""
    sent, shown = complete(
        identifier_of(parse_keys(["PatientSex=O", "StudyDate=2024-0101".replace("-", "")])), *_study()
    )
    assert shown[STUDY_DATE] == Element("DA", ("20240101",))
    assert list(shown)[-1] == 0x00100040
    assert sent == {**shown, QUERY_RETRIEVE_LEVEL: Element("CS", ("STUDY",))}


def _study() -> tuple[Model, Level]:
    return Model.STUDY_ROOT, Level.STUDY


def test_whoever_asks_for_a_value_chooses_them_all() -> None:
    """But for the unique key, which is sent and not shown."""
    sent, shown = complete(identifier_of(parse_keys(["PatientName=DOE*", "PatientID"])), *_study())
    assert list(shown) == [PATIENT_NAME, PATIENT_ID]
    assert set(sent) == {PATIENT_NAME, PATIENT_ID, STUDY_UID, QUERY_RETRIEVE_LEVEL}


def test_keys_within_the_step_leave_the_others_of_the_step() -> None:
    """Item by item; a worklist has no level."""
    keys = identifier_of(parse_keys(["ScheduledProcedureStepSequence[0].Modality=CT"]))
    sent, shown = complete(keys, Model.WORKLIST, None)
    assert sent == shown
    (step,) = shown[STEPS].values
    assert isinstance(step, dict)
    assert (step[MODALITY], step[STATION]) == (Element("CS", ("CT",)), Element("AE"))


def test_only_unique_keys_below_the_level_are_refused() -> None:
    """Those of the level and above, and other attributes, are for the peer to judge; a worklist has no levels."""
    keys = identifier_of(parse_keys(["PatientID=P", "StudyInstanceUID=1.2", "SeriesInstanceUID=1.3", "Modality=CT"]))
    for level in (Level.SERIES, Level.IMAGE, None):
        refuse_below(keys, level)
    for level in (Level.PATIENT, Level.STUDY):
        with pytest.raises(UsageError):
            refuse_below(keys, level)
