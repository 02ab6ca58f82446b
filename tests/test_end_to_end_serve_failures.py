"""`serve` and real clients that fail in the handshake: its log names the cause that the client sees from there."""

import json
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dicomtls.tls import ClientAuth
from tests.support.failing_clients import (
    ANY_STRENGTH,
    PLACES,
    Client,
    dcmtk,
    dcmtk_in_clear,
    failure_of,
    failures,
    log_lines,
    own_settings,
    own_view,
    pynetdicom,
    pynetdicom_in_clear,
    raw,
    s_client,
)
from tests.support.pki import PKI
from tests.support.servers import RunningServer, ask, our_server, server_tls

SSL_2_HELLO = bytes.fromhex("802e0100020015000000100700c00300800100800600400400800200800700c0") + bytes(16)
TLS_IN_SSL_2_HELLO = bytes.fromhex("80220103010009000000100000350000 2f00000a") + bytes(16)
CLIENT_HELLO_BEGINS = bytes.fromhex("16030100c8010000c40303") + bytes(50)


class Failure(NamedTuple):
    """A client at one of the servers: what the log has to say, and what our own client with `own` says from its side.

    `phrases` are the facts that the line must have. `own` None where no client of ours can fail like that.
    """

    place: str
    client: Client
    code: str
    by: str
    phrases: tuple[str, ...] = ()
    own: dict[str, Any] | None = None
    own_view: tuple[str, str] | None = None


CERTIFICATE = "; its certificate: CN={0}, issued by CN={1}, valid 20"


def about(name: str, issuer: str = "dicomtls test CA") -> str:
    """How the log names a client's certificate."""
    return CERTIFICATE.format(name, issuer)


def with_tls12(context: ssl.SSLContext, _pki: PKI) -> None:
    """Nothing newer."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def with_rsa_suites(context: ssl.SSLContext, pki: PKI) -> None:
    """Those of TLS 1.2 that want a server with an RSA key."""
    with_tls12(context, pki)
    context.set_ciphers("ECDHE+aRSA+AESGCM")


REFUSED = ("client-certificate-refused", "peer")
MISSING = ("client-certificate-required", "peer")
NO_VERSION = ("no-shared-protocol", "peer")
NO_SUITE = ("no-shared-cipher", "peer")
NO_CERTIFICATE = "the client sent no certificate, and we require one"
UNKNOWN = ("was issued by CN=another test CA (key identifier ", about("other client", "another test CA"))
NO_TRUST = "the client refused our certificate with the alert unknown_ca: it does not know who issued it"
OLD = {"tls_min": "1.0", "tls_max": "1.1", "profile": "bcp195-2015"}


def shown(
    name: str, code: str, *phrases: str, place: str = "mutual", options: tuple[str, ...] = (), **own: Any
) -> Failure:
    """`s_client` with an identity of the PKI that we refuse; our own client shows the same one."""
    client = s_client(*options, pick=lambda pki: getattr(pki, name))
    return Failure(place, client, code, "us", phrases, {"identity": name, **own}, REFUSED)


def ours_of(settings: dict[str, Any]) -> Client:
    """Our own client."""
    return lambda pki, server: ask(server, own_settings(pki, settings))


EC_SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256",)

CERTIFICATES_OF_CLIENTS: dict[str, Failure] = {
    "none: DCMTK": Failure("mutual", dcmtk(pick=None), "client-certificate-required", "us", (NO_CERTIFICATE,)),
    "none: s_client, TLS 1.2": Failure(
        "mutual",
        s_client("-tls1_2", pick=None),
        "client-certificate-required",
        "us",
        (NO_CERTIFICATE,),
        {"identity": None, "tls_max": "1.2"},
        MISSING,
    ),
    "none: s_client, TLS 1.3": Failure(
        "mutual",
        s_client("-tls1_3", "-servername", "pacs.example", pick=None),
        "client-certificate-required",
        "us",
        (NO_CERTIFICATE, "; it calls us pacs.example [client-certificate-required by us]; hint: the device must be"),
        {"identity": None},
        MISSING,
    ),
    "none: pynetdicom": Failure("mutual", pynetdicom(pick=None), "client-certificate-required", "us"),
    "another CA's: DCMTK": Failure("mutual", dcmtk(pick=lambda pki: pki.other_client), "unknown-issuer", "us", UNKNOWN),
    "another CA's: s_client": shown("other_client", "unknown-issuer", *UNKNOWN, options=("-tls1_2",)),
    "another CA's: pynetdicom": Failure(
        "mutual", pynetdicom(pick=lambda pki: pki.other_client), "unknown-issuer", "us", UNKNOWN
    ),
    "expired: DCMTK": Failure("mutual", dcmtk(pick=lambda pki: pki.expired), "expired", "us", (about("expired"),)),
    "expired: s_client": shown(
        "expired", "expired", "the client's certificate expired on 20", "our clock says 20", about("expired")
    ),
    "expired: pynetdicom": Failure("mutual", pynetdicom(pick=lambda pki: pki.expired), "expired", "us"),
    "not yet valid: s_client": shown(
        "not_yet_valid", "not-yet-valid", "the client's certificate is not valid before 20", about("not yet valid")
    ),
    "a server's: s_client": shown(
        "server_purpose", "wrong-purpose", "the client's certificate is not made for a TLS client"
    ),
    "a server's: DCMTK": Failure("mutual", dcmtk(pick=lambda pki: pki.server_purpose), "wrong-purpose", "us"),
    "self-signed: DCMTK": Failure("mutual", dcmtk(pick=lambda pki: pki.self_signed), "self-signed", "us"),
    "self-signed: s_client": shown(
        "self_signed", "self-signed", "is self-signed (CN=self-signed), and not among our trust anchors"
    ),
    "weak key: s_client": shown(
        "weak_key", "weak-key", "has a key that is too small", options=ANY_STRENGTH, profile="bcp195-2015"
    ),
    "revoked: s_client": shown("revoked", "revoked", "the client's certificate has been revoked", place="crl"),
    "revoked: pynetdicom": Failure("crl", pynetdicom(pick=lambda pki: pki.revoked), "revoked", "us"),
    "two faults: DCMTK": Failure(
        "crl",
        dcmtk(pick=lambda pki: pki.other_client),
        "unknown-issuer",
        "us",
        ("; besides: the certificate was issued by CN=another test CA, whose revocation list we lack; its",),
        {"identity": "other_client"},
        REFUSED,
    ),
    "list not current: s_client": Failure(
        "stale crl",
        s_client(),
        "crl-expired",
        "us",
        ("the revocation list given with --crl is not current", about("client")),
        {},
        REFUSED,
    ),
}

NEGOTIATIONS: dict[str, Failure] = {
    "TLS 1.0: s_client": Failure(
        "mutual",
        s_client("-tls1", *ANY_STRENGTH),
        "no-shared-protocol",
        "us",
        ("the client offers no TLS version that we take: TLSv1 at most", "; hint: set the device to TLS 1.2 or 1.3"),
        {**OLD, "tls_max": "1.0"},
        NO_VERSION,
    ),
    "TLS 1.1: s_client": Failure(
        "mutual", s_client("-tls1_1", *ANY_STRENGTH), "no-shared-protocol", "us", ("TLSv1.1 at most",), OLD, NO_VERSION
    ),
    "TLS 1.2 where 1.3 is wanted: s_client": Failure(
        "TLS 1.3 only",
        s_client("-tls1_2"),
        "no-shared-protocol",
        "us",
        ("TLSv1.2 at most", "; hint: start serve with limits that take it: --profile bcp195"),
        {"tls_max": "1.2"},
        NO_VERSION,
    ),
    "TLS 1.2 where 1.3 is wanted: pynetdicom": Failure(
        "TLS 1.3 only", pynetdicom(with_tls12), "no-shared-protocol", "us", ("it calls us localhost",)
    ),
    "TLS 1.3 where 1.2 is wanted: s_client": Failure(
        "TLS 1.2 only",
        s_client("-tls1_3"),
        "no-shared-protocol",
        "us",
        ("the client offers no TLS version that we take: TLSv1.3 [",),
        {"tls_min": "1.3"},
        NO_VERSION,
    ),
    "old suites: s_client": Failure(
        "mutual",
        s_client("-tls1_2", "-cipher", "AES128-SHA"),
        "no-shared-cipher",
        "us",
        (
            "no cipher suite that we take: TLS_RSA_WITH_AES_128_CBC_SHA",
            "hint: the device needs serve started",
        ),
        {"ciphers": ("AES128-SHA",), "tls_max": "1.2"},
        NO_SUITE,
    ),
    "retired profile AES: DCMTK": Failure(
        "mutual", dcmtk("+pa"), "no-shared-cipher", "us", ("[no-shared-cipher by us]; hint: the device needs serve",)
    ),
    "retired profile without encryption: DCMTK": Failure(
        "mutual", dcmtk("+pn"), "no-shared-cipher", "us", ("TLS_RSA_WITH_NULL_SHA", "; hint: the device offers suites")
    ),
    "extended BCP 195 profile: DCMTK": Failure("TLS 1.3 only", dcmtk("+pz"), "no-shared-protocol", "us"),
    "suites of the other key: s_client": Failure(
        "mutual",
        s_client("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        "no-shared-cipher",
        "us",
        ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "; hint: the device wants a server with an EC key: give such"),
        {"ciphers": ("ECDHE-ECDSA-AES128-GCM-SHA256",), "tls_max": "1.2"},
        NO_SUITE,
    ),
    "suites of the other key: pynetdicom": Failure(
        "EC only",
        pynetdicom(with_rsa_suites),
        "no-shared-cipher",
        "us",
        ("; hint: the device wants a server with an RSA key: give such",),
        {"ciphers": ("ECDHE-RSA-AES128-GCM-SHA256",), "tls_max": "1.2"},
        NO_SUITE,
    ),
    "SSL 2.0": Failure("mutual", raw(SSL_2_HELLO), "no-shared-protocol", "us", ("SSLv2 at most",)),
    "TLS 1.0 in a hello of SSL 2.0": Failure(
        "mutual", raw(TLS_IN_SSL_2_HELLO), "no-shared-protocol", "us", ("TLSv1 at most",)
    ),
}

OUR_CERTIFICATE: dict[str, Failure] = {
    "another CA: s_client": Failure(
        "mutual",
        s_client("-CAfile", "{other_ca}", "-no-CApath"),
        "alert-unknown_ca",
        "peer",
        (NO_TRUST, "[alert-unknown_ca by the client]; hint: the client must be given the certificate of the authority"),
        {"ca": "other_ca"},
        ("unknown-issuer", "us"),
    ),
    "another CA: DCMTK": Failure("mutual", dcmtk(trusts_us=False), "alert-unknown_ca", "peer", (NO_TRUST,)),
    "another CA: pynetdicom": Failure(
        "mutual", pynetdicom(trusts_us=False), "alert-unknown_ca", "peer", (NO_TRUST, "it calls us localhost")
    ),
    "expired: s_client": Failure(
        "expired",
        s_client(),
        "alert-certificate_expired",
        "peer",
        ("it takes it for expired", "; hint: renew our certificate: dicomtls certgen renew"),
        {},
        ("expired", "us"),
    ),
    "expired: DCMTK": Failure("expired", dcmtk(), "alert-certificate_expired", "peer"),
    "expired: pynetdicom": Failure("expired", pynetdicom(), "alert-certificate_expired", "peer"),
    "not yet valid: DCMTK": Failure(
        "not yet valid", dcmtk(), "alert-bad_certificate", "peer", (), {}, ("not-yet-valid", "us")
    ),
    "self-signed: s_client": Failure(
        "self-signed", s_client(), "alert-unknown_ca", "peer", (NO_TRUST,), {}, ("self-signed", "us")
    ),
    "another name: pynetdicom": Failure(
        "wrong name",
        pynetdicom(),
        "alert-bad_certificate",
        "peer",
        ("it calls us localhost", "hint: the name that the client calls us by must be in our certificate"),
        {"server_name": "localhost"},
        ("name-mismatch", "us"),
    ),
    "a client's: s_client": Failure(
        "client purpose",
        s_client(),
        "alert-unsupported_certificate",
        "peer",
        ("; hint: our certificate must be one for a server",),
        {},
        ("wrong-purpose", "us"),
    ),
}

NO_TLS: dict[str, Failure] = {
    "plain: DCMTK": Failure(
        "mutual",
        dcmtk_in_clear("echoscu"),
        "peer-speaks-plain-dicom",
        "neither",
        ("its calling AE title is ECHOSCU [peer-speaks-plain-dicom]; hint: switch on TLS in the device",),
        {"clear": True},
        ("association-aborted", "peer"),
    ),
    "plain: pynetdicom": Failure("mutual", pynetdicom_in_clear, "peer-speaks-plain-dicom", "neither", ("PYNETDICOM",)),
    "HTTP": Failure("mutual", raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "peer-speaks-http", "neither", ("HTTP",)),
    "SSH": Failure("mutual", raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "peer-is-not-tls", "neither"),
    "noise": Failure("mutual", raw(bytes(range(1, 200))), "peer-is-not-tls", "neither"),
    "silence": Failure("mutual", raw(b""), "handshake-timeout", "neither", ("hint: a port check",)),
    "half a hello": Failure("mutual", raw(CLIENT_HELLO_BEGINS), "handshake-timeout", "neither"),
    "closes at once": Failure("mutual", raw(b"", "closes"), "peer-closed", "peer", ("without an alert",)),
    "closes in its hello": Failure("mutual", raw(CLIENT_HELLO_BEGINS, "closes"), "peer-closed", "peer"),
    "TLS at a port in clear: DCMTK": Failure(
        "in clear", dcmtk(), "peer-expects-tls", "neither", ("hint: switch off TLS in the device",)
    ),
}


@pytest.fixture(scope="module")
def servers(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunningServer]]:
    """One server for each place."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                our_server(tmp_path_factory.mktemp("kept"), place.tls(pki), handshake_timeout=2.0, warn_days=0)
            )
            for name, place in PLACES.items()
        }


def check(pki: PKI, servers: dict[str, RunningServer], failure: Failure) -> None:
    """The client's failure is one line with cause and facts; our own client agrees; then a good one is served."""
    server = servers[failure.place]
    before = len(failures(server))
    event, _ = failure_of(server, lambda: failure.client(pki, server))
    assert (event.facts["code"], event.facts["by"]) == (failure.code, failure.by), event
    [line] = log_lines(event)
    [document] = map(json.loads, log_lines(event, as_json=True))
    assert [phrase for phrase in failure.phrases if phrase not in line] == [], line
    assert f"[{failure.code}" in line
    assert f"; hint: {document['hints'][0]}" in line
    assert line.isprintable()
    expected = 1
    if failure.own is not None:
        own, seen = failure_of(server, lambda: own_view(pki, server, failure.own or {}))
        assert (own.facts["code"], own.facts["by"]) == (failure.code, failure.by), own
        assert seen == failure.own_view
        expected += 1
    serves = PLACES[failure.place].serves
    if serves is not None:
        released = len(server.named("association-released"))
        ask(server, None if failure.place == "in clear" else own_settings(pki, serves))
        server.wait_for("association-released", released + 1)
    assert len(failures(server)) == before + expected


@pytest.mark.parametrize("failure", CERTIFICATES_OF_CLIENTS.values(), ids=CERTIFICATES_OF_CLIENTS)
def test_log_says_what_is_wrong_with_the_certificate_of_a_client(
    pki: PKI, servers: dict[str, RunningServer], failure: Failure
) -> None:
    """All of it, with subject, issuer and dates."""
    check(pki, servers, failure)


@pytest.mark.parametrize("failure", NEGOTIATIONS.values(), ids=NEGOTIATIONS)
def test_log_says_what_a_client_offered_of_which_we_take_nothing(
    pki: PKI, servers: dict[str, RunningServer], failure: Failure
) -> None:
    """Its versions or its suites."""
    check(pki, servers, failure)


@pytest.mark.parametrize("failure", OUR_CERTIFICATE.values(), ids=OUR_CERTIFICATE)
def test_log_says_with_which_alert_a_client_refused_us(
    pki: PKI, servers: dict[str, RunningServer], failure: Failure
) -> None:
    """What the alert means, and what to do about our certificate."""
    check(pki, servers, failure)


@pytest.mark.parametrize("failure", NO_TLS.values(), ids=NO_TLS)
def test_log_says_what_a_client_speaks_in_place_of_tls(
    pki: PKI, servers: dict[str, RunningServer], failure: Failure
) -> None:
    """Or that it says nothing."""
    check(pki, servers, failure)


FOLLOWED: dict[str, tuple[Client, dict[str, Any]]] = {
    "--profile bcp195-2015 takes the retired profile AES": (dcmtk("+pa"), {"profile": "bcp195-2015"}),
    "--profile bcp195-2015 takes TLS 1.1": (ours_of(OLD), {"profile": "bcp195-2015"}),
    "a second key": (
        ours_of({"ciphers": EC_SUITES, "tls_max": "1.2"}),
        {"second": "server_ec"},
    ),
    "--ca with the authority of the client": (dcmtk(pick=lambda pki: pki.self_signed), {"ca": "self_signed"}),
    "--client-auth optional": (dcmtk(pick=None), {"client_auth": ClientAuth.OPTIONAL}),
}


@pytest.mark.parametrize(("client", "changes"), FOLLOWED.values(), ids=FOLLOWED)
def test_hint_that_is_followed_serves_the_client(
    pki: PKI, tmp_path: Path, client: Client, changes: dict[str, Any]
) -> None:
    """The server's side of it."""
    settings = dict(changes)
    second = settings.pop("second", None)
    tls = replace(server_tls(pki), **settings)
    if second:
        other = getattr(pki, second)
        tls = replace(tls, cert=(*tls.cert, other.cert), key=(*tls.key, other.key))
    if "ca" in settings:
        tls = replace(tls, ca=(getattr(pki, settings["ca"]).cert,))
    with our_server(tmp_path, tls) as server:
        client(pki, server)
        server.wait_for("association-released")
        assert failures(server) == []
