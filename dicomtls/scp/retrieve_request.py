"""The identifier of a C-MOVE or C-GET request: hostile bytes until they are a query (PS3.4 section C.4.2.1.4)."""

from collections.abc import Mapping
from typing import Final

from dicomtls.association.association import Association, Message
from dicomtls.association.query import LEVELS, QUERY_RETRIEVE_LEVEL, UNIQUE_KEYS, Level, Model
from dicomtls.dataset import tags
from dicomtls.dataset.identifier import Element, decode
from dicomtls.errors import DataError
from dicomtls.scp.index import Query

IDENTIFIER_MISMATCH: Final = 0xA900
UNABLE_TO_PROCESS: Final = 0xC000
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
LONGEST_IDENTIFIER: Final = 1 << 20
"""Bytes of an identifier: lists of 15,000 UIDs."""


class Refused(Exception):
    """A request that is answered with a failure status; `reason` is for the peer and for our log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def read_dataset(association: Association, message: Message, *, longest: int) -> dict[int, Element]:
    """Take the dataset of a request and decode it; raises `Refused`.

    It is taken off the association to its end in any case, so that the next message can follow.
    """
    data = bytearray()
    length = 0
    for fragment in association.fragments():
        length += len(fragment)
        if length <= longest:
            data += fragment
    if length > longest:
        raise Refused(UNABLE_TO_PROCESS, f"the dataset has {length} bytes, more than {longest}")
    try:
        return decode(bytes(data), message.context.transfer_syntax)
    except DataError as error:
        raise Refused(UNABLE_TO_PROCESS, error.message) from error


def read_query(association: Association, message: Message, models: Mapping[str, Model]) -> Query:
    """Read what is to be retrieved; `models` are those that we know by their SOP classes. Raises `Refused`.

    The unique key of the level must have a value: without that a slip would move the whole archive. Those of the levels
    above may be missing, as most archives have it.
    """
    keys = read_dataset(association, message, longest=LONGEST_IDENTIFIER)
    model = models.get(message.context.abstract_syntax)
    if model is None or message.command.affected_sop_class_uid != message.context.abstract_syntax:
        raise Refused(SOP_CLASS_NOT_SUPPORTED, "the SOP class is not that of the presentation context")
    level = _level(keys.pop(QUERY_RETRIEVE_LEVEL, None), model)
    keys.pop(tags.SPECIFIC_CHARACTER_SET, None)
    values = {tag: element for tag, element in keys.items() if any(value != "" for value in element.values)}
    unique = values.get(UNIQUE_KEYS[level])
    if unique is None:
        raise Refused(IDENTIFIER_MISMATCH, f"the unique key of the level {level} has no value")
    for tag in UNIQUE_KEYS.values():
        if tag in values and any(isinstance(one, str) and ("*" in one or "?" in one) for one in values[tag].values):
            raise Refused(IDENTIFIER_MISMATCH, "a unique key has a wildcard, which only C-FIND takes")
    return Query(model, level, values)


def _level(element: Element | None, model: Model) -> Level:
    name = element.values[0] if element is not None and element.values else None
    level = next((level for level in LEVELS[model] if level == name), None)
    if level is None:
        raise Refused(IDENTIFIER_MISMATCH, f"no query/retrieve level of the {model} model: {str(name)[:20]!r}")
    return level
