"""dicomtls.certificates.issuer_flaws: who is none, and who issued what it may not."""

from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from dicomtls.certificates.describe import describe
from dicomtls.certificates.issuer_flaws import issuer_flaws
from tests.support.certificates import make_certificate
from tests.support.chains import Issued, issue

_NO_SIGNING = x509.KeyUsage(*([True] + [False] * 8))
_CLIENTS_ONLY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


def flawed(*chain: Issued, purpose: str | None = None) -> list[tuple[str, int | None]]:
    """The flaws of a chain that is in order: each code and place."""
    certificates = [describe(one.der) for one in chain]
    found = list(issuer_flaws(certificates, range(len(chain)), purpose=purpose))
    assert all(finding.hints for finding in found)
    return [(finding.code, finding.certificate) for finding in found]


def below(authority: Issued, *others: Issued, purpose: str | None = None) -> list[tuple[str, int | None]]:
    """The flaws of a leaf's chain."""
    return flawed(issue("leaf", authority), authority, *others, purpose=purpose)


def test_good_authorities_have_no_flaw() -> None:
    """A leaf need be none."""
    root = issue("root", is_ca=True, path_length=1)
    assert below(issue("middle", root, is_ca=True, path_length=0), root, purpose="server") == []
    assert flawed(issue("leaf")) == []


def test_issuer_that_is_no_ca_is_a_flaw() -> None:
    """By its basicConstraints, or by its keyUsage, though it says that it is one."""
    assert below(issue("root")) == [("invalid-ca", 1)]
    assert below(issue("root", extensions=((_NO_SIGNING, True),), hosts=())) == [("invalid-ca", 1)]


@pytest.mark.parametrize(
    ("extensions", "is_one"),
    [
        ((), True),  # X.509 version 1 in all but its number
        ((x509.KeyUsage(*([False] * 5 + [True] + [False] * 3)),), True),
        ((_NO_SIGNING,), False),
        ((x509.SubjectAlternativeName([x509.DNSName("localhost")]),), False),
    ],
)
def test_root_without_basic_constraints_is_judged_as_openssl_does(
    extensions: Sequence[x509.ExtensionType], *, is_one: bool
) -> None:
    """An old root, or one whose keyUsage says it."""
    chain = [describe(issue("leaf").der), describe(make_certificate(*extensions))]
    found = [finding.code for finding in issuer_flaws(chain, [0, 1], purpose=None)]
    assert found == ([] if is_one else ["invalid-ca"])


def test_purpose_of_an_authority_counts_where_one_is_asked_for() -> None:
    """One for clients alone issues for no server."""
    narrow = issue("root", is_ca=True, extensions=((_CLIENTS_ONLY, False),))
    assert below(narrow) == below(narrow, purpose="client") == []
    assert below(narrow, purpose="server") == [("wrong-purpose", 1)]


def test_path_length_counts_the_authorities_between() -> None:
    """But not those that an authority issued to itself (RFC 5280 section 4.2.1.9)."""
    root = issue("root", is_ca=True, path_length=0)
    middle = issue("middle", root, is_ca=True)
    assert below(middle, root) == [("path-length-exceeded", 2)]
    renewed = issue("root", root, is_ca=True)
    assert below(renewed, root) == []
