"""What a query asks for where nobody says what: the keys that every archive has at a level, in the order of a table.

Unique and required keys and the usual counts of PS3.4 sections C.6.1.1 and C.6.2.1; for worklists section K.6.1.2.
"""

from typing import Final

from dicomtls.association.query import LEVELS, QUERY_RETRIEVE_LEVEL, UNIQUE_KEYS, Level, Model
from dicomtls.dataset.attributes import USUAL, name_of
from dicomtls.dataset.identifier import Element, Identifier
from dicomtls.dataset.keys import has_empty_key, identifier_of, parse_keys
from dicomtls.errors import UsageError

_PATIENT: Final = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "NumberOfPatientRelatedStudies",
    "NumberOfPatientRelatedSeries",
    "NumberOfPatientRelatedInstances",
)
_STUDY: Final = (
    "PatientID",
    "StudyDate",
    "StudyTime",
    "ModalitiesInStudy",
    "StudyDescription",
    "AccessionNumber",
    "StudyID",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
    "StudyInstanceUID",
)
_SERIES: Final = (
    "SeriesNumber",
    "Modality",
    "SeriesDescription",
    "NumberOfSeriesRelatedInstances",
    "SeriesInstanceUID",
    "StudyInstanceUID",
)
_IMAGE: Final = ("InstanceNumber", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_STEP: Final = "ScheduledProcedureStepSequence[0]."
_WORKLIST: Final = (
    "PatientName",
    "PatientID",
    f"{_STEP}ScheduledProcedureStepStartDate",
    f"{_STEP}ScheduledProcedureStepStartTime",
    f"{_STEP}Modality",
    f"{_STEP}ScheduledStationAETitle",
    "AccessionNumber",
    f"{_STEP}ScheduledProcedureStepDescription",
    "RequestedProcedureDescription",
    f"{_STEP}ScheduledPerformingPhysicianName",
    f"{_STEP}ScheduledStationName",
    f"{_STEP}ScheduledProcedureStepLocation",
    f"{_STEP}ScheduledProcedureStepID",
    "RequestedProcedureID",
    "PatientBirthDate",
    "PatientSex",
    "PatientWeight",
    "ReferringPhysicianName",
    "RequestingPhysician",
    "RequestedProcedurePriority",
    "PatientTransportArrangements",
    "AdmissionID",
    "CurrentPatientLocation",
    "PatientState",
    "PregnancyStatus",
    "MedicalAlerts",
    "Allergies",
    "SpecialNeeds",
    "ConfidentialityConstraintOnPatientDataDescription",
    f"{_STEP}PreMedication",
    f"{_STEP}RequestedContrastAgent",
    f"{_STEP}ScheduledProtocolCodeSequence",
    "RequestedProcedureCodeSequence",
    "ReferencedStudySequence",
    "ReferencedPatientSequence",
    "StudyInstanceUID",
)
_KEYS: Final = {Level.PATIENT: _PATIENT, Level.STUDY: _STUDY, Level.SERIES: _SERIES, Level.IMAGE: _IMAGE}


def return_keys(model: Model, level: Level | None) -> dict[int, Element]:
    """The keys to ask for at a level; None is the worklist's.

    Above its level, a query holds only unique keys (PS3.4 section C.4.1.2.1), but at the top of the study root
    patients' attributes belong to the studies (section C.6.2.1).
    """
    if level is None:
        return identifier_of(parse_keys(_WORKLIST))
    keywords = list(_KEYS[level])
    if model is Model.STUDY_ROOT and level is Level.STUDY:
        keywords.insert(0, "PatientName")
    if model is Model.PATIENT_ROOT and "PatientID" not in keywords:
        keywords.append("PatientID")
    return {USUAL[keyword].tag: Element(USUAL[keyword].vr) for keyword in keywords}


def choose(model: Model | None, level: Level | None) -> tuple[Model, Level | None]:
    """Complete what the user said of model and level; raises `UsageError` where the model does not have the level."""
    if model is None:
        model = Model.PATIENT_ROOT if level is Level.PATIENT else Model.STUDY_ROOT
    if model is Model.WORKLIST:
        if level is not None:
            msg = "a worklist has no levels"
            raise UsageError(msg, hints=("leave out --level",))
        return model, None
    if level is not None and level not in LEVELS[model]:
        msg = f"the model {model} has no level {level.lower()}"
        raise UsageError(msg, hints=(f"choose --model {Model.PATIENT_ROOT}, or another level",))
    return model, level or LEVELS[model][0]


def refuse_below(keys: Identifier, level: Level | None) -> None:
    """Raise `UsageError` where a unique key of a level below has a value.

    No query may have one (PS3.4 section C.4.1.2.2.1), and archives that pass over it answer, or send, far more.
    """
    if level is None:
        return
    order = list(Level)
    for lower in order[order.index(level) + 1 :]:
        element = keys.get(UNIQUE_KEYS[lower])
        if element is not None and element.values:
            name = name_of(UNIQUE_KEYS[lower])
            msg = f"{name} is a key of the level {lower.lower()}, below the level {level.lower()}"
            raise UsageError(msg, hints=(f"give --level {lower.lower()}, or leave {name} out",))


def complete(keys: Identifier, model: Model, level: Level | None) -> tuple[dict[int, Element], dict[int, Element]]:
    """The identifier to send for these keys, and what of it people want to see, in their order.

    Where no key asks for a value, the usual ones are asked for. The level's unique key is always there: without it
    nothing could be done with an answer.
    """
    shown = dict(keys) if has_empty_key(keys) else _merge(return_keys(model, level), keys)
    sent = dict(shown)
    if level is not None:
        unique = UNIQUE_KEYS[level]
        sent.setdefault(unique, Element("LO" if level is Level.PATIENT else "UI"))
        sent[QUERY_RETRIEVE_LEVEL] = Element("CS", (level.value,))
    return sent, shown


def _merge(defaults: Identifier, keys: Identifier) -> dict[int, Element]:
    """Keys over the defaults, item by item where both have a sequence."""
    merged = dict(defaults)
    for tag, element in keys.items():
        old = merged.get(tag)
        if old is not None and old.values and len(element.values) == 1:
            (default,), (item,) = old.values, element.values
            if isinstance(default, dict) and isinstance(item, dict):
                element = Element("SQ", (_merge(default, item),))  # noqa: PLW2901 -- the same element, completed
        merged[tag] = element
    return merged
