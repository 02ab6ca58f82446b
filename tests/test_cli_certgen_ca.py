"""`dicomtls certgen ca`."""

from pathlib import Path

import pytest

from tests.support.authority import EC, Certgen
from tests.support.openssl import verify


def test_root_is_written_with_an_empty_record(certgen: Certgen) -> None:
    """And the output says who gets what."""
    assert certgen.files() == {"ca/ca.pem", "ca/ca.key", "ca/issued.txt"}
    assert (certgen.ca / "ca.key").stat().st_mode & 0o777 == 0o600
    said = certgen.run("ca", "--name", "Other", "--out", certgen.directory / "other", "--key-type", EC)
    assert "ca.pem: the CA that they trust" in said
    assert "a CA, valid until" in said
    assert "3651 days" in said


def test_ca_below_another_is_recorded_there(certgen: Certgen, tmp_path: Path) -> None:
    """Root, intermediate, leaf: OpenSSL takes the chain that `issue` writes."""
    root, below = tmp_path / "root", tmp_path / "below"
    certgen.run("ca", "--name", "Clinic", "--out", root, "--key-type", EC, "--path-length", "1")
    document = certgen.document("ca", "--name", "Radiology", "--ca-dir", root, "--out", below, "--days", "100")
    assert (document["command"], document["subcommand"], document["ok"]) == ("certgen", "ca", True)
    assert document["certificates"]["ca"]["issuer"] == "CN=Clinic CA,O=Clinic"
    assert "CN=Radiology CA,O=Radiology" in (root / "issued.txt").read_text()
    certgen.run("issue", "--ca-dir", below, "--name", "ct", "--host", "ct.example", "--out", tmp_path, "--days", "9")
    assert verify(tmp_path / "ct.pem", "-CAfile", root / "ca.pem", "-untrusted", tmp_path / "ct.pem").endswith("OK\n")


def test_lifetime_that_was_not_asked_for_ends_with_the_ca_above(certgen: Certgen, tmp_path: Path) -> None:
    """A default must not fail: neither a CA's below one made just now, nor a device's below an old one."""
    root, below = tmp_path / "root", tmp_path / "below"
    certgen.run("ca", "--name", "Clinic", "--out", root, "--key-type", EC, "--path-length", "1", "--days", "400")
    assert "398 days" in certgen.run("ca", "--name", "Radiology", "--ca-dir", root, "--out", below, "--key-type", EC)
    said = certgen.run("issue", "--ca-dir", below, "--name", "ct", "--host", "ct", "--out", tmp_path, "--key-type", EC)
    assert "397 days" in said
    certgen.run("request", "--name", "mr", "--host", "mr", "--out", tmp_path, "--key-type", EC)
    assert "397 days" in certgen.run("sign", tmp_path / "mr.csr", "--ca-dir", below, "--out", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--path-length", "0"), "this CA may only issue to devices"),
        (("--key-type", "dsa"), "not a key type: 'dsa'"),
        (("--path-length", "x"), "is not a whole number from 0 to 9"),
    ],
)
def test_wrong_options_leave_nothing_behind(certgen: Certgen, arguments: tuple[str, ...], error: str) -> None:
    """Neither a folder nor a line in the record."""
    before = certgen.files()
    record = (certgen.ca / "issued.txt").read_bytes()
    base = ("ca", "--name", "x", "--ca-dir", certgen.ca, "--out", certgen.directory / "new")
    assert error in certgen.run(*base, *arguments, status=2)
    assert certgen.files() == before
    assert (certgen.ca / "issued.txt").read_bytes() == record
