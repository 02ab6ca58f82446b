"""The table of a folder."""

from pathlib import Path

from dicomtls.certificates.describe import describe
from dicomtls.cli.inspect_cert_folder import Row, table
from dicomtls.diagnosis.inspection import Expectation, inspect_certificates
from tests.support.chains import issue


def row(name: str, host: str) -> Row:
    """A file with a self-signed certificate."""
    return Row(Path(name), inspect_certificates([describe(issue("leaf", hosts=(host,)).der)], Expectation()))


def test_columns_stand_below_each_other_and_are_harmless() -> None:
    """Long names are cut, control characters escaped."""
    lines = ["".join(map(str, (part for part in line))) for line in table(Path("f"), [row("a\x1b.pem", "h" * 60)])]
    assert lines[0].startswith("days left  file")
    assert all(line == line.rstrip() for line in lines)
    assert "a\\x1b.pem" in lines[1]
    assert "…" in lines[1]
    assert lines[-1] == "each by itself: dicomtls inspect-cert f/FILE"


def test_what_ends_first_comes_first_and_what_has_no_date_before() -> None:
    """By days, then by name."""
    assert row("a", "x").order() < row("b", "x").order()
    assert row("a", "x").order() > (False, 0, "z")
