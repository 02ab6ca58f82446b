"""The record of what a CA has issued: read as it is written, and never more than it is."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.certificates.describe import serial_hex
from dicomtls.certificates.record import REASONS, Entry, Record, parse_serial
from dicomtls.errors import CredentialError, UsageError

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001 -- a bound
    lambda moment: moment.replace(microsecond=0)
)
SUBJECTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1)
ENTRIES = st.builds(
    Entry,
    st.integers(1, 2**159 - 1),
    TIMES,
    TIMES,
    SUBJECTS,
    *(st.none(), st.none()),
) | st.builds(Entry, st.integers(1, 2**159 - 1), TIMES, TIMES, SUBJECTS, TIMES, st.sampled_from(sorted(REASONS)))


@given(entries=st.lists(ENTRIES, max_size=5), number=st.integers(0, 10**9))
def test_record_is_read_as_it_was_written(entries: list[Entry], number: int) -> None:
    """Whatever subjects hold, each certificate is one line."""
    record = Record(tuple(entries), number)
    data = record.encode()
    assert Record.parse(data, "issued.txt") == record
    assert data.count(b"\n") == 3 + len(entries)


@given(data=st.binary(max_size=200))
def test_anything_else_is_a_record_or_an_error(data: bytes) -> None:
    """Never anything but our own error."""
    with suppress(CredentialError):
        assert isinstance(Record.parse(data, "issued.txt"), Record)


@pytest.mark.parametrize(
    "line",
    [
        "zz\t2026-01-01T00:00:00Z\t2027-01-01T00:00:00Z\t-\t-\tCN=x",
        "01\t2026-01-01\t2027-01-01T00:00:00Z\t-\t-\tCN=x",
        "01\t2026-01-01T00:00:00Z\t2027-01-01T00:00:00Z\t-\tsuperseded\tCN=x",
        "01\t2026-01-01T00:00:00Z\t2027-01-01T00:00:00Z\t2026-01-01T00:00:00Z\tbored\tCN=x",
        "01\t2026-01-01T00:00:00Z",
    ],
)
def test_damaged_line_is_named(line: str) -> None:
    """A CA whose record cannot be read must not go on with another one."""
    with pytest.raises(CredentialError, match=r"line 2 of issued\.txt is no record"):
        Record.parse(f"# crl 3\n{line}\n".encode(), "issued.txt")


@pytest.mark.parametrize(
    ("text", "serial"),
    [
        ("0a", 10),
        ("0A:0B", 0x0A0B),
        ("0x5d", 0x5D),
        ("7f" + "f" * 38, 2**159 - 1),
        ("80" + "0" * 38, None),
        ("", None),
        ("xy", None),
        ("1" * 41, None),
        ("-1", None),
        ("00", None),
    ],
)
def test_serial_number_is_read_in_the_ways_people_write_it(text: str, serial: int | None) -> None:
    """As OpenSSL prints it, with or without colons."""
    assert parse_serial(text) == serial
    if serial is not None:
        assert parse_serial(serial_hex(serial)) == serial


def test_revocation_is_noted_once() -> None:
    """What is not there, or revoked already, is an error."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    record = Record((Entry(1, now, now, "CN=x"), Entry(2, now, now, "CN=y")))
    revoked = record.with_revoked(2, "superseded", now)
    assert [entry.serial for entry in revoked.revoked()] == [2]
    assert list(record.revoked()) == []
    with pytest.raises(UsageError, match="revoked on 2026-01-01T00:00:00Z already"):
        revoked.with_revoked(2, "superseded")
    with pytest.raises(UsageError, match="no record of a certificate with the serial number 03"):
        revoked.with_revoked(3, "superseded")


@pytest.mark.parametrize("number", ["", "x", "-1", "\u00b2", "9" * 5000])
def test_damaged_number_of_the_last_list_is_not_passed_over(number: str) -> None:
    """The next list would have a lower one, and be taken for an old one."""
    assert Record.parse(b"# crl 7\n", "issued.txt").crl_number == 7
    with pytest.raises(CredentialError, match=r"line 1 of issued\.txt is no number of a list"):
        Record.parse(f"# crl {number}\n".encode(), "issued.txt")
