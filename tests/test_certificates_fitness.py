"""dicomtls.certificates.fitness: roles under PS3.15 B.12 and B.13."""

from dataclasses import replace

from dicomtls.certificates.describe import describe
from dicomtls.certificates.fitness import PROFILE_NAMES, ROLES, obstacles
from dicomtls.profiles import find_profile
from tests.support.chains import issue

GOOD = describe(issue("leaf").der)


def test_profiles_are_the_current_two() -> None:
    """Under the names that --profile takes."""
    assert [find_profile(name).section for name in PROFILE_NAMES] == ["PS3.15 B.12", "PS3.15 B.13"]


def test_good_certificate_is_fit_for_all() -> None:
    """EC 256, SHA-256, with a name and without a limit to its purpose."""
    assert all(obstacles([GOOD], profile, role) == [] for profile in PROFILE_NAMES for role in ROLES)


def test_obstacles_are_named() -> None:
    """Each by what is there and what is asked for."""
    small = replace(GOOD, key_type="RSA", key_bits=1024)
    assert obstacles([small], "bcp195", "client") == ["RSA 1024 (at least 2048)"]
    old = replace(GOOD, signature_hash="sha1", self_signed=False)
    assert obstacles([old], "bcp195-modified", "server") == ["signed with SHA1"]
    nameless = describe(issue("leaf", hosts=()).der)
    assert obstacles([nameless], "bcp195", "server") == ["no subject alternative name"]
    assert obstacles([nameless], "bcp195", "client") == []


def test_curves_are_judged_by_each_profile() -> None:
    """224 bits are enough for RFC 9325 and not for B.13, which takes no Ed25519 either."""
    small = replace(GOOD, key_bits=224)
    assert obstacles([small], "bcp195", "client") == []
    assert obstacles([small], "bcp195-modified", "client") == ["EC 224 (at least 256)"]
    edwards = replace(GOOD, key_type="Ed25519")
    assert obstacles([edwards], "bcp195", "client") == []
    assert obstacles([edwards], "bcp195-modified", "client") == ["Ed25519 (only RSA and ECDSA)"]
    assert obstacles([replace(GOOD, key_type="DSA")], "bcp195", "client") == ["a DSA key"]
