"""dicomtls.profiles: the names of `--profile`, and the data behind them."""

import re

import pytest

from dicomtls.errors import UsageError
from dicomtls.profiles import PROFILES, Profile, find_profile
from dicomtls.tls import TLSSettings, client_context, context, missing_ciphers
from dicomtls.tls.ciphers import to_iana, to_openssl

NAMES = (
    "bcp195",
    "bcp195-modified",
    "bcp195-2015-nd",
    "bcp195-2015",
    "bcp195-2015-ex",
    "aes",
    "basic",
    "atna",
    "modern",
)
# What OpenSSL may lack; everything else must be there, or the profile would be an empty promise.
OFTEN_MISSING = re.compile("3DES|CCM")


def by_name(profile: Profile) -> str:
    """The test's name."""
    return profile.name


def test_profiles_are_those_of_the_contract() -> None:
    """In the order in which help lists them."""
    assert tuple(profile.name for profile in PROFILES) == NAMES


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("B.12", "bcp195"),
        ("b.12", "bcp195"),
        ("8996", "bcp195"),
        ("BCP195", "bcp195"),
        ("B.13", "bcp195-modified"),
        ("8996-mod", "bcp195-modified"),
        ("B.10", "bcp195-2015-nd"),
        ("B.9", "bcp195-2015"),
        ("B.11", "bcp195-2015-ex"),
        ("B.3", "aes"),
        ("B.1", "basic"),
        ("ATNA", "atna"),
    ],
)
def test_profile_is_found_by_every_name_that_it_has(alias: str, name: str) -> None:
    """By the section of PS3.15 and by the RFC, in any case."""
    assert find_profile(alias).name == name


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("bcp-195", "did you mean bcp195"),
        ("ATN", "did you mean atna"),
        ("", "the profiles are bcp195, "),
        ("nonsense", "the profiles are bcp195, "),
        ("\x1b[31m", "the profiles are bcp195, "),
    ],
)
def test_unknown_profile_is_an_error_with_a_way_on(wrong: str, hint: str) -> None:
    """The nearest name where there is one, else all of them."""
    with pytest.raises(UsageError, match="no profile is called") as caught:
        find_profile(wrong)
    assert repr(wrong) in caught.value.message
    assert caught.value.hints[0].startswith(hint)


def test_names_mean_one_profile_each() -> None:
    """No alias shadows another profile."""
    names = [name.casefold() for profile in PROFILES for name in (profile.name, *profile.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("profile", PROFILES, ids=by_name)
def test_title_names_section_and_retirement(profile: Profile) -> None:
    """The full name is always printed, with what is retired said."""
    assert profile.full_name in profile.title
    assert profile.section in profile.title
    assert ("retired" in profile.title) is profile.retired


def test_retired_profiles_are_those_that_the_standard_retired() -> None:
    """Those of PS3.15 before BCP 195 of 2021, and no other."""
    retired = {profile.name for profile in PROFILES if profile.retired}
    assert retired == {"bcp195-2015-nd", "bcp195-2015", "bcp195-2015-ex", "aes", "basic"}


@pytest.mark.parametrize("profile", PROFILES, ids=by_name)
def test_profile_holds_together(profile: Profile) -> None:
    """Versions in order, suites by IANA name and each once, and old versions at the level at which they can work."""
    versions = ("1.0", "1.1", "1.2", "1.3")
    assert versions.index(profile.tls_min) <= versions.index(profile.tls_max)
    assert len(set(profile.suites)) == len(profile.suites)
    assert all(to_iana(to_openssl(suite)) == suite != to_openssl(suite) for suite in profile.suites)
    assert (profile.security_level == 0) is (profile.tls_min in ("1.0", "1.1"))
    assert bool(profile.suites) is (profile.tls_min != "1.3")


@pytest.mark.parametrize("profile", [profile for profile in PROFILES if not profile.retired], ids=by_name)
def test_profile_of_today_has_no_weak_suite(profile: Profile) -> None:
    """Forward secrecy and authenticated encryption throughout (RFC 9325 section 4.2)."""
    assert profile.tls_min in ("1.2", "1.3")
    assert profile.security_level == 2
    for suite in profile.suites:
        assert re.match("TLS_(ECDHE|DHE)_", suite)
        assert re.search("GCM|CCM|POLY1305", suite)


@pytest.mark.parametrize("profile", PROFILES, ids=by_name)
def test_suites_are_listed_strongest_first(profile: Profile) -> None:
    """A server takes its first, so 256 bits of AES-GCM come before 128 for one kind of key exchange."""
    gcm = [suite.partition("_WITH_AES_") for suite in profile.suites if "GCM" in suite]
    for exchange in {first for first, _, _ in gcm}:
        sizes = [rest[:3] for first, _, rest in gcm if first == exchange]
        assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("profile", [profile for profile in PROFILES if profile.name != "basic"], ids=by_name)
def test_profile_makes_a_context_with_its_suites(profile: Profile) -> None:
    """What the profile asks is what is offered below TLS 1.3, but for suites that this OpenSSL may lack."""
    settings = TLSSettings(profile=profile.name, insecure=True)
    context = client_context(settings)
    offered = {to_iana(str(cipher["name"])) for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"}
    missing = missing_ciphers(context, settings)
    assert all(OFTEN_MISSING.search(suite) for suite in missing)
    if profile.suites:
        assert offered == set(profile.suites) - set(missing)


def test_profile_is_refused_where_openssl_has_none_of_its_suites(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason and the names of the suites are said, with another profile to try."""
    impossible = Profile("impossible", "none", "Impossible", "1.2", "1.2", ("TLS_RSA_WITH_RC2_CBC_40_MD5",))
    monkeypatch.setattr(context, "find_profile", lambda _name: impossible)
    with pytest.raises(UsageError, match="TLS_RSA_WITH_RC2_CBC_40_MD5") as caught:
        client_context(TLSSettings(profile="impossible", insecure=True))
    assert caught.value.code == "not-supported-here"
    assert "impossible" in caught.value.message
    assert caught.value.hints


def test_basic_profile_is_all_or_nothing() -> None:
    """Its single suite is triple DES, which many an OpenSSL lacks: an error, never an empty or another offer."""
    settings = TLSSettings(profile="basic", insecure=True)
    try:
        offered = client_context(settings)
    except UsageError as error:
        code = error.code
    else:
        code = "incomplete" if missing_ciphers(offered, settings) else "complete"
    assert code in ("complete", "not-supported-here")
