"""What the commands of `certgen` say of what they have made."""

from datetime import UTC, datetime
from pathlib import Path

from dicomtls.certificates.issue import make_self_signed
from dicomtls.cli.certgen_report import archive_remark, day, tell
from dicomtls.cli.output import Output
from dicomtls.cli.running import Report
from dicomtls.cli.text import render


def test_people_are_told_names_key_purpose_and_lifetime() -> None:
    """And what they can compare: serial number and fingerprint."""
    made = make_self_signed("ct", ["ct.example", "192.0.2.7"], key_type="ec:p256", days=10)
    report = Report()
    tell(report, Output("certgen"), "issue", [Path("ct.pem")], {"ct": made.der}, ["last"], extra=1)
    lines = [render(line, colour=False) for line in report.lines]
    assert lines[0] == "wrote ct.pem"
    assert lines[1] == "  CN=ct, for ct.example, 192.0.2.7"
    assert lines[2].startswith("  EC 256, for a server and a client, valid until ")
    assert made.fingerprint_sha256 in lines[3]
    assert lines[-1] == "last"
    assert report.values["certificates"] == {}
    assert report.values["extra"] == 1


def test_kind_of_key_is_said_once() -> None:
    """Ed25519 has no size to choose."""
    report = Report()
    made = make_self_signed("ct", [], key_type="ed25519", days=10)
    tell(report, Output("certgen", json=True), "issue", [], {"ct": made.der})
    assert render(report.lines[1], colour=False).startswith("  Ed25519, for")
    assert report.values["certificates"] != {}


def test_day_that_cannot_be_read_is_said_so() -> None:
    """A hostile certificate's may be."""
    assert day(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02"
    assert day(None) == "an unreadable date"


def test_remark_is_made_only_where_java_would_fail() -> None:
    """An archive with a passphrase is good for everybody."""
    assert len(list(archive_remark(pkcs12=True, encrypted=False))) == 1
    assert not list(archive_remark(pkcs12=True, encrypted=True))
    assert not list(archive_remark(pkcs12=False, encrypted=False))
