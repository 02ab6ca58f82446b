"""What commands say in the same words."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dicomtls.cli.output import Output
from dicomtls.cli.sentences import join, stages, status_word, tls_phrases, warn_of_expiry
from dicomtls.cli.text import render
from dicomtls.errors import Stage
from dicomtls.peer import Peer
from dicomtls.scu.attempt import Attempt
from dicomtls.tls import Negotiated
from tests.support.chains import issue
from tests.support.probes import CERTIFICATE, negotiated

PEER = replace(CERTIFICATE, not_after=datetime.now(UTC) + timedelta(days=10, hours=1))
NEGOTIATED = negotiated(peer=PEER)
UNVERIFIED = replace(NEGOTIATED, verified=False, verified_by=None)
BEGIN = "TLSv1.3, TLS_AES_256_GCM_SHA384, x25519, peer pacs.example"


@pytest.mark.parametrize(
    ("negotiated", "expected"),
    [
        (NEGOTIATED, f"{BEGIN}, verified, 10 days left"),
        (UNVERIFIED, f"{BEGIN}, not verified (--insecure), 10 days left"),
        (replace(NEGOTIATED, verified_by="pin", name_matched=False), f"{BEGIN}, verified by its pin, 10 days left"),
        (replace(NEGOTIATED, name_matched=False), f"{BEGIN}, verified but for its name, 10 days left"),
        (replace(NEGOTIATED, name_matched=None), f"{BEGIN}, verified, 10 days left"),
        (replace(NEGOTIATED, group=None, peer=replace(PEER, not_after=None)), None),
        (
            replace(UNVERIFIED, peer=None),
            "TLSv1.3, TLS_AES_256_GCM_SHA384, x25519, no peer certificate, not verified (--insecure)",
        ),
        (None, "no TLS"),
    ],
)
def test_connection_is_described_in_one_line(negotiated: Negotiated | None, expected: str | None) -> None:
    """Protocol, cipher, group, the peer's name, verified or why not, days left; what is not known is left out."""
    line = render(join(tls_phrases(negotiated)), colour=False)
    assert line == (expected or "TLSv1.3, TLS_AES_256_GCM_SHA384, peer pacs.example, verified")


@pytest.mark.parametrize(("status", "colour"), [(0, "\x1b[32m"), (0x0122, "\x1b[31m")])
def test_only_success_is_green(status: int, colour: str) -> None:
    """The number stands behind its meaning."""
    assert render((status_word(status, "said so"),), colour=True) == f"{colour}said so (0x{status:04X})\x1b[0m"


@pytest.mark.parametrize(
    ("days", "warn_days", "expected"),
    [
        (10, 11, "dicomtls: warning: the peer's certificate has 10 days left\n"),
        (10, 10, ""),
        (-1, 0, "dicomtls: warning: the peer's certificate has expired\n"),
    ],
)
def test_certificate_that_ends_soon_is_a_warning(
    days: int, warn_days: int, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Below the threshold it is said, at the threshold it is not."""
    peer = replace(PEER, not_after=datetime.now(UTC) + timedelta(days=days, hours=1))
    warn_of_expiry(Output("echo"), replace(NEGOTIATED, peer=peer), warn_days)
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (1, "dicomtls: warning: our certificate has 1 day left\n"),
        (29, "dicomtls: warning: our certificate has 29 days left\n"),
        (30, ""),
        (-1, "dicomtls: warning: our certificate has expired\n"),
    ],
)
def test_own_certificate_that_ends_soon_is_a_warning(
    days: int, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the chain that we sent, the one that ends first counts."""
    later = issue("later", ends=timedelta(days=400))
    sooner = issue("sooner", starts=timedelta(days=-9), ends=timedelta(days=days, hours=1))
    far = replace(PEER, not_after=datetime.now(UTC) + timedelta(days=400))
    for chain in ((later.der, sooner.der), (sooner.der, later.der)):
        warn_of_expiry(Output("echo"), replace(NEGOTIATED, peer=far, own_chain=chain), 30)
        assert capsys.readouterr().err == expected


def test_own_certificate_that_cannot_be_read_is_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    """OpenSSL took it."""
    warn_of_expiry(Output("echo"), replace(NEGOTIATED, peer=None, own_chain=(b"junk",)), 30)
    assert capsys.readouterr().err == ""


def attempt_with(*begun: str, negotiated: Negotiated | None = None) -> Attempt:
    """An attempt that began these stages, each of a millisecond."""
    peer = Peer("pacs.example", 2762, "PACS")
    times = dict.fromkeys(begun, 1.0)
    return Attempt(peer, "WS1", address="192.0.2.7:2762", negotiated=negotiated, timing_ms=times)


def lines_of(found: Iterator[tuple[str, str]]) -> list[str]:
    """Without the keys."""
    return [line for _, line in found]


def test_stages_are_those_that_were_begun_and_the_last_failed() -> None:
    """With fact and time; after the association nothing here has failed."""
    begun = ("resolve", "connect", "handshake", "associate")
    whole = attempt_with(*begun, negotiated=NEGOTIATED)
    lines = [
        "name: pacs.example (1.0 ms)",
        "tcp: 192.0.2.7:2762 (1.0 ms)",
        f"tls: {BEGIN}, verified, 10 days left, client certificate sent (1.0 ms)",
        "association: WS1 to PACS (1.0 ms)",
    ]
    assert lines_of(stages(whole, None)) == lines_of(stages(whole, Stage.DIMSE)) == lines
    assert lines_of(stages(whole, Stage.ASSOCIATION)) == [*lines[:3], "association: failed, WS1 to PACS (1.0 ms)"]
    refused = "association: not reached, the peer refused the handshake (1.0 ms)"
    assert lines_of(stages(whole, Stage.TLS)) == [*lines[:3], refused]
    assert lines_of(stages(attempt_with(*begun[:3]), Stage.TLS)) == [*lines[:2], "tls: failed, no handshake (1.0 ms)"]
    assert lines_of(stages(attempt_with("resolve"), Stage.NAME)) == ["name: failed, pacs.example (1.0 ms)"]
    assert lines_of(stages(attempt_with(), Stage.LOCAL)) == []


def test_nothing_is_warned_of_without_a_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    """In clear, or when the handshake failed, there is no date."""
    warn_of_expiry(Output("echo"), None, 30)
    warn_of_expiry(Output("echo"), replace(NEGOTIATED, peer=None), 30)
    assert capsys.readouterr().err == ""
