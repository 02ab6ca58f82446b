"""The reading of hints itself: what the other tests of failures rely on, and that they would notice a useless hint."""

from dataclasses import replace

import pytest

from tests.support.failing import Pynetdicom
from tests.support.following import NOBODY, Bench, Failure, Options, assert_hint_works, follow, named_hint, parse

GIVEN = "--ca ca.pem --cert a.pem --key a.key --tls-max 1.2 --no-sni --calling-aet WARD7"


@pytest.mark.parametrize(
    ("hint", "added", "removed"),
    [
        ("it connects with --profile modern", {"--profile": ["modern"]}, []),
        ("it connects with --profile modern, and leave out --tls-max", {"--profile": ["modern"]}, ["--tls-max"]),
        ("it connects without --tls-max and --no-sni", {}, ["--tls-max", "--no-sni"]),
        ("it connects without our certificate: leave out --cert and --key", {}, ["--cert", "--key"]),
        ("it shows another without the server's name: --no-alpn", {"--no-alpn": []}, []),
        ("give that certificate with --ca", {"--ca": ["ca.pem", "other.pem"]}, []),
        ("or give --pin sha256:00ff", {"--pin": ["sha256:00ff"]}, []),
        ("let somebody else do it", {}, []),
        (
            "with --no-tls, in place of the other TLS options",
            {"--no-tls": []},
            ["--ca", "--cert", "--key", "--tls-max", "--no-sni"],
        ),
    ],
)
def test_hint_is_followed_by_its_words(hint: str, added: Options, removed: list[str]) -> None:
    """What it names is given, what it says to leave out is not."""
    before = parse(GIVEN)
    expected = {name: values for name, values in before.items() if name not in removed} | added
    assert follow(hint, before, {"--ca": "other.pem"}) == expected


@pytest.mark.parametrize(
    "hint", ["give it with --crl too", "give it with --crl", "try --no-such-option", "leave out --insecure"]
)
def test_hint_that_cannot_be_followed_fails(hint: str) -> None:
    """An option without a value, one that there is not, one that was not given."""
    with pytest.raises(AssertionError):
        follow(hint, parse(GIVEN), {})


def test_alternatives_of_a_hint_are_told_apart() -> None:
    """By "or"."""
    hints = ["give --pin, or the missing one, with --ca", "or check the chain alone"]
    assert named_hint(hints, "the missing one") == "the missing one, with --ca"
    assert named_hint(hints, "check the chain") == "check the chain alone"
    with pytest.raises(AssertionError, match="no hint says"):
        named_hint(hints, "--profile bcp195")


def test_useless_hint_is_noticed(bench: Bench) -> None:
    """The same failure with a value, or with a peer, that does not help."""
    hint = "give the certificate of the authority that issued it with --ca"
    good = Failure(Pynetdicom(), "--ca other_ca.pem", "unknown-issuer", "us", hint, {"--ca": "ca.pem"})
    assert_hint_works(good, bench)
    for useless in (replace(good, values={"--ca": "self_signed.pem"}), replace(good, mended=Pynetdicom("expired"))):
        with pytest.raises(AssertionError):
            assert_hint_works(useless, bench)


def test_success_is_no_failure(bench: Bench) -> None:
    """There is nothing to be explained."""
    with pytest.raises(AssertionError, match="it works"):
        assert_hint_works(Failure(Pynetdicom(), NOBODY, "expired", "us", "must renew it"), bench)
