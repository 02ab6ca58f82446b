"""Presentation contexts: how they are written, and which of a peer's are refused."""

import pytest

from dicomtls.association.contexts import (
    AnsweredContext,
    ContextResult,
    ProposedContext,
    check_context_ids,
    decode_answered,
    decode_proposed,
    encode_answered,
    encode_proposed,
    refuse_repeated,
)
from dicomtls.association.items import pack_item
from dicomtls.errors import LocalProtocolError, RemoteProtocolError

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
ITEM_HEADER_LENGTH = 4

ABSTRACT = pack_item(0x30, VERIFICATION.encode())
TRANSFER = pack_item(0x40, IMPLICIT.encode())


def test_proposal_has_the_bytes_of_the_standard_when_encoded() -> None:
    """PS3.8 tables 9-13, 9-14 and 9-15, byte by byte."""
    encoded = encode_proposed(ProposedContext(3, VERIFICATION, (IMPLICIT, EXPLICIT)))
    assert encoded == (
        b"\x20\0\0\x45\x03\0\0\0"
        b"\x30\0\0\x111.2.840.10008.1.1"
        b"\x40\0\0\x111.2.840.10008.1.2"
        b"\x40\0\0\x131.2.840.10008.1.2.1"
    )


def test_answer_has_the_bytes_of_the_standard_when_encoded() -> None:
    """PS3.8 tables 9-18 and 9-19, byte by byte."""
    encoded = encode_answered(AnsweredContext(3, ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED, IMPLICIT))
    assert encoded == b"\x21\0\0\x19\x03\0\x04\0\x40\0\0\x111.2.840.10008.1.2"


def test_padding_is_stripped_when_a_peer_pads_its_uids() -> None:
    """Some devices pad UIDs to an even length, with NUL or with a space."""
    value = b"\x01\0\0\0" + pack_item(0x30, b"1.2.3\0") + pack_item(0x40, b"1.2.4 ")
    assert decode_proposed(memoryview(value)) == ProposedContext(1, "1.2.3", ("1.2.4",))


def test_strange_uids_are_kept_readable_when_a_peer_proposes_them() -> None:
    """What is no UID is left for negotiation to refuse, and can be shown."""
    value = b"\x01\0\0\0" + pack_item(0x30, b"1.2\xff\n") + pack_item(0x40, b"9" * 100)
    assert decode_proposed(memoryview(value)) == ProposedContext(1, "1.2\\xff\\x0a", ("9" * 64 + "...",))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x01\0\0", id="header cut off"),
        pytest.param(b"\x02\0\0\0" + ABSTRACT + TRANSFER, id="even identifier"),
        pytest.param(b"\0\0\0\0" + ABSTRACT + TRANSFER, id="identifier zero"),
        pytest.param(b"\x01\0\0\0" + TRANSFER, id="no abstract syntax"),
        pytest.param(b"\x01\0\0\0" + ABSTRACT + ABSTRACT + TRANSFER, id="two abstract syntaxes"),
        pytest.param(b"\x01\0\0\0" + ABSTRACT, id="no transfer syntax"),
        pytest.param(b"\x01\0\0\0" + ABSTRACT + TRANSFER[:-1], id="transfer syntax cut off"),
        pytest.param(b"\x01\0\0\0" + ABSTRACT + TRANSFER + b"\0", id="byte after the last item"),
        pytest.param(b"\x01\0\0\0" + ABSTRACT + b"\x40\0\xff\xff1", id="overrunning item"),
        pytest.param(b"\x01\0\0\0" + ABSTRACT + TRANSFER + pack_item(0x77, b""), id="unknown item"),
    ],
)
def test_proposal_is_refused_when_it_does_not_add_up(value: bytes) -> None:
    """A proposal has an odd identifier, one abstract syntax and at least one transfer syntax."""
    with pytest.raises(RemoteProtocolError):
        decode_proposed(memoryview(value))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x02\0\0\0" + TRANSFER, id="even identifier"),
        pytest.param(b"\x01\0\0\0", id="accepted without a transfer syntax"),
        pytest.param(b"\x01\0\0\0" + TRANSFER + TRANSFER, id="accepted with two transfer syntaxes"),
        pytest.param(b"\x01\0\x05\0" + TRANSFER, id="undefined result"),
        pytest.param(b"\x01\0\0\0" + ABSTRACT + TRANSFER, id="with an abstract syntax"),
    ],
)
def test_answer_is_refused_when_it_does_not_add_up(value: bytes) -> None:
    """An answer has an odd identifier, a defined result and, if it accepts, one transfer syntax."""
    with pytest.raises(RemoteProtocolError):
        decode_answered(memoryview(value))


@pytest.mark.parametrize("value", [b"\x01\0\x03\0", b"\x01\0\x03\0\x40\0\0\0"])
def test_transfer_syntax_may_be_missing_when_a_context_is_not_accepted(value: bytes) -> None:
    """There it is not significant (PS3.8 table 9-18), and some peers leave it out or empty."""
    assert decode_answered(memoryview(value)) == AnsweredContext(1, ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED, "")


def test_empty_transfer_syntax_is_written_when_a_context_is_not_accepted() -> None:
    """An answer that was read can be written again."""
    answered = AnsweredContext(1, ContextResult.NO_REASON, "")
    assert decode_answered(memoryview(encode_answered(answered))[ITEM_HEADER_LENGTH:]) == answered


@pytest.mark.parametrize(
    "context",
    [
        ProposedContext(1, VERIFICATION, ()),
        ProposedContext(1, "", (IMPLICIT,)),
        ProposedContext(1, VERIFICATION, ("implicit",)),
        ProposedContext(1, VERIFICATION, (EXPLICIT,) * 3000),
    ],
)
def test_proposal_is_not_written_when_it_is_invalid(context: ProposedContext) -> None:
    """No transfer syntax, what is no UID, and more than the length of an item can say."""
    with pytest.raises(LocalProtocolError):
        encode_proposed(context)


def test_acceptance_is_not_written_when_it_has_no_transfer_syntax() -> None:
    """Only an answer that accepts nothing may leave it empty."""
    with pytest.raises(LocalProtocolError):
        encode_answered(AnsweredContext(1, ContextResult.ACCEPTANCE, ""))


@pytest.mark.parametrize("context_ids", [(0,), (2,), (257,), (-1,), (1, 3, 1)])
def test_identifiers_are_not_written_when_they_are_invalid(context_ids: tuple[int, ...]) -> None:
    """Identifiers are odd, from 1 to 255, and different."""
    contexts = tuple(ProposedContext(context_id, VERIFICATION, (IMPLICIT,)) for context_id in context_ids)
    with pytest.raises(LocalProtocolError):
        check_context_ids(contexts)


def test_identifiers_are_refused_when_the_peer_repeats_one() -> None:
    """With two contexts of one identifier nobody could say which one a message belongs to."""
    context = ProposedContext(1, VERIFICATION, (IMPLICIT,))
    refuse_repeated((context, ProposedContext(3, VERIFICATION, (IMPLICIT,))))
    with pytest.raises(RemoteProtocolError):
        refuse_repeated((context, context))
