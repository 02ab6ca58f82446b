"""The secure transport profiles that `--profile` names, as data: contexts are built from them.

Sources: PS3.15 2026c annex B (B.12, B.13), PS3.15 2020b (B.9 to B.11), PS3.15 2017d (B.1, B.3),
IHE ITI TF-2 3.19 (ATNA). TLS 1.3 cipher suites are not listed: Python cannot choose among them.
"""

from typing import NamedTuple

from dicomtls.errors import UsageError

_ECDHE_AES_GCM = (
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
)
_RSA_AES_GCM = (
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
)
_B13_SUITES = (
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CCM",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
)


class Profile(NamedTuple):
    """One profile: the protocol versions it allows and its cipher suites up to TLS 1.2, strongest first.

    `security_level` is OpenSSL's: 2 refuses RSA and DH below 2048 bits and SHA-1 signatures; TLS 1.0 and
    1.1 need 0, since their own signatures use SHA-1.
    """

    name: str
    section: str
    full_name: str
    tls_min: str
    tls_max: str
    suites: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    retired: bool = False
    security_level: int = 2

    @property
    def title(self) -> str:
        """The full name, with the section of PS3.15 that holds it and whether it is retired."""
        return f"{self.full_name} ({self.section}{', retired' if self.retired else ''})"


PROFILES: tuple[Profile, ...] = (
    Profile(
        "bcp195",
        "PS3.15 B.12",
        "BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile",
        "1.2",
        "1.3",
        _ECDHE_AES_GCM,
        aliases=("B.12", "8996"),
    ),
    Profile(
        "bcp195-modified",
        "PS3.15 B.13",
        "Modified BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile",
        "1.2",
        "1.3",
        _B13_SUITES,
        aliases=("B.13", "8996-mod"),
    ),
    Profile(
        "bcp195-2015-nd",
        "PS3.15 B.10",
        "Non-Downgrading BCP 195 TLS Secure Transport Connection Profile",
        "1.2",
        "1.3",
        _RSA_AES_GCM,
        aliases=("B.10",),
        retired=True,
    ),
    Profile(
        "bcp195-2015",
        "PS3.15 B.9",
        "BCP 195 TLS Secure Transport Connection Profile",
        "1.0",
        "1.3",
        (*_RSA_AES_GCM, "TLS_RSA_WITH_AES_128_CBC_SHA"),
        aliases=("B.9",),
        retired=True,
        security_level=0,
    ),
    Profile(
        "bcp195-2015-ex",
        "PS3.15 B.11",
        "Extended BCP 195 TLS Profile Secure Transport Connection Profile",
        "1.2",
        "1.2",
        (
            *_RSA_AES_GCM,
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ),
        aliases=("B.11",),
        retired=True,
    ),
    Profile(
        "aes",
        "PS3.15 B.3",
        "AES TLS Secure Transport Connection Profile",
        "1.0",
        "1.2",
        ("TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
        aliases=("B.3",),
        retired=True,
        security_level=0,
    ),
    Profile(
        "basic",
        "PS3.15 B.1",
        "Basic TLS Secure Transport Connection Profile",
        "1.0",
        "1.2",
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA",),
        aliases=("B.1",),
        retired=True,
        security_level=0,
    ),
    Profile(
        "atna",
        "IHE ITI-19",
        "IHE ATNA STX: TLS 1.2 floor using BCP195",
        "1.2",
        "1.3",
        (
            *_RSA_AES_GCM,
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ),
    ),
    Profile("modern", "no section of PS3.15", "TLS 1.3 only", "1.3", "1.3", ()),
)

_BY_NAME = {name.casefold(): profile for profile in PROFILES for name in (profile.name, *profile.aliases)}


def find_profile(name: str) -> Profile:
    """Return the profile of that name or alias, in any case; raises `UsageError` naming the nearest."""
    profile = _BY_NAME.get(name.casefold())
    if profile is None:
        from difflib import get_close_matches  # only on the way to an error

        near = get_close_matches(name.casefold(), _BY_NAME, n=1)
        names = ", ".join(known.name for known in PROFILES)
        msg = f"no profile is called {name!r}"
        raise UsageError(msg, hints=(f"did you mean {near[0]}?" if near else f"the profiles are {names}",))
    return profile
