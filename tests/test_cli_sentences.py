"""What commands say in the same words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dicomtls.cli.output import Output
from dicomtls.cli.sentences import join, status_word, tls_phrases, warn_of_expiry
from dicomtls.cli.text import render
from dicomtls.tls import Negotiated
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


def test_nothing_is_warned_of_without_a_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    """In clear, or when the handshake failed, there is no date."""
    warn_of_expiry(Output("echo"), None, 30)
    warn_of_expiry(Output("echo"), replace(NEGOTIATED, peer=None), 30)
    assert capsys.readouterr().err == ""
