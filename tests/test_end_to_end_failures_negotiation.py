"""Failures of versions and suites with real peers, each with a hint that makes it work: the test follows it."""

import ssl
import warnings

import pytest

from tests.support.failing import Pynetdicom, SServer, Storescp
from tests.support.following import NOBODY, OURS, Bench, Failure, assert_hint_works
from tests.support.pki import PKI

# Real peers by the dozen, each asked three times: a quarter of the whole suite's time, which `.ci/run` takes.
pytestmark = pytest.mark.slow

# s_server speaks no DICOM: what counts is that it is not TLS any more that fails.
BRIEFLY = "--association-timeout 0.3"
PROTOCOL, CIPHER = "no-shared-protocol", "no-shared-cipher"

STORESCP = {
    # The non-downgrading profile, DCMTK's default: TLS 1.2 and 1.3 with DHE and ECDHE.
    "+py with aes": Failure(
        Storescp(("+py",)), f"{OURS} --profile aes", CIPHER, "peer", "it connects with --profile bcp195"
    ),
    "+py with aes at TLS 1.0": Failure(
        Storescp(("+py",)),
        f"{OURS} --profile aes --tls-max 1.0",
        PROTOCOL,
        "peer",
        "it connects with --profile bcp195, and leave out --tls-max",
        says=("the peer speaks TLSv1.3 and TLSv1.2", "we offer TLSv1 at most"),
    ),
    "+py with suites for EC": Failure(
        Storescp(("+py",)),
        f"{OURS} --tls-max 1.2 --ciphers ECDHE-ECDSA-AES256-GCM-SHA384",
        CIPHER,
        "peer",
        "it connects without --tls-max and --ciphers",
    ),
    # The profile that goes down to TLS 1.0.
    "+px with suites for EC": Failure(
        Storescp(("+px",)),
        f"{OURS} --profile aes --ciphers ECDHE-ECDSA-AES256-SHA",
        CIPHER,
        "peer",
        "it connects with --profile bcp195, and leave out --ciphers",
    ),
    # The extended profile, at TLS 1.2 only.
    "+pz with modern": Failure(
        Storescp(("+pz",)), f"{OURS} --profile modern", PROTOCOL, "peer", "it connects with --profile bcp195"
    ),
    "+pz with TLS 1.3": Failure(
        Storescp(("+pz",)), f"{OURS} --tls-min 1.3", PROTOCOL, "peer", "it connects without --tls-min"
    ),
    "+pz with aes": Failure(
        Storescp(("+pz",)), f"{OURS} --profile aes", CIPHER, "peer", "it connects with --profile bcp195"
    ),
    # The retired AES profile.
    "+pa with bcp195": Failure(
        Storescp(("+pa",)), OURS, CIPHER, "peer", "it connects with --profile bcp195-2015", says=("AES_128_CBC_SHA",)
    ),
    "+pa with bcp195-modified": Failure(
        Storescp(("+pa",)), f"{OURS} --profile bcp195-modified", CIPHER, "peer",
        "it connects with --profile bcp195-2015",
    ),
    "+pa with modern": Failure(
        Storescp(("+pa",)), f"{OURS} --profile modern", PROTOCOL, "peer", "it connects with --profile bcp195-2015"
    ),
    "+pa, set to another": Failure(
        Storescp(("+pa",)),
        OURS,
        CIPHER,
        "peer",
        "better: let the peer be set to the profile bcp195",
        mended=Storescp(("+py",)),
    ),
    # Nothing would be encrypted: nobody is told to do that.
    "+pn with bcp195": Failure(
        Storescp(("+pn",)), OURS, CIPHER, "peer", "let the peer be set to a profile that encrypts",
        mended=Storescp(("+py",)), says=("it encrypts nothing",),
    ),
    "+pn with modern": Failure(
        Storescp(("+pn",)), f"{OURS} --profile modern", PROTOCOL, "peer",
        "let the peer be set to a profile that encrypts", mended=Storescp(("+py",)),
    ),
    "+pn with aes": Failure(
        Storescp(("+pn",)), f"{OURS} --profile aes", CIPHER, "peer", "let the peer be set to a profile that encrypts",
        mended=Storescp(("+px",)),
    ),
    "one suite by name": Failure(
        Storescp(("+pa", "+cs", "TLS_RSA_WITH_AES_256_CBC_SHA256")),
        f"{OURS} --tls-min 1.2 --tls-max 1.2",
        CIPHER,
        "peer",
        "it connects with",
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("failure", STORESCP.values(), ids=STORESCP)
def test_storescp_has_nothing_in_common(bench: Bench, failure: Failure) -> None:
    """Every security profile that DCMTK has against ours that does not fit."""
    assert_hint_works(failure, bench)


S_SERVER = {
    "only TLS 1.0": Failure(
        SServer(("-tls1", "-cipher", "ALL:@SECLEVEL=0")),
        f"{NOBODY} {BRIEFLY}",
        PROTOCOL,
        "peer",
        "it connects with --profile",
        says=("the peer speaks TLSv1 at most",),
        reaches="association",
    ),
    "only TLS 1.1": Failure(
        SServer(("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")),
        f"{NOBODY} {BRIEFLY}",
        PROTOCOL,
        "peer",
        "it connects with --profile",
        says=("the peer speaks TLSv1.1 at most",),
        reaches="association",
    ),
    "only TLS 1.2": Failure(
        SServer(("-tls1_2",)), f"{NOBODY} {BRIEFLY} --tls-min 1.3", PROTOCOL, "peer", "without --tls-min",
        reaches="association",
    ),
    "only TLS 1.3": Failure(
        SServer(("-tls1_3",)), f"{NOBODY} {BRIEFLY} --tls-max 1.2", PROTOCOL, "peer", "without --tls-max",
        reaches="association",
    ),
    "only TLS 1.3, and an old profile": Failure(
        SServer(("-tls1_3",)), f"{NOBODY} {BRIEFLY} --profile aes", PROTOCOL, "peer", "with --profile bcp195",
        reaches="association",
    ),
    "one suite without forward secrecy": Failure(
        SServer(("-tls1_2", "-cipher", "AES256-SHA")), f"{NOBODY} {BRIEFLY}", CIPHER, "peer",
        "it connects with --ciphers TLS_RSA_WITH_AES_256_CBC_SHA", reaches="association",
    ),
    "one suite, and an owner who changes it": Failure(
        SServer(("-tls1_2", "-cipher", "AES256-SHA")), f"{NOBODY} {BRIEFLY}", CIPHER, "peer",
        "let the peer be set to the profile bcp195", mended=SServer(("-tls1_2",)), reaches="association",
    ),
    "a key that none of its suites is for": Failure(
        SServer(("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), identity="server_ec"), f"{NOBODY} {BRIEFLY}",
        CIPHER, "peer", "let the peer be given a certificate with an RSA key",
        mended=SServer(("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")), says=("it refuses whatever is offered",),
        reaches="association",
    ),
    "ChaCha20": Failure(
        SServer(("-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305")), f"{NOBODY} {BRIEFLY}", CIPHER, "peer",
        "it connects with --profile bcp195-modified", reaches="association",
    ),
    "DHE": Failure(
        SServer(("-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384")), f"{NOBODY} {BRIEFLY}", CIPHER, "peer",
        "it connects with --profile atna", reaches="association",
    ),
    "another protocol's name": Failure(
        SServer(("-alpn", "h2")), f"{NOBODY} {BRIEFLY}", "alert-no_application_protocol", "peer",
        "it connects with --no-alpn", reaches="association",
    ),
    "another server's name": Failure(
        SServer(("-servername", "pacs.example", "-servername_fatal", "-cert2", "server.pem", "-key2", "server.key")),
        f"{NOBODY} {BRIEFLY}", "alert-unrecognized_name", "peer", "it connects with --no-sni", reaches="association",
    ),
    "another server's name, which is known": Failure(
        SServer(("-servername", "pacs.example", "-servername_fatal", "-cert2", "server.pem", "-key2", "server.key")),
        f"{NOBODY} {BRIEFLY} --no-verify-name --no-follow-up", "alert-unrecognized_name", "peer",
        "send one that it answers to with --server-name", values={"--server-name": "pacs.example"},
        reaches="association",
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("failure", S_SERVER.values(), ids=S_SERVER)
def test_s_server_has_nothing_in_common(bench: Bench, failure: Failure) -> None:
    """One version, one suite, one name."""
    assert_hint_works(failure, bench)


def one_suite(name: str) -> "Pynetdicom":
    """pynetdicom with one suite at TLS 1.2."""
    return Pynetdicom(protocol=ssl.TLSVersion.TLSv1_2, adapt=_Suite(name))


class _Suite:
    """Chooses a suite; two of the same name are equal."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Suite) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __call__(self, context: ssl.SSLContext, _pki: PKI) -> None:
        context.set_ciphers(self.name)


def one_group(context: ssl.SSLContext, _pki: PKI) -> None:
    """An elliptic curve that few offer."""
    context.set_ecdh_curve("brainpoolP512r1")


def old(context: ssl.SSLContext, _pki: PKI) -> None:
    """TLS 1.1 at most, as it was."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is, and devices have it
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1


PYNETDICOM = {
    "TLS 1.1": Failure(
        Pynetdicom(adapt=old), NOBODY, PROTOCOL, "peer",
        "it connects with --profile bcp195-2015", says=("the peer speaks TLSv1.1 at most",),
    ),
    "TLS 1.2": Failure(
        Pynetdicom(protocol=ssl.TLSVersion.TLSv1_2), f"{NOBODY} --profile modern", PROTOCOL, "peer",
        "it connects with --profile bcp195",
    ),
    "TLS 1.3": Failure(
        Pynetdicom(protocol=ssl.TLSVersion.TLSv1_3), f"{NOBODY} --profile bcp195-2015-ex", PROTOCOL, "peer",
        "it connects with --profile bcp195",
    ),
    "CAMELLIA": Failure(
        one_suite("CAMELLIA128-SHA"), NOBODY, CIPHER, "peer",
        "it connects with --ciphers TLS_RSA_WITH_CAMELLIA_128_CBC_SHA",
    ),
    "EC key": Failure(
        Pynetdicom(identity="server_ec", protocol=ssl.TLSVersion.TLSv1_2), f"{NOBODY} --profile bcp195-2015-nd",
        CIPHER, "peer", "it connects with --profile bcp195",
    ),
    "one group at TLS 1.3": Failure(
        Pynetdicom(protocol=ssl.TLSVersion.TLSv1_3, adapt=one_group), NOBODY, CIPHER, "peer",
        "suites and groups that fit", mended=Pynetdicom(protocol=ssl.TLSVersion.TLSv1_3),
        says=("it refuses whatever is offered",),
    ),
    "one group at TLS 1.2": Failure(
        Pynetdicom(protocol=ssl.TLSVersion.TLSv1_2, adapt=one_group), NOBODY, CIPHER, "peer",
        "the peer must be set to a group that everybody has", mended=Pynetdicom(protocol=ssl.TLSVersion.TLSv1_2),
        says=("none of the groups",),
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("failure", PYNETDICOM.values(), ids=PYNETDICOM)
def test_pynetdicom_has_nothing_in_common(bench: Bench, failure: Failure) -> None:
    """Any context that Python can make."""
    assert_hint_works(failure, bench)
