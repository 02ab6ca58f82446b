"""dicomtls.tls.handshake: who lets whom in, each case seen from both ends, and every positive with its negatives."""

import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dicomtls.errors import By, HandshakeError
from dicomtls.tls import (
    ClientAuth,
    Negotiated,
    client_context,
    client_handshake,
    read_failure,
    server_context,
    server_handshake,
)
from dicomtls.waiting import deadline_in
from tests.support.handshakes import (
    DEADLINE,
    client_settings,
    connected_sockets,
    negotiated_facts,
    server_settings,
    shake_hands,
)
from tests.support.pki import PKI
from tests.support.pki import client_context as support_client_context

GOOD = (None, None)
SOON = 0.1
# Each version alone, since a refused client certificate shows at other places in them.
both_versions = pytest.mark.parametrize("version", ["1.2", "1.3"])


def only(version: str) -> dict[str, Any]:
    """The settings that allow one version of TLS."""
    return {"tls_min": version, "tls_max": version}


# -- the server's certificate -------------------------------------------------------------------------------------


@both_versions
@pytest.mark.parametrize("server", ["server", "server_ec", "chained", "expiring", "server_purpose"])
@pytest.mark.parametrize("client", ["client", "client_ec"])
def test_good_certificates_agree(pki: PKI, version: str, server: str, client: str) -> None:
    """RSA and EC on either side, with an intermediate, with little time left, for one purpose only."""
    pair = shake_hands(
        client_settings(pki, getattr(pki, client), **only(version)), server_settings(pki, getattr(pki, server))
    )
    for end, peer in ((pair.client.agreed, server), (pair.server.agreed, client)):
        assert end.protocol == f"TLSv{version}"
        assert (end.verified, end.verified_by) == (True, "chain")
        assert end.peer is not None
        assert end.peer.der == getattr(pki, peer).cert_der.read_bytes()
    assert pair.client.agreed.name_matched is True
    assert pair.server.agreed.name_matched is None


@both_versions
@pytest.mark.parametrize(
    ("server", "options", "code", "alert"),
    [
        ("other_server", {}, "unknown-issuer", "unknown_ca"),
        ("self_signed", {}, "self-signed", "unknown_ca"),
        ("expired", {}, "expired", "certificate_expired"),
        ("not_yet_valid", {}, "not-yet-valid", "bad_certificate"),
        ("wrong_name", {}, "name-mismatch", "bad_certificate"),
        ("only_common_name", {}, "name-mismatch", "bad_certificate"),
        ("client_purpose", {}, "wrong-purpose", "unsupported_certificate"),
        ("weak_key", {}, "weak-key", "bad_certificate"),
        ("revoked", {"crl": "crl"}, "revoked", "certificate_revoked"),
        ("server", {"crl": "expired_crl"}, "crl-expired", "certificate_expired"),
        ("chained", {"crl": "crl"}, "crl-missing", "unknown_ca"),
    ],
)
def test_client_refuses_a_server(
    pki: PKI, version: str, server: str, options: dict[str, str], code: str, alert: str
) -> None:
    """One fault each: the client says which, the server learns of it by an alert, and nobody took it for good."""
    others: dict[str, Any] = {name: (getattr(pki, value),) for name, value in options.items()}
    client = client_settings(pki, pki.client, **others, **only(version))
    # The profile lets the server load a small key; the client's profile is the default.
    profile = "bcp195-2015" if server == "weak_key" else "bcp195"
    pair = shake_hands(client, server_settings(pki, getattr(pki, server), profile=profile))
    assert pair.codes == (code, f"alert-{alert}")
    assert pair.client.diagnosis.by is By.US
    assert pair.client.negotiated is None
    assert pair.server.negotiated is None


@pytest.mark.parametrize(
    ("server", "options"),
    [
        ("other_server", {"ca": "other_ca"}),
        ("self_signed", {"ca": "self_signed"}),
        ("wrong_name", {"verify_name": False}),
        ("only_common_name", {"verify_name": False}),
        ("weak_key", {"profile": "bcp195-2015"}),
        ("revoked", {}),
        ("server", {"crl": "crl"}),
    ],
)
def test_client_takes_the_same_server_when_the_fault_is_gone(pki: PKI, server: str, options: dict[str, Any]) -> None:
    """The positive twins: the other anchor, the name not looked at, an older profile, no list or a current one."""
    paths = {"other_ca": pki.other_ca, "self_signed": pki.self_signed.cert, "crl": pki.crl}
    others = {name: (paths[value],) if value in paths else value for name, value in options.items()}
    server_side = server_settings(pki, getattr(pki, server), profile=options.get("profile", "bcp195"))
    assert shake_hands(client_settings(pki, pki.client, **others), server_side).codes == GOOD


@pytest.mark.parametrize("fault", ["expired", "not_yet_valid", "client_purpose", "self_signed", "other_server"])
def test_insecure_client_takes_anybody_and_says_so(pki: PKI, fault: str) -> None:
    """Nothing is verified, and `Negotiated` does not pretend that it was."""
    pair = shake_hands(client_settings(pki, pki.client, insecure=True), server_settings(pki, getattr(pki, fault)))
    assert pair.codes == GOOD
    assert (pair.client.agreed.verified, pair.client.agreed.verified_by) == (False, None)
    assert pair.client.agreed.peer is not None
    assert pair.client.agreed.peer.der == getattr(pki, fault).cert_der.read_bytes()


# -- the client's certificate -------------------------------------------------------------------------------------


@both_versions
@pytest.mark.parametrize(
    ("client", "options", "code"),
    [
        ("other_client", {}, "unknown-issuer"),
        ("self_signed", {}, "self-signed"),
        ("expired", {}, "expired"),
        ("not_yet_valid", {}, "not-yet-valid"),
        ("server_purpose", {}, "wrong-purpose"),
        ("weak_key", {}, "weak-key"),
        ("revoked", {"crl": "crl"}, "revoked"),
        ("client", {"crl": "expired_crl"}, "crl-expired"),
        ("chained", {"crl": "crl"}, "crl-missing"),
    ],
)
@pytest.mark.parametrize("client_auth", [ClientAuth.REQUIRED, ClientAuth.OPTIONAL])
def test_server_refuses_a_client(
    pki: PKI, version: str, client: str, options: dict[str, str], code: str, client_auth: ClientAuth
) -> None:
    """The server says why, the client that its certificate was refused; optional does not mean that any will do."""
    others: dict[str, Any] = {name: (getattr(pki, value),) for name, value in options.items()}
    profile = "bcp195-2015" if client == "weak_key" else "bcp195"
    pair = shake_hands(
        client_settings(pki, getattr(pki, client), profile=profile, **only(version)),
        server_settings(pki, client_auth=client_auth, **others),
    )
    assert pair.codes == ("client-certificate-refused", code)
    assert (pair.client.diagnosis.by, pair.server.diagnosis.by) == (By.PEER, By.US)
    # At TLS 1.3 the client's handshake is over by then: the alert comes with the first read.
    assert (pair.client.negotiated is not None) is (version == "1.3")


@both_versions
def test_server_refuses_a_client_without_a_certificate(pki: PKI, version: str) -> None:
    """At TLS 1.2 in the handshake, at 1.3 on the first read; both ends call it by the same name."""
    pair = shake_hands(client_settings(pki, **only(version)), server_settings(pki))
    assert pair.codes == ("client-certificate-required", "client-certificate-required")
    assert (pair.client.diagnosis.by, pair.server.diagnosis.by) == (By.PEER, By.US)
    assert (pair.client.negotiated is not None) is (version == "1.3")
    assert isinstance(pair.client.error, HandshakeError)
    assert pair.client.error.facts.after_handshake is (version == "1.3")
    assert pair.client.error.facts.client_certificate == "requested"


@both_versions
@pytest.mark.parametrize(
    ("client_auth", "has_certificate", "state"),
    [
        (ClientAuth.REQUIRED, True, "sent"),
        (ClientAuth.OPTIONAL, True, "sent"),
        (ClientAuth.OPTIONAL, False, "requested"),
        (ClientAuth.NONE, True, "not requested"),
        (ClientAuth.NONE, False, "not requested"),
    ],
)
def test_both_ends_know_what_became_of_the_client_certificate(
    pki: PKI, version: str, client_auth: ClientAuth, state: str, *, has_certificate: bool
) -> None:
    """Sent, asked for in vain, or not asked for; an anonymous client is not verified."""
    pair = shake_hands(
        client_settings(pki, pki.client if has_certificate else None, **only(version)),
        server_settings(pki, client_auth=client_auth),
    )
    assert pair.client.agreed.client_certificate == pair.server.agreed.client_certificate == state
    assert pair.server.agreed.verified is (state == "sent")
    assert (pair.server.agreed.peer is not None) is (state == "sent")


def test_client_whose_own_certificate_is_the_anchor_is_let_in(pki: PKI) -> None:
    """How a server trusts a self-signed device: its certificate is given as `--ca`."""
    server = server_settings(pki, ca=(pki.self_signed.cert,))
    assert shake_hands(client_settings(pki, pki.self_signed), server).codes == GOOD
    assert shake_hands(client_settings(pki, pki.client), server).codes == (
        "client-certificate-refused",
        "unknown-issuer",
    )


# -- versions, suites, groups, ALPN -------------------------------------------------------------------------------


@pytest.mark.parametrize(("client", "server"), [("1.2", "1.3"), ("1.3", "1.2")])
def test_no_version_in_common_is_said_by_both_ends(pki: PKI, client: str, server: str) -> None:
    """Whoever sent the alert refused."""
    pair = shake_hands(client_settings(pki, pki.client, **only(client)), server_settings(pki, **only(server)))
    assert pair.codes == ("no-shared-protocol", "no-shared-protocol")
    assert (pair.client.diagnosis.by, pair.server.diagnosis.by) == (By.PEER, By.US)


@pytest.mark.parametrize(
    ("client", "server"),
    [
        ({"ciphers": ("ECDHE-RSA-AES128-GCM-SHA256",)}, {"ciphers": ("ECDHE-RSA-AES256-GCM-SHA384",)}),
        ({"ciphers": ("ECDHE-ECDSA-AES128-GCM-SHA256",)}, {}),
        ({"profile": "aes"}, {"profile": "bcp195"}),
    ],
    ids=["disjoint", "no certificate for it", "profiles"],
)
def test_no_suite_in_common_is_said_by_both_ends(pki: PKI, client: dict[str, Any], server: dict[str, Any]) -> None:
    """At TLS 1.2, where there is a choice."""
    pair = shake_hands(
        client_settings(pki, pki.client, tls_max="1.2", **client), server_settings(pki, tls_max="1.2", **server)
    )
    assert pair.codes == ("no-shared-cipher", "no-shared-cipher")
    assert (pair.client.diagnosis.by, pair.server.diagnosis.by) == (By.PEER, By.US)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_old_versions_work_by_the_retired_profile(pki: PKI, version: str) -> None:
    """For devices that know nothing better; by the default profile the same client is refused."""
    client = client_settings(pki, pki.client, profile="bcp195-2015", tls_max=version)
    pair = shake_hands(client, server_settings(pki, profile="bcp195-2015"))
    if pair.codes[0] == "tls-error":
        pytest.skip(f"this OpenSSL has no TLS {version}")
    assert pair.client.agreed.protocol == {"1.0": "TLSv1", "1.1": "TLSv1.1"}[version]
    assert pair.client.agreed.cipher == "TLS_RSA_WITH_AES_128_CBC_SHA"
    assert pair.client.agreed.group is None
    assert shake_hands(client, server_settings(pki)).codes == ("no-shared-protocol", "no-shared-protocol")


def test_server_takes_its_own_first_suite(pki: PKI) -> None:
    """The strongest of the profile, whatever order the client likes."""
    client = client_settings(pki, pki.client, tls_max="1.2", ciphers=("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE+AES256"))
    agreed = shake_hands(client, server_settings(pki)).client.agreed
    assert (agreed.cipher, agreed.bits) == ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 256)
    assert agreed.cipher_openssl == "ECDHE-RSA-AES256-GCM-SHA384"


@pytest.mark.parametrize(
    ("options", "group"),
    [
        ({"tls_max": "1.2"}, "x25519"),
        ({"tls_min": "1.3"}, None),
        ({"tls_max": "1.2", "profile": "aes"}, ""),
        ({"tls_max": "1.2", "profile": "atna", "ciphers": ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",)}, "dh2048"),
    ],
    ids=["ECDHE at 1.2", "1.3", "RSA", "DHE by atna"],
)
def test_group_is_known_to_both_ends(pki: PKI, options: dict[str, Any], group: str | None) -> None:
    """From the messages, at either version; RSA key exchange has none, and DHE is offered by our server too."""
    agreed = shake_hands(
        client_settings(pki, pki.client, **options), server_settings(pki, profile=options.get("profile", "bcp195"))
    ).client.agreed
    if group is None:
        assert agreed.group in ("x25519", "X25519MLKEM768")  # from OpenSSL 3.5 on
    else:
        assert agreed.group == (group or None)


@pytest.mark.parametrize("curve", ["secp384r1", "secp521r1", "X448"])
@both_versions
def test_group_is_the_one_that_was_agreed(pki: PKI, curve: str, version: str) -> None:
    """Also where the server insists on another than the client's first, by HelloRetryRequest at TLS 1.3."""
    client, server = client_settings(pki, pki.client, **only(version)), server_settings(pki)
    server_ssl = server_context(server)
    try:
        server_ssl.set_ecdh_curve(curve)
    except ssl.SSLError:
        pytest.skip(f"this Python cannot set {curve}")  # 3.11.2 knows those with points only
    with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
        serving = thread.submit(server_handshake, far, server_ssl, deadline=deadline_in(DEADLINE))
        sock, negotiated = client_handshake(
            near, client_context(client), client, host="localhost", deadline=deadline_in(DEADLINE)
        )
        other_sock, others = serving.result()
        with sock, other_sock:
            assert negotiated.group == others.group == curve.casefold()


@both_versions
@pytest.mark.parametrize(
    ("client", "server", "agreed"),
    [(True, True, "dicom"), (True, False, None), (False, True, None), (False, False, None)],
)
def test_alpn_is_agreed_where_both_have_it_and_fails_nowhere(
    pki: PKI, version: str, agreed: str | None, *, client: bool, server: bool
) -> None:
    """A peer that ignores it is no reason to fail."""
    pair = shake_hands(
        client_settings(pki, pki.client, alpn=client, **only(version)), server_settings(pki, alpn=server)
    )
    assert pair.client.agreed.alpn == agreed


@both_versions
def test_alpn_of_another_protocol_is_no_reason_to_fail(pki: PKI, version: str) -> None:
    """A client that offers `h2` alone is served without any."""
    foreign = ssl.create_default_context(cafile=str(pki.ca))
    foreign.load_cert_chain(pki.client.cert, pki.client.key)
    foreign.set_alpn_protocols(["h2"])
    foreign.maximum_version = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
    _, negotiated = serve_foreign_client(pki, foreign)
    assert negotiated.alpn is None


def serve_foreign_client(
    pki: PKI, foreign: ssl.SSLContext, session: ssl.SSLSession | None = None, server_ssl: ssl.SSLContext | None = None
) -> tuple[ssl.SSLSession | None, Negotiated]:
    """A handshake of our server with a client that is not ours; returns the client's session and what we say."""
    server_ssl = server_ssl or server_context(server_settings(pki))
    with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
        serving = thread.submit(server_handshake, far, server_ssl, deadline=deadline_in(DEADLINE))
        near.settimeout(DEADLINE)
        with foreign.wrap_socket(near, server_hostname="localhost", session=session) as theirs:
            sock, negotiated = serving.result()
            with sock:
                sock.put(memoryview(b"x"))
                sock.push()
                assert theirs.recv(1) == b"x"
            return theirs.session, negotiated


@both_versions
def test_client_gets_no_ticket(pki: PKI, version: str) -> None:
    """Each association checks the client's certificate anew; identifiers of sessions are `CertificateSource`'s."""
    foreign = ssl.create_default_context(cafile=str(pki.ca))
    foreign.load_cert_chain(pki.client.cert, pki.client.key)
    foreign.maximum_version = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
    server_ssl = server_context(server_settings(pki))
    session: ssl.SSLSession | None = None
    for _ in range(3):
        session, negotiated = serve_foreign_client(pki, foreign, session, server_ssl)
        assert session is None or not session.has_ticket
        assert not negotiated.resumed or version == "1.2"


def test_context_of_somebody_else_works_without_the_facts_of_the_messages(pki: PKI) -> None:
    """The functions take any `SSLContext`; what they cannot watch is None."""
    theirs = support_client_context(pki)
    settings, server_ssl = client_settings(pki, pki.client), server_context(server_settings(pki))
    with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
        serving = thread.submit(server_handshake, far, server_ssl, deadline=deadline_in(DEADLINE))
        sock, negotiated = client_handshake(near, theirs, settings, host="localhost", deadline=deadline_in(DEADLINE))
        with sock, serving.result()[0]:
            assert (negotiated.client_certificate, negotiated.alpn, negotiated.verified) == (None, None, True)


# -- the first read -----------------------------------------------------------------------------------------------


def ssl_error(reason: str | None, kind: type[ssl.SSLError] = ssl.SSLError) -> ssl.SSLError:
    """An error as OpenSSL makes them."""
    error = kind(1, f"[SSL: {reason}]")
    error.reason = reason  # type: ignore[assignment]  # typeshed does not know of errors without one
    return error


@pytest.mark.parametrize(
    ("error", "reason", "closed"),
    [
        (None, None, "eof"),
        (ConnectionResetError(), None, "reset"),
        (OSError("closed by another thread"), None, "eof"),
        (BrokenPipeError(), None, "reset"),
        (ssl_error(None, ssl.SSLZeroReturnError), None, "eof"),
        (ssl_error("UNEXPECTED_EOF_WHILE_READING"), "UNEXPECTED_EOF_WHILE_READING", "eof"),
        (ssl_error("TLSV1_ALERT_UNKNOWN_CA"), "TLSV1_ALERT_UNKNOWN_CA", None),
    ],
    ids=["end of file", "reset", "another error", "broken pipe", "close_notify", "ragged end", "alert"],
)
def test_first_read_that_fails_becomes_the_facts_of_the_handshake(
    error: OSError | None, reason: str | None, closed: str | None
) -> None:
    """With what was negotiated, since the socket no longer tells."""
    facts = read_failure(error, negotiated_facts()).facts
    assert (facts.reason, facts.closed, facts.after_handshake) == (reason, closed, True)
    assert (facts.protocol, facts.client_certificate, facts.chain_der) == ("TLSv1.3", "sent", (b"leaf",))
