"""The sub-operations of a C-MOVE or C-GET as the peer counts them, and where that cannot be so (PS3.4 section C.4)."""

from typing import TYPE_CHECKING, Final, NamedTuple

from dicomtls.association.status import StatusCategory, category
from dicomtls.dataset import tags
from dicomtls.dataset.identifier import decode
from dicomtls.errors import DataError
from dicomtls.uid import is_uid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dicomtls.association.dimse import Command

MOST_COUNTED: Final = 0xFFFF
"""The highest number of sub-operations that a response can say (VR US)."""
LONGEST_IDENTIFIER: Final = 16 << 20
"""Bytes of a list of failed instances: 250,000 of them."""


class Counts(NamedTuple):
    """Numbers of sub-operations; None where the peer did not say."""

    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None

    @property
    def done(self) -> int:
        """How many have ended, well or not."""
        return (self.completed or 0) + (self.failed or 0) + (self.warning or 0)

    @property
    def total(self) -> int | None:
        """How many there are in all, where the peer says how many remain."""
        return None if self.remaining is None else self.done + self.remaining

    @property
    def is_exact(self) -> bool:
        """Whether none stands where a count ends, and may stand for more."""
        return MOST_COUNTED not in self


NOTHING_COUNTED: Final = Counts()
"""What is known before the first response."""


class SubOperations:
    """Follows the counts from response to response; `remarks` say, once each, what cannot be true of them."""

    def __init__(self) -> None:
        self.counts = NOTHING_COUNTED
        self._remarks: dict[str, None] = {}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was odd, in the order in which it was noticed."""
        return tuple(self._remarks)

    def remark(self, text: str) -> None:
        """Note something that is odd."""
        self._remarks[text] = None

    def update(self, response: "Command", *, is_final: bool) -> None:
        """Take the counts of a response; a final one need not repeat them, nor say how many remain."""
        last = self.counts
        counts = Counts(
            response.number_of_remaining_suboperations,
            response.number_of_completed_suboperations,
            response.number_of_failed_suboperations,
            response.number_of_warning_suboperations,
        )
        if counts == NOTHING_COUNTED:
            return
        self.counts = counts
        if not (last.is_exact and counts.is_exact):
            return
        if counts.done < last.done:
            self.remark(f"the peer counted {last.done} sub-operations that had ended, and then {counts.done}")
        elif None not in (last.total, counts.total) and counts.total != last.total and not is_final:
            self.remark(f"the peer counted {last.total} sub-operations, and then {counts.total}")
        elif is_final and last.total is not None and counts.done + (counts.remaining or 0) < last.total:
            missing = last.total - counts.done - (counts.remaining or 0)
            self.remark(f"the peer's last counts leave out {missing} of {last.total} sub-operations")
        if is_final and counts.remaining and category(response.status or 0) is not StatusCategory.CANCEL:
            self.remark(f"the peer ended with {counts.remaining} sub-operations remaining")

    def failed_instances(self, identifier: "Iterable[memoryview]", transfer_syntax: str) -> tuple[str, ...]:
        """Read the list of those that failed; what cannot be read of it is a remark (PS3.4 C.4.2.1.4.2)."""
        data = bytearray()
        for fragment in identifier:
            if len(data) <= LONGEST_IDENTIFIER:
                data += fragment
        if len(data) > LONGEST_IDENTIFIER:
            self.remark(f"the peer's list of failed instances has more than {LONGEST_IDENTIFIER} bytes")
            return ()
        try:
            listed = decode(bytes(data), transfer_syntax).get(tags.FAILED_SOP_INSTANCE_UID_LIST)
        except DataError as error:
            self.remark(f"the peer's list of failed instances cannot be read: {error.message}")
            return ()
        values = listed.values if listed is not None else ()
        uids = tuple(dict.fromkeys(value for value in values if isinstance(value, str) and is_uid(value)))
        if len(uids) < len(values):
            self.remark(
                f"{len(values) - len(uids)} of the failed instances that the peer lists have no UID of their own"
            )
        return uids
