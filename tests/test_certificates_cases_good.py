"""dicomtls.certificates.cases.good: what must pass does, with OpenSSL as another opinion."""

from pathlib import Path

from dicomtls.certificates.cases.good import good
from dicomtls.certificates.cases.workshop import Workshop
from dicomtls.certificates.issue import KeyType
from tests.support.cases import Entry, name_of, openssl_errors

# Right by what everybody accepts, but not by the letter of RFC 5280: invalid CA, issuer with a missing extension.
NOT_STRICT = {"server/version-1-root", "server/root-without-basic-constraints"}


def test_every_type_of_key_is_there_on_either_side_with_and_without_an_intermediate() -> None:
    """Four of each."""
    names = {name_of(case) for case in good(Workshop())}
    assert {
        f"{side}/good-{kind.replace(':', '-')}{chain}"
        for side in ("server", "client")
        for kind in KeyType
        for chain in ("", "-chain")
    } < names


def test_good_chains_are_accepted_strictly(cases: list[Entry], tmp_path: Path) -> None:
    """By `openssl verify -x509_strict`, but for the two roots that are old on purpose."""
    passing = [entry for entry in cases if entry.code is None]
    assert len(passing) > 30
    assert {entry.name: found for entry in passing if (found := openssl_errors(entry, tmp_path))} == {}
    strict = {entry.name for entry in passing if openssl_errors(entry, tmp_path, "-x509_strict")}
    assert strict == NOT_STRICT
