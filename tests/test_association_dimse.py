"""Command sets, against pynetdicom, against the bytes of the standard, and against lengths that lie."""

import struct
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomtls.association.dimse import Command, CommandField, Priority, decode_command, encode_command
from dicomtls.errors import LocalProtocolError, RemoteProtocolError
from tests.support.associations import AE_TITLES, UIDS, WORD, allowed_memory, mutated, peak_memory, read_or_refuse

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"

# PS3.7 annex E.1: what pydicom's dictionary calls the attributes of `Command`.
KEYWORDS = {
    "message_id": "MessageID",
    "message_id_being_responded_to": "MessageIDBeingRespondedTo",
    "affected_sop_class_uid": "AffectedSOPClassUID",
    "requested_sop_class_uid": "RequestedSOPClassUID",
    "affected_sop_instance_uid": "AffectedSOPInstanceUID",
    "requested_sop_instance_uid": "RequestedSOPInstanceUID",
    "priority": "Priority",
    "status": "Status",
    "move_destination": "MoveDestination",
    "move_originator_ae_title": "MoveOriginatorApplicationEntityTitle",
    "move_originator_message_id": "MoveOriginatorMessageID",
    "error_comment": "ErrorComment",
    "offending_element": "OffendingElement",
    "error_id": "ErrorID",
    "event_type_id": "EventTypeID",
    "action_type_id": "ActionTypeID",
    "attribute_identifier_list": "AttributeIdentifierList",
    "number_of_remaining_suboperations": "NumberOfRemainingSuboperations",
    "number_of_completed_suboperations": "NumberOfCompletedSuboperations",
    "number_of_failed_suboperations": "NumberOfFailedSuboperations",
    "number_of_warning_suboperations": "NumberOfWarningSuboperations",
}
TAGS = st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=4).map(tuple)

STORE_REQUEST = Command(
    command_field=CommandField.C_STORE_RQ,
    message_id=7,
    affected_sop_class_uid=CT,
    affected_sop_instance_uid="1.2.3.4",
    priority=Priority.MEDIUM,
    has_dataset=True,
)
STORE_RESPONSE = Command(
    command_field=CommandField.C_STORE_RSP,
    message_id_being_responded_to=7,
    affected_sop_class_uid=CT,
    affected_sop_instance_uid="1.2.3.4",
    status=0,
)


def values_of(name: str) -> st.SearchStrategy[Any]:
    """What an attribute of a command may hold."""
    if name.endswith("_uid"):
        return UIDS
    if name in {"move_destination", "move_originator_ae_title", "error_comment"}:
        return AE_TITLES
    if name in {"offending_element", "attribute_identifier_list"}:
        return TAGS
    return WORD


COMMANDS = st.builds(
    lambda command_field, has_dataset, message_id, status, others: Command(
        command_field=command_field,
        has_dataset=has_dataset,
        **{"message_id": message_id, "message_id_being_responded_to": message_id, "status": status, **others},
    ),
    st.sampled_from(CommandField),
    st.booleans(),
    WORD,
    WORD,
    st.fixed_dictionaries({}, optional={name: values_of(name) for name in KEYWORDS}),
)


def element(number: int, value: bytes, group: int = 0) -> bytes:
    """One element in Implicit VR Little Endian."""
    return struct.pack("<HHI", group, number, len(value)) + value


def number(value: int) -> bytes:
    """A value of VR US."""
    return value.to_bytes(2, "little")


ECHO_RESPONSE = (
    element(0x0002, VERIFICATION.encode() + b"\0"),
    element(0x0100, number(0x8030)),
    element(0x0120, number(7)),
    element(0x0800, number(0x0101)),
    element(0x0900, number(0)),
)


@given(COMMANDS)
@settings(max_examples=150)
def test_command_comes_back_when_encoded(command: Command) -> None:
    """Whatever we write we read."""
    assert decode_command(encode_command(command)) == command


def test_every_attribute_is_in_the_table_when_a_command_is_encoded() -> None:
    """No attribute of `Command` is left out of the encoding."""
    assert {field.name for field in fields(Command)} == {*KEYWORDS, "command_field", "has_dataset"}


def test_store_request_has_the_bytes_of_the_standard_when_encoded() -> None:
    """PS3.7 table 9.3-1: ascending tags, UIDs padded with NUL, the group length that of the rest."""
    body = (
        element(0x0002, CT.encode() + b"\0")
        + element(0x0100, number(1))
        + element(0x0110, number(7))
        + element(0x0700, number(0))
        + element(0x0800, number(1))
        + element(0x1000, b"1.2.3.4\0")
    )
    assert encode_command(STORE_REQUEST) == element(0, len(body).to_bytes(4, "little")) + body


@given(COMMANDS)
@settings(max_examples=80)
def test_pydicom_agrees_when_it_reads_and_writes_a_command_set(command: Command) -> None:
    """pynetdicom's decoder finds the same elements in our bytes, and its encoder writes the same bytes again."""
    from io import BytesIO

    from pynetdicom.dsutils import decode, encode

    encoded = encode_command(command)
    theirs = decode(BytesIO(encoded), is_implicit_vr=True, is_little_endian=True)
    for name, keyword in KEYWORDS.items():
        ours: object = getattr(command, name)
        other: Any = getattr(theirs, keyword, None)
        if isinstance(ours, tuple):
            assert ours == ((other,) if isinstance(other, int) else tuple(other))
        else:
            assert ours == other
    assert theirs.CommandField == command.command_field
    assert (theirs.CommandDataSetType != 0x0101) == command.has_dataset
    assert theirs.CommandGroupLength == len(encoded) - 12
    assert encode(theirs, is_implicit_vr=True, is_little_endian=True) == encoded


def test_command_is_read_when_pynetdicom_made_its_message() -> None:
    """A C-STORE request and its response that pynetdicom builds from its primitives say the same to us."""
    from io import BytesIO

    from pydicom.uid import UID
    from pynetdicom.dimse_messages import C_STORE_RQ, C_STORE_RSP
    from pynetdicom.dimse_primitives import C_STORE
    from pynetdicom.dsutils import encode

    request = C_STORE()
    request.MessageID = 7
    request.AffectedSOPClassUID = UID(CT)
    request.AffectedSOPInstanceUID = UID("1.2.3.4")
    request.Priority = 0
    request.DataSet = BytesIO(b"\0\0")
    response = C_STORE()
    response.MessageIDBeingRespondedTo = 7
    response.AffectedSOPClassUID = UID(CT)
    response.AffectedSOPInstanceUID = UID("1.2.3.4")
    response.Status = 0
    for message, primitive, ours in (
        (C_STORE_RQ(), request, STORE_REQUEST),
        (C_STORE_RSP(), response, STORE_RESPONSE),
    ):
        message.primitive_to_message(primitive)
        encoded = encode(message.command_set, is_implicit_vr=True, is_little_endian=True)
        assert encoded is not None
        assert decode_command(encoded) == ours


def test_command_fields_are_those_of_pynetdicom_when_compared() -> None:
    """Names and numbers of all messages agree."""
    from pynetdicom.dimse_messages import _MESSAGE_TYPES

    assert {int(field): str(field) for field in CommandField} == {
        value: names[0] for value, names in _MESSAGE_TYPES.items()
    }


@given(mutated(COMMANDS.map(encode_command)) | st.binary(max_size=80))
@settings(max_examples=300)
def test_command_raises_only_protocol_errors_when_bytes_are_hostile(data: bytes) -> None:
    """Mutated and random bytes are read or refused; what was read can be shown."""
    assert repr(read_or_refuse(decode_command, data)).isprintable()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0\0\0", id="header cut off"),
        pytest.param(b"".join(ECHO_RESPONSE)[:-1], id="last value cut off"),
        pytest.param(b"".join(ECHO_RESPONSE) + b"\0", id="byte after the last element"),
        pytest.param(b"".join(ECHO_RESPONSE) + b"\0\0\2\x09\xff\xff\xff\xff", id="4 GB"),
        pytest.param(element(0x0010, b"", group=0x0010) + b"".join(ECHO_RESPONSE), id="another group first"),
        pytest.param(b"".join(ECHO_RESPONSE) + element(0x0900, number(0)), id="status twice"),
        pytest.param(b"".join(ECHO_RESPONSE) + element(0x0902, b"")[:-1], id="second header cut off"),
        pytest.param(b"".join(ECHO_RESPONSE) + element(0x0903, b"\0\0\0\0"), id="number of four bytes"),
        pytest.param(b"".join(ECHO_RESPONSE) + element(0x0903, b"\0"), id="number of one byte"),
        pytest.param(b"".join(ECHO_RESPONSE) + element(0x0901, b"\0\0\0\0\0\0"), id="tags of six bytes"),
        pytest.param(
            ECHO_RESPONSE[0] + element(0x0100, number(0x8031)) + b"".join(ECHO_RESPONSE[2:]), id="unknown command field"
        ),
        *(
            pytest.param(b"".join(ECHO_RESPONSE[:missing] + ECHO_RESPONSE[missing + 1 :]), id=name)
            for missing, name in (
                (1, "no command field"),
                (2, "no message answered"),
                (3, "no dataset type"),
                (4, "no status"),
            )
        ),
        pytest.param(
            element(0x0100, number(0x0030)) + element(0x0800, number(0x0101)), id="request without identifier"
        ),
        pytest.param(element(0x0100, number(0x0FFF)) + element(0x0800, number(0x0101)), id="cancel of nothing"),
    ],
)
def test_command_is_refused_when_it_does_not_add_up(data: bytes) -> None:
    """Lengths fit, elements are of group 0000 and come once, and what every message needs is there."""
    with pytest.raises(RemoteProtocolError):
        decode_command(data)


def test_command_is_read_when_a_peer_leaves_out_or_adds_what_does_not_matter() -> None:
    """No group length, retired and unknown elements, empty values, other orders: harmless."""
    data = (
        element(0x0001, b"\x42\0\0\0")
        + b"".join(reversed(ECHO_RESPONSE))
        + element(0x0902, b"")
        + element(0x0903, b"")
        + element(0x5110, b"?" * 100)
    )
    assert decode_command(memoryview(data)) == Command(
        command_field=CommandField.C_ECHO_RSP,
        affected_sop_class_uid=VERIFICATION,
        message_id_being_responded_to=7,
        status=0,
    )


@pytest.mark.parametrize("length", [b"\0\0\0\0", b"\x42\0\0\0", b"\xff\xff\xff\xff", b"\x42\0"])
def test_group_length_that_is_wrong_is_not_looked_at(length: bytes) -> None:
    """DCMTK, and Orthanc with it, adds the error comment after it has counted."""
    data = element(0, length) + b"".join(ECHO_RESPONSE) + element(0x0902, b"no")
    assert decode_command(data).error_comment == "no"


def test_command_ends_where_another_group_begins() -> None:
    """Orthanc 1.10 puts its list of failed instances into the command set of the response to a C-GET."""
    more = element(0, b"\x10\0\0\0", group=8) + element(0x58, b"1.2.3.4\0", group=8) + b"\xff" * 3
    assert decode_command(b"".join(ECHO_RESPONSE) + more) == decode_command(b"".join(ECHO_RESPONSE))


@pytest.mark.parametrize("dataset_type", [0x0000, 0x0001, 0x0102, 0xFEFE])
def test_dataset_follows_when_its_type_is_not_null(dataset_type: int) -> None:
    """Every value but 0101H says that a dataset follows (PS3.7 annex E.1)."""
    data = b"".join(ECHO_RESPONSE[:3]) + element(0x0800, number(dataset_type)) + ECHO_RESPONSE[4]
    assert decode_command(data).has_dataset


def test_text_is_harmless_when_a_peer_sends_any_bytes() -> None:
    """Comments and UIDs of a peer end up on terminals, in logs and in file names."""
    data = b"".join(ECHO_RESPONSE) + element(0x0902, b"\x1b[31mno \xe4") + element(0x1000, b"../../etc/passwd")
    command = decode_command(data)
    assert command.error_comment == "\\x1b[31mno \\xe4"
    assert command.affected_sop_instance_uid == "../../etc/passwd"


@pytest.mark.parametrize(
    "changes",
    [
        {"message_id": 1 << 16},
        {"message_id": -1},
        {"message_id": None},
        {"affected_sop_class_uid": "CT"},
        {"affected_sop_instance_uid": "1" * 65},
        {"affected_sop_instance_uid": ""},
        {"move_originator_ae_title": "SEVENTEEN_LETTERS"},
        {"move_originator_ae_title": "A\\B"},
        {"move_originator_ae_title": "\u00c4"},
        {"offending_element": (1 << 32,)},
        {"command_field": CommandField.C_STORE_RSP},
        {"command_field": CommandField.C_CANCEL_RQ},
    ],
)
def test_command_is_not_written_when_a_value_does_not_fit(changes: dict[str, Any]) -> None:
    """What an element cannot hold, or a message must not lack, is our own mistake."""
    with pytest.raises(LocalProtocolError):
        encode_command(replace(STORE_REQUEST, **changes))


def test_error_comment_is_cut_when_it_is_too_long_or_not_ascii() -> None:
    """It is there for people; that it does not fit must not keep the status from the peer."""
    command = replace(STORE_RESPONSE, status=0xA700, error_comment="kein Platz f\u00fcr C:\\dicom\n" + "x" * 100)
    comment = decode_command(encode_command(command)).error_comment
    assert comment == "kein Platz f?r C:?dicom?" + "x" * 40


@pytest.mark.parametrize("command_field", CommandField)
def test_response_belongs_to_its_request_when_there_is_one(command_field: CommandField) -> None:
    """Each request but the C-CANCEL-RQ has a response, and no response has one."""
    if command_field.is_response or command_field == CommandField.C_CANCEL_RQ:
        with pytest.raises(ValueError, match="not a valid CommandField"):
            _ = command_field.response
    else:
        assert str(command_field.response) == str(command_field).replace("-RQ", "-RSP")
        assert command_field.response.is_response


@pytest.mark.parametrize(
    "data",
    [
        element(0x5110, b"") * 10000,
        element(0x1005, b"\0\0\0\0" * 20000),
        element(0x0902, b"\xff" * 100000),
        b"\0\0\2\x09\xff\xff\xff\xff",
    ],
)
def test_memory_stays_bounded_when_elements_are_many_or_lie(data: bytes) -> None:
    """Memory follows the bytes that came, not the ones that were announced."""
    assert peak_memory(decode_command, data) < allowed_memory(data)
