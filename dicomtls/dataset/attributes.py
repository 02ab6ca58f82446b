"""Keywords, tags and VRs of attributes (PS3.6): those that queries are made of at once, all others from pydicom.

Loading pydicom takes a tenth of a second, which a query for the usual keys does not need.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from dicomtls.dataset.identifier import Dictionary


class Attribute(NamedTuple):
    """What PS3.6 says of a tag."""

    tag: int
    vr: str


def _at(group: int, element: int, vr: str) -> Attribute:
    return Attribute(group << 16 | element, vr)


USUAL: Final = {
    "SpecificCharacterSet": _at(0x0008, 0x0005, "CS"),
    "InstanceCreationDate": _at(0x0008, 0x0012, "DA"),
    "InstanceCreationTime": _at(0x0008, 0x0013, "TM"),
    "SOPClassUID": _at(0x0008, 0x0016, "UI"),
    "SOPInstanceUID": _at(0x0008, 0x0018, "UI"),
    "StudyDate": _at(0x0008, 0x0020, "DA"),
    "SeriesDate": _at(0x0008, 0x0021, "DA"),
    "AcquisitionDate": _at(0x0008, 0x0022, "DA"),
    "ContentDate": _at(0x0008, 0x0023, "DA"),
    "StudyTime": _at(0x0008, 0x0030, "TM"),
    "SeriesTime": _at(0x0008, 0x0031, "TM"),
    "AcquisitionTime": _at(0x0008, 0x0032, "TM"),
    "ContentTime": _at(0x0008, 0x0033, "TM"),
    "AccessionNumber": _at(0x0008, 0x0050, "SH"),
    "QueryRetrieveLevel": _at(0x0008, 0x0052, "CS"),
    "RetrieveAETitle": _at(0x0008, 0x0054, "AE"),
    "InstanceAvailability": _at(0x0008, 0x0056, "CS"),
    "Modality": _at(0x0008, 0x0060, "CS"),
    "ModalitiesInStudy": _at(0x0008, 0x0061, "CS"),
    "SOPClassesInStudy": _at(0x0008, 0x0062, "UI"),
    "Manufacturer": _at(0x0008, 0x0070, "LO"),
    "InstitutionName": _at(0x0008, 0x0080, "LO"),
    "ReferringPhysicianName": _at(0x0008, 0x0090, "PN"),
    "CodeValue": _at(0x0008, 0x0100, "SH"),
    "CodingSchemeDesignator": _at(0x0008, 0x0102, "SH"),
    "CodingSchemeVersion": _at(0x0008, 0x0103, "SH"),
    "CodeMeaning": _at(0x0008, 0x0104, "LO"),
    "TimezoneOffsetFromUTC": _at(0x0008, 0x0201, "SH"),
    "StationName": _at(0x0008, 0x1010, "SH"),
    "StudyDescription": _at(0x0008, 0x1030, "LO"),
    "SeriesDescription": _at(0x0008, 0x103E, "LO"),
    "InstitutionalDepartmentName": _at(0x0008, 0x1040, "LO"),
    "NameOfPhysiciansReadingStudy": _at(0x0008, 0x1060, "PN"),
    "AdmittingDiagnosesDescription": _at(0x0008, 0x1080, "LO"),
    "ReferencedStudySequence": _at(0x0008, 0x1110, "SQ"),
    "ReferencedPatientSequence": _at(0x0008, 0x1120, "SQ"),
    "ReferencedSOPClassUID": _at(0x0008, 0x1150, "UI"),
    "ReferencedSOPInstanceUID": _at(0x0008, 0x1155, "UI"),
    "PatientName": _at(0x0010, 0x0010, "PN"),
    "PatientID": _at(0x0010, 0x0020, "LO"),
    "IssuerOfPatientID": _at(0x0010, 0x0021, "LO"),
    "PatientBirthDate": _at(0x0010, 0x0030, "DA"),
    "PatientBirthTime": _at(0x0010, 0x0032, "TM"),
    "PatientSex": _at(0x0010, 0x0040, "CS"),
    "OtherPatientIDs": _at(0x0010, 0x1000, "LO"),
    "OtherPatientNames": _at(0x0010, 0x1001, "PN"),
    "PatientAge": _at(0x0010, 0x1010, "AS"),
    "PatientSize": _at(0x0010, 0x1020, "DS"),
    "PatientWeight": _at(0x0010, 0x1030, "DS"),
    "MedicalAlerts": _at(0x0010, 0x2000, "LO"),
    "Allergies": _at(0x0010, 0x2110, "LO"),
    "EthnicGroup": _at(0x0010, 0x2160, "SH"),
    "Occupation": _at(0x0010, 0x2180, "SH"),
    "AdditionalPatientHistory": _at(0x0010, 0x21B0, "LT"),
    "PregnancyStatus": _at(0x0010, 0x21C0, "US"),
    "PatientComments": _at(0x0010, 0x4000, "LT"),
    "BodyPartExamined": _at(0x0018, 0x0015, "CS"),
    "ProtocolName": _at(0x0018, 0x1030, "LO"),
    "StudyInstanceUID": _at(0x0020, 0x000D, "UI"),
    "SeriesInstanceUID": _at(0x0020, 0x000E, "UI"),
    "StudyID": _at(0x0020, 0x0010, "SH"),
    "SeriesNumber": _at(0x0020, 0x0011, "IS"),
    "AcquisitionNumber": _at(0x0020, 0x0012, "IS"),
    "InstanceNumber": _at(0x0020, 0x0013, "IS"),
    "Laterality": _at(0x0020, 0x0060, "CS"),
    "NumberOfPatientRelatedStudies": _at(0x0020, 0x1200, "IS"),
    "NumberOfPatientRelatedSeries": _at(0x0020, 0x1202, "IS"),
    "NumberOfPatientRelatedInstances": _at(0x0020, 0x1204, "IS"),
    "NumberOfStudyRelatedSeries": _at(0x0020, 0x1206, "IS"),
    "NumberOfStudyRelatedInstances": _at(0x0020, 0x1208, "IS"),
    "NumberOfSeriesRelatedInstances": _at(0x0020, 0x1209, "IS"),
    "NumberOfFrames": _at(0x0028, 0x0008, "IS"),
    "Rows": _at(0x0028, 0x0010, "US"),
    "Columns": _at(0x0028, 0x0011, "US"),
    "BitsAllocated": _at(0x0028, 0x0100, "US"),
    "RequestingPhysician": _at(0x0032, 0x1032, "PN"),
    "RequestingService": _at(0x0032, 0x1033, "LO"),
    "RequestedProcedureDescription": _at(0x0032, 0x1060, "LO"),
    "RequestedProcedureCodeSequence": _at(0x0032, 0x1064, "SQ"),
    "AdmissionID": _at(0x0038, 0x0010, "LO"),
    "SpecialNeeds": _at(0x0038, 0x0050, "LO"),
    "CurrentPatientLocation": _at(0x0038, 0x0300, "LO"),
    "PatientState": _at(0x0038, 0x0500, "LO"),
    "ScheduledStationAETitle": _at(0x0040, 0x0001, "AE"),
    "ScheduledProcedureStepStartDate": _at(0x0040, 0x0002, "DA"),
    "ScheduledProcedureStepStartTime": _at(0x0040, 0x0003, "TM"),
    "ScheduledPerformingPhysicianName": _at(0x0040, 0x0006, "PN"),
    "ScheduledProcedureStepDescription": _at(0x0040, 0x0007, "LO"),
    "ScheduledProtocolCodeSequence": _at(0x0040, 0x0008, "SQ"),
    "ScheduledProcedureStepID": _at(0x0040, 0x0009, "SH"),
    "ScheduledStationName": _at(0x0040, 0x0010, "SH"),
    "ScheduledProcedureStepLocation": _at(0x0040, 0x0011, "SH"),
    "PreMedication": _at(0x0040, 0x0012, "LO"),
    "ScheduledProcedureStepStatus": _at(0x0040, 0x0020, "CS"),
    "ScheduledProcedureStepSequence": _at(0x0040, 0x0100, "SQ"),
    "PerformedProcedureStepStartDate": _at(0x0040, 0x0244, "DA"),
    "PerformedProcedureStepStartTime": _at(0x0040, 0x0245, "TM"),
    "RequestAttributesSequence": _at(0x0040, 0x0275, "SQ"),
    "RequestedProcedureID": _at(0x0040, 0x1001, "SH"),
    "RequestedProcedurePriority": _at(0x0040, 0x1003, "SH"),
    "PatientTransportArrangements": _at(0x0040, 0x1004, "LO"),
    "RequestedContrastAgent": _at(0x0032, 0x1070, "LO"),
    "ConfidentialityConstraintOnPatientDataDescription": _at(0x0040, 0x3001, "LO"),
}
"""The attributes of the query models (PS3.4 sections C.6 and K.6) and some that people look for besides."""

_KEYWORDS: Final = {attribute.tag: keyword for keyword, attribute in USUAL.items()}

DICTIONARY: Final = Dictionary({attribute.tag: attribute.vr for attribute in USUAL.values()})
"""VRs for identifiers in Implicit VR, without pydicom as long as only usual attributes come."""


def tag_of(keyword: str) -> int | None:
    """The tag of a keyword, spelled exactly as in PS3.6; None where there is none."""
    usual = USUAL.get(keyword)
    if usual is not None:
        return usual.tag
    from pydicom.datadict import tag_for_keyword

    return tag_for_keyword(keyword)


def name_of(tag: int) -> str:
    """The keyword of a tag, or `(gggg,eeee)` where it has none."""
    usual = _KEYWORDS.get(tag)
    if usual is not None:
        return usual
    if not tag >> 16 & 1:
        from pydicom.datadict import keyword_for_tag

        keyword = keyword_for_tag(tag)
        if keyword:
            return keyword
    return numbers_of(tag)


def numbers_of(tag: int) -> str:
    """A tag as PS3.6 writes it: `(gggg,eeee)`."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def nearest(keyword: str) -> str | None:
    """The keyword that was probably meant."""
    from difflib import get_close_matches

    spellings = {known.casefold(): known for known in all_keywords()}
    near = get_close_matches(keyword.casefold(), spellings, n=1, cutoff=0.7)
    return spellings[near[0]] if near else None


def all_keywords() -> Iterator[str]:
    """Every keyword of PS3.6 that stands for one tag, the usual ones first."""
    yield from USUAL
    yield from (entry[4] for entry in _dictionary().values() if entry[4] and entry[4] not in USUAL)


def _dictionary() -> "Mapping[int, tuple[str, ...]]":
    """pydicom's table, from its file alone: a shell's TAB cannot wait for all of pydicom."""
    from importlib.util import find_spec, module_from_spec, spec_from_file_location

    package = find_spec("pydicom")
    folders = package.submodule_search_locations if package is not None else None
    spec = (
        spec_from_file_location("dicomtls.dataset._pydicom_dictionary", f"{folders[0]}/_dicom_dict.py")
        if folders
        else None
    )
    if spec is None or spec.loader is None or "pydicom" in sys.modules:
        from pydicom._dicom_dict import DicomDictionary

        return DicomDictionary
    table = module_from_spec(spec)
    spec.loader.exec_module(table)
    found: Mapping[int, tuple[str, ...]] = table.DicomDictionary
    return found


def private_vr(tag: int, creator: str) -> str | None:
    """The VR of a private attribute, by whoever reserved its block (PS3.5 section 7.8.1); None where it is unknown."""
    from pydicom.datadict import private_dictionary_VR

    try:
        return private_dictionary_VR(tag, creator)
    except KeyError:
        return None
