"""dicomtls.peer: `[AET@]HOST[:PORT]` and the rules of AE titles."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.errors import UsageError
from dicomtls.peer import (
    Peer,
    check_ae_title,
    format_address,
    is_ae_title,
    parse_address,
    parse_listening,
    parse_port,
)

TITLE_CHARACTERS = st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\")
TITLES = st.text(TITLE_CHARACTERS, min_size=1, max_size=16).filter(lambda text: text.strip(" "))
HOSTS = st.text(string.ascii_letters + string.digits + ".-_", min_size=1, max_size=60)
PORTS = st.integers(0, 65535)
ADDRESSES_V6 = st.ip_addresses(v=6).map(str)


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("pacs", Peer("pacs", 2762, "ANY-SCP")),
        ("pacs.hospital.example:11112", Peer("pacs.hospital.example", 11112)),
        ("PACS@10.0.0.1:104", Peer("10.0.0.1", 104, "PACS")),
        ("MY PACS@pacs", Peer("pacs", 2762, "MY PACS")),
        (" PACS @pacs", Peer("pacs", 2762, "PACS")),
        ("A@B@pacs:1", Peer("pacs", 1, "A@B")),
        ("[::1]", Peer("::1", 2762)),
        ("[::1]:2763", Peer("::1", 2763)),
        ("PACS@[fe80::1%eth0]:104", Peer("fe80::1%eth0", 104, "PACS")),
        ("pacs:0", Peer("pacs", 0)),
        ("pacs:65535", Peer("pacs", 65535)),
        ("räntgen.example", Peer("räntgen.example", 2762)),
    ],
)
def test_peer_is_read_from_what_people_write(text: str, peer: Peer) -> None:
    """AE title, host and port, each where it is given."""
    assert Peer.parse(text) == peer


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no host"),
        ("@pacs", "AE title '' is empty"),
        ("  @pacs", "is empty"),
        ("PACS@", "no host"),
        (":104", "no host"),
        ("pacs:", "not a TCP port: ''"),
        ("pacs:65536", "not a TCP port"),
        ("pacs:-1", "not a TCP port"),
        ("pacs:+1", "not a TCP port"),
        ("pacs:1 ", "not a TCP port"),
        ("pacs:0x10", "not a TCP port"),
        ("pacs:\uff11\uff10\uff14", "not a TCP port"),
        ("pacs:²", "not a TCP port"),
        ("pacs:" + "9" * 5000, "not a TCP port"),
        ("pacs:dicom", "not a TCP port"),
        ("::1", "needs brackets"),
        ("::1:104", "needs brackets"),
        ("[::1", "cannot read the address"),
        ("[::1]x", "cannot read the address"),
        ("[::1]104", "cannot read the address"),
        ("[]:104", "no host"),
        ("my pacs", "not a host: my pacs"),
        ("pa\ncs", "not a host: "),
        ("pacs\x00", "not a host: "),
        ("caf\udce9", "not a host: caf\\udce9"),
        ("SEVENTEEN-LETTERS@pacs", "more than 16 characters"),
        ("PA\\CS@pacs", "only ASCII"),
        ("PA\x07CS@pacs", "only ASCII"),
        ("PÄCS@pacs", "only ASCII"),
    ],
)
def test_peer_is_refused_when_it_means_nothing(text: str, reason: str) -> None:
    """The message says which part is wrong, and a hint how it is written."""
    with pytest.raises(UsageError) as caught:
        Peer.parse(text)
    assert reason in caught.value.message
    assert caught.value.hints
    assert caught.value.code == "configuration"


def test_hint_for_an_ipv6_address_without_brackets_can_be_pasted() -> None:
    """What the hint proposes is what was meant."""
    with pytest.raises(UsageError, match="brackets") as caught:
        Peer.parse("PACS@2001:db8::1")
    [hint] = caught.value.hints
    assert "[2001:db8::1]:2762" in hint


def test_default_port_is_the_callers() -> None:
    """In clear it is 104."""
    assert Peer.parse("pacs", default_port=104).port == 104
    assert Peer.parse("pacs:11112", default_port=104).port == 11112


@given(title=TITLES, host=HOSTS | ADDRESSES_V6, port=PORTS)
def test_peer_survives_being_written_and_read(title: str, host: str, port: int) -> None:
    """What `str` writes, `parse` reads, for names and addresses of either family."""
    peer = Peer(host, port, title.strip(" "))
    assert Peer.parse(f"{title}@{peer}") == peer
    assert parse_address(format_address(host, port), default_port=1) == (host, port)


@given(text=st.text(max_size=40) | st.text("[]:@. \\\x00a1", max_size=12))
def test_any_text_is_a_peer_or_a_usage_error(text: str) -> None:
    """Nothing that a user can type ends in another exception, and what is taken keeps the rules."""
    try:
        peer = Peer.parse(text)
    except UsageError:
        return
    assert peer.host.isprintable()
    assert 0 <= peer.port <= 65535
    assert check_ae_title(peer.called_ae_title) == peer.called_ae_title


@given(text=st.text(max_size=20))
def test_ae_title_is_taken_by_the_rules_of_the_standard(text: str) -> None:
    """PS3.5 table 6.2-1: 1 to 16 characters of the default repertoire, no backslash, no control, not all spaces."""
    title = text.strip(" ")
    is_good = 0 < len(title) <= 16 and all(32 <= ord(c) < 127 and c != "\\" for c in title)
    try:
        taken: str | None = check_ae_title(text)
    except UsageError:
        taken = None
    assert taken == (title if is_good else None)


@given(number=st.integers(-10, 100_000))
def test_port_is_taken_when_it_is_one(number: int) -> None:
    """0 to 65535, and nothing else."""
    try:
        taken: int | None = parse_port(str(number))
    except UsageError:
        taken = None
    assert taken == (number if 0 <= number <= 65535 else None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ("", 7)),
        ("11112", ("", 11112)),
        (":11112", ("", 11112)),
        ("127.0.0.1", ("127.0.0.1", 7)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_where_to_listen_is_read(text: str | None, expected: tuple[str, int]) -> None:
    """A port alone means every address of this machine."""
    assert parse_listening(text, default_port=7) == expected


@pytest.mark.parametrize(("text", "expected"), [("PACS", True), ("", False), ("   ", False), ("A\\B", False)])
def test_ae_title_is_told_from_what_is_none(text: str, *, expected: bool) -> None:
    """For titles that peers have sent."""
    assert is_ae_title(text) is expected
