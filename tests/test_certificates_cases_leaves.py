"""dicomtls.certificates.cases.leaves: each leaf has the one fault that it is there for, and no other."""

from pathlib import Path

from dicomtls.certificates.cases.leaves import leaf_faults
from dicomtls.certificates.cases.workshop import Workshop
from tests.support.cases import Entry, name_of, openssl_errors

# What `openssl verify` finds, which goes on after an error, in the leaf, at depth 0.
EITHER = {
    "expired": [10],
    "not-yet-valid": [9],
    "self-signed": [18],
    "unknown-issuer": [20],
    "weak-key": [66],
    "weak-signature": [68],
    "bad-signature": [7],
    "unknown-critical-extension": [34],
    "wrong-purpose": [26],
    "incomplete-chain": [20],
    "missing-intermediate": [20],
    # The certificate is good.
    "key-mismatch": [],
}
SERVER_ONLY = {
    "name-mismatch": [62],
    # This tool looks at the subject where there is no other name; nobody should any more.
    "only-common-name": [],
    "address-missing": [64],
    "address-as-name": [64],
    "wildcard-too-deep": [62],
    "version-1": [62],
}


def test_leaf_has_this_fault_alone(cases: list[Entry], tmp_path: Path) -> None:
    """Whatever else were wrong would be found too."""
    names = {name_of(case) for case in leaf_faults(Workshop())}
    found = {entry.name: openssl_errors(entry, tmp_path) for entry in cases if entry.name in names}
    expected = {f"{side}/{name}": errors for side in ("server", "client") for name, errors in EITHER.items()}
    expected |= {f"server/{name}": errors for name, errors in SERVER_ONLY.items()}
    assert found == {name: [(error, 0) for error in errors] for name, errors in expected.items()}
