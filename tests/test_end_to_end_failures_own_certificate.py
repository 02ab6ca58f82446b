"""Real peers that refuse our certificate, or its absence, each with a hint that makes the connection work."""

import ssl
from collections.abc import Mapping

import pytest

from tests.support.failing import Orthanc, Pynetdicom, SServer, Storescp
from tests.support.following import NOBODY, Bench, Failure, Peer, assert_hint_works

# Real peers by the dozen, each asked three times: a quarter of the whole suite's time, which `.ci/run` takes.
pytestmark = pytest.mark.slow

# At TLS 1.3 a refusal comes within this time too.
BRIEFLY = "--association-timeout 1"
REQUIRED, REFUSED = "client-certificate-required", "client-certificate-refused"
GIVE_ONE, GIVE_ANOTHER = (
    "give a certificate that the peer trusts with --cert and --key",
    "give another one with --cert and --key",
)
LEAVE_IT_OUT = "it connects without our certificate: leave out --cert and --key"
GOOD = {"--cert": "client.pem", "--key": "client.key"}
VERSIONS = {"TLS 1.2": "--tls-max 1.2", "TLS 1.3": "--tls-min 1.3"}
OPTIONAL = ssl.CERT_OPTIONAL


def ours(name: str) -> str:
    """The options of a client with this identity."""
    return f"--ca ca.pem --cert {name}.pem --key {name}.key"


PEERS: Mapping[str, tuple[Peer, str, str]] = {
    "storescp": (Storescp(), "", "echo"),
    "Orthanc": (Orthanc(), "", "echo"),
    "pynetdicom": (Pynetdicom(client_auth=ssl.CERT_REQUIRED), "", "echo"),
    "s_server": (SServer(client_auth=True), f" {BRIEFLY}", "association"),
}  # fmt: skip  # a table


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("peer", PEERS)
def test_certificate_is_required(bench: Bench, peer: str, version: str) -> None:
    """With TLS 1.3 the peer says so after the handshake."""
    started, briefly, reaches = PEERS[peer]
    arguments = f"{NOBODY} {VERSIONS[version]}{briefly}"
    says = ("the peer requires a client certificate, and we sent none",)
    assert_hint_works(Failure(started, arguments, REQUIRED, "peer", GIVE_ONE, GOOD, says=says, reaches=reaches), bench)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("peer", "client", "fact"),
    [
        ("storescp", "other_client", "unknown_ca"),
        ("storescp", "expired", "; our own: the certificate expired on"),
        ("storescp", "server_purpose", "not made for a TLS client"),
        ("Orthanc", "other_client", "it does not know who issued it"),
        ("pynetdicom", "other_client", "it does not know who issued it"),
        ("pynetdicom", "expired", "; our own: the certificate expired on"),
        ("s_server", "other_client", "none of those that the peer names"),
        ("s_server", "server_purpose", "not made for a TLS client"),
    ],
)  # fmt: skip  # a table
def test_certificate_is_refused(bench: Bench, peer: str, version: str, client: str, fact: str) -> None:
    """For its issuer, its dates, its purpose; what is wrong with it is said."""
    started, briefly, reaches = PEERS[peer]
    arguments = f"{ours(client)} {VERSIONS[version]}{briefly}"
    failure = Failure(started, arguments, REFUSED, "peer", GIVE_ANOTHER, GOOD, says=(fact,), reaches=reaches)
    assert_hint_works(failure, bench)


MENDED = {
    "storescp is given our authority": Failure(
        Storescp(), ours("other_client"), REFUSED, "peer",
        "the peer must be given the authority that issued our certificate", mended=Storescp(("+cf", "other_ca.pem")),
    ),
    "storescp needs none": Failure(
        Storescp(client_auth="optional"), ours("other_client"), REFUSED, "peer", LEAVE_IT_OUT
    ),
    "pynetdicom needs none, TLS 1.2": Failure(
        Pynetdicom(client_auth=OPTIONAL), f"{ours('expired')} --tls-max 1.2", REFUSED, "peer", LEAVE_IT_OUT
    ),
    "pynetdicom needs none, TLS 1.3": Failure(
        Pynetdicom(client_auth=OPTIONAL), f"{ours('other_client')} --tls-min 1.3", REFUSED, "peer", LEAVE_IT_OUT
    ),
    "storescp, without a second look": Failure(
        Storescp(), f"{ours('other_client')} --no-follow-up", REFUSED, "peer", GIVE_ANOTHER, GOOD
    ),
    "EC key in place of none": Failure(
        Storescp(), f"{NOBODY} --no-follow-up", REQUIRED, "peer", GIVE_ONE,
        {"--cert": "client_ec.pem", "--key": "client_ec.key"},
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("failure", MENDED.values(), ids=MENDED)
def test_other_ways_out(bench: Bench, failure: Failure) -> None:
    """The peer may be told of our authority, or may want no certificate at all."""
    assert_hint_works(failure, bench)
