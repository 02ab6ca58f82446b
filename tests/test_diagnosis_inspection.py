"""dicomtls.diagnosis.inspection: what is said of a file is what a handshake says, and then all the rest."""

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from dicomtls.certificates.describe import describe
from dicomtls.certificates.load import load_certificates
from dicomtls.diagnosis.inspection import Expectation, Inspection, inspect_certificates
from dicomtls.errors import UsageError
from dicomtls.tls import ClientAuth, TLSSettings
from tests.support.chains import issue
from tests.support.faults import Case, cases
from tests.support.handshakes import shake_hands
from tests.support.pki import PKI

_CASES = cases()


def inspected(case: Case, folder: Path) -> Inspection:
    """The inspection of the case's file."""
    paths = case.write(folder)
    certificates = [describe(der) for der in load_certificates(paths["identity"].cert)]
    settings = TLSSettings(ca=paths["ca"], crl=paths["crl"])
    host = case.host if case.role == "server" else None
    return inspect_certificates(certificates, Expectation(settings=settings, host=host, purpose=case.role))


def codes(inspection: Inspection, severity: str = "error") -> list[str]:
    """The codes of the findings of one severity, in their order."""
    return [finding.code for finding in inspection.findings if finding.severity == severity]


@pytest.mark.parametrize("name", _CASES)
@pytest.mark.parametrize("protocol", ["1.2", "1.3"])
def test_file_is_judged_as_the_handshake_judges_it(name: str, protocol: str, tmp_path: Path, pki: PKI) -> None:
    """The first error is the code of a real handshake with the same files, which is the one that was meant."""
    case = _CASES[name]
    first = next(iter(codes(inspected(case, tmp_path))), None)
    assert first == case.code
    paths = case.write(tmp_path)
    verifying: dict[str, Any] = {"ca": paths["ca"], "crl": paths["crl"], "tls_max": protocol}
    shown: dict[str, Any] = {"cert": (paths["identity"].cert,), "key": (paths["identity"].key,)}
    if case.role == "server":
        client, server = TLSSettings(**verifying), TLSSettings(**shown, client_auth=ClientAuth.NONE)
        pair = shake_hands(client, server, host=case.host)
        assert pair.codes[0] == case.code
    else:
        client = TLSSettings(ca=(pki.ca,), **shown)
        server = TLSSettings(cert=(pki.server.cert,), key=(pki.server.key,), **verifying)
        assert shake_hands(client, server).codes[1] == case.code


@pytest.mark.parametrize(
    "settings",
    [{"insecure": True}, {"pins": ("sha256:" + "0" * 64,)}, {"remember": lambda *_: None}, {"sni": False}],
    ids=lambda settings: next(iter(settings)),
)
@pytest.mark.parametrize("name", ["issuer", "name", "expired", "good"])
def test_leniency_of_a_connection_makes_no_chain_good(name: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """A script may have one set of settings for both; what was not checked must not look good."""
    case = _CASES[name]
    paths = case.write(tmp_path)
    certificates = [describe(der) for der in load_certificates(paths["identity"].cert)]
    expectation = Expectation(settings=TLSSettings(ca=paths["ca"], **settings), host=case.host, purpose=case.role)
    inspection = inspect_certificates(certificates, expectation)
    assert codes(inspection) == [code for code in (case.code,) if code]
    assert inspection.has_errors is (case.code is not None)


@pytest.mark.parametrize("host", ["", ".", "a..b", ".example", "x" * 64, ".".join(["x" * 60] * 5), "ü..x", "a\nb"])
def test_host_that_is_none_is_refused(host: str) -> None:
    """Before it is looked for in vain."""
    with pytest.raises(UsageError, match="not a name that a server can have"):
        inspect_certificates([describe(issue("leaf").der)], Expectation(host=host))


def test_faults_behind_the_first_are_found_too(tmp_path: Path) -> None:
    """An expired certificate for another purpose and another name has three errors."""
    case = _CASES["three faults"]
    found = codes(inspected(case, tmp_path))
    assert found[0] == case.code
    assert set(case.hidden) <= set(found)


def test_chain_that_is_too_long_is_said_to_be(tmp_path: Path) -> None:
    """OpenSSL would not even read it: nobody is sent to the log of a peer."""
    long = issue("leaf", hosts=[f"host{number}.example" for number in range(10_000)])
    path = tmp_path / "ca.pem"
    path.write_bytes(long.pem)
    settings = TLSSettings(ca=(path,))
    (error,) = (
        finding
        for finding in inspect_certificates([describe(long.der)], Expectation(settings=settings)).findings
        if finding.severity == "error"
    )
    assert (error.code, error.certificate) == ("tls-error", None)
    assert "100 KiB" in error.message


def test_anchor_with_the_name_of_the_issuer_and_another_key_is_hinted_at(tmp_path: Path) -> None:
    """As after an authority was given a new key; another name is no such thing."""
    whose = x509.AuthorityKeyIdentifier(b"old", None, None)
    leaf = issue("leaf", issue("root", is_ca=True), extensions=((whose, False),))
    for name, is_hinted in (("root", True), ("other", False)):
        path = tmp_path / "ca.pem"
        path.write_bytes(issue(name, is_ca=True, extensions=((x509.SubjectKeyIdentifier(b"new"), False),)).pem)
        found = inspect_certificates([describe(leaf.der)], Expectation(settings=TLSSettings(ca=(path,)))).findings
        (error,) = (finding for finding in found if finding.severity == "error")
        assert error.code == "unknown-issuer"
        assert ("with another key" in error.hints[0]) is is_hinted
