"""Cipher suites by their number: what was offered in a hello, and which of it the local OpenSSL has."""

import ssl
from collections.abc import Sequence
from functools import cache
from typing import Final

from dicomtls.tls.ciphers import to_iana

# IANA's registry: what old devices offer or demand, and current builds of OpenSSL no longer have.
_RETIRED: Final = {
    0x0003: "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
    0x0004: "TLS_RSA_WITH_RC4_128_MD5",
    0x0005: "TLS_RSA_WITH_RC4_128_SHA",
    0x0006: "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5",
    0x0007: "TLS_RSA_WITH_IDEA_CBC_SHA",
    0x0008: "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA",
    0x0009: "TLS_RSA_WITH_DES_CBC_SHA",
    0x000A: "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    0x0013: "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA",
    0x0014: "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA",
    0x0015: "TLS_DHE_RSA_WITH_DES_CBC_SHA",
    0x0016: "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA",
    0x0096: "TLS_RSA_WITH_SEED_CBC_SHA",
    0x009A: "TLS_DHE_RSA_WITH_SEED_CBC_SHA",
    0xC007: "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    0xC008: "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA",
    0xC011: "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    0xC012: "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
}
_TLS_1_3_PREFIX: Final = 0x13
_WITH_CERTIFICATES: Final = "ALL:eNULL:!aNULL:!PSK:!SRP:@SECLEVEL=0"


@cache
def local_suites() -> dict[int, str]:
    """IANA's names, by number, of every suite with certificates that the local OpenSSL has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(_WITH_CERTIFICATES)
    return {int(cipher["id"]) & 0xFFFF: to_iana(str(cipher["name"])) for cipher in context.get_ciphers()}


def known_suites() -> tuple[int, ...]:
    """The numbers of all suites that have a name here, the local OpenSSL's own first, in its order."""
    return (*local_suites(), *(number for number in _RETIRED if number not in local_suites()))


def suite_name(number: int) -> str:
    """IANA's name of a suite, or its number in hexadecimal."""
    return local_suites().get(number) or _RETIRED.get(number) or f"0x{number:04X}"


def is_tls13_suite(number: int) -> bool:
    """Whether a suite is one of TLS 1.3, which has its own (RFC 8446 appendix B.4)."""
    return number >> 8 == _TLS_1_3_PREFIX


def suite_names(numbers: Sequence[int], *, most: int = 4) -> str:
    """Suites for a message: the first of them, and how many more there are."""
    shown = ", ".join(suite_name(number) for number in numbers[:most])
    more = len(numbers) - most
    return f"{shown} and {more} more" if more > 0 else shown or "none"
