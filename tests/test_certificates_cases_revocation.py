"""dicomtls.certificates.cases.revocation: certificates against lists that are right, late, early or another's."""

from pathlib import Path

from dicomtls.certificates.cases.revocation import revocation
from dicomtls.certificates.cases.workshop import Workshop
from tests.support.cases import Entry, name_of, openssl_errors

EITHER = {
    "not-revoked": [],
    "revoked": [(23, 0)],
    "crl-expired": [(12, 0)],
    "crl-early": [(11, 0)],
    "crl-forged": [(8, 0)],
    "crl-missing": [(3, 0)],
}


def test_list_has_this_to_say_alone(cases: list[Entry], tmp_path: Path) -> None:
    """As `openssl verify -crl_check` sees it."""
    names = {name_of(case) for case in revocation(Workshop())}
    found = {entry.name: openssl_errors(entry, tmp_path) for entry in cases if entry.name in names}
    expected = {f"{side}/{name}": errors for side in ("server", "client") for name, errors in EITHER.items()}
    assert found == {**expected, "server/revoked-below": [(23, 0)]}


def test_without_its_list_a_revoked_certificate_is_good(cases: list[Entry], tmp_path: Path) -> None:
    """The fault is on the list, not in the certificate."""
    for entry in cases:
        if entry.crl is not None:
            assert openssl_errors(entry.without_crl(), tmp_path) == []
