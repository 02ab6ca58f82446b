"""Which options would let the two sides agree on a version and a suite, once it is known what the peer would choose."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from dicomtls.errors import HandshakeError
from dicomtls.probe.inquiry import Inquiry, Outcome
from dicomtls.profiles import PROFILES, Profile, find_profile
from dicomtls.tls import TLSSettings
from dicomtls.tls.hello import SSL_3, TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3, ServerHello, version_name
from dicomtls.tls.suites import local_suites, suite_name

_NUMBERS: Final = {"1.0": TLS_1_0, "1.1": TLS_1_1, "1.2": TLS_1_2, "1.3": TLS_1_3}
_FOR_OLD_DEVICES: Final = "bcp195-2015"
_MOST_TRIED: Final = 3
_STANDARD: Final = "bcp195"
# Safest first: what is retired only where nothing else will do.
_ORDER: Final = sorted(PROFILES, key=lambda profile: (profile.retired, profile.security_level == 0))


@dataclass(frozen=True)
class Remedy:
    """Settings that might do, and how to ask for them on the command line.

    `changes` are fields of `TLSSettings`; `words` is what to give, or what to do where it is no `is_option`. One that
    `is_sure` allows what the peer chose from everything that there is; another allows its version at least.
    """

    words: str
    changes: dict[str, object]
    is_option: bool = True
    is_sure: bool = True

    @property
    def tried(self) -> str:
        """For the log of attempts."""
        return f"with {self.words}" if self.is_option else f"without {self.words.removeprefix('leave out ')}"

    def keeps_to(self, profile: str, settings: TLSSettings) -> bool:
        """Whether the outcome is this profile and nothing beside it."""
        name = str(self.changes.get("profile", settings.profile))
        return find_profile(name).name == profile and not self.changes["ciphers"]


def remedies(settings: TLSSettings, choice: ServerHello) -> Iterator[Remedy]:
    """Yield what would allow this choice, the safest first; nothing where the local OpenSSL cannot do it.

    Nothing either where it would send all in clear, or to anybody: no hint asks for that.
    """
    if choice.version == SSL_3 or not is_safe(choice):
        return
    if choice.version != TLS_1_3 and choice.suite not in local_suites():
        return
    own: dict[str, object] = {"tls_min": None, "tls_max": None, "ciphers": ()}
    current = find_profile(settings.profile)
    given = _overrides(settings)
    if given and _spans(current, choice.version):
        yield Remedy(f"leave out {given}", own, is_option=False, is_sure=_allows(current, choice))
    own_words = f", and leave out {given}" if given else ""
    for profile in _ORDER:
        is_sure = _allows(profile, choice)
        if profile != current and (is_sure or (profile.name == _STANDARD and _spans(profile, choice.version))):
            yield Remedy(f"--profile {profile.name}{own_words}", {**own, "profile": profile.name}, is_sure=is_sure)
    yield from _with_suite(settings, choice, own)


def _with_suite(settings: TLSSettings, choice: ServerHello, own: dict[str, object]) -> Iterator[Remedy]:
    """The suite itself, where no profile has it."""
    if choice.version == TLS_1_3:
        return
    suite = suite_name(choice.suite)
    current = find_profile(settings.profile)
    profile = find_profile(current.name if choice.version >= TLS_1_2 else _FOR_OLD_DEVICES)
    words = f"--ciphers {suite}" if profile == current else f"--profile {profile.name} --ciphers {suite}"
    if limits := _overrides(replace(settings, ciphers=())):
        words += f", and leave out {limits}"
    if _spans(profile, choice.version):
        yield Remedy(words, {**own, "profile": profile.name, "ciphers": (suite,)})


def is_safe(choice: ServerHello) -> bool:
    """Whether a suite encrypts, for somebody known, and with a key worth the name."""
    return not any(word in suite_name(choice.suite) for word in ("_NULL_", "_anon_", "_EXPORT_"))


def find_remedy(inquiry: Inquiry, choice: ServerHello) -> tuple[str, ...]:
    """The hints: a remedy that was tried and works, else the first as a try, else what is missing here."""
    settings = inquiry.target.tls
    assert settings is not None  # noqa: S101 -- only a handshake has a choice
    if not is_safe(choice):
        return (f"let the peer be set to a profile that encrypts, such as {_STANDARD} (PS3.15 B.12)",)
    worth_a_try: Remedy | None = None
    for number, remedy in enumerate(remedies(settings, choice)):
        if number >= _MOST_TRIED or not inquiry.may_ask:
            worth_a_try = worth_a_try or (remedy if remedy.is_sure else None)
            break
        outcome = inquiry.behind_tls(remedy.tried, **remedy.changes)
        if outcome.tls_works:
            hints = () if remedy.keeps_to(_STANDARD, settings) else better(choice)
            return (f"it connects {remedy.tried}", *hints)
        if worth_a_try is None and _got_further(outcome):
            worth_a_try = remedy
    if worth_a_try is not None:
        return (f"try it {worth_a_try.tried}", *better(choice))
    return (*_out_of_reach(choice), *better(choice))


def _got_further(outcome: Outcome) -> bool:
    """Whether an attempt got as far as certificates, so that it was right and is not all that is to be done."""
    error = outcome.error
    return isinstance(error, HandshakeError) and (bool(error.facts.chain_der) or error.facts.after_handshake)


def _out_of_reach(choice: ServerHello) -> tuple[str, ...]:
    if choice.version != SSL_3 and choice.suite in local_suites():
        return ("the peer must be updated, or set to other suites: see its log",)
    what = version_name(choice.version) if choice.version == SSL_3 else suite_name(choice.suite)
    return (
        f"the peer must be updated, or set to other suites: this OpenSSL has no {what}",
        "or put a TLS proxy that still has it beside the peer (stunnel, HAProxy)",
    )


def better(choice: ServerHello) -> tuple[str, ...]:
    """What to ask of the peer's owner, where it is the peer that lags behind."""
    standard = find_profile(_STANDARD)
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
