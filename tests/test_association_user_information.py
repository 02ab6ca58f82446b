"""The user information item, against pynetdicom and against lengths that lie."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomtls.association.items import pack_field, pack_item
from dicomtls.association.user_information import (
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    IdentityKind,
    OperationsWindow,
    RoleSelection,
    UserIdentity,
    UserInformation,
    decode_user_information,
    encode_user_information,
)
from dicomtls.errors import LocalProtocolError, RemoteProtocolError
from tests.support.associations import (
    allowed_memory,
    mutated,
    peak_memory,
    read_or_refuse,
    user_information,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
STORAGE = "1.2.840.10008.4.2"
SECRET = b"correct horse battery staple"
ITEM_HEADER_LENGTH = 4

MINIMUM = UserInformation(maximum_length=16384, implementation_class_uid="1.2.3")
INFORMATION = user_information(is_request=True) | user_information(is_request=False)


def decode(data: bytes) -> UserInformation:
    """Read the value of a user information item."""
    return decode_user_information(memoryview(data))


def decode_role(value: bytes) -> RoleSelection:
    """Read one role selection."""
    (role,) = decode(pack_item(0x54, value)).roles
    return role


def theirs(item: Any) -> UserInformation:
    """What pynetdicom has read, field by field, as one of ours."""
    from pynetdicom.pdu_items import UserIdentitySubItemAC, UserIdentitySubItemRQ

    window = item.async_ops_window
    identities: list[Any] = [entry for entry in item.user_data if isinstance(entry, UserIdentitySubItemRQ)]
    responses: list[Any] = [entry for entry in item.user_data if isinstance(entry, UserIdentitySubItemAC)]
    return UserInformation(
        maximum_length=item.maximum_length,
        implementation_class_uid=item.implementation_class_uid,
        implementation_version_name=item.implementation_version_name,
        operations_window=window and OperationsWindow(window.max_operations_invoked, window.max_operations_performed),
        roles=tuple(
            RoleSelection(role.sop_class_uid, bool(role.scu_role), bool(role.scp_role))
            for role in item.role_selection.values()
        ),
        extended=tuple(ExtendedNegotiation(entry.uid, entry.app_info) for entry in item.ext_neg),
        common_extended=tuple(
            CommonExtendedNegotiation(
                entry.sop_class_uid, entry.service_class_uid, tuple(entry.related_general_sop_class_identification)
            )
            for entry in item.common_ext_neg
        ),
        identity=UserIdentity(
            IdentityKind(identities[0].id_type),
            bool(identities[0].response_requested),
            identities[0].primary,
            identities[0].secondary,
        )
        if identities
        else None,
        identity_response=responses[0].response or b"" if responses else None,
    )


@given(INFORMATION)
@settings(max_examples=100)
def test_user_information_comes_back_when_encoded(information: UserInformation) -> None:
    """Whatever we write we read."""
    assert decode(encode_user_information(information)) == information


@given(INFORMATION)
@settings(max_examples=100)
def test_pynetdicom_agrees_when_it_reads_and_writes_user_information(information: UserInformation) -> None:
    """It finds the same values in our bytes, and we find them in the bytes that it makes of them."""
    from pynetdicom.pdu_items import UserInformationItem

    item = UserInformationItem()
    item.decode(pack_item(0x50, encode_user_information(information)))
    assert theirs(item) == information
    assert decode(item.encode()[ITEM_HEADER_LENGTH:]) == information


@given(mutated(INFORMATION.map(encode_user_information)) | st.binary(max_size=80))
@settings(max_examples=300)
def test_user_information_raises_only_protocol_errors_when_bytes_are_hostile(data: bytes) -> None:
    """Mutated and random bytes are read or refused; what was read can be shown."""
    information = read_or_refuse(decode, data)
    assert repr(information).isprintable()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(pack_item(0x51, b"\0\0\x40"), id="maximum length of three bytes"),
        pytest.param(pack_item(0x51, b"\0\0\0\x40\0"), id="maximum length of five bytes"),
        pytest.param(pack_item(0x53, b"\0\1"), id="window of two bytes"),
        pytest.param(pack_item(0x54, b""), id="empty role selection"),
        pytest.param(pack_item(0x54, b"\0\5" + b"1.2.3" + b"\1"), id="role selection without SCP role"),
        pytest.param(pack_item(0x54, b"\0\5" + b"1.2.3" + b"\1\1\1"), id="role selection too long"),
        pytest.param(pack_item(0x54, b"\0\xff" + b"1.2.3" + b"\1\1"), id="role selection whose UID overruns it"),
        pytest.param(pack_item(0x56, b"\0"), id="extended negotiation of one byte"),
        pytest.param(pack_item(0x56, b"\0\6" + b"1.2.3"), id="extended negotiation whose UID overruns it"),
        pytest.param(pack_item(0x57, b"\0\1" + b"1"), id="common extended negotiation without service class"),
        pytest.param(pack_item(0x57, b"\0\1" + b"1" + b"\0\1" + b"1" + b"\0\3" + b"\0\5"), id="related list cut off"),
        pytest.param(
            pack_item(0x57, b"\0\1" + b"1" + b"\0\1" + b"1" + b"\0\3" + b"\0\5" + b"1"), id="related UID overruns"
        ),
        pytest.param(pack_item(0x58, b"\1"), id="user identity of one byte"),
        pytest.param(pack_item(0x58, b"\1\0" + b"\0\5" + b"joe" + b"\0\0"), id="primary field overruns"),
        pytest.param(pack_item(0x58, b"\1\0" + b"\0\3" + b"joe"), id="no secondary length"),
        pytest.param(pack_item(0x58, b"\1\0" + b"\0\3" + b"joe" + b"\0\1"), id="secondary field overruns"),
        pytest.param(pack_item(0x58, b"\1\0" + b"\0\3" + b"joe" + b"\0\0" + b"x"), id="bytes after the identity"),
        pytest.param(pack_item(0x58, b"\6\0" + b"\0\3" + b"joe" + b"\0\0"), id="unknown type of identity"),
        pytest.param(pack_item(0x59, b"\0\2" + b"x"), id="server response overruns"),
        pytest.param(pack_item(0x59, b"\0\0" + b"x"), id="bytes after the server response"),
        pytest.param(b"\x51\0\xff\xff\0\0\x40\0", id="item overruns"),
        pytest.param(b"\x51\0\0", id="item header cut off"),
    ],
)
def test_user_information_is_refused_when_a_length_lies(value: bytes) -> None:
    """Every length within the item is checked against what holds it."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode(value)
    assert caught.value.abort_reason == 6


@pytest.mark.parametrize(
    "item",
    [
        pack_item(0x51, b"\0\0\x40\0"),
        pack_item(0x52, b"1.2.3"),
        pack_item(0x53, b"\0\1\0\1"),
        pack_item(0x55, b"A_1"),
        pack_item(0x58, b"\1\0" + b"\0\3" + b"joe" + b"\0\0"),
        pack_item(0x59, b"\0\0"),
    ],
)
def test_sub_item_is_unexpected_when_it_comes_twice(item: bytes) -> None:
    """Only one of each may be present, so a second one would have to contradict the first."""
    decode(item)
    with pytest.raises(RemoteProtocolError) as caught:
        decode(item + item)
    assert caught.value.abort_reason == 5


def test_unknown_sub_items_are_ignored_when_a_peer_sends_them() -> None:
    """Later editions may add sub-items, which must not break an association (PS3.8 section D.2)."""
    encoded = encode_user_information(MINIMUM)
    assert decode(pack_item(0x70, b"?") + encoded + pack_item(0x60, b"") * 2) == MINIMUM


def test_mandatory_sub_items_may_be_missing_when_a_peer_forgets_them() -> None:
    """No maximum length is no limit; an unknown implementation has an empty UID."""
    assert decode(b"") == UserInformation(maximum_length=0, implementation_class_uid="")


@pytest.mark.parametrize(
    ("value", "roles"), [(b"\0\0", (False, False)), (b"\1\0", (True, False)), (b"\0\7", (False, True))]
)
def test_roles_are_facts_when_they_are_read(value: bytes, roles: tuple[bool, bool]) -> None:
    """Zero is no, anything else is yes."""
    role = decode_role(pack_field(CT.encode(), "UID") + value)
    assert (role.scu, role.scp) == roles


def test_common_extended_negotiation_is_read_when_a_later_version_adds_fields() -> None:
    """Bytes after the related SOP classes are reserved for later versions of the sub-item."""
    fields = [pack_field(uid.encode(), "UID") for uid in (CT, STORAGE)]
    item = bytearray(pack_item(0x57, b"".join(fields) + b"\0\0" + b"later"))
    item[1] = 1
    assert decode(bytes(item)).common_extended == (CommonExtendedNegotiation(CT, STORAGE),)


def test_text_is_harmless_when_a_version_name_holds_control_characters() -> None:
    """The name of an implementation ends up on terminals and in logs."""
    assert decode(pack_item(0x55, b"\x1b[2J\xff")).implementation_version_name == "\\x1b[2J\\xff"


@pytest.mark.parametrize(
    "information",
    [
        UserInformation(-1, "1.2.3"),
        UserInformation(1 << 32, "1.2.3"),
        UserInformation(0, ""),
        UserInformation(0, "1.2.3", implementation_version_name=""),
        UserInformation(0, "1.2.3", implementation_version_name="SEVENTEEN_LETTERS"),
        UserInformation(0, "1.2.3", implementation_version_name="\u00c4"),
        UserInformation(0, "1.2.3", operations_window=OperationsWindow(1 << 16, 1)),
        UserInformation(0, "1.2.3", operations_window=OperationsWindow(1, -1)),
        UserInformation(0, "1.2.3", roles=(RoleSelection("CT", scu=True, scp=True),)),
        UserInformation(0, "1.2.3", extended=(ExtendedNegotiation(CT, bytes(1 << 16)),)),
        UserInformation(0, "1.2.3", common_extended=(CommonExtendedNegotiation(CT, "storage"),)),
        UserInformation(0, "1.2.3", common_extended=(CommonExtendedNegotiation(CT, STORAGE, (CT,) * 3000),)),
        UserInformation(0, "1.2.3", identity_response=bytes(1 << 16)),
    ],
)
def test_user_information_is_not_written_when_a_value_does_not_fit(information: UserInformation) -> None:
    """What a field cannot say is our own mistake."""
    with pytest.raises(LocalProtocolError):
        encode_user_information(information)


def test_secrets_are_never_shown_when_an_identity_is_printed_or_refused() -> None:
    """Neither name nor passcode, neither token nor response stand in a repr, a str or an error."""
    identity = UserIdentity(IdentityKind.USERNAME_PASSCODE, response_requested=True, primary=SECRET, secondary=SECRET)
    information = UserInformation(0, "1.2.3", identity=identity, identity_response=SECRET)
    for text in (repr(identity), str(identity), repr(information), f"{information}"):
        assert "horse" not in text
    oversized = UserIdentity(IdentityKind.JWT, response_requested=False, primary=SECRET * 3000)
    with pytest.raises(LocalProtocolError) as caught:
        encode_user_information(UserInformation(0, "1.2.3", identity=oversized))
    assert "horse" not in str(caught.value)
    with pytest.raises(RemoteProtocolError) as refused:
        decode(pack_item(0x58, b"\1\0" + pack_field(SECRET, "primary") + b"\0\1"))
    assert "horse" not in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        pack_item(0x54, b"\0\0\0\0") * 5000,
        pack_item(0x57, b"\0\0\0\0" + pack_field(b"\0\0" * 30000, "related")),
        pack_item(0x70, b"") * 10000,
        b"\x51\0\xff\xff",
    ],
)
def test_memory_stays_bounded_when_items_are_many_or_lie(data: bytes) -> None:
    """Memory follows the bytes that came, not the ones that were announced."""
    assert peak_memory(decode, data) < allowed_memory(data)
