"""What is asked for, from typed keys: which level and model follow, and what is refused."""

from typing import Any

import pytest

from dicomtls.association.query import Level, Model
from dicomtls.dataset import tags
from dicomtls.dataset.identifier import Element
from dicomtls.errors import UsageError
from dicomtls.scu.queries import Asked, to_find, to_retrieve

STUDY, SERIES, IMAGE = "StudyInstanceUID=1.2", "SeriesInstanceUID=1.3", "SOPInstanceUID=1.4"


@pytest.mark.parametrize(
    ("keys", "options", "expected"),
    [
        ((), {}, Asked(Model.STUDY_ROOT, Level.STUDY, {})),
        (iter(()), {"level": "patient"}, Asked(Model.PATIENT_ROOT, Level.PATIENT, {})),
        ((), {"level": "Series", "model": "Patient-Root"}, Asked(Model.PATIENT_ROOT, Level.SERIES, {})),
        ((), {"model": "worklist"}, Asked(Model.WORKLIST, None, {})),
        (iter(["0008,0052=IMAGE"]), {}, Asked(Model.STUDY_ROOT, Level.IMAGE, {})),
    ],
)
def test_query_has_the_level_and_model_that_were_told(keys: Any, options: dict[str, Any], expected: Asked) -> None:
    """By name, in any case, or as a key; keys may come from an iterator."""
    assert to_find(keys, **options) == expected


def test_typed_keys_win_over_a_base_which_stays_as_it_is() -> None:
    """Item by item in sequences, too."""
    base = {tags.PATIENT_ID: Element("LO", ("P1",)), 0x00400100: Element("SQ", ({0x00080060: Element("CS", ("MR",))},))}
    asked = to_find(["PatientID=P2", "ScheduledProcedureStepSequence[0].Modality=CT"], model="worklist", base=base)
    assert asked.keys == {
        tags.PATIENT_ID: Element("LO", ("P2",)),
        0x00400100: Element("SQ", ({0x00080060: Element("CS", ("CT",))},)),
    }
    assert base[tags.PATIENT_ID].values == ("P1",)
    assert base[0x00400100].values == ({0x00080060: Element("CS", ("MR",))},)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"level": "frame"}, "there is no level 'frame'"),
        ({"model": "root"}, "there is no model 'root'"),
        ({"level": "study", "model": "worklist"}, "a worklist has no levels"),
    ],
)
def test_levels_and_models_that_do_not_exist_are_refused(options: dict[str, Any], said: str) -> None:
    """With those that do."""
    with pytest.raises(UsageError, match=said) as caught:
        to_find([], **options)
    assert caught.value.hints


@pytest.mark.parametrize(
    ("keys", "options", "level", "model"),
    [
        ((STUDY,), {}, Level.STUDY, Model.STUDY_ROOT),
        ((STUDY, SERIES), {}, Level.SERIES, Model.STUDY_ROOT),
        ((STUDY, SERIES, IMAGE), {}, Level.IMAGE, Model.STUDY_ROOT),
        (("0008,0018=1.4",), {}, Level.IMAGE, Model.STUDY_ROOT),
        (("PatientID=P1",), {}, Level.PATIENT, Model.PATIENT_ROOT),
        (("PatientID=P1",), {"model": "study-root"}, Level.STUDY, Model.STUDY_ROOT),
        (("PatientID=P1", STUDY), {}, Level.STUDY, Model.STUDY_ROOT),
        ((STUDY,), {"model": "patient-root"}, Level.STUDY, Model.PATIENT_ROOT),
        ((STUDY, SERIES), {"level": "series"}, Level.SERIES, Model.STUDY_ROOT),
        (("PatientID=P1",), {"level": "patient"}, Level.PATIENT, Model.PATIENT_ROOT),
        (("AccessionNumber=A1",), {}, Level.STUDY, Model.STUDY_ROOT),
    ],
)
def test_level_and_model_follow_from_the_keys(
    keys: tuple[str, ...], options: dict[str, Any], level: Level, model: Model
) -> None:
    """Unless they are given."""
    request = to_retrieve(keys, **options)
    assert (request.level, request.model) == (level, model)
    assert len(request.keys) == len(keys)


def test_several_uids_are_one_key() -> None:
    """Joined by backslashes, as in the standard."""
    request = to_retrieve(["SOPInstanceUID=1.2\\1.3"])
    assert request.keys[tags.SOP_INSTANCE_UID].values == ("1.2", "1.3")


@pytest.mark.parametrize(
    ("keys", "options", "said"),
    [
        ((), {}, "nothing says what to retrieve"),
        (("StudyInstanceUID",), {}, "nothing says what to retrieve"),
        ((STUDY,), {"level": "series"}, "needs its unique key"),
        (("PatientID=P1",), {"level": "patient", "model": "study-root"}, "has no level patient"),
        (("PatientName=*",), {}, "nothing says what to retrieve"),
        (("PatientID=P1", STUDY), {"level": "patient"}, "StudyInstanceUID is a key of the level study, below"),
        ((STUDY, SERIES), {"level": "study"}, "SeriesInstanceUID is a key of the level series, below"),
        (("StudyInstanceUIDD=1.2",), {}, "no such keyword"),
        (("StudyInstanceUID=not a UID",), {}, ""),
        ((STUDY,), {"level": "frame"}, "there is no level 'frame'"),
        ((STUDY,), {"model": "worklist"}, "has no level study"),
        ((STUDY,), {"model": "study\u0007"}, "there is no model 'study\\x07'"),
    ],
)
def test_what_retrieves_nothing_or_all_is_refused(keys: tuple[str, ...], options: dict[str, Any], said: str) -> None:
    """Before anybody is bothered, and with a hint."""
    with pytest.raises(UsageError) as caught:
        to_retrieve(keys, **options)
    assert said in caught.value.message
    assert caught.value.hints
