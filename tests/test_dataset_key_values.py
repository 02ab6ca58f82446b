"""Values of keys, checked against their VR."""

import pytest

from dicomtls.dataset.identifier import Value
from dicomtls.dataset.key_values import read_values
from dicomtls.errors import UsageError

READ: list[tuple[str, str, tuple[Value, ...]]] = [
    ("DA", "20240229", ("20240229",)),
    ("DA", "20240101-20241231", ("20240101-20241231",)),
    ("DA", "20240101-", ("20240101-",)),
    ("DA", "-20240101", ("-20240101",)),
    ("DA", "1999.12.31", ("1999.12.31",)),
    ("TM", "10", ("10",)),
    ("TM", "1015-", ("1015-",)),
    ("TM", "220000-020000", ("220000-020000",)),
    ("TM", "101500.123456", ("101500.123456",)),
    ("DT", "20240101101500+0100", ("20240101101500+0100",)),
    ("AS", "042Y", ("042Y",)),
    ("IS", "-7", ("-7",)),
    ("IS", "2147483647", ("2147483647",)),
    ("DS", "1.5E-3", ("1.5E-3",)),
    ("US", "1\\65535", (1, 65535)),
    ("SS", "-32768", (-32768,)),
    ("FD", "0.25", (0.25,)),
    ("AT", "(0010,0010)\\PatientID\\00100020", (0x00100010, 0x00100020, 0x00100020)),
    ("UI", "1.2.3\\1.2.4", ("1.2.3", "1.2.4")),
    ("CS", "C*\\M?", ("C*", "M?")),
    ("AE", "STORE SCP", ("STORE SCP",)),
    ("LO", "a\\b", ("a", "b")),
    ("PN", "Müller^*", ("Müller^*",)),
    ("LT", "one\\two\r\nthree", ("one\\two\r\nthree",)),
    ("UR", "http://x/\\y", ("http://x/\\y",)),
    ("UN", "abc", (b"abc ",)),
    ("UC", "x" * 200, ("x" * 200,)),
]
REFUSED = [
    ("DA", "20240230"),
    ("DA", "2024"),
    ("DA", "-"),
    ("DA", "20240101-20230101"),
    ("DA", "20240101-20240102-20240103"),
    ("DA", "2024-01-01"),
    ("TM", "2400"),
    ("TM", "-"),
    ("TM", "10:15"),
    ("DT", "now"),
    ("AS", "42"),
    ("IS", "1.5"),
    ("IS", "1*"),
    ("IS", "2147483648"),
    ("IS", "9" * 400),
    ("DS", "1.23456789012345678"),
    ("DS", "NaN"),
    ("US", "65536"),
    ("US", "-1"),
    ("US", "x"),
    ("UV", "9" * 20),
    ("FL", "1E999"),
    ("FL", "nan"),
    ("AT", "PatientNme"),
    ("UI", "1.2.*"),
    ("UI", "1." + "2" * 64),
    ("CS", "ct"),
    ("CS", "CT\u00c4"),
    ("AE", " "),
    ("AE", "x" * 17),
    ("AE", "\u00c4"),
    ("OB", "abc"),
    ("UN", "\u00e4"),
    ("LO", "a\x1b[31m"),
    ("PN", "a\nb"),
    ("LO", "a\x9bb"),
    ("LT", "a\x00"),
    ("LO", "a\\"),
    ("UI", "\\1.2"),
]


@pytest.mark.parametrize(("vr", "text", "values"), READ)
def test_value_of_its_type_is_read(vr: str, text: str, values: tuple[Value, ...]) -> None:
    """Numbers become numbers, the rest stays what it was."""
    assert read_values("Key", vr, text) == values


@pytest.mark.parametrize(("vr", "text"), REFUSED)
def test_value_of_another_type_is_refused(vr: str, text: str) -> None:
    """With the key's name, and a hint about the type."""
    with pytest.raises(UsageError) as caught:
        read_values("Key", vr, text)
    assert caught.value.message.startswith("Key: ")
    assert caught.value.hints
    assert "\x1b" not in caught.value.message
