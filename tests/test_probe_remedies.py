"""dicomtls.probe.remedies: the options that would allow what a peer chooses."""

from typing import Any

import pytest

from dicomtls.probe.remedies import better, remedies
from dicomtls.tls import TLSSettings, client_context
from dicomtls.tls.hello import SSL_3, TLS_1_0, TLS_1_2, TLS_1_3, ServerHello

AES128_SHA, AES256_SHA, TRIPLE_DES, ECDHE_GCM, AES_128_GCM_13 = 0x002F, 0x0035, 0x000A, 0xC02F, 0x1301


def words(version: int, suite: int, **settings: Any) -> list[str]:
    """The remedies for a choice, in their order; each can be built here."""
    ours = TLSSettings(insecure=True, **settings)
    found = list(remedies(ours, ServerHello(version, suite)))
    for remedy in found:
        client_context(TLSSettings(**{"insecure": True, **settings, **remedy.changes}))
    return [remedy.tried for remedy in found]


@pytest.mark.parametrize(
    ("version", "suite", "settings", "first"),
    [
        (TLS_1_2, AES128_SHA, {}, "with --profile bcp195-2015"),
        (TLS_1_2, AES256_SHA, {}, "with --ciphers TLS_RSA_WITH_AES_256_CBC_SHA"),
        (TLS_1_0, AES128_SHA, {}, "with --profile bcp195-2015"),
        (TLS_1_0, AES256_SHA, {}, "with --profile bcp195-2015 --ciphers TLS_RSA_WITH_AES_256_CBC_SHA"),
        (TLS_1_3, AES_128_GCM_13, {"tls_max": "1.2"}, "without --tls-max"),
        (TLS_1_2, ECDHE_GCM, {"tls_min": "1.3"}, "without --tls-min"),
        (TLS_1_2, ECDHE_GCM, {"profile": "modern"}, "with --profile bcp195"),
        (TLS_1_2, ECDHE_GCM, {"ciphers": ("AES128-SHA",)}, "without --ciphers"),
        (TLS_1_2, 0xCCA8, {}, "with --profile bcp195-modified"),
    ],
)
def test_safest_remedy_comes_first(version: int, suite: int, settings: dict[str, Any], first: str) -> None:
    """Leaving out what the user has said, then a profile that holds, then a retired one, then the suite itself."""
    assert words(version, suite, **settings)[0] == first


@pytest.mark.parametrize(("version", "suite"), [(SSL_3, AES128_SHA), (TLS_1_2, TRIPLE_DES), (TLS_1_0, 0x0005)])
def test_what_this_openssl_lacks_has_no_remedy(version: int, suite: int) -> None:
    """No option would help."""
    assert words(version, suite) == []


def test_peer_that_lags_behind_is_to_be_updated() -> None:
    """One that could do what the Standard asks for is not."""
    assert better(ServerHello(TLS_1_2, AES128_SHA))
    assert better(ServerHello(TLS_1_2, ECDHE_GCM)) == better(ServerHello(TLS_1_3, AES_128_GCM_13)) == ()
