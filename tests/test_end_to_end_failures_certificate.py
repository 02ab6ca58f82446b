"""Certificates of real peers that we refuse, each with a hint that makes the connection work: the test follows it."""

import shlex
import ssl

import pytest

from tests.support.failing import CaseServer, Orthanc, Pynetdicom, SServer, Storescp
from tests.support.following import NOBODY, OURS, Bench, Failure, assert_hint_works
from tests.support.pki import PKI, server_context

# Real peers by the dozen, each asked three times: a quarter of the whole suite's time, which `.ci/run` takes.
pytestmark = pytest.mark.slow

BRIEFLY = "--association-timeout 0.3"
STRANGER = "--ca other_ca.pem --cert client.pem --key client.key"
GIVE_THE_ISSUER = "give the certificate of the authority that issued it with --ca"
SEND_THE_CHAIN = "the peer must be set to send its whole chain"
ISSUE_IT = "must have it issued anew"
WRONG_PIN = f"--pin sha256:{'00' * 32}"


def other_for_a_name(context: ssl.SSLContext, pki: PKI) -> None:
    """A proxy with two certificates: who sends a name is shown one that is nobody's."""
    other = server_context(pki, pki.self_signed, client_auth=ssl.CERT_NONE)
    context.sni_callback = lambda tls, name, _context: setattr(tls, "context", other) if name else None


TRUST = {
    "storescp, another authority, TLS 1.2": Failure(
        Storescp(), f"{STRANGER} --tls-max 1.2", "unknown-issuer", "us", GIVE_THE_ISSUER, {"--ca": "ca.pem"},
        says=("CN=dicomtls test CA", "key identifier"),
    ),
    "storescp, another authority, TLS 1.3": Failure(
        Storescp(), f"{STRANGER} --tls-min 1.3", "unknown-issuer", "us", GIVE_THE_ISSUER, {"--ca": "ca.pem"}
    ),
    "Orthanc, another authority": Failure(
        Orthanc(), STRANGER, "unknown-issuer", "us", GIVE_THE_ISSUER, {"--ca": "ca.pem"}
    ),
    "pynetdicom, the leaf as an anchor": Failure(
        Pynetdicom(), "--ca other_ca.pem", "unknown-issuer", "us", GIVE_THE_ISSUER, {"--ca": "server.leaf.pem"}
    ),
    "s_server, no intermediate": Failure(
        SServer(("-cert", "chained.leaf.pem")), f"{NOBODY} {BRIEFLY}", "unknown-issuer", "us", SEND_THE_CHAIN,
        mended=SServer(("-cert_chain", "intermediate.pem"), identity="chained"), reaches="association",
    ),
    "s_server, no intermediate, which we have": Failure(
        SServer(("-cert", "chained.leaf.pem")), f"{NOBODY} {BRIEFLY}", "unknown-issuer", "us", GIVE_THE_ISSUER,
        {"--ca": "intermediate.pem"}, reaches="association",
    ),
    "pynetdicom, no root": Failure(
        Pynetdicom("chained"), "--ca other_ca.pem", "incomplete-chain", "us", "the missing intermediate, with --ca",
        {"--ca": "ca.pem"}, says=("CN=dicomtls test CA is missing",),
    ),
    "pynetdicom, no root, and an intermediate that is trusted": Failure(
        Pynetdicom("chained"), "--ca other_ca.pem", "incomplete-chain", "us", "the missing intermediate, with --ca",
        {"--ca": "intermediate.pem"},
    ),
    "pynetdicom, self-signed, as an anchor": Failure(
        Pynetdicom("self_signed"), NOBODY, "self-signed", "us", "give that certificate with --ca",
        {"--ca": "self_signed.pem"},
    ),
    "pynetdicom, self-signed, by its pin": Failure(
        Pynetdicom("self_signed"), NOBODY, "self-signed", "us", "has confirmed the fingerprint, give --pin"
    ),
    "storescp, self-signed, by its pin": Failure(
        Storescp(identity="self_signed"), f"{OURS} --tls-max 1.2", "self-signed", "us",
        "has confirmed the fingerprint, give --pin",
    ),
    "Orthanc, self-signed, without a second look": Failure(
        Orthanc(identity="self_signed"), f"{OURS} --no-follow-up", "self-signed", "us", "its fingerprint with --pin",
        {"--pin": "sha256:{self_signed}"},
    ),
    "storescp, another pin": Failure(
        Storescp(), f"{OURS} {WRONG_PIN}", "pin-mismatch", "us", "change --pin", {"--pin": "sha256:{server}"}
    ),
    "pynetdicom, self-signed for one name": Failure(
        Pynetdicom(adapt=other_for_a_name), NOBODY, "self-signed", "us", "without the server's name: --no-sni"
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("failure", TRUST.values(), ids=TRUST)
def test_issuer_is_not_trusted(bench: Bench, failure: Failure) -> None:
    """Anchors, intermediates, pins."""
    assert_hint_works(failure, bench)


NAMES = {
    "the name that it has": Failure(
        Pynetdicom("wrong_name"), NOBODY, "name-mismatch", "us",
        "it connects with --server-name pacs.hospital.example", says=("it has pacs.hospital.example",),
    ),
    "any name": Failure(
        Pynetdicom("wrong_name"), f"{NOBODY} --tls-max 1.2", "name-mismatch", "us",
        "check the chain alone with --no-verify-name"
    ),
    "its name, without a second look": Failure(
        Orthanc(identity="wrong_name"), f"{OURS} --no-follow-up", "name-mismatch", "us",
        "give --server-name pacs.hospital.example",
    ),
    "a name in the subject alone": Failure(
        Storescp(identity="only_common_name"), OURS, "name-mismatch", "us",
        "let the peer's certificate be issued with its name", mended=Storescp(),
        says=("only the subject CN=localhost",),
    ),
    "a name that we gave": Failure(
        Storescp(), f"{OURS} --server-name pacs.example", "name-mismatch", "us",
        "it connects with --server-name localhost",
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("failure", NAMES.values(), ids=NAMES)
def test_name_does_not_match(bench: Bench, failure: Failure) -> None:
    """Another name, no name, issued anew."""
    assert_hint_works(failure, bench)


OLD_DEVICES = "old devices: --profile bcp195-2015"
FAULTS = {
    "storescp, expired, TLS 1.2": Failure(
        Storescp(identity="expired"), f"{OURS} --tls-max 1.2", "expired", "us", "must renew it", mended=Storescp(),
        says=("expired on", "our clock says"),
    ),
    "storescp, expired, TLS 1.3": Failure(
        Storescp(identity="expired"), f"{OURS} --tls-min 1.3", "expired", "us", "must renew it", mended=Storescp()
    ),
    "Orthanc, expired": Failure(
        Orthanc(identity="expired"), OURS, "expired", "us", "must renew it", mended=Orthanc()
    ),
    "pynetdicom, not valid for some hours yet": Failure(
        Pynetdicom("valid_soon"), NOBODY, "not-yet-valid", "us", ISSUE_IT, mended=Pynetdicom(),
        says=("3 hours from now", "our clock says"),
    ),
    "pynetdicom, not valid for a month": Failure(
        Pynetdicom("not_yet_valid"), NOBODY, "not-yet-valid", "us", ISSUE_IT, mended=Pynetdicom(),
        says=("29 days from now",),
    ),
    "storescp, for clients": Failure(
        Storescp(identity="client_purpose"), OURS, "wrong-purpose", "us",
        "issued anew with the right extended key usage", mended=Storescp(),
    ),
    "pynetdicom, revoked": Failure(
        Pynetdicom("revoked"), f"{NOBODY} --crl crl.pem", "revoked", "us", ISSUE_IT, mended=Pynetdicom()
    ),
    "pynetdicom, list not current": Failure(
        Pynetdicom(), f"{NOBODY} --crl expired_crl.pem", "crl-expired", "us", "give it with --crl", {"--crl": "crl.pem"}
    ),
    "storescp, weak key": Failure(
        Storescp(identity="weak_key"), OURS, "weak-key", "us", "it must be made anew with RSA", mended=Storescp()
    ),
    "storescp, weak key, TLS 1.2": Failure(
        Storescp(identity="weak_key"), f"{OURS} --tls-max 1.2", "weak-key", "us", OLD_DEVICES
    ),
    "storescp, weak key, TLS 1.3": Failure(
        Storescp(identity="weak_key"), f"{OURS} --tls-min 1.3", "weak-key", "us", OLD_DEVICES
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("failure", FAULTS.values(), ids=FAULTS)
def test_certificate_has_a_fault(bench: Bench, failure: Failure) -> None:
    """Its dates, its purpose, its key, the lists."""
    assert_hint_works(failure, bench)


@pytest.mark.parametrize(
    ("name", "hint", "mended"),
    [
        ("weak-signature", OLD_DEVICES, None),
        ("weak-signature", "it must be issued anew with SHA-256", "good-rsa-2048"),
        ("bad-signature", ISSUE_IT, "good-rsa-2048"),
        ("unknown-critical-extension", ISSUE_IT, "good-rsa-2048"),
        ("address-as-name", "let the peer's certificate be issued with it there", "ip-address"),
        ("sha1-intermediate", OLD_DEVICES, None),
        ("not-a-ca", ISSUE_IT, "good-rsa-2048-chain"),
        ("path-length-exceeded", ISSUE_IT, "two-intermediates"),
        ("name-not-permitted", ISSUE_IT, "names-permitted"),
        ("constraint-not-known", ISSUE_IT, "good-rsa-2048-chain"),
        ("expired-intermediate", "must renew it", "good-rsa-2048-chain"),
        ("wrong-intermediate", "issued anew with the right extended key usage", "good-rsa-2048-chain"),
    ],
)
def test_case_of_the_test_set_is_mended(bench: Bench, name: str, hint: str, mended: str | None) -> None:
    """What the peer's owner has to do, or what takes an old device as it is."""
    entry = bench.case(f"server/{name}")
    assert entry.code is not None
    assert entry.host is not None
    arguments = shlex.join(map(str, ("--server-name", entry.host, *entry.trust)))
    peer = CaseServer(f"server/{mended}") if mended else None
    failure = Failure(
        CaseServer(entry.name), f"{arguments} {BRIEFLY}", entry.code, "us", hint, mended=peer, reaches="association"
    )
    assert_hint_works(failure, bench)


def test_list_that_is_missing_is_given(bench: Bench) -> None:
    """Of the authority that issued it."""
    entry, listed = bench.case("server/crl-missing"), bench.case("server/not-revoked")
    arguments = shlex.join(map(str, ("--server-name", entry.host, *entry.trust)))
    failure = Failure(
        CaseServer(entry.name),
        f"{arguments} {BRIEFLY}",
        "crl-missing",
        "us",
        "give the list of that authority with --crl",
        {"--crl": str(listed.crl)},
        reaches="association",
    )
    assert_hint_works(failure, bench)
