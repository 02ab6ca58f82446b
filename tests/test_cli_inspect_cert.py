"""`dicomtls inspect-cert`, as users run it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dicomtls.cli.app import main
from tests.support.certificates import make_certificate
from tests.support.cli import run_dicomtls
from tests.support.pki import PASSPHRASE, PKI


def document(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict[str, Any], list[str]]:
    """Exit status, the document, and the codes of its errors."""
    status = main(["inspect-cert", *map(str, arguments), "--json"])
    written = json.loads(capsys.readouterr().out)
    return status, written, [one["code"] for one in written["findings"] if one["severity"] == "error"]


def test_good_certificate_is_shown_with_what_was_not_checked(pki: PKI, capsys: pytest.CaptureFixture[str]) -> None:
    """A private CA is no fault, and the last line says what is missing."""
    assert main(["inspect-cert", str(pki.chained.cert)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{pki.chained.cert}: 2 certificates"
    assert any(line.startswith("└─ CN=dicomtls test intermediate") for line in lines)
    assert "as a server  PS3.15 B.12 fit, PS3.15 B.13 fit" in lines
    assert lines[-2] == "nothing wrong was found"
    assert lines[-1].startswith("not checked: ")
    assert all(option in lines[-1] for option in ("--ca", "--crl", "--host", "--purpose"))


def test_faults_are_findings_and_exit_1(pki: PKI, capsys: pytest.CaptureFixture[str]) -> None:
    """Each against the CA that issued it."""
    asked = ("--ca", pki.ca, "--host", "localhost", "--purpose", "server")
    good = document(capsys, pki.server.cert, *asked, "--crl", pki.crl)
    assert (good[0], good[1]["ok"], good[1]["kind"], good[1]["findings"]) == (0, True, "certificate", [])
    cases = {
        pki.expired: "expired",
        pki.wrong_name: "name-mismatch",
        pki.client_purpose: "wrong-purpose",
        pki.self_signed: "self-signed",
        pki.weak_key: "weak-key",
        pki.other_server: "unknown-issuer",
    }
    for identity, code in cases.items():
        status, written, codes = document(capsys, identity.leaf, *asked)
        assert (status, written["ok"], codes[0]) == (1, False, code)
    assert document(capsys, pki.revoked.cert, *asked, "--crl", pki.crl)[2] == ["revoked"]


def test_key_must_belong_to_the_certificate(pki: PKI, capsys: pytest.CaptureFixture[str]) -> None:
    """Given by --key, or in the same file."""
    assert document(capsys, pki.server.cert, "--key", pki.server.key)[2] == []
    assert document(capsys, pki.server.cert, "--key", pki.client.key)[2] == ["key-mismatch"]
    assert document(capsys, pki.server.combined)[2] == []


def test_empty_host_is_not_no_host(pki: PKI) -> None:
    """As from an unset variable of a script: the name would not be checked, and nobody would know."""
    ended = run_dicomtls("inspect-cert", pki.server.cert, "--host", "")
    assert (ended.exit_status, ended.stdout) == (2, "")
    assert "error: --host: the name is empty\n" in ended.stderr


def test_host_that_is_none_is_refused_in_words(pki: PKI) -> None:
    """OpenSSL's codec for it ends in a traceback."""
    ended = run_dicomtls("inspect-cert", pki.server.cert, "--ca", pki.ca, "--host", "pacs..example", "--json")
    error = ended.json()["error"]
    assert (ended.exit_status, error["code"]) == (2, "configuration")
    assert error["message"].endswith("not a name that a server can have: 'pacs..example'")


def test_days_that_are_too_few_exit_1(pki: PKI, capsys: pytest.CaptureFixture[str]) -> None:
    """The threshold itself is enough."""
    _, written, _ = document(capsys, pki.server.cert)
    (certificate,) = written["certificates"]
    days = certificate["days_left"]
    assert document(capsys, pki.server.cert, "--min-days", str(days))[0] == 0
    status, _, codes = document(capsys, pki.server.cert, "--min-days", str(days + 1))
    assert (status, codes) == (1, ["expires-soon"])


def test_several_targets_are_one_document_a_line(pki: PKI) -> None:
    """The exit status is the highest, and one that cannot be read hides none."""
    result = run_dicomtls("inspect-cert", pki.server.cert, "/etc/passwd", pki.expired.cert, pki.server.key, "--json")
    assert result.exit_status == 2
    lines = result.json_lines()
    assert [line["ok"] for line in lines] == [True, False, False, True]
    assert [line["kind"] for line in lines] == ["certificate", None, "certificate", "private-key"]
    assert lines[1]["error"]["code"] == "unreadable-file"


def test_archive_needs_its_passphrase(pki: PKI, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """From a file; a wrong one is exit 2."""
    secret = tmp_path / "secret"
    secret.write_bytes(PASSPHRASE)
    status, written, _ = document(capsys, pki.server.pkcs12, "--passphrase-file", secret)
    assert (status, written["kind"]) == (0, "pkcs12")
    secret.write_bytes(b"wrong")
    assert main(["inspect-cert", str(pki.server.pkcs12), "--passphrase-file", str(secret)]) == 2


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten thousand names, each with an escape sequence, are a view of a few lines."""
    names = x509.SubjectAlternativeName([x509.DNSName(f"\x1b[31mhost{number}\r\n") for number in range(10_000)])
    path = tmp_path / "hostile.der"
    path.write_bytes(make_certificate(names, subject="\x1b]0;title\x07\u202eevil", serial=1))
    assert main(["inspect-cert", str(path)]) == 1  # no handshake takes a certificate of this size either
    shown = capsys.readouterr().out
    assert all(character.isprintable() for character in shown.replace("\n", ""))
    assert len(shown) < 10_000
    assert "and 9990 more" in shown
    assert "100 KiB" in shown


def test_quiet_still_says_what_is_wrong(pki: PKI) -> None:
    """On stderr, and nothing on stdout."""
    result = run_dicomtls("inspect-cert", pki.expired.cert, "-q")
    assert (result.exit_status, result.stdout) == (1, "")
    assert f"dicomtls: warning: {pki.expired.cert}: the certificate expired on " in result.stderr
    assert run_dicomtls("inspect-cert", pki.server.cert, "-q").stderr == ""


def test_two_sources_of_a_passphrase_are_refused(pki: PKI) -> None:
    """Before anything is read."""
    options = ("--passphrase-file", "x", "--passphrase-env", "Y")
    assert run_dicomtls("inspect-cert", pki.server.cert, *options).exit_status == 2


def test_retired_profile_is_warned_of(pki: PKI) -> None:
    """And judges by its own security level; one that there is not is exit 2."""
    result = run_dicomtls("inspect-cert", pki.weak_key.leaf, "--ca", pki.ca, "--profile", "bcp195-2015")
    assert "dicomtls: warning: --profile bcp195-2015 is retired" in result.stderr
    assert (result.exit_status, "no errors" in result.stdout) == (0, True)
    assert run_dicomtls("inspect-cert", pki.weak_key.leaf, "--profile", "nosuch").exit_status == 2


def test_list_that_is_old_is_an_error(pki: PKI, capsys: pytest.CaptureFixture[str]) -> None:
    """Looked at by itself; a current one is none."""
    assert document(capsys, pki.expired_crl)[2] == ["crl-expired"]
    status, written, _ = document(capsys, pki.crl)
    assert (status, written["kind"]) == (0, "crl")


def test_bundle_of_many_is_bounded(tmp_path: Path, pki: PKI) -> None:
    """A thousand certificates are looked at in two seconds, and shown in part."""
    later = datetime(2030, 1, 1, tzinfo=UTC)
    pem = b"".join(
        x509.load_der_x509_certificate(make_certificate(subject=f"n{n}", not_after=later)).public_bytes(Encoding.PEM)
        for n in range(1000)
    )
    (tmp_path / "many.pem").write_bytes(pem)
    result = run_dicomtls("inspect-cert", tmp_path / "many.pem", "--ca", pki.ca, timeout=10)
    assert "and 968 more: --json has them all" in result.stdout
    assert result.exit_status == 0
