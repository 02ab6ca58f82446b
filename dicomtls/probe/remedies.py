"""Which options would let the two sides agree on a version and a suite, once it is known what the peer would choose."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dicomtls.probe.inquiry import Inquiry
from dicomtls.profiles import PROFILES, Profile, find_profile
from dicomtls.tls import TLSSettings
from dicomtls.tls.hello import SSL_3, TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3, ServerHello, version_name
from dicomtls.tls.suites import local_suites, suite_name

_NUMBERS: Final = {"1.0": TLS_1_0, "1.1": TLS_1_1, "1.2": TLS_1_2, "1.3": TLS_1_3}
_FOR_OLD_DEVICES: Final = "bcp195-2015"
_MOST_TRIED: Final = 2
# Safest first: what is retired only where nothing else will do.
_ORDER: Final = sorted(PROFILES, key=lambda profile: (profile.retired, profile.security_level == 0))


@dataclass(frozen=True)
class Remedy:
    """Settings that might do, and how to ask for them on the command line."""

    words: str
    changes: dict[str, object]
    is_option: bool = True

    @property
    def tried(self) -> str:
        """For the log of attempts."""
        return f"with {self.words}" if self.is_option else f"without {self.words.removeprefix('leave out ')}"


def remedies(settings: TLSSettings, choice: ServerHello) -> Iterator[Remedy]:
    """Yield what would allow this choice, the safest first; nothing where the local OpenSSL cannot do it."""
    if choice.version == SSL_3 or (choice.version != TLS_1_3 and choice.suite not in local_suites()):
        return
    own: dict[str, object] = {"tls_min": None, "tls_max": None, "ciphers": ()}
    if given := _overrides(settings):
        if _allows(find_profile(settings.profile), choice):
            yield Remedy(f"leave out {given}", own, is_option=False)
        own_words = f", and leave out {given}"
    else:
        own_words = ""
    for profile in _ORDER:
        if profile.name != find_profile(settings.profile).name and _allows(profile, choice):
            yield Remedy(f"--profile {profile.name}{own_words}", {**own, "profile": profile.name})
    suite = suite_name(choice.suite)
    profile = find_profile(settings.profile if choice.version >= TLS_1_2 else _FOR_OLD_DEVICES)
    is_chosen = profile.name == find_profile(settings.profile).name
    words = f"--ciphers {suite}" if is_chosen else f"--profile {profile.name} --ciphers {suite}"
    if choice.version != TLS_1_3 and _spans(profile, choice.version):
        yield Remedy(words, {**own, "profile": profile.name, "ciphers": (suite,)})


def find_remedy(inquiry: Inquiry, choice: ServerHello) -> tuple[str, ...]:
    """The hints: a remedy that was tried and works, else the first as a try, else what is missing here."""
    assert inquiry.target.tls is not None  # noqa: S101 -- only a handshake has a choice
    first: Remedy | None = None
    for number, remedy in enumerate(remedies(inquiry.target.tls, choice)):
        first = first or remedy
        if number >= _MOST_TRIED or not inquiry.may_ask:
            break
        if inquiry.behind_tls(remedy.tried, **remedy.changes).tls_works:
            return (f"it connects {remedy.tried}",)
    if first is not None:
        return (f"try it {first.tried}",)
    what = version_name(choice.version) if choice.version == SSL_3 else suite_name(choice.suite)
    return (
        f"the peer must be updated, or set to other suites: this OpenSSL has no {what}",
        "or put a TLS proxy that still has it beside the peer (stunnel, HAProxy)",
    )


def better(choice: ServerHello) -> tuple[str, ...]:
    """What to ask of the peer's owner, where it is the peer that lags behind."""
    standard = find_profile("bcp195")
    return () if _allows(standard, choice) else ("better: let the peer be set to the profile bcp195 (PS3.15 B.12)",)


def _overrides(settings: TLSSettings) -> str:
    """The options that take something away from the profile."""
    given = {"--tls-min": settings.tls_min, "--tls-max": settings.tls_max, "--ciphers": settings.ciphers}
    return " and ".join(name for name, value in given.items() if value)


def _allows(profile: Profile, choice: ServerHello) -> bool:
    if not _spans(profile, choice.version):
        return False
    return choice.version == TLS_1_3 or suite_name(choice.suite) in profile.suites


def _spans(profile: Profile, version: int) -> bool:
    return _NUMBERS[profile.tls_min] <= version <= _NUMBERS[profile.tls_max]
