"""What queries are about: information models, their levels, their SOP classes (PS3.4 sections C.6 and K.6)."""

from enum import StrEnum
from typing import Final


class Model(StrEnum):
    """An information model; each is a SOP class of its own for find, for move and for get."""

    STUDY_ROOT = "study-root"
    PATIENT_ROOT = "patient-root"
    WORKLIST = "worklist"


class Level(StrEnum):
    """What a query asks for, as (0008,0052) has it; a worklist has no levels."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


FIND_SOP_CLASSES: Final = {
    Model.STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.1",
    Model.PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.1",
    Model.WORKLIST: "1.2.840.10008.5.1.4.31",
}
MOVE_SOP_CLASSES: Final = {
    Model.STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.2",
    Model.PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.2",
}
GET_SOP_CLASSES: Final = {
    Model.STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.3",
    Model.PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.3",
}

LEVELS: Final = {
    Model.STUDY_ROOT: (Level.STUDY, Level.SERIES, Level.IMAGE),
    Model.PATIENT_ROOT: (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE),
    Model.WORKLIST: (),
}
"""The levels of each model, from the top (PS3.4 sections C.6.1.1 and C.6.2.1)."""

UNIQUE_KEYS: Final = {
    Level.PATIENT: 0x00100020,
    Level.STUDY: 0x0020000D,
    Level.SERIES: 0x0020000E,
    Level.IMAGE: 0x00080018,
}
"""The tag that tells the entities of a level apart: Patient ID, and the UIDs of study, series and SOP instance."""

QUERY_RETRIEVE_LEVEL: Final = 0x00080052
RETRIEVE_AE_TITLE: Final = 0x00080054
INSTANCE_AVAILABILITY: Final = 0x00080056


class ExtendedBehaviour:
    """Positions in the service class application information of SOP class extended negotiation (PS3.4 C.5.1.1)."""

    RELATIONAL: Final = 0
    DATE_TIME: Final = 1
    FUZZY: Final = 2
    TIMEZONE: Final = 3
