"""The identifier of a C-MOVE or C-GET request: hostile bytes until they are a query (PS3.4 section C.4.2.1.4)."""

from collections.abc import Mapping
from typing import Final

from dicomtls.association.association import Association, Message
from dicomtls.association.query import QUERY_RETRIEVE_LEVEL, UNIQUE_KEYS, Model
from dicomtls.dataset import tags
from dicomtls.scp.index import Query
from dicomtls.scp.requests import IDENTIFIER_MISMATCH, Refused, level_of, read_identifier

SOP_CLASS_NOT_SUPPORTED: Final = 0x0122


def read_query(association: Association, message: Message, models: Mapping[str, Model]) -> Query:
    """Read what is to be retrieved; `models` are those that we know by their SOP classes. Raises `Refused`.

    The unique key of the level must have a value: without that a slip would move the whole archive. Those of the levels
    above may be missing, as most archives have it.
    """
    keys = read_identifier(association, message)
    model = models.get(message.context.abstract_syntax)
    if model is None or message.command.affected_sop_class_uid != message.context.abstract_syntax:
        raise Refused(SOP_CLASS_NOT_SUPPORTED, "the SOP class is not that of the presentation context")
    level = level_of(keys, model)
    keys.pop(QUERY_RETRIEVE_LEVEL)
    keys.pop(tags.SPECIFIC_CHARACTER_SET, None)
    values = {tag: element for tag, element in keys.items() if any(value != "" for value in element.values)}
    unique = values.get(UNIQUE_KEYS[level])
    if unique is None:
        raise Refused(IDENTIFIER_MISMATCH, f"the unique key of the level {level} has no value")
    for tag in UNIQUE_KEYS.values():
        if tag in values and any(isinstance(one, str) and ("*" in one or "?" in one) for one in values[tag].values):
            raise Refused(IDENTIFIER_MISMATCH, "a unique key has a wildcard, which only C-FIND takes")
    return Query(model, level, values)
