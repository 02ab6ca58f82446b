"""Why an association is rejected or aborted: the numbers of PS3.8 tables 9-21 and 9-26, and what they say."""

from enum import IntEnum
from typing import Final


class RejectResult(IntEnum):
    """Result of an A-ASSOCIATE-RJ."""

    REJECTED_PERMANENT = 1
    REJECTED_TRANSIENT = 2


class RejectSource(IntEnum):
    """Source of an A-ASSOCIATE-RJ; each has reasons of its own."""

    SERVICE_USER = 1
    SERVICE_PROVIDER_ACSE = 2
    SERVICE_PROVIDER_PRESENTATION = 3


class UserReason(IntEnum):
    """Reason of an A-ASSOCIATE-RJ whose source is the service-user."""

    NO_REASON_GIVEN = 1
    APPLICATION_CONTEXT_NAME_NOT_SUPPORTED = 2
    CALLING_AE_TITLE_NOT_RECOGNIZED = 3
    CALLED_AE_TITLE_NOT_RECOGNIZED = 7


class ACSEReason(IntEnum):
    """Reason of an A-ASSOCIATE-RJ whose source is the service-provider's ACSE related function."""

    NO_REASON_GIVEN = 1
    PROTOCOL_VERSION_NOT_SUPPORTED = 2


class PresentationReason(IntEnum):
    """Reason of an A-ASSOCIATE-RJ whose source is the service-provider's presentation related function."""

    TEMPORARY_CONGESTION = 1
    LOCAL_LIMIT_EXCEEDED = 2


class AbortSource(IntEnum):
    """Source of an A-ABORT."""

    SERVICE_USER = 0
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """Reason of an A-ABORT whose source is the service-provider; a service-user gives none."""

    REASON_NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PDU_PARAMETER = 4
    UNEXPECTED_PDU_PARAMETER = 5
    INVALID_PDU_PARAMETER_VALUE = 6


_REJECT_RESULTS: Final[dict[int, str]] = {
    RejectResult.REJECTED_PERMANENT: "rejected permanently",
    RejectResult.REJECTED_TRANSIENT: "rejected for now, a later attempt may succeed",
}
_REJECT_SOURCES: Final[dict[int, str]] = {
    RejectSource.SERVICE_USER: "by the peer's application",
    RejectSource.SERVICE_PROVIDER_ACSE: "by the peer's association layer",
    RejectSource.SERVICE_PROVIDER_PRESENTATION: "by the peer's presentation layer",
}
_REJECT_REASONS: Final[dict[tuple[int, int], str]] = {
    (RejectSource.SERVICE_USER, UserReason.NO_REASON_GIVEN): "no reason given",
    (RejectSource.SERVICE_USER, UserReason.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED): (
        "the application context name is not supported"
    ),
    (RejectSource.SERVICE_USER, UserReason.CALLING_AE_TITLE_NOT_RECOGNIZED): "the calling AE title is not recognised",
    (RejectSource.SERVICE_USER, UserReason.CALLED_AE_TITLE_NOT_RECOGNIZED): "the called AE title is not recognised",
    (RejectSource.SERVICE_PROVIDER_ACSE, ACSEReason.NO_REASON_GIVEN): "no reason given",
    (RejectSource.SERVICE_PROVIDER_ACSE, ACSEReason.PROTOCOL_VERSION_NOT_SUPPORTED): (
        "the protocol version is not supported"
    ),
    (RejectSource.SERVICE_PROVIDER_PRESENTATION, PresentationReason.TEMPORARY_CONGESTION): "temporary congestion",
    (RejectSource.SERVICE_PROVIDER_PRESENTATION, PresentationReason.LOCAL_LIMIT_EXCEEDED): (
        "a limit of the peer is exceeded"
    ),
}
_ABORT_REASONS: Final[dict[int, str]] = {
    AbortReason.REASON_NOT_SPECIFIED: "reason not specified",
    AbortReason.UNRECOGNIZED_PDU: "a PDU of a type that it does not know",
    AbortReason.UNEXPECTED_PDU: "a PDU that it did not expect at that point",
    AbortReason.UNRECOGNIZED_PDU_PARAMETER: "a PDU parameter that it does not know",
    AbortReason.UNEXPECTED_PDU_PARAMETER: "a PDU parameter that it did not expect",
    AbortReason.INVALID_PDU_PARAMETER_VALUE: "a PDU parameter with an invalid value",
}


def describe_reject(result: int, source: int, reason: int) -> str:
    """What an A-ASSOCIATE-RJ says, in plain words; numbers that PS3.8 table 9-21 does not define stay numbers."""
    why = _REJECT_REASONS.get((source, reason), f"a reason that the standard does not define ({reason})")
    how = _REJECT_RESULTS.get(result, f"rejected with an undefined result ({result})")
    who = _REJECT_SOURCES.get(source, f"by an undefined source ({source})")
    return f"{why} ({how}, {who})"


def describe_abort(source: int, reason: int) -> str:
    """What an A-ABORT says, in plain words; numbers that PS3.8 table 9-26 does not define stay numbers.

    The reason counts only where the source is the service-provider.
    """
    if source == AbortSource.SERVICE_USER:
        return "aborted by the peer's application, which cannot say why"
    if source != AbortSource.SERVICE_PROVIDER:
        return f"aborted by an undefined source ({source}), reason {reason}"
    why = _ABORT_REASONS.get(reason, f"a reason that the standard does not define ({reason})")
    return f"aborted by the peer's association layer: {why}"
