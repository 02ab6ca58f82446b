"""What a DIMSE status says: its category, and a few words for people (PS3.7 annex C; PS3.4 annexes B, C and K)."""

from enum import StrEnum
from typing import Final

from dicomtls.association.dimse import CommandField

SUCCESS: Final = 0x0000
CANCEL: Final = 0xFE00
_PENDING: Final = frozenset({0xFF00, 0xFF01})
_SINGLE_WARNINGS: Final = frozenset({0x0001, 0x0107, 0x0116})
_WARNING_CLASS: Final = 0xB


class StatusCategory(StrEnum):
    """What a status means for the operation (PS3.7 annex C)."""

    SUCCESS = "success"
    PENDING = "pending"
    WARNING = "warning"
    FAILURE = "failure"
    CANCEL = "cancel"


def category(status: int) -> StatusCategory:
    """The category of a status; whatever the standard does not give another one is a failure."""
    if status == SUCCESS:
        return StatusCategory.SUCCESS
    if status in _PENDING:
        return StatusCategory.PENDING
    if status == CANCEL:
        return StatusCategory.CANCEL
    if status in _SINGLE_WARNINGS or status >> 12 == _WARNING_CLASS:
        return StatusCategory.WARNING
    return StatusCategory.FAILURE


_GENERAL: Final = {
    SUCCESS: "success",
    0x0001: "requested optional attributes are not supported",
    0x0105: "no such attribute",
    0x0106: "invalid attribute value",
    0x0107: "attribute list error",
    0x0110: "processing failure",
    0x0111: "duplicate SOP instance",
    0x0112: "no such SOP instance",
    0x0113: "no such event type",
    0x0114: "no such argument",
    0x0115: "invalid argument value",
    0x0116: "attribute value out of range",
    0x0117: "invalid SOP instance",
    0x0118: "no such SOP class",
    0x0119: "class-instance conflict",
    0x0120: "missing attribute",
    0x0121: "missing attribute value",
    0x0122: "refused: SOP class not supported",
    0x0123: "no such action",
    0x0124: "refused: not authorized",
    0x0210: "duplicate invocation",
    0x0211: "unrecognized operation",
    0x0212: "mistyped argument",
    0x0213: "resource limitation",
    CANCEL: "cancelled",
    0xFF00: "pending",
    0xFF01: "pending, with a warning",
}

# First and last status of a range, and what it says; the first range that holds the status counts.
_Ranges = tuple[tuple[int, int, str], ...]

_STORE: Final[_Ranges] = (
    (0xA700, 0xA7FF, "refused: out of resources"),
    (0xA900, 0xA9FF, "dataset does not match SOP class"),
    (0xB000, 0xB000, "coercion of data elements"),
    (0xB006, 0xB006, "data elements discarded"),
    (0xB007, 0xB007, "dataset does not match SOP class"),
    (0xC000, 0xCFFF, "cannot understand"),
)
_FIND: Final[_Ranges] = (
    (0xA700, 0xA700, "refused: out of resources"),
    (0xA710, 0xA710, "invalid prior record key"),
    (0xA900, 0xA900, "identifier does not match SOP class"),
    (0xB001, 0xB001, "response limit reached, more may match"),
    (0xC000, 0xCFFF, "unable to process"),
    (0xFF00, 0xFF00, "a match, more may follow"),
    (0xFF01, 0xFF01, "a match, but optional keys are not supported"),
)
_RETRIEVE: Final[_Ranges] = (
    (0xA701, 0xA701, "refused: out of resources, cannot count the matches"),
    (0xA702, 0xA702, "refused: out of resources, cannot perform the sub-operations"),
    (0xA801, 0xA801, "refused: move destination unknown"),
    (0xA900, 0xA900, "identifier does not match SOP class"),
    (0xAA00, 0xAA00, "none of the requested frames found"),
    (0xAA01, 0xAA01, "cannot create a new object for this SOP class"),
    (0xAA02, 0xAA02, "cannot extract frames"),
    (0xAA03, 0xAA03, "time-based request for an instance without time"),
    (0xAA04, 0xAA04, "invalid request"),
    (0xB000, 0xB000, "sub-operations complete, one or more failures or warnings"),
    (0xC000, 0xCFFF, "unable to process"),
    (0xFF00, 0xFF00, "sub-operations are continuing"),
)
_SERVICES: Final[dict[CommandField, _Ranges]] = {
    CommandField.C_STORE_RQ: _STORE,
    CommandField.C_STORE_RSP: _STORE,
    CommandField.C_FIND_RQ: _FIND,
    CommandField.C_FIND_RSP: _FIND,
    CommandField.C_GET_RQ: _RETRIEVE,
    CommandField.C_GET_RSP: _RETRIEVE,
    CommandField.C_MOVE_RQ: _RETRIEVE,
    CommandField.C_MOVE_RSP: _RETRIEVE,
}


def status_meaning(status: int, command_field: CommandField | None = None) -> str:
    """What a status says, in a few words.

    Statuses above 0xA000 mean different things in different services: give the command field of the request or of
    the response. A status that the service does not define is named by its category only.
    """
    ranges = _SERVICES.get(command_field, ()) if command_field is not None else ()
    for first, last, meaning in ranges:
        if first <= status <= last:
            return meaning
    return _GENERAL.get(status, f"{category(status)} that the standard does not define")
