"""What an index knows of each level: the required keys of PS3.4 sections C.6.1.1 and C.6.2.1, and optional ones.

The names here are those of the columns; nothing that comes from a peer or a file ever becomes one.
"""

from typing import Final, NamedTuple

from dicomtls.association.query import Level
from dicomtls.dataset import tags


class Attribute(NamedTuple):
    """An attribute that is read from instances and kept; `keyword` is that of PS3.6."""

    tag: int
    keyword: str
    vr: str
    has_many: bool = False
    """It may have several values, of which one is enough to match; the others are one text, backslashes and all."""


class Derived(NamedTuple):
    """An attribute that is derived from what is below an entity: `sql` gives it, for the entity of the outer query."""

    tag: int
    keyword: str
    vr: str
    sql: str


ATTRIBUTES: Final[dict[Level, tuple[Attribute, ...]]] = {
    Level.PATIENT: (
        Attribute(tags.PATIENT_ID, "PatientID", "LO"),
        Attribute(tags.PATIENT_NAME, "PatientName", "PN"),
        Attribute(0x00100021, "IssuerOfPatientID", "LO"),
        Attribute(0x00100030, "PatientBirthDate", "DA"),
        Attribute(0x00100032, "PatientBirthTime", "TM"),
        Attribute(0x00100040, "PatientSex", "CS"),
        Attribute(0x00101000, "OtherPatientIDs", "LO", has_many=True),
        Attribute(0x00101001, "OtherPatientNames", "PN", has_many=True),
        Attribute(0x00102160, "EthnicGroup", "SH"),
        Attribute(0x00104000, "PatientComments", "LT"),
    ),
    Level.STUDY: (
        Attribute(tags.STUDY_INSTANCE_UID, "StudyInstanceUID", "UI"),
        Attribute(tags.STUDY_DATE, "StudyDate", "DA"),
        Attribute(0x00080030, "StudyTime", "TM"),
        Attribute(0x00080050, "AccessionNumber", "SH"),
        Attribute(tags.STUDY_ID, "StudyID", "SH"),
        Attribute(0x00080090, "ReferringPhysicianName", "PN"),
        Attribute(0x00081030, "StudyDescription", "LO"),
        Attribute(0x00081060, "NameOfPhysiciansReadingStudy", "PN", has_many=True),
        Attribute(0x00081080, "AdmittingDiagnosesDescription", "LO", has_many=True),
        Attribute(0x00101010, "PatientAge", "AS"),
        Attribute(0x00101020, "PatientSize", "DS"),
        Attribute(0x00101030, "PatientWeight", "DS"),
        Attribute(0x00102180, "Occupation", "SH"),
        Attribute(0x001021B0, "AdditionalPatientHistory", "LT"),
    ),
    Level.SERIES: (
        Attribute(tags.SERIES_INSTANCE_UID, "SeriesInstanceUID", "UI"),
        Attribute(tags.MODALITY, "Modality", "CS"),
        Attribute(tags.SERIES_NUMBER, "SeriesNumber", "IS"),
        Attribute(0x00080021, "SeriesDate", "DA"),
        Attribute(0x00080031, "SeriesTime", "TM"),
        Attribute(0x0008103E, "SeriesDescription", "LO"),
        Attribute(0x00080070, "Manufacturer", "LO"),
        Attribute(0x00080080, "InstitutionName", "LO"),
        Attribute(0x00081010, "StationName", "SH"),
        Attribute(0x00081040, "InstitutionalDepartmentName", "LO"),
        Attribute(0x00081050, "PerformingPhysicianName", "PN", has_many=True),
        Attribute(0x00081070, "OperatorsName", "PN", has_many=True),
        Attribute(0x00081090, "ManufacturerModelName", "LO"),
        Attribute(0x00180015, "BodyPartExamined", "CS"),
        Attribute(0x00181030, "ProtocolName", "LO"),
        Attribute(0x00200052, "FrameOfReferenceUID", "UI"),
        Attribute(0x00200060, "Laterality", "CS"),
        Attribute(0x00400244, "PerformedProcedureStepStartDate", "DA"),
        Attribute(0x00400245, "PerformedProcedureStepStartTime", "TM"),
    ),
    Level.IMAGE: (
        Attribute(tags.SOP_INSTANCE_UID, "SOPInstanceUID", "UI"),
        Attribute(tags.SOP_CLASS_UID, "SOPClassUID", "UI"),
        Attribute(tags.INSTANCE_NUMBER, "InstanceNumber", "IS"),
        Attribute(0x00080008, "ImageType", "CS", has_many=True),
        Attribute(0x00080012, "InstanceCreationDate", "DA"),
        Attribute(0x00080013, "InstanceCreationTime", "TM"),
        Attribute(0x00080022, "AcquisitionDate", "DA"),
        Attribute(0x00080023, "ContentDate", "DA"),
        Attribute(0x00080032, "AcquisitionTime", "TM"),
        Attribute(0x00080033, "ContentTime", "TM"),
        Attribute(0x00200012, "AcquisitionNumber", "IS"),
        Attribute(0x00280008, "NumberOfFrames", "IS"),
    ),
}
"""By level, those with the unique key first."""

AVAILABLE_TRANSFER_SYNTAX_UID: Final = 0x00083002

_SERIES_OF_STUDY: Final = "series AS s WHERE s.study = study.id"
_INSTANCES_OF_STUDY: Final = "instance AS i JOIN series AS s ON i.series = s.id WHERE s.study = study.id"
_OF_PATIENT: Final = "study AS t ON s.study = t.id WHERE t.patient = patient.id"

DERIVED: Final[dict[Level, tuple[Derived, ...]]] = {
    Level.PATIENT: (
        Derived(
            0x00201200,
            "NumberOfPatientRelatedStudies",
            "IS",
            "SELECT count(*) FROM study AS t WHERE t.patient = patient.id",
        ),
        Derived(
            0x00201202,
            "NumberOfPatientRelatedSeries",
            "IS",
            f"SELECT count(*) FROM series AS s JOIN {_OF_PATIENT}",
        ),
        Derived(
            0x00201204,
            "NumberOfPatientRelatedInstances",
            "IS",
            f"SELECT count(*) FROM instance AS i JOIN series AS s ON i.series = s.id JOIN {_OF_PATIENT}",
        ),
    ),
    Level.STUDY: (
        Derived(
            0x00080061,
            "ModalitiesInStudy",
            "CS",
            rf"SELECT group_concat(v, '\') FROM (SELECT DISTINCT s.Modality AS v FROM {_SERIES_OF_STUDY} ORDER BY v)",
        ),
        Derived(
            0x00080062,
            "SOPClassesInStudy",
            "UI",
            rf"SELECT group_concat(v, '\') FROM (SELECT DISTINCT i.SOPClassUID AS v FROM {_INSTANCES_OF_STUDY}"
            " ORDER BY v)",
        ),
        Derived(0x00201206, "NumberOfStudyRelatedSeries", "IS", f"SELECT count(*) FROM {_SERIES_OF_STUDY}"),
        Derived(0x00201208, "NumberOfStudyRelatedInstances", "IS", f"SELECT count(*) FROM {_INSTANCES_OF_STUDY}"),
    ),
    Level.SERIES: (
        Derived(
            0x00201209,
            "NumberOfSeriesRelatedInstances",
            "IS",
            "SELECT count(*) FROM instance AS i WHERE i.series = series.id",
        ),
    ),
    Level.IMAGE: (
        Derived(AVAILABLE_TRANSFER_SYNTAX_UID, "AvailableTransferSyntaxUID", "UI", "SELECT instance.transfer_syntax"),
    ),
}

TABLES: Final = {Level.PATIENT: "patient", Level.STUDY: "study", Level.SERIES: "series", Level.IMAGE: "instance"}
ORDER: Final = tuple(TABLES)
"""The levels from the top."""
READ_TAGS: Final = frozenset(
    {tags.SPECIFIC_CHARACTER_SET, *(one.tag for attributes in ATTRIBUTES.values() for one in attributes)}
)
"""What has to be read from an instance."""


def folded(attribute: Attribute | Derived) -> str | None:
    """The column for comparing names without case; None where an attribute has none."""
    is_single_name = isinstance(attribute, Attribute) and attribute.vr == "PN" and not attribute.has_many
    return f"{attribute.keyword}_folded" if is_single_name else None


UNIQUE_COLUMNS: Final = {level: attributes[0].keyword for level, attributes in ATTRIBUTES.items()}
