"""Command sets: what is asked and answered on an association (PS3.7 sections 6.3, 9.3, 10.3 and annex E). No I/O.

A command set is a short list of elements of group 0000 in Implicit VR Little Endian, whatever the transfer syntax of
the presentation context. One `Command` stands for every message; what a message does not have is None.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Any, Final

from dicomtls.association.items import decode_text
from dicomtls.errors import AssociationError, LocalProtocolError, RemoteProtocolError
from dicomtls.uid import is_uid

_ELEMENT_HEADER: Final = Struct("<HHI")
_COMMAND_GROUP_LENGTH: Final = 0x0000
_NO_DATASET: Final = 0x0101
_SOME_DATASET: Final = 0x0001
_RESPONSE: Final = 0x8000
_TWO_BYTES: Final = 2
_TAG_SIZE: Final = 4
_LONGEST_AE_TITLE: Final = 16
_LONGEST_COMMENT: Final = 64


class CommandField(IntEnum):
    """What a message is (PS3.7 annex E.1)."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_GET_RQ = 0x0010
    C_GET_RSP = 0x8010
    C_FIND_RQ = 0x0020
    C_FIND_RSP = 0x8020
    C_MOVE_RQ = 0x0021
    C_MOVE_RSP = 0x8021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    N_EVENT_REPORT_RQ = 0x0100
    N_EVENT_REPORT_RSP = 0x8100
    N_GET_RQ = 0x0110
    N_GET_RSP = 0x8110
    N_SET_RQ = 0x0120
    N_SET_RSP = 0x8120
    N_ACTION_RQ = 0x0130
    N_ACTION_RSP = 0x8130
    N_CREATE_RQ = 0x0140
    N_CREATE_RSP = 0x8140
    N_DELETE_RQ = 0x0150
    N_DELETE_RSP = 0x8150
    C_CANCEL_RQ = 0x0FFF

    def __str__(self) -> str:
        return self.name.replace("_", "-")

    @property
    def is_response(self) -> bool:
        """Whether it answers a request."""
        return self >= _RESPONSE

    @property
    def response(self) -> "CommandField":
        """What answers this request; raises `ValueError` for a response and for the C-CANCEL-RQ."""
        return CommandField(self + _RESPONSE)


_COMMAND_FIELDS: Final = {int(command_field): command_field for command_field in CommandField}


class Priority(IntEnum):
    """Priority of a C-STORE, C-FIND, C-GET or C-MOVE request (PS3.7 annex E.1)."""

    MEDIUM = 0x0000
    HIGH = 0x0001
    LOW = 0x0002


# Without slots: `decode_command` fills an instance in one step, which takes a fraction of the time of `__init__`.
@dataclass(frozen=True, kw_only=True)
class Command:
    """A command set; attributes bear the names of PS3.7 annex E.1.

    `offending_element` and `attribute_identifier_list` hold tags as numbers, 0x00100010 for (0010,0010).
    `has_dataset` says whether a dataset follows.
    """

    command_field: CommandField
    has_dataset: bool = False
    message_id: int | None = None
    message_id_being_responded_to: int | None = None
    affected_sop_class_uid: str | None = None
    requested_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    requested_sop_instance_uid: str | None = None
    priority: int | None = None
    status: int | None = None
    move_destination: str | None = None
    move_originator_ae_title: str | None = None
    move_originator_message_id: int | None = None
    error_comment: str | None = None
    offending_element: tuple[int, ...] | None = None
    error_id: int | None = None
    event_type_id: int | None = None
    action_type_id: int | None = None
    attribute_identifier_list: tuple[int, ...] | None = None
    number_of_remaining_suboperations: int | None = None
    number_of_completed_suboperations: int | None = None
    number_of_failed_suboperations: int | None = None
    number_of_warning_suboperations: int | None = None


def encode_command(command: Command) -> bytes:
    """The command set with its group length; raises `LocalProtocolError` for values that it cannot carry.

    An error comment is cut to 64 characters and what is not printable ASCII in it replaced, rather than refused: it is
    there for people, and must not keep the status from them.
    """
    _refuse_incomplete(command, LocalProtocolError)
    values = command.__dict__
    parts = [b""]
    for name, element, write in _WRITERS:
        value = values.get(name)
        if value is None:
            continue
        try:
            encoded = write(value)
        except (OverflowError, ValueError):
            msg = f"the {name.replace('_', ' ')} of a {command.command_field} cannot be {value!r}"
            raise LocalProtocolError(msg) from None
        parts.append(_ELEMENT_HEADER.pack(0, element, len(encoded)) + encoded)
    body = b"".join(parts)
    return _ELEMENT_HEADER.pack(0, _COMMAND_GROUP_LENGTH, 4) + len(body).to_bytes(4, "little") + body


def decode_command(data: bytes | memoryview) -> Command:
    """Read a whole command set; raises `RemoteProtocolError`.

    Elements that PS3.7 annex E does not have (or has retired) are skipped, and an empty value counts as an absent one.
    The command ends with its fragments, or where another group begins: Orthanc puts the list of failed instances there.
    The group length is not looked at, since DCMTK does not count in what is added so, nor its error comments.
    """
    data = bytes(data)
    values: dict[str, Any] = {}
    offset, end = 0, len(data)
    while offset < end:
        split = _split_element(data, offset)
        if split is None:
            break
        element, start, offset = split
        reader = _READERS.get(element)
        if reader is None or start == offset:
            continue
        name, read = reader
        if name in values:
            msg = f"the command set has the element (0000,{element:04X}) twice"
            raise RemoteProtocolError(msg)
        values[name] = read(data[start:offset])
    if "command_field" not in values or "has_dataset" not in values:
        msg = "the command set lacks its command field or its command data set type"
        raise RemoteProtocolError(msg)
    command = object.__new__(Command)
    command.__dict__.update(values)
    _refuse_incomplete(command, RemoteProtocolError)
    return command


def _split_element(data: bytes, offset: int) -> tuple[int, int, int] | None:
    """Element number, and where the value of the element at `offset` starts and ends; None in another group."""
    start = offset + _ELEMENT_HEADER.size
    if start > len(data):
        msg = f"the command set ends within the header of an element, after {len(data)} bytes"
        raise RemoteProtocolError(msg)
    group, element, length = _ELEMENT_HEADER.unpack_from(data, offset)
    if group:
        return None
    if length > len(data) - start:
        msg = f"the element (0000,{element:04X}) claims {length} bytes where {len(data) - start} are left"
        raise RemoteProtocolError(msg)
    return element, start, start + length


def _refuse_incomplete(command: Command, error: type[AssociationError]) -> None:
    """Raise where that is missing without which a message belongs to nothing."""
    command_field = command.command_field
    if command_field < _RESPONSE and command_field != CommandField.C_CANCEL_RQ:
        is_complete = command.message_id is not None
    else:
        is_complete = command.message_id_being_responded_to is not None
    if not is_complete or (command_field >= _RESPONSE and command.status is None):
        msg = f"a {command_field} lacks its message identifier or its status"
        raise error(msg)


def _write_number(value: int) -> bytes:
    return value.to_bytes(_TWO_BYTES, "little")


def _read_number(data: bytes) -> int:
    if len(data) != _TWO_BYTES:
        msg = f"a number in the command set has {len(data)} bytes instead of two"
        raise RemoteProtocolError(msg)
    return data[0] | data[1] << 8


def _write_uid(value: str) -> bytes:
    if not is_uid(value):
        raise ValueError
    return value.encode("ascii") + b"\0" * (len(value) & 1)


def _write_ae_title(value: str) -> bytes:
    if not (value.isascii() and value.isprintable() and 0 < len(value) <= _LONGEST_AE_TITLE) or "\\" in value:
        raise ValueError
    return value.encode("ascii") + b" " * (len(value) & 1)


def _write_comment(value: str) -> bytes:
    # A backslash would start a second value (PS3.5 section 6.4).
    kept = "".join(
        character if character.isascii() and character.isprintable() and character != "\\" else "?"
        for character in value[:_LONGEST_COMMENT]
    )
    return kept.encode("ascii") + b" " * (len(kept) & 1)


def _write_dataset_type(value: bool) -> bytes:  # noqa: FBT001 - all writers take the value alone
    return _write_number(_SOME_DATASET if value else _NO_DATASET)


def _read_dataset_type(data: bytes) -> bool:
    return _read_number(data) != _NO_DATASET


def _read_command_field(data: bytes) -> CommandField:
    number = _read_number(data)
    command_field = _COMMAND_FIELDS.get(number)
    if command_field is None:
        msg = f"the command field 0x{number:04X} is unknown"
        raise RemoteProtocolError(msg)
    return command_field


def _write_tags(value: tuple[int, ...]) -> bytes:
    return b"".join(_write_number(tag >> 16) + _write_number(tag & 0xFFFF) for tag in value)


def _read_tags(data: bytes) -> tuple[int, ...]:
    if len(data) % _TAG_SIZE:
        msg = f"a list of tags in the command set has {len(data)} bytes, no multiple of four"
        raise RemoteProtocolError(msg)
    return tuple(
        _read_number(data[start : start + 2]) << 16 | _read_number(data[start + 2 : start + 4])
        for start in range(0, len(data), _TAG_SIZE)
    )


# Any, because the table below is what brings together an attribute and the writer for its type.
_Writer = Callable[[Any], bytes]
_Reader = Callable[[bytes], object]

_NUMBER: Final[tuple[_Writer, _Reader]] = (_write_number, _read_number)
_UID: Final[tuple[_Writer, _Reader]] = (_write_uid, decode_text)
_AE_TITLE: Final[tuple[_Writer, _Reader]] = (_write_ae_title, decode_text)
_COMMENT: Final[tuple[_Writer, _Reader]] = (_write_comment, decode_text)
_TAGS: Final[tuple[_Writer, _Reader]] = (_write_tags, _read_tags)

# In the order of their tags, which is the order on the wire (PS3.7 section 6.3.1).
_ELEMENTS: Final[tuple[tuple[int, str, tuple[_Writer, _Reader]], ...]] = (
    (0x0002, "affected_sop_class_uid", _UID),
    (0x0003, "requested_sop_class_uid", _UID),
    (0x0100, "command_field", (_write_number, _read_command_field)),
    (0x0110, "message_id", _NUMBER),
    (0x0120, "message_id_being_responded_to", _NUMBER),
    (0x0600, "move_destination", _AE_TITLE),
    (0x0700, "priority", _NUMBER),
    (0x0800, "has_dataset", (_write_dataset_type, _read_dataset_type)),
    (0x0900, "status", _NUMBER),
    (0x0901, "offending_element", _TAGS),
    (0x0902, "error_comment", _COMMENT),
    (0x0903, "error_id", _NUMBER),
    (0x1000, "affected_sop_instance_uid", _UID),
    (0x1001, "requested_sop_instance_uid", _UID),
    (0x1002, "event_type_id", _NUMBER),
    (0x1005, "attribute_identifier_list", _TAGS),
    (0x1008, "action_type_id", _NUMBER),
    (0x1020, "number_of_remaining_suboperations", _NUMBER),
    (0x1021, "number_of_completed_suboperations", _NUMBER),
    (0x1022, "number_of_failed_suboperations", _NUMBER),
    (0x1023, "number_of_warning_suboperations", _NUMBER),
    (0x1030, "move_originator_ae_title", _AE_TITLE),
    (0x1031, "move_originator_message_id", _NUMBER),
)
_WRITERS: Final = tuple((name, element, write) for element, name, (write, _read) in _ELEMENTS)
_READERS: Final = {element: (name, read) for element, name, (_write, read) in _ELEMENTS}
