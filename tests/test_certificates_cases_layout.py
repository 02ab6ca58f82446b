"""dicomtls.certificates.cases.layout: the whole set, its index, and its files."""

import json
from pathlib import PurePosixPath

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from dicomtls.certificates.cases.layout import INDEX, CaseSet, make_cases
from tests.support.handshakes import TLS_CODES

# The codes of the contract that a certificate can cause.
CODES = {
    *("unknown-issuer", "self-signed", "incomplete-chain", "expired", "not-yet-valid", "name-mismatch"),
    *("wrong-purpose", "revoked", "crl-missing", "crl-expired", "weak-key", "weak-signature", "bad-signature"),
    *("invalid-ca", "path-length-exceeded", "name-not-permitted", "unknown-critical-extension"),
    *("certificate-refused", "key-mismatch"),
}


@pytest.fixture(scope="module")
def made() -> CaseSet:
    """One set for all."""
    return make_cases()


def test_every_code_that_a_certificate_can_cause_is_there(made: CaseSet) -> None:
    """And no other; each case has a name and a title of its own."""
    assert {case.code for case in made.faults} == CODES
    assert CODES - {"key-mismatch"} < TLS_CODES
    assert len({(case.purpose, case.name) for case in made.cases}) == len(made.cases)
    assert all(case.title for case in made.cases)


def test_index_names_every_file_and_no_other(made: CaseSet) -> None:
    """By relative paths that stay within the folder."""
    index = json.loads(made.files.contents[INDEX])
    named = {entry[kind] for entry in index for kind in ("file", "key", "ca", "crl")} - {None}
    assert named | {INDEX} == set(made.files.contents)
    paths = list(map(PurePosixPath, named))
    assert not any(path.is_absolute() or ".." in path.parts for path in paths)
    assert {frozenset(entry) for entry in index} == {
        frozenset({"file", "key", "ca", "crl", "host", "purpose", "code", "title"})
    }
    assert {entry["purpose"] for entry in index} == {"server", "client"}
    assert all((entry["host"] is None) is (entry["purpose"] == "client") for entry in index)


def test_keys_are_private_and_nothing_else_is(made: CaseSet) -> None:
    """No other file holds one."""
    private = {name for name, content in made.files.contents.items() if b"PRIVATE KEY" in content}
    assert private == made.files.private
    assert {PurePosixPath(name).parent.name for name in private} == {"keys"}
    assert "PRIVATE" not in repr(made)


def test_keys_belong_to_their_leaves_but_where_that_is_the_fault(made: CaseSet) -> None:
    """The first certificate of each file is the leaf, but for the one case that is about that."""
    keys = {name: load_pem_private_key(made.files.contents[name], None).public_key() for name in made.files.private}
    for case in made.cases:
        leaves = [one.public_key() for one in x509.load_pem_x509_certificates(made.files.contents[case.file])]
        places = [place for place, key in enumerate(leaves) if key == keys[case.key_file]]
        assert places == ([] if case.code == "key-mismatch" else [1] if case.name == "leaf-last" else [0]), case.name


def test_another_set_has_the_same_cases_and_other_keys(made: CaseSet) -> None:
    """The index is the same to the byte; nobody who has one set can sign for another."""
    other = make_cases().files.contents
    assert list(other) == list(made.files.contents)
    assert other[INDEX] == made.files.contents[INDEX]
    assert all(other[name] != content for name, content in made.files.contents.items() if name != INDEX)
