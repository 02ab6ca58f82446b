"""dicomtls.tls.server_name: what can be sent as a server's name, and in which form."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.errors import UsageError
from dicomtls.tls.server_name import checked_server_name


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("pacs.example", b"pacs.example"),
        ("pacs.example.", b"pacs.example"),
        ("räntgen.example", "räntgen.example"),
        ("192.0.2.7", b"192.0.2.7"),
        ("2001:db8::7", b"2001:db8::7"),
        ("fe80::7%eth0", b"fe80::7"),
    ],
)
def test_name_or_address_is_taken(name: str, sent: str | bytes) -> None:
    """As bytes where that is enough."""
    assert checked_server_name(name) == sent


@given(name=st.text(max_size=300) | st.from_regex(r"[a-z.]{240,300}", fullmatch=True))
def test_any_text_is_taken_or_refused(name: str) -> None:
    """The library's error is the only one."""
    with suppress(UsageError):
        assert checked_server_name(name)
