"""dicomtls.dataset.character_sets: the examples of PS3.5, pydicom's opinion, and bytes that are no text."""

import warnings
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes, encode_string

from dicomtls.dataset import EXPLICIT_VR_LE
from dicomtls.dataset.character_sets import CharacterSets, character_sets
from dicomtls.dataset.identifier import Element, decode, encode
from dicomtls.errors import DataError

# PS3.5 annexes H, I, J and K, with the bytes as they stand there.
JAPANESE = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
KANA = b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J"
KOREAN = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"
CHINESE = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab="
EXAMPLES = [
    (("", "ISO 2022 IR 87"), JAPANESE, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    (("ISO 2022 IR 13", "ISO 2022 IR 87"), KANA, "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    (("", "ISO 2022 IR 149"), KOREAN, "Hong^Gildong=洪^吉洞=홍^길동"),
    (("", "ISO 2022 IR 58"), CHINESE, "Zhang^XiaoDong=张^小东="),
    (("ISO_IR 192",), "Wang^XiaoDong=王^小東=".encode(), "Wang^XiaoDong=王^小東="),
    (("GB18030",), b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="),
    (("ISO_IR 100",), b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
    (("ISO 2022 IR 100", "ISO 2022 IR 144"), b"\xc4nne^\x1b-L\xbb\xee\xda", "Änne^Люк"),
    (("ISO 2022 IR 6", "ISO 2022 IR 100"), b"a\x1b-A\xe4^b", "aä^b"),
    ((), b"plain", "plain"),
]
SETS = [names for names, _, _ in EXAMPLES]


@pytest.mark.parametrize(("names", "encoded", "text"), EXAMPLES)
def test_examples_of_the_standard_are_read(names: tuple[str, ...], encoded: bytes, text: str) -> None:
    """A name switches sets and resets them at its delimiters."""
    assert character_sets(names).decode(encoded, is_name=True) == text


@pytest.mark.parametrize(("names", "encoded", "text"), EXAMPLES)
def test_examples_come_back(names: tuple[str, ...], encoded: bytes, text: str) -> None:
    """Written anew, by whatever escapes, they are read as the same; pydicom reads them too."""
    written = character_sets(names).encode(text, is_name=True)
    assert character_sets(names).decode(written, is_name=True) == text
    if "ISO 2022 IR 58" not in names:  # pydicom 3.0 leaves the escape sequences of this one in the text
        assert decode_bytes(written, convert_encodings(list(names) or None), set(b"^=")) == text
    assert (written == encoded) or b"\x1b" in encoded


# Where each character set has its characters, besides ASCII.
REPERTOIRES = {
    "ISO_IR 100": "\xa1-\xff",
    "ISO 2022 IR 100": "\xa1-\xff",
    "ISO_IR 13": "\uff61-\uff9f",
    "ISO 2022 IR 13": "\uff61-\uff9f",
    "ISO 2022 IR 144": "\u0410-\u044f",
    "ISO 2022 IR 127": "\u0621-\u063a",
    "ISO 2022 IR 87": "\u3041-\u3093\u30a1-\u30f6\u4e00\u4e09\u4e0a\u5c71\u7530\u592a\u90ce\u8868\u80fd",
    "ISO 2022 IR 159": "\u4e02\u4e04\u4e05\u4e0c\u4e12\u4e1f\u4e23",
    "ISO 2022 IR 149": "\uac00\uac01\uae38\ub3d9\ud64d\u6d2a\u5409\u6d1e",
    "ISO 2022 IR 58": "\u4e00\u5f20\u5c0f\u4e1c\u738b",
    "GB18030": "\u4e00-\u9fa5\U0001f600-\U0001f64f",
    "GBK": "\u4e00-\u9fa5",
    "ISO_IR 192": "\xa1-\u9fa5\U0001f600-\U0001f64f",
}
COMBINATIONS = [
    ("ISO_IR 100",),
    ("ISO_IR 13",),
    ("GB18030",),
    ("GBK",),
    ("ISO_IR 192",),
    ("", "ISO 2022 IR 87"),
    ("", "ISO 2022 IR 159"),
    ("", "ISO 2022 IR 149"),
    ("", "ISO 2022 IR 58"),
    ("", "ISO 2022 IR 87", "ISO 2022 IR 159"),
    ("ISO 2022 IR 13", "ISO 2022 IR 87"),
    ("ISO 2022 IR 13", "ISO 2022 IR 87", "ISO 2022 IR 159"),
    ("ISO 2022 IR 100", "ISO 2022 IR 144"),
    ("ISO 2022 IR 100", "ISO 2022 IR 87", "ISO 2022 IR 149"),
    ("", "ISO 2022 IR 127", "ISO 2022 IR 149"),
]


def texts_of(names: tuple[str, ...], delimiters: str = "") -> st.SearchStrategy[str]:
    """Texts of any mixture of these sets, with delimiters between."""
    own = "".join(REPERTOIRES.get(name, "") for name in names)
    return st.from_regex(f"[A-Za-z0-9 {delimiters}{own}]{{0,12}}", fullmatch=True)


@pytest.mark.parametrize("names", COMBINATIONS)
@given(data=st.data())
def test_what_a_set_has_can_be_written_and_read_by_others(names: tuple[str, ...], data: st.DataObject) -> None:
    """Also mixed within one value: by us, and by pydicom, from names and from text."""
    for is_name, delimiters in ((True, "^="), (False, "")):
        text = data.draw(texts_of(names, delimiters))
        written = character_sets(names).encode(text, is_name=is_name)
        assert character_sets(names).decode(written, is_name=is_name) == text
        if "ISO 2022 IR 58" not in names:  # pydicom 3.0 leaves the escape sequences of this one in the text
            others = set(b"^=") if is_name else set(b"\r\n\t\f")
            assert decode_bytes(written, convert_encodings(list(names)), others) == text


@pytest.mark.parametrize("names", COMBINATIONS)
@given(data=st.data())
def test_what_pydicom_writes_is_read(names: tuple[str, ...], data: st.DataObject) -> None:
    """Where it can, and switches back to ASCII for what follows: after Japanese among others it forgets that."""
    text = data.draw(texts_of(names))
    with warnings.catch_warnings(action="error"):
        try:
            written = encode_string(text, convert_encodings(list(names)))
        except (UnicodeError, UserWarning):
            return
    is_left_open = b"\x1b$B" in written and b"\x1b(" not in written
    if "ISO 2022 IR 58" not in names and not is_left_open:
        assert character_sets(names).decode(written) == text


@pytest.mark.parametrize("names", COMBINATIONS)
@given(data=st.data())
def test_each_value_of_many_begins_anew(names: tuple[str, ...], data: st.DataObject) -> None:
    """A backslash resets the sets as the delimiters of names do (PS3.5 section 6.1.2.5.3); not within long text."""
    values = tuple(data.draw(texts_of(names)).strip() or "x" for _ in range(3))
    for vr, held in (("LO", values), ("PN", values), ("LT", ("\\".join(values),))):
        encoded = encode({0x00081030: Element(vr, held)}, EXPLICIT_VR_LE, names)
        assert decode(encoded, EXPLICIT_VR_LE)[0x00081030].values == held


@pytest.mark.parametrize("text", ["\xa5", "a\u203eb", "\xa5\u5c71"])
def test_yen_sign_is_not_written_as_a_delimiter(text: str) -> None:
    """As Python's codecs of Japanese would."""
    for names in (("ISO_IR 13",), ("", "ISO 2022 IR 87"), ("ISO 2022 IR 13", "ISO 2022 IR 87", "ISO 2022 IR 159")):
        with pytest.raises(DataError):
            character_sets(names).encode(text)


def test_sets_that_were_not_declared_are_not_written() -> None:
    """Kanji of JIS X 0208 in an identifier that declares JIS X 0212 alone: nobody would have to read them."""
    with pytest.raises(DataError):
        character_sets(("", "ISO 2022 IR 159")).encode("\u5c71")


def test_set_of_kana_is_left_by_its_own_escape() -> None:
    """Back to JIS X 0201 and not to ASCII where that is the first set (PS3.5 annex H.3)."""
    assert character_sets(("ISO 2022 IR 13", "ISO 2022 IR 87")).encode("\u5c71").endswith(b"\x1b(J")
    assert character_sets(("", "ISO 2022 IR 87")).encode("\u5c71").endswith(b"\x1b(B")


@pytest.mark.parametrize("names", SETS)
@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20))
def test_what_can_be_written_is_read_as_the_same(names: tuple[str, ...], text: str) -> None:
    """And what cannot is refused with what would do."""
    sets = character_sets(names)
    with suppress(DataError):
        assert sets.decode(sets.encode(text, is_name=True), is_name=True) == text


@pytest.mark.parametrize("names", [("ISO_IR 13",), ("ISO 2022 IR 13", "ISO 2022 IR 87"), ("", "ISO 2022 IR 87")])
def test_yen_sign_is_refused_where_it_would_be_written_as_a_separator(names: tuple[str, ...]) -> None:
    """JIS X 0201 has it in the place of the backslash."""
    with pytest.raises(DataError):
        character_sets(names).encode("100¥")


@pytest.mark.parametrize("names", [*SETS, ("KLINGON",), ("ISO 2022 IR 87", "X")])
@given(value=st.binary(max_size=60), is_name=st.booleans())
def test_any_bytes_are_text(names: tuple[str, ...], value: bytes, *, is_name: bool) -> None:
    """Reading never fails."""
    assert isinstance(character_sets(names).decode(value, is_name=is_name), str)


def test_undeclared_text_is_guessed() -> None:
    """UTF-8 where it is valid, else Latin-1."""
    sets = character_sets(())
    assert sets.decode("Müller".encode()) == sets.decode("Müller".encode("latin-1")) == "Müller"
    with pytest.raises(DataError, match="does not have") as caught:
        sets.encode("Müller")
    assert "ISO_IR 192" in caught.value.hints[0]


def test_kanji_are_not_written_in_a_set_of_kana() -> None:
    """Python's codec has them, JIS X 0201 has not."""
    with pytest.raises(DataError):
        character_sets(("ISO_IR 13",)).encode("山")


def test_number_of_sets_is_bounded() -> None:
    """Whatever (0008,0005) claims."""
    assert len(CharacterSets(("ISO 2022 IR 6",) * 1000).names) == 8
