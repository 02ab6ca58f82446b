"""What storage commitment is made of: UIDs, numbers, and its two datasets (PS3.4 annex J, PS3.3 section C.14)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from dicomtls.dataset import tags
from dicomtls.dataset.identifier import Element, Value
from dicomtls.errors import DataError
from dicomtls.uid import is_uid

SOP_CLASS: Final = "1.2.840.10008.1.20.1"
"""Storage Commitment Push Model."""
SOP_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
"""The one instance of it that everybody has (PS3.4 section J.3.5)."""
REQUEST_ACTION: Final = 1
EVENT_ALL_COMMITTED: Final = 1
EVENT_FAILURES: Final = 2

NO_SUCH_INSTANCE: Final = 0x0112
CLASS_CONFLICT: Final = 0x0119
PROCESSING_FAILURE: Final = 0x0110
_REASONS: Final = {
    PROCESSING_FAILURE: "processing failure",
    NO_SUCH_INSTANCE: "no such SOP instance",
    0x0213: "resource limitation",
    0x0122: "SOP class not supported",
    CLASS_CONFLICT: "class-instance conflict",
    0x0131: "duplicate transaction UID",
}


class Reference(NamedTuple):
    """An instance that is to be committed, or was."""

    sop_class_uid: str
    sop_instance_uid: str


class Failed(NamedTuple):
    """An instance that was not committed, and why (PS3.3 table C.14-1, Failure Reason)."""

    reference: Reference
    reason: int

    @property
    def meaning(self) -> str:
        """The reason in words."""
        return _REASONS.get(self.reason, "a reason that the standard does not define")


@dataclass(frozen=True)
class Transaction:
    """The dataset of a request (without `failed`) or of a report."""

    uid: str
    references: tuple[Reference, ...]
    failed: tuple[Failed, ...] = ()

    @property
    def size(self) -> int:
        """How many instances it is about."""
        return len(self.references) + len(self.failed)

    def encode(self) -> dict[int, Element]:
        """As elements; sequences that are empty are left out."""
        elements = {tags.TRANSACTION_UID: Element("UI", (self.uid,))}
        if self.references:
            items: tuple[Value, ...] = tuple(map(_item, self.references))
            elements[tags.REFERENCED_SOP_SEQUENCE] = Element("SQ", items)
        if self.failed:
            items = tuple(
                {**_item(failed.reference), tags.FAILURE_REASON: Element("US", (failed.reason,))}
                for failed in self.failed
            )
            elements[tags.FAILED_SOP_SEQUENCE] = Element("SQ", items)
        return elements


def read_transaction(elements: Mapping[int, Element]) -> Transaction:
    """Read the dataset of a request or a report; raises `DataError` where it is none."""
    uid = _text(elements, tags.TRANSACTION_UID)
    if not is_uid(uid):
        msg = "the transaction has no UID"
        raise DataError(msg)
    references = tuple(_reference(item) for item in _items(elements, tags.REFERENCED_SOP_SEQUENCE))
    failed = tuple(
        Failed(_reference(item), _number(item, tags.FAILURE_REASON))
        for item in _items(elements, tags.FAILED_SOP_SEQUENCE)
    )
    return Transaction(uid, references, failed)


def _item(reference: Reference) -> dict[int, Element]:
    return {
        tags.REFERENCED_SOP_CLASS_UID: Element("UI", (reference.sop_class_uid,)),
        tags.REFERENCED_SOP_INSTANCE_UID: Element("UI", (reference.sop_instance_uid,)),
    }


def _items(elements: Mapping[int, Element], tag: int) -> Iterable[Mapping[int, Element]]:
    element = elements.get(tag)
    for item in element.values if element is not None else ():
        if not isinstance(item, Mapping):
            msg = "a list of instances is no sequence"
            raise DataError(msg)
        yield item


def _reference(item: Mapping[int, Element]) -> Reference:
    reference = Reference(_text(item, tags.REFERENCED_SOP_CLASS_UID), _text(item, tags.REFERENCED_SOP_INSTANCE_UID))
    if not (is_uid(reference.sop_class_uid) and is_uid(reference.sop_instance_uid)):
        msg = "an instance of the transaction has no UIDs"
        raise DataError(msg)
    return reference


def _text(elements: Mapping[int, Element], tag: int) -> str:
    element = elements.get(tag)
    value = element.values[0] if element is not None and element.values else ""
    return value if isinstance(value, str) else ""


def _number(elements: Mapping[int, Element], tag: int) -> int:
    element = elements.get(tag)
    value = element.values[0] if element is not None and element.values else 0
    return value if isinstance(value, int) else 0
