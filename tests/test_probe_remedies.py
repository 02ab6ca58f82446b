"""dicomtls.probe.remedies: the options that would allow what a peer chooses."""

from typing import Any

import pytest

from dicomtls.probe.inquiry import Inquiry
from dicomtls.probe.remedies import better, find_remedy, is_safe, remedies
from dicomtls.tls import TLSSettings, client_context
from dicomtls.tls.hello import SSL_3, TLS_1_0, TLS_1_2, TLS_1_3, ServerHello
from tests.support.inquiries import target
from tests.support.peers import openssl_s_server
from tests.support.pki import PKI
from tests.support.servers import client_tls

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


@pytest.mark.parametrize("suite", [0x0002, 0xC010, 0x0003])
@pytest.mark.parametrize("settings", [{}, {"profile": "aes"}, {"profile": "modern"}])
def test_suite_that_protects_nothing_is_never_proposed(suite: int, settings: dict[str, Any]) -> None:
    """NULL and export suites, whatever the local OpenSSL has."""
    assert not is_safe(ServerHello(TLS_1_2, suite))
    assert words(TLS_1_2, suite, **settings) == []


def test_standard_profile_is_tried_where_its_version_fits() -> None:
    """A peer may choose something else from everything that there is, and take what the standard profile offers."""
    ours = TLSSettings(insecure=True, profile="modern")
    found = list(remedies(ours, ServerHello(TLS_1_2, AES256_SHA)))
    assert [(remedy.tried, remedy.is_sure) for remedy in found] == [("with --profile bcp195", False)]
    assert found[0].keeps_to("bcp195", ours)


def test_limits_go_where_a_suite_is_proposed() -> None:
    """Else the hint would run into what the user has set beside it."""
    found = words(TLS_1_2, AES256_SHA, tls_min="1.3")
    assert found[-1] == "with --ciphers TLS_RSA_WITH_AES_256_CBC_SHA, and leave out --tls-min"


def test_remedy_that_was_tried_in_vain_is_not_proposed(pki: PKI) -> None:
    """The suite needs a lower level of security than the profile has."""
    with openssl_s_server(pki, "-tls1_2", "-cipher", "AES256-SHA") as server:
        inquiry = Inquiry(target(server.port, client_tls(pki)))
        vain = find_remedy(inquiry, ServerHello(TLS_1_2, 0x0041))
        assert vain[0] == "the peer must be updated, or set to other suites: see its log"
        assert find_remedy(inquiry, ServerHello(TLS_1_2, AES256_SHA))[0].startswith("it connects with --ciphers")


def test_remedy_that_gets_further_is_worth_a_try(pki: PKI) -> None:
    """Where the certificate is refused next, the suite was right."""
    with openssl_s_server(pki, "-tls1_2", "-cipher", "AES256-SHA", identity=pki.other_server) as server:
        inquiry = Inquiry(target(server.port, client_tls(pki)))
        hints = find_remedy(inquiry, ServerHello(TLS_1_2, AES256_SHA))
    assert hints[0] == "try it with --ciphers TLS_RSA_WITH_AES_256_CBC_SHA"
