"""dicomtls.certificates.cases.chains: the one fault is in the authority that it is meant to be in."""

from pathlib import Path

from dicomtls.certificates.cases.chains import chain_faults
from dicomtls.certificates.cases.workshop import Workshop
from tests.support.cases import Entry, name_of, openssl_errors

# No CA is of no purpose either, and what may not sign says so once more.
NO_CA = [(79, 1), (26, 1)]
MAY_NOT_SIGN = [*NO_CA, (32, 1)]
# What `openssl verify` finds, which goes on after an error, and at which depth: 0 is the leaf.
EXPECTED = {
    "server/expired-intermediate": [(10, 1)],
    "server/weak-intermediate": [(67, 1)],
    "server/sha1-intermediate": [(68, 1)],
    "server/bad-intermediate": [(7, 1)],
    "server/wrong-intermediate": [(26, 1)],
    "server/not-a-ca": NO_CA,
    "server/no-basic-constraints": NO_CA,
    "server/version-1-intermediate": NO_CA,
    "server/no-key-cert-sign": MAY_NOT_SIGN,
    "server/path-length-exceeded": [(25, 2)],
    "server/name-not-permitted": [(47, 0)],
    "server/name-excluded": [(48, 0)],
    "server/address-not-permitted": [(47, 0)],
    "server/constraint-not-known": [(51, 0)],
    "server/unknown-root": [(19, 1)],
    "server/missing-upper-intermediate": [(20, 1)],
    "client/missing-upper-intermediate": [(20, 1)],
    "server/expired-root": [(10, 1)],
    "server/weak-root": [(67, 1)],
    "server/root-no-key-cert-sign": MAY_NOT_SIGN,
    "server/other-anchor": [(20, 1)],
}


def test_chain_has_this_fault_alone(cases: list[Entry], tmp_path: Path) -> None:
    """Whatever else were wrong would be found too."""
    names = {name_of(case) for case in chain_faults(Workshop())}
    assert {entry.name: openssl_errors(entry, tmp_path) for entry in cases if entry.name in names} == EXPECTED
