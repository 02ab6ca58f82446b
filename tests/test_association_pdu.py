"""The PDUs, against pynetdicom, against the bytes of the standard, and against lengths that lie."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomtls.association.contexts import AnsweredContext, ContextResult, ProposedContext
from dicomtls.association.items import pack_item
from dicomtls.association.pdu import (
    DATA_HEADER_LENGTH,
    HEADER_LENGTH,
    PDU,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    PDUType,
    ReleaseRequest,
    ReleaseResponse,
    data_header,
    decode,
    encode,
    iterate_fragments,
    parse_header,
)
from dicomtls.association.user_information import UserInformation
from dicomtls.errors import LocalProtocolError, RemoteProtocolError
from tests.support.associations import (
    ACCEPTS,
    BYTE,
    CONTEXT_IDS,
    REQUESTS,
    allowed_memory,
    mutated,
    peak_memory,
    read_or_refuse,
)

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
APPLICATION = "1.2.840.10008.3.1.1.1"

INFORMATION = UserInformation(maximum_length=16384, implementation_class_uid="1.2.3")
REQUEST = AssociateRequest("PACS", "DICOMTLS", (ProposedContext(1, VERIFICATION, (IMPLICIT,)),), INFORMATION)
ACCEPT = AssociateAccept("PACS", "DICOMTLS", (AnsweredContext(1, ContextResult.ACCEPTANCE, IMPLICIT),), INFORMATION)

FIXED = struct.pack(">HH16s16s32x", 1, 0, b"PACS".ljust(16), b"DICOMTLS".ljust(16))
APPLICATION_ITEM = pack_item(0x10, APPLICATION.encode())
PROPOSED_VALUE = pack_item(0x30, VERIFICATION.encode()) + pack_item(0x40, IMPLICIT.encode())
PROPOSED_ITEM = pack_item(0x20, b"\1\0\0\0" + PROPOSED_VALUE)
ANSWERED_ITEM = pack_item(0x21, b"\1\0\0\0" + pack_item(0x40, IMPLICIT.encode()))
INFORMATION_ITEM = pack_item(0x50, pack_item(0x51, b"\0\0\x40\0") + pack_item(0x52, b"1.2.3"))

SMALL_PDUS = (
    st.builds(AssociateReject, BYTE, BYTE, BYTE)
    | st.builds(Abort, BYTE, BYTE)
    | st.just(ReleaseRequest())
    | st.just(ReleaseResponse())
)
PDUS: st.SearchStrategy[PDU] = REQUESTS | ACCEPTS | SMALL_PDUS

Value = tuple[int, bool, bool, bytes]
VALUES: st.SearchStrategy[Value] = st.tuples(CONTEXT_IDS, st.booleans(), st.booleans(), st.binary(max_size=50))
DATA_VALUES = st.lists(VALUES, min_size=1, max_size=4)


def decode_whole(data: bytes) -> PDU:
    """Read a PDU with its header, as a channel would."""
    pdu_type, length = parse_header(data[:HEADER_LENGTH])
    assert length == len(data) - HEADER_LENGTH
    return decode(pdu_type, data[HEADER_LENGTH:])


def pack_values(values: list[Value]) -> bytes:
    """The body of a P-DATA-TF."""
    return b"".join(
        struct.pack(">IBB", len(data) + 2, context_id, is_command | is_last << 1) + data
        for context_id, is_command, is_last, data in values
    )


def fragments(body: bytes) -> list[Value]:
    """All that a P-DATA-TF holds."""
    return [
        (context_id, is_command, is_last, bytes(data))
        for context_id, is_command, is_last, data in iterate_fragments(memoryview(body))
    ]


@given(PDUS)
@settings(max_examples=150)
def test_pdu_comes_back_when_encoded(pdu: PDU) -> None:
    """Whatever we write we read, header included."""
    assert decode_whole(encode(pdu)) == pdu


def test_request_has_the_bytes_of_the_standard_when_encoded() -> None:
    """PS3.8 table 9-11: fixed fields, application context, presentation contexts, user information."""
    body = FIXED + APPLICATION_ITEM + PROPOSED_ITEM + INFORMATION_ITEM
    assert encode(REQUEST) == b"\x01\0" + len(body).to_bytes(4, "big") + body
    assert decode(1, body) == REQUEST


def test_accept_has_the_bytes_of_the_standard_when_encoded() -> None:
    """PS3.8 table 9-17."""
    body = FIXED + APPLICATION_ITEM + ANSWERED_ITEM + INFORMATION_ITEM
    assert encode(ACCEPT) == b"\x02\0" + len(body).to_bytes(4, "big") + body
    assert decode(2, memoryview(body)) == ACCEPT


@pytest.mark.parametrize(
    ("pdu", "encoded"),
    [
        (AssociateReject(1, 2, 3), b"\x03\0\0\0\0\4\0\1\2\3"),
        (ReleaseRequest(), b"\x05\0\0\0\0\4\0\0\0\0"),
        (ReleaseResponse(), b"\x06\0\0\0\0\4\0\0\0\0"),
        (Abort(2, 6), b"\x07\0\0\0\0\4\0\0\2\6"),
    ],
)
def test_small_pdu_has_the_bytes_of_the_standard_when_encoded(pdu: PDU, encoded: bytes) -> None:
    """PS3.8 tables 9-21, 9-24, 9-25 and 9-26."""
    assert encode(pdu) == encoded


@given(REQUESTS)
@settings(max_examples=60)
def test_pynetdicom_agrees_when_it_reads_and_writes_a_request(request: AssociateRequest) -> None:
    """It finds the same values in our bytes, and we find them in the bytes that it makes of them."""
    from pynetdicom.pdu import A_ASSOCIATE_RQ

    theirs = A_ASSOCIATE_RQ()
    theirs.decode(encode(request))
    assert theirs.called_ae_title == request.called_ae_title
    assert theirs.calling_ae_title == request.calling_ae_title
    assert theirs.application_context_name == request.application_context
    assert theirs.protocol_version == request.protocol_version
    assert [
        (context.context_id, context.abstract_syntax, tuple(context.transfer_syntax))
        for context in theirs.presentation_context
    ] == [(context.context_id, context.abstract_syntax, context.transfer_syntaxes) for context in request.contexts]
    assert decode_whole(theirs.encode()) == request


@given(ACCEPTS)
@settings(max_examples=60)
def test_pynetdicom_agrees_when_it_reads_and_writes_an_accept(accept: AssociateAccept) -> None:
    """It finds the same values in our bytes, and we find them in the bytes that it makes of them."""
    from pynetdicom.pdu import A_ASSOCIATE_AC

    theirs = A_ASSOCIATE_AC()
    theirs.decode(encode(accept))
    assert theirs.application_context_name == accept.application_context
    assert [
        (context.context_id, context.result, context.transfer_syntax) for context in theirs.presentation_context
    ] == [(context.context_id, context.result, context.transfer_syntax) for context in accept.contexts]
    assert decode_whole(theirs.encode()) == accept


@given(SMALL_PDUS)
@settings(max_examples=40)
def test_pynetdicom_agrees_when_it_reads_and_writes_a_small_pdu(pdu: PDU) -> None:
    """A-ASSOCIATE-RJ, A-RELEASE and A-ABORT come back from it unchanged."""
    from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ, A_RELEASE_RP, A_RELEASE_RQ

    classes: dict[type, Any] = {
        AssociateReject: A_ASSOCIATE_RJ,
        ReleaseRequest: A_RELEASE_RQ,
        ReleaseResponse: A_RELEASE_RP,
        Abort: A_ABORT_RQ,
    }
    theirs = classes[type(pdu)]()
    theirs.decode(encode(pdu))
    assert decode_whole(theirs.encode()) == pdu


def test_request_is_read_when_pynetdicom_made_it_on_its_own() -> None:
    """A request that pynetdicom builds from its primitives says the same to us."""
    from pydicom.uid import UID
    from pynetdicom import build_context
    from pynetdicom.pdu import A_ASSOCIATE_RQ
    from pynetdicom.pdu_primitives import (
        A_ASSOCIATE,
        ImplementationClassUIDNotification,
        MaximumLengthNotification,
    )

    maximum_length = MaximumLengthNotification()
    maximum_length.maximum_length_received = 16384
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID("1.2.3")
    context = build_context(VERIFICATION, [IMPLICIT])
    context.context_id = 1
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID(APPLICATION)
    primitive.called_ae_title = "PACS"
    primitive.calling_ae_title = "DICOMTLS"
    primitive.presentation_context_definition_list = [context]
    primitive.user_information = [maximum_length, implementation]
    theirs = A_ASSOCIATE_RQ()
    theirs.from_primitive(primitive)
    assert decode_whole(theirs.encode()) == REQUEST


@given(st.integers(0, 8), mutated(PDUS.map(lambda pdu: encode(pdu)[HEADER_LENGTH:])) | st.binary(max_size=120))
@settings(max_examples=300)
def test_pdu_raises_only_protocol_errors_when_bytes_are_hostile(pdu_type: int, data: bytes) -> None:
    """Mutated and random bytes under every type are read or refused; what was read can be shown."""
    pdu = read_or_refuse(lambda data: decode(pdu_type, data), data)
    assert repr(pdu).isprintable()


@given(mutated(REQUESTS.map(lambda pdu: encode(pdu)[HEADER_LENGTH:])))
@settings(max_examples=200)
def test_request_raises_only_protocol_errors_when_it_was_mutated(data: bytes) -> None:
    """The PDU that anybody may send to a server first."""
    request = read_or_refuse(lambda data: decode(PDUType.A_ASSOCIATE_RQ, data), data)
    assert request is None or isinstance(request, AssociateRequest)


@pytest.mark.parametrize(
    ("items", "abort_reason"),
    [
        pytest.param(PROPOSED_ITEM + INFORMATION_ITEM, 6, id="no application context"),
        pytest.param(APPLICATION_ITEM + PROPOSED_ITEM, 6, id="no user information"),
        pytest.param(APPLICATION_ITEM + INFORMATION_ITEM, 6, id="no presentation context"),
        pytest.param(b"", 6, id="no items"),
        pytest.param(APPLICATION_ITEM * 2 + PROPOSED_ITEM + INFORMATION_ITEM, 5, id="two application contexts"),
        pytest.param(APPLICATION_ITEM + PROPOSED_ITEM + INFORMATION_ITEM * 2, 5, id="two user informations"),
        pytest.param(APPLICATION_ITEM + PROPOSED_ITEM * 2 + INFORMATION_ITEM, 6, id="identifier used twice"),
        pytest.param(APPLICATION_ITEM + PROPOSED_ITEM * 129 + INFORMATION_ITEM, 5, id="129 presentation contexts"),
        pytest.param(APPLICATION_ITEM + ANSWERED_ITEM + INFORMATION_ITEM, 5, id="context of an A-ASSOCIATE-AC"),
        pytest.param(APPLICATION_ITEM + pack_item(0x99, b"") + INFORMATION_ITEM, 4, id="unknown item"),
        pytest.param(APPLICATION_ITEM + PROPOSED_ITEM + INFORMATION_ITEM[:-1], 6, id="last item cut off"),
        pytest.param(APPLICATION_ITEM + PROPOSED_ITEM + INFORMATION_ITEM + b"\0", 6, id="byte after the last item"),
        pytest.param(
            APPLICATION_ITEM + b"\x20\0\0\x10" + PROPOSED_ITEM[4:] + INFORMATION_ITEM, 6, id="item length too short"
        ),
        pytest.param(
            APPLICATION_ITEM + b"\x20\0\xff\xff" + PROPOSED_ITEM[4:] + INFORMATION_ITEM, 6, id="item overruns the PDU"
        ),
        pytest.param(
            APPLICATION_ITEM + b"\x20\0\0\x30" + PROPOSED_ITEM[4:] + INFORMATION_ITEM, 6, id="item overlaps the next"
        ),
    ],
)
def test_request_is_refused_when_it_does_not_add_up(items: bytes, abort_reason: int) -> None:
    """Items are counted, known, and as long as they say."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode(PDUType.A_ASSOCIATE_RQ, FIXED + items)
    assert caught.value.abort_reason == abort_reason


@pytest.mark.parametrize("length", [0, 1, 67])
@pytest.mark.parametrize("pdu_type", [PDUType.A_ASSOCIATE_RQ, PDUType.A_ASSOCIATE_AC])
def test_associate_pdu_is_refused_when_its_fixed_fields_are_cut_off(pdu_type: PDUType, length: int) -> None:
    """68 bytes come before the first item."""
    with pytest.raises(RemoteProtocolError, match=f"{pdu_type} of {length} bytes"):
        decode(pdu_type, FIXED[:length])


@pytest.mark.parametrize("length", [0, 3, 5, 1000])
@pytest.mark.parametrize("pdu_type", [3, 5, 6, 7])
def test_small_pdu_is_refused_when_it_is_not_four_bytes_long(pdu_type: int, length: int) -> None:
    """A-ASSOCIATE-RJ, A-RELEASE and A-ABORT have a fixed length."""
    with pytest.raises(RemoteProtocolError):
        decode(pdu_type, bytes(length))


@pytest.mark.parametrize(("pdu_type", "abort_reason"), [(0, 1), (8, 1), (0x48, 1), (4, 2)])
def test_pdu_type_gives_the_abort_reason_when_it_is_refused(pdu_type: int, abort_reason: int) -> None:
    """An unknown type is unrecognized, a P-DATA-TF among these unexpected."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode(pdu_type, b"TP/1.1")
    assert caught.value.abort_reason == abort_reason


def test_accept_may_hold_no_context_when_it_is_read() -> None:
    """A peer that agrees to nothing may say so briefly: the association is then of no use, but not broken."""
    accept = decode(PDUType.A_ASSOCIATE_AC, FIXED + APPLICATION_ITEM + INFORMATION_ITEM)
    assert isinstance(accept, AssociateAccept)
    assert accept.contexts == ()


def test_ae_titles_are_harmless_when_a_peer_sends_any_bytes() -> None:
    """Spaces are stripped, the rest made visible."""
    fixed = struct.pack(">HH16s16s32x", 1, 0, b"  P\xc4CS \0".ljust(16, b"\0"), b"\x1b[2J".ljust(16))
    request = decode(1, fixed + APPLICATION_ITEM + PROPOSED_ITEM + INFORMATION_ITEM)
    assert isinstance(request, AssociateRequest)
    assert (request.called_ae_title, request.calling_ae_title) == ("P\\xc4CS", "\\x1b[2J")


def test_accept_is_written_when_it_repeats_ae_titles_that_are_none() -> None:
    """Its AE titles repeat what came and nobody tests them, so a strange peer gets its answer all the same."""
    accept = AssociateAccept("", "\\x1b[2J and more than 16 \u00c4", ACCEPT.contexts, INFORMATION)
    body = encode(accept)[HEADER_LENGTH:]
    assert body[4:36] == b" " * 16 + b"\\x1b[2J and more"
    assert decode(PDUType.A_ASSOCIATE_AC, body) == AssociateAccept(
        "", "\\x1b[2J and more", ACCEPT.contexts, INFORMATION
    )


@pytest.mark.parametrize(
    "pdu",
    [
        AssociateRequest("", "DICOMTLS", REQUEST.contexts, INFORMATION),
        AssociateRequest("PACS", "SEVENTEEN_LETTERS", REQUEST.contexts, INFORMATION),
        AssociateRequest("PACS", "DICOMTLS", (), INFORMATION),
        AssociateRequest("PACS", "DICOMTLS", REQUEST.contexts * 2, INFORMATION),
        AssociateRequest("PACS", "DICOMTLS", REQUEST.contexts, INFORMATION, application_context="DICOM"),
        AssociateRequest("PACS", "DICOMTLS", REQUEST.contexts, INFORMATION, protocol_version=1 << 16),
        AssociateReject(1, 1, 256),
        Abort(-1, 0),
    ],
)
def test_pdu_is_not_written_when_a_value_does_not_fit(pdu: PDU) -> None:
    """What the standard does not allow us to send is our own mistake."""
    with pytest.raises(LocalProtocolError):
        encode(pdu)


@given(DATA_VALUES)
@settings(max_examples=100)
def test_fragments_come_back_when_a_p_data_tf_holds_several(values: list[Value]) -> None:
    """Identifier, both flags and bytes of each presentation data value, in order."""
    assert fragments(pack_values(values)) == values


def test_fragments_are_views_when_they_are_yielded() -> None:
    """No byte of an image is copied on the way."""
    buffer = bytearray(pack_values([(1, False, True, b"abc")]))
    ((_, _, _, data),) = iterate_fragments(memoryview(buffer))
    buffer[-1:] = b"X"
    assert bytes(data) == b"abX"


@given(VALUES)
@settings(max_examples=60)
def test_pynetdicom_agrees_when_it_reads_a_p_data_tf(ours: Value) -> None:
    """What `data_header` begins pynetdicom reads, and writes again to the same bytes."""
    from pynetdicom.pdu import P_DATA_TF

    context_id, is_command, is_last, fragment = ours
    header = data_header(context_id, len(fragment), is_command=is_command, is_last=is_last)
    assert len(header) == DATA_HEADER_LENGTH
    theirs = P_DATA_TF()
    theirs.decode(header + fragment)
    (value,) = theirs.presentation_data_value_items
    assert value.context_id == context_id
    assert value.data == bytes([is_command | is_last << 1]) + fragment
    assert theirs.encode() == header + fragment
    assert parse_header(header[:HEADER_LENGTH]) == (PDUType.P_DATA_TF, len(fragment) + 6)
    assert fragments(header[HEADER_LENGTH:] + fragment) == [ours]


@given(mutated(DATA_VALUES.map(pack_values)) | st.binary(max_size=40))
@settings(max_examples=300)
def test_fragments_stay_within_the_pdu_when_bytes_are_hostile(data: bytes) -> None:
    """Mutated and random bytes are read or refused, and never read twice."""
    found = read_or_refuse(fragments, data)
    assert found is None or sum(len(fragment) + 6 for _, _, _, fragment in found) == len(data)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0\0\0\2\1", id="header cut off"),
        pytest.param(b"\0\0\0\0\1\0", id="length 0"),
        pytest.param(b"\0\0\0\1\1\0", id="length 1"),
        pytest.param(b"\0\0\0\4\1\0a", id="one byte too long"),
        pytest.param(b"\0\0\0\3\1\0ab", id="one byte too short"),
        pytest.param(b"\xff\xff\xff\xff\1\0a", id="4 GB"),
        pytest.param(b"\0\0\0\3\2\0a", id="even identifier"),
        pytest.param(b"\0\0\0\3\1\0a" + b"\0\0\0\x09\1\0a", id="second value overruns"),
    ],
)
def test_fragments_are_refused_when_a_length_lies(body: bytes) -> None:
    """The values of a P-DATA-TF fill it exactly."""
    with pytest.raises(RemoteProtocolError) as caught:
        fragments(body)
    assert caught.value.abort_reason == 6


def test_unknown_control_bits_are_ignored_when_a_peer_sets_them() -> None:
    """Only the two lowest bits mean something (PS3.8 annex E.2)."""
    assert fragments(b"\0\0\0\3\1\xfda") == [(1, True, False, b"a")]


@pytest.mark.parametrize(("context_id", "length"), [(256, 10), (-1, 10), (1, 0xFFFFFFFF), (1, -7)])
def test_data_header_is_not_written_when_a_number_does_not_fit(context_id: int, length: int) -> None:
    """Neither an identifier of two bytes nor a fragment of 4 GB goes into a P-DATA-TF."""
    with pytest.raises(LocalProtocolError):
        data_header(context_id, length, is_command=False, is_last=True)


@pytest.mark.parametrize(
    "data",
    [
        FIXED + APPLICATION_ITEM + PROPOSED_ITEM * 20000 + INFORMATION_ITEM,
        FIXED + pack_item(0x20, b"\1\0\0\0" + pack_item(0x40, b"") * 16000) * 3,
        FIXED + pack_item(0x10, b"\xff" * 65535) + PROPOSED_ITEM + INFORMATION_ITEM,
        FIXED + b"\x50\0\xff\xff",
    ],
)
def test_memory_stays_bounded_when_items_are_many_or_lie(data: bytes) -> None:
    """Memory follows the bytes that came, not the ones that were announced."""
    assert peak_memory(lambda data: decode(PDUType.A_ASSOCIATE_RQ, data), data) < allowed_memory(data)


def test_memory_stays_constant_when_a_p_data_tf_holds_many_values() -> None:
    """Fragments are made one at a time."""
    body = pack_values([(1, False, False, b"")]) * 20000
    assert peak_memory(lambda data: sum(1 for _ in iterate_fragments(memoryview(data))), body) < 8192
