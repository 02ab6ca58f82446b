"""dicomtls.certificates.checks: what is said of certificates one by one."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from dicomtls.certificates.chain import arrange
from dicomtls.certificates.checks import flaws, is_weak_key, remarks, request_findings, time_flaws
from dicomtls.certificates.describe import CertificateDescription, describe
from dicomtls.certificates.findings import Finding, Severity
from dicomtls.certificates.inventory import RequestDescription
from tests.support.certificates import NOT_AFTER, make_certificate, raw_extension
from tests.support.chains import issue

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NAMED = x509.SubjectAlternativeName([x509.DNSName("localhost")])


def codes(findings: Iterable[Finding]) -> list[str]:
    """Their codes."""
    return [finding.code for finding in findings]


def remarked(*ders: bytes) -> list[str]:
    """The codes of the remarks about these certificates."""
    certificates = [describe(der, now=NOW) for der in ders]
    found = list(remarks(certificates, arrange(certificates)))
    assert all(finding.severity is not Severity.ERROR for finding in found)
    return codes(found)


def certificate() -> CertificateDescription:
    """A self-signed one for localhost."""
    return describe(make_certificate(NAMED), now=NOW)


def test_dates_are_flaws_when_they_are_over_or_to_come() -> None:
    """On its last second it is still valid."""
    assert codes(time_flaws([certificate()], NOT_AFTER)) == []
    assert codes(time_flaws([certificate()], NOT_AFTER + timedelta(seconds=1))) == ["expired"]
    assert codes(time_flaws([certificate()], datetime(2025, 1, 1, tzinfo=UTC))) == ["not-yet-valid"]


def test_purpose_is_a_flaw_only_where_one_is_asked_for() -> None:
    """A certificate for code signing is for neither role."""
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
    one = [describe(make_certificate(NAMED, usage))]
    assert codes(flaws(one, [0], purpose=None, now=NOW)) == []
    assert codes(flaws(one, [0], purpose="server", now=NOW)) == ["wrong-purpose"]
    assert codes(flaws(one, [0], purpose="client", now=NOW)) == ["wrong-purpose"]


def test_request_must_be_signed_with_its_own_key() -> None:
    """That is all that it proves."""
    good = RequestDescription("CN=x", (), "EC", 256, signature_valid=True)
    assert codes(request_findings([good])) == []
    assert codes(request_findings([replace(good, signature_valid=False)])) == ["bad-signature"]


def test_good_certificate_gets_no_remark() -> None:
    """The lifetime is a usual one."""
    assert remarked(make_certificate(NAMED, not_after=datetime(2027, 1, 1, tzinfo=UTC))) == []


def test_what_others_refuse_is_remarked() -> None:
    """No name, an end that is near, a lifetime that is long, a serial number below 1, dates that are none."""
    soon, later = datetime(2026, 6, 10, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    assert remarked(make_certificate(not_after=later)) == ["no-alternative-name"]
    assert remarked(make_certificate(NAMED, not_after=soon)) == ["expires-soon"]
    assert remarked(make_certificate(NAMED)) == ["long-lifetime"]
    broken = raw_extension("2.5.29.37", b"\x30\x03\x06\x01")
    assert remarked(make_certificate(NAMED, broken, not_after=later)) == ["unreadable-field"]


def test_order_and_strangers_are_remarked() -> None:
    """The chain is good, the file is not."""
    root = issue("root", is_ca=True)
    leaf, stranger = issue("leaf", root), issue("stranger", is_ca=True)
    assert remarked(leaf.der, root.der) == []
    assert "wrong-order" in remarked(root.der, leaf.der)
    certificates = [describe(one.der) for one in (root, leaf)]
    (order,) = (one for one in remarks(certificates, arrange(certificates)) if one.code == "wrong-order")
    assert "the leaf is certificate 2" in order.message
    assert "not-in-chain" in remarked(leaf.der, root.der, stranger.der)


def test_weak_strength_is_a_flaw() -> None:
    """Of the key, and of the signature unless it is a root's own."""
    weak = replace(certificate(), key_type="RSA", key_bits=1024, signature_hash="sha1", self_signed=False)
    assert codes(flaws([weak], [0], purpose=None, now=NOW)) == ["weak-key", "weak-signature"]
    root = replace(certificate(), signature_hash="sha1", is_ca=True)
    assert codes(flaws([certificate(), root], [0, 1], purpose=None, now=NOW)) == []


def test_odd_serial_number_and_unreadable_dates_are_remarked() -> None:
    """Each with what it breaks."""
    odd = replace(certificate(), serial="-01", not_after=None, days_left=None)
    found = codes(remarks([odd], arrange([odd])))
    assert found == ["unreadable-field", "strict-serial-number"]


def test_weak_key_is_one_below_security_level_2() -> None:
    """EC of 256 bits is not."""
    assert not is_weak_key(certificate())
