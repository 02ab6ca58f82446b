"""Items, fields and text: the building blocks of the A-ASSOCIATE PDUs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomtls.association.items import (
    decode_text,
    encode_ae_title,
    encode_uid,
    pack_field,
    pack_item,
    refuse_item,
    refuse_rest,
    take_field,
    walk_items,
)
from dicomtls.errors import LocalProtocolError, RemoteProtocolError
from dicomtls.uid import is_uid
from tests.support.associations import AE_TITLES, UIDS, read_or_refuse


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.1", "1", "1.02.3", "1." * 32])
def test_uid_is_recognised_when_it_is_64_digits_and_dots_at_most(uid: str) -> None:
    """UIDs of real devices pass, leading zeros included, and are written as they are."""
    assert is_uid(uid)
    assert encode_uid(uid, "SOP class UID") == uid.encode()


@pytest.mark.parametrize("uid", ["", "..", ".1", "1.2.a", "1.2\n", "1.2 ", "1" * 65, "\u0661.2", "1.2\0"])
def test_uid_is_refused_when_it_is_none(uid: str) -> None:
    """Nothing else is ever sent as a UID, digits of other scripts and trailing line ends included."""
    assert not is_uid(uid)
    with pytest.raises(LocalProtocolError, match="SOP class UID"):
        encode_uid(uid, "SOP class UID")


@given(AE_TITLES)
@settings(max_examples=50)
def test_ae_title_fills_16_bytes_when_encoded(title: str) -> None:
    """An AE title is padded with spaces, and comes back without them."""
    encoded = encode_ae_title(title, "called AE title")
    assert len(encoded) == 16
    assert decode_text(encoded) == title


@pytest.mark.parametrize("title", ["", "    ", "A" * 17, "ÄRZTE", "A\\B", "A\0"])
def test_ae_title_is_refused_when_it_is_none(title: str) -> None:
    """An AE title has 1 to 16 characters of printable ASCII without backslash."""
    with pytest.raises(LocalProtocolError, match="called AE title"):
        encode_ae_title(title, "called AE title")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"1.2.3\0", "1.2.3"),
        (b"1.2.3  ", "1.2.3"),
        (b"  PACS  \0\0", "PACS"),
        (b"", ""),
        (b"\0 \0", ""),
        (b"P\xc4CS", "P\\xc4CS"),
        (b"A\x1b[31m\n", "A\\x1b[31m\\x0a"),
        (b"1" * 64, "1" * 64),
        (b"1" * 65, "1" * 64 + "..."),
        (b"\xff" * 1000, "\\xff" * 16 + "..."),
    ],
)
def test_text_is_readable_and_harmless_when_a_peer_sent_it(data: bytes, text: str) -> None:
    """Padding goes, what is not printable ASCII is made visible, what is too long is cut."""
    assert decode_text(data) == text
    assert decode_text(memoryview(data)) == text


@given(st.binary(max_size=100))
@settings(max_examples=200)
def test_text_never_passes_for_a_uid_when_it_was_touched(data: bytes) -> None:
    """Whatever is not a UID on the wire is not one after decoding, and can always be printed."""
    text = decode_text(data)
    assert text.isprintable()
    if is_uid(text):
        assert text.encode() == data.strip(b" \0")


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=30)), max_size=5))
@settings(max_examples=50)
def test_items_come_back_when_packed(items: list[tuple[int, bytes]]) -> None:
    """Any sequence of types and values survives packing and walking."""
    data = b"".join(pack_item(item_type, value) for item_type, value in items)
    assert [(item_type, bytes(value)) for item_type, value in walk_items(memoryview(data), "it")] == items


@pytest.mark.parametrize("data", [b"\x10", b"\x10\0\0", b"\x10\0\0\1", b"\x10\0\xff\xffabc", b"\x10\0\0\1a\x20"])
def test_items_are_refused_when_a_length_lies(data: bytes) -> None:
    """An item that is longer than what is left, or has no whole header, ends the reading."""
    with pytest.raises(RemoteProtocolError, match="the PDU"):
        list(walk_items(memoryview(data), "the PDU"))


@pytest.mark.parametrize(("item_type", "abort_reason"), [(0x21, 5), (0x99, 4)])
def test_item_gives_the_abort_reason_when_it_is_refused(item_type: int, abort_reason: int) -> None:
    """A known item in the wrong place is unexpected, an unknown one unrecognized."""
    with pytest.raises(RemoteProtocolError) as caught:
        refuse_item(item_type, "the A-ASSOCIATE-RQ")
    assert caught.value.abort_reason == abort_reason


@given(UIDS, st.binary(max_size=20))
@settings(max_examples=50)
def test_field_comes_back_with_what_follows_when_packed(uid: str, rest: bytes) -> None:
    """A field is split off by its length, and the rest is left."""
    value, left = take_field(memoryview(pack_field(uid.encode(), "UID") + rest), "UID")
    assert (bytes(value), bytes(left)) == (uid.encode(), rest)


@given(st.binary(max_size=10))
@settings(max_examples=100)
def test_field_raises_only_protocol_errors_when_bytes_are_random(data: bytes) -> None:
    """Whatever the length claims, the value is within the data or refused."""
    taken = read_or_refuse(lambda data: tuple(map(bytes, take_field(memoryview(data), "UID"))), data)
    assert taken is None or sum(map(len, taken)) == len(data) - 2


def test_value_is_refused_when_its_length_cannot_be_said() -> None:
    """65,536 bytes exceed a length of two bytes; the error does not show the value, which may be secret."""
    value = b"hunter2!" * 8192
    with pytest.raises(LocalProtocolError, match="primary field") as caught:
        pack_field(value, "primary field")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(LocalProtocolError, match="0x58"):
        pack_item(0x58, value)


def test_bytes_after_the_last_field_are_refused_when_there_are_any() -> None:
    """What no field accounts for is an error, nothing left over is none."""
    refuse_rest(memoryview(b""), "user identity")
    with pytest.raises(RemoteProtocolError, match="3 bytes follow the end of the user identity"):
        refuse_rest(memoryview(b"abc"), "user identity")
