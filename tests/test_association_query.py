"""Information models, levels, and their SOP classes, held against pynetdicom's tables."""

import pytest
from pynetdicom import sop_class

from dicomtls.association.query import (
    FIND_SOP_CLASSES,
    GET_SOP_CLASSES,
    LEVELS,
    MOVE_SOP_CLASSES,
    UNIQUE_KEYS,
    Level,
    Model,
)

NAMES = {Model.STUDY_ROOT: "StudyRoot", Model.PATIENT_ROOT: "PatientRoot"}


@pytest.mark.parametrize(
    ("service", "table"), [("Find", FIND_SOP_CLASSES), ("Move", MOVE_SOP_CLASSES), ("Get", GET_SOP_CLASSES)]
)
@pytest.mark.parametrize("model", NAMES)
def test_sop_classes_are_those_of_the_standard(service: str, table: dict[Model, str], model: Model) -> None:
    """Each model has its own for each service."""
    name = f"{NAMES[model]}QueryRetrieveInformationModel{service}"
    assert table[model] == getattr(sop_class, name)


def test_worklist_can_only_be_searched() -> None:
    """Nothing can be retrieved by it."""
    assert FIND_SOP_CLASSES[Model.WORKLIST] == sop_class._BASIC_WORKLIST_CLASSES["ModalityWorklistInformationFind"]
    assert Model.WORKLIST not in MOVE_SOP_CLASSES
    assert Model.WORKLIST not in GET_SOP_CLASSES


def test_levels_go_down_from_the_root() -> None:
    """Patients stand at the top of one model only; a worklist has no levels; each level has its unique key."""
    assert LEVELS[Model.PATIENT_ROOT] == tuple(Level)
    assert LEVELS[Model.STUDY_ROOT] == tuple(Level)[1:]
    assert LEVELS[Model.WORKLIST] == ()
    assert set(UNIQUE_KEYS) == set(Level)
