"""dicomtls.tls.context: what the settings become, before anybody is connected to."""

import os
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest

from dicomtls.errors import CredentialError, MachineError, UsageError
from dicomtls.profiles import PROFILES
from dicomtls.tls import (
    ALPN,
    ClientAuth,
    TLSSettings,
    client_context,
    missing_ciphers,
    server_context,
)
from dicomtls.tls.ciphers import to_iana
from tests.support.handshakes import client_settings, server_settings, shake_hands
from tests.support.pki import PKI

PARTIAL_CHAIN = ssl.VERIFY_X509_PARTIAL_CHAIN
STRICT = ssl.VERIFY_X509_STRICT
VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


def bounds(context: ssl.SSLContext) -> tuple[int, int]:
    """The versions that a context allows."""
    return context.minimum_version, context.maximum_version


def suites(context: ssl.SSLContext) -> set[str]:
    """The suites below TLS 1.3 that a context offers, by IANA's names."""
    return {to_iana(str(cipher["name"])) for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"}


def refusal(settings: TLSSettings, *, role: str = "client") -> UsageError:
    """The error in which building a context ends, with a hint."""
    build = client_context if role == "client" else server_context
    with pytest.raises(UsageError) as caught:
        build(settings)
    assert caught.value.hints
    return caught.value


def test_client_verifies_chain_and_name_unless_told_otherwise(pki: PKI) -> None:
    """The chain with the same rules on every Python, the name in the subject alternative name only."""
    context = client_context(client_settings(pki))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.hostname_checks_common_name
    assert context.verify_flags & PARTIAL_CHAIN
    assert not context.verify_flags & STRICT


@pytest.mark.parametrize(
    ("options", "verify_mode", "check_hostname"),
    [
        ({"verify_name": False}, ssl.CERT_REQUIRED, False),
        ({"sni": False}, ssl.CERT_REQUIRED, False),
        ({"insecure": True}, ssl.CERT_NONE, False),
        ({"insecure": True, "verify_name": True}, ssl.CERT_NONE, False),
        ({"pins": ("ab" * 32,)}, ssl.CERT_NONE, False),
    ],
    ids=str,
)
def test_client_leaves_to_openssl_what_is_not_relaxed(
    pki: PKI, options: dict[str, Any], verify_mode: ssl.VerifyMode, *, check_hostname: bool
) -> None:
    """Pins, and a name that is not sent, are checked by `handshake`; the rest is off because somebody said so."""
    context = client_context(client_settings(pki, **options))
    assert context.verify_mode is verify_mode
    assert context.check_hostname is check_hostname


def test_client_without_anchors_of_its_own_trusts_the_system(monkeypatch: pytest.MonkeyPatch, pki: PKI) -> None:
    """What OpenSSL would take, `SSL_CERT_FILE` included."""
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.ca))
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    loaded = client_context(TLSSettings()).get_ca_certs(binary_form=True)
    assert loaded == [pki.ca_der.read_bytes()]


def test_client_with_anchors_of_its_own_trusts_nobody_else(monkeypatch: pytest.MonkeyPatch, pki: PKI) -> None:
    """`--ca` is instead of the system's, not beside it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.other_ca))
    loaded = client_context(client_settings(pki)).get_ca_certs(binary_form=True)
    assert loaded == [pki.ca_der.read_bytes()]


@pytest.mark.parametrize("relaxed", [{"insecure": True}, {"pins": ("ab" * 32,)}, {"remember": print}], ids=str)
def test_revocation_list_is_never_passed_over(pki: PKI, relaxed: dict[str, Any]) -> None:
    """Whoever gives one wants it looked at, and without a chain nobody would."""
    with pytest.raises(UsageError, match="revocation list would not be looked at"):
        client_context(client_settings(pki, crl=(pki.crl,), **relaxed))


def test_pin_that_is_none_is_found_before_anything_is_connected() -> None:
    """When the context is built, as all wrong settings."""
    assert "not a pin" in refusal(TLSSettings(pins=("sha256:1234",))).message


def test_server_never_trusts_the_system(monkeypatch: pytest.MonkeyPatch, pki: PKI) -> None:
    """Anybody can buy a certificate from an authority that the system trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.other_ca))
    loaded = server_context(server_settings(pki)).get_ca_certs(binary_form=True)
    assert loaded == [pki.ca_der.read_bytes()]
    assert server_context(server_settings(pki, ca=(), client_auth=ClientAuth.NONE)).get_ca_certs() == []


@pytest.mark.parametrize("client_auth", [ClientAuth.REQUIRED, ClientAuth.OPTIONAL])
def test_server_that_asks_for_certificates_needs_anchors(pki: PKI, client_auth: ClientAuth) -> None:
    """An error with two ways on, not a server that trusts everybody or nobody."""
    error = refusal(server_settings(pki, ca=(), client_auth=client_auth), role="server")
    assert error.code == "configuration"
    assert str(client_auth) in error.message
    assert any("--ca" in hint for hint in error.hints)
    assert any("--client-auth none" in hint for hint in error.hints)


def test_server_needs_a_certificate(pki: PKI) -> None:
    """Whoever calls the library without one hears of it at once."""
    assert "certificate" in refusal(TLSSettings(ca=(pki.ca,)), role="server").message


@pytest.mark.parametrize(
    ("client_auth", "mode"),
    [
        (ClientAuth.REQUIRED, ssl.CERT_REQUIRED),
        (ClientAuth.OPTIONAL, ssl.CERT_OPTIONAL),
        (ClientAuth.NONE, ssl.CERT_NONE),
    ],
)
def test_server_asks_for_certificates_as_told(pki: PKI, client_auth: ClientAuth, mode: ssl.VerifyMode) -> None:
    """Three ways, and the same rules for chains as a client has."""
    context = server_context(server_settings(pki, client_auth=client_auth))
    assert context.verify_mode is mode
    if mode is not ssl.CERT_NONE:
        assert context.verify_flags & PARTIAL_CHAIN
        assert not context.verify_flags & STRICT


def test_server_gives_no_tickets(pki: PKI) -> None:
    """A resumed session would skip the check of the client's certificate."""
    context = server_context(server_settings(pki))
    assert context.num_tickets == 0
    assert context.options & ssl.OP_NO_TICKET


@pytest.mark.parametrize("role", ["client", "server"])
def test_both_roles_refuse_compression_and_renegotiation(pki: PKI, role: str) -> None:
    """CRIME, and the handshakes of strangers in the middle of an association."""
    context = client_context(client_settings(pki)) if role == "client" else server_context(server_settings(pki))
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize("profile", [profile for profile in PROFILES if profile.name != "basic"], ids=lambda p: p.name)
def test_versions_are_those_of_the_profile(profile: Any) -> None:
    """Unless the settings say otherwise."""
    context = client_context(TLSSettings(profile=profile.name, insecure=True))
    assert bounds(context) == (VERSIONS[profile.tls_min], VERSIONS[profile.tls_max])


@pytest.mark.parametrize(
    ("options", "lowest", "highest"),
    [
        ({"tls_min": "1.3"}, "1.3", "1.3"),
        ({"tls_max": "1.2"}, "1.2", "1.2"),
        ({"tls_min": "1.2", "tls_max": "1.3"}, "1.2", "1.3"),
        ({"tls_min": "1.0"}, "1.0", "1.3"),
        ({"profile": "modern", "tls_min": "1.2", "ciphers": ("ECDHE-RSA-AES128-GCM-SHA256",)}, "1.2", "1.3"),
        ({"profile": "aes", "tls_min": "1.3"}, "1.3", "1.3"),
        ({"profile": "bcp195-2015", "tls_max": "1.1"}, "1.0", "1.1"),
        ({"tls_max": "1.0", "ciphers": ("AES128-SHA",)}, "1.0", "1.0"),
    ],
    ids=str,
)
def test_versions_given_win_over_the_profile(options: dict[str, Any], lowest: str, highest: str) -> None:
    """One bound alone moves the other along where it must."""
    context = client_context(TLSSettings(insecure=True, **options))
    assert bounds(context) == (VERSIONS[lowest], VERSIONS[highest])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tls_min": "1.3", "tls_max": "1.2"}, "TLS 1.3, lies above the highest, TLS 1.2"),
        ({"tls_min": "1.4"}, "not a TLS version: '1.4'"),
        ({"tls_max": "TLSv1.2"}, "not a TLS version: 'TLSv1.2'"),
        ({"tls_max": ""}, None),
        ({"tls_max": "1.1"}, "profile bcp195 has no cipher suite for TLS 1.1"),
        ({"profile": "modern", "tls_max": "1.2"}, "profile modern has no cipher suite for TLS 1.2"),
        ({"profile": "nonsense"}, "no profile is called 'nonsense'"),
    ],
    ids=str,
)
def test_versions_that_mean_nothing_are_refused(options: dict[str, Any], reason: str | None) -> None:
    """The message says which; an empty one is as good as none."""
    settings = TLSSettings(insecure=True, **options)
    if reason is None:
        assert bounds(client_context(settings)) == (VERSIONS["1.2"], VERSIONS["1.3"])
    else:
        assert reason in refusal(settings).message


@pytest.mark.parametrize("spelling", ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"])
def test_ciphers_are_taken_by_either_name(spelling: str) -> None:
    """And are all that is offered below TLS 1.3."""
    context = client_context(TLSSettings(insecure=True, ciphers=(spelling,)))
    assert suites(context) == {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}
    assert missing_ciphers(context, TLSSettings(ciphers=(spelling,))) == ()


def test_ciphers_may_be_words_of_openssl() -> None:
    """Classes and exclusions."""
    context = client_context(TLSSettings(insecure=True, ciphers=("ECDHE+AESGCM", "!ECDSA", "-AES128", "AES128-SHA")))
    assert suites(context) == {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_RSA_WITH_AES_128_CBC_SHA"}


@pytest.mark.parametrize(
    ("ciphers", "named"),
    [
        (("TLS_AES_128_GCM_SHA256",), "TLS_AES_128_GCM_SHA256"),
        (("ECDHE-RSA-AES128-GCM-SHA256", "TLS_CHACHA20_POLY1305_SHA256"), "TLS_CHACHA20_POLY1305_SHA256"),
        (("TLS_ECDHE_RSA_WITH_AES_512_GCM_SHA256",), "TLS_ECDHE_RSA_WITH_AES_512_GCM_SHA256"),
        (("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES129-GCM-SHA256"), "ECDHE-RSA-AES129-GCM-SHA256"),
        (("nonsense",), "nonsense"),
        (("ECDHE-RSA-AES128-GCM-SHA256", "TLS_KRB5_WITH_RC4_128_SHA"), "no cipher suite TLS_KRB5_WITH_RC4_128_SHA"),
        (("TLS_RSA_WITH_RC4_128_MD5",), "TLS_RSA_WITH_RC4_128_MD5"),
    ],
    ids=str,
)
def test_cipher_that_cannot_be_had_is_named(ciphers: tuple[str, ...], named: str) -> None:
    """OpenSSL passes over what it does not know; whoever typed it hears of it instead."""
    error = refusal(TLSSettings(insecure=True, ciphers=ciphers))
    assert error.code == "not-supported-here"
    assert named in error.message or to_iana(named) in error.message


@pytest.mark.parametrize("word", ["HIGH", "ALL", "ADH", "aNULL"])
def test_anonymous_suites_are_never_offered(word: str) -> None:
    """Without a certificate there is nothing to verify, so OpenSSL would let any stranger pass."""
    offered = suites(client_context(TLSSettings(profile="bcp195-2015", insecure=True, ciphers=(word, "AES128-SHA"))))
    assert "TLS_RSA_WITH_AES_128_CBC_SHA" in offered
    assert not any("_anon_" in suite for suite in offered)


@pytest.mark.parametrize("name", ["ADH-AES128-GCM-SHA256", "TLS_DH_anon_WITH_AES_128_GCM_SHA256", "AECDH-NULL-SHA"])
def test_anonymous_suite_that_is_asked_for_is_refused_with_the_reason(name: str) -> None:
    """Not as one that OpenSSL lacks."""
    error = refusal(TLSSettings(profile="bcp195-2015", insecure=True, ciphers=(name,)))
    assert (error.code, "authenticates nobody" in error.message) == ("configuration", True)


def test_missing_suites_are_those_of_the_profile_that_openssl_lacks() -> None:
    """Nothing for the default profile, the rest by their IANA names."""
    context = client_context(TLSSettings(insecure=True))
    assert missing_ciphers(context, TLSSettings()) == ()
    missing = missing_ciphers(context, TLSSettings(profile="bcp195-2015"))
    assert "TLS_RSA_WITH_AES_128_CBC_SHA" in missing
    assert "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" not in missing


def test_identities_come_in_pairs(pki: PKI) -> None:
    """As many keys as certificates, or none at all."""
    error = refusal(TLSSettings(insecure=True, cert=(pki.server.cert, pki.server_ec.cert), key=(pki.server.key,)))
    assert "2 certificates and 1 keys" in error.message
    error = refusal(TLSSettings(insecure=True, key=(pki.server.key,)))
    assert "0 certificates and 1 keys" in error.message


def test_server_with_two_identities_uses_the_one_that_fits(pki: PKI) -> None:
    """RSA and EC side by side: the client's suites decide, in the server's order."""
    server = server_settings(
        pki, cert=(pki.server.cert, pki.server_ec.cert), key=(pki.server.key, pki.server_ec.key), tls_max="1.2"
    )
    for kind, subject in (("RSA", "CN=server"), ("ECDSA", "CN=server ec")):
        client = client_settings(pki, pki.client, ciphers=(f"ECDHE-{kind}-AES128-GCM-SHA256",), tls_max="1.2")
        peer = shake_hands(client, server).client.agreed.peer
        assert peer is not None
        assert peer.subject == subject


def test_identities_without_keys_hold_their_own(pki: PKI) -> None:
    """`--key` may be left out when each certificate's file has it."""
    server = server_settings(pki, cert=(pki.server.combined, pki.server_ec.combined), key=())
    assert shake_hands(client_settings(pki, pki.client), server).codes == (None, None)


def test_both_roles_offer_alpn(pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dicom`, as IANA registered it; `alpn=False` offers nothing."""
    offered: list[list[str]] = []
    monkeypatch.setattr(ssl.SSLContext, "set_alpn_protocols", lambda _context, names: offered.append(names))
    client_context(client_settings(pki))
    server_context(server_settings(pki))
    client_context(client_settings(pki, alpn=False))
    assert ALPN == "dicom"
    assert offered == [[ALPN], [ALPN]]


def test_keylog_is_the_owners_alone_and_has_the_secrets(pki: PKI, tmp_path: Path) -> None:
    """0600 whatever the umask, in the form that Wireshark reads, and added to by the next connection."""
    keylog = tmp_path / "keys.log"
    previous = os.umask(0)
    try:
        client = client_settings(pki, pki.client, keylog=keylog)
        context = client_context(client)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(keylog.stat().st_mode) == 0o600
    assert context.keylog_filename == str(keylog)
    assert shake_hands(client, server_settings(pki)).codes == (None, None)
    first = keylog.read_text()
    assert "CLIENT_TRAFFIC_SECRET_0 " in first
    assert shake_hands(client, server_settings(pki)).codes == (None, None)
    assert keylog.read_text().startswith(first)
    assert len(keylog.read_text()) > len(first)


def test_keylog_that_cannot_be_written_is_an_error_of_this_machine(pki: PKI, tmp_path: Path) -> None:
    """With the path and the reason; no handshake whose keys somebody wanted goes by unlogged."""
    for keylog in (tmp_path, tmp_path / "nowhere" / "keys.log", tmp_path / "keys\0log"):
        with pytest.raises(MachineError, match="cannot write the key log") as caught:
            client_context(client_settings(pki, keylog=keylog))
        assert str(keylog) in caught.value.message
        assert caught.value.code == "no-permission"


def test_anchor_that_is_none_is_refused(pki: PKI) -> None:
    """A private key given as `--ca` is called what it is."""
    with pytest.raises(CredentialError, match="private key") as caught:
        client_context(client_settings(pki, ca=(pki.server.key,)))
    assert caught.value.code == "not-a-certificate"
    assert str(pki.server.key) in caught.value.message


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize(("openssl", "refused"), [((3, 0, 2), False), ((3, 2, 0), True)])
def test_certificates_are_not_compressed_where_openssl_could(
    pki: PKI, monkeypatch: pytest.MonkeyPatch, role: str, openssl: tuple[int, ...], *, refused: bool
) -> None:
    """From 3.2 on it can, and what it takes could be a bomb; both ways are closed."""
    monkeypatch.setattr(ssl, "OPENSSL_VERSION_INFO", openssl)
    context = client_context(client_settings(pki)) if role == "client" else server_context(server_settings(pki))
    assert (context.options >> 32 & 3) == (3 if refused else 0)
