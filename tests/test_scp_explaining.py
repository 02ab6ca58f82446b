"""dicomtls.scp.explaining: why a connection failed, from the server's side."""

import json
import threading
from pathlib import Path

import pytest

from dicomtls.association.reasons import PresentationReason, RejectSource, UserReason
from dicomtls.errors import (
    AssociationAborted,
    AssociationRejected,
    AssociationTimeout,
    HandshakeError,
    PeerExpectsTLS,
)
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.scp import explaining
from dicomtls.scp.explaining import as_facts, explain_failure, hints_for, rejection_facts
from dicomtls.tls import TLSSettings
from dicomtls.tls.hello import ClientHello
from tests.support.certificates import make_certificate
from tests.support.pki import PKI

UNKNOWN_CA = 19


def refused(pki: PKI) -> HandshakeError:
    """A client certificate of another authority."""
    chain = (pki.other_client.cert_der.read_bytes(),)
    return HandshakeError("no", HandshakeFacts(role="server", verify_code=UNKNOWN_CA, chain_der=chain))


def aborted(closed: str | None) -> AssociationAborted:
    """An association that ended by itself, or with an A-ABORT (None)."""
    error = AssociationAborted("the peer went away", source=None if closed else 0)
    error.evidence["closed"] = closed
    return error


def test_refused_certificate_is_looked_at_whole(pki: PKI) -> None:
    """All findings, and whose certificate it is at the end."""
    diagnosis = explain_failure(refused(pki), TLSSettings(ca=(pki.ca,), crl=(pki.crl,)))
    assert diagnosis.code == "unknown-issuer"
    assert "; besides: " in diagnosis.message
    assert "; its certificate: CN=other client, issued by CN=another test CA, valid " in diagnosis.message
    assert "findings" in diagnosis.evidence


def test_many_clients_with_bad_certificates_do_not_wait_for_each_other_for_long(
    pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one is looked at for too long, the others are told what OpenSSL said; the next is looked at again."""
    monkeypatch.setattr(explaining, "_PATIENCE_SECONDS", 0.01)
    settings = TLSSettings(ca=(pki.ca,))
    busy = threading.Lock()
    monkeypatch.setattr(explaining, "_LOOKING", busy)
    with busy:
        quick = explain_failure(refused(pki), settings)
    assert (quick.code, "findings" in quick.evidence) == ("unknown-issuer", False)
    assert "findings" in explain_failure(refused(pki), settings).evidence
    assert not busy.locked()


def test_files_that_are_gone_leave_the_verdict(pki: PKI, tmp_path: Path) -> None:
    """The trust anchors may be replaced at that very moment."""
    diagnosis = explain_failure(refused(pki), TLSSettings(ca=(tmp_path / "gone.pem",)))
    assert (diagnosis.code, "findings" in diagnosis.evidence) == ("unknown-issuer", False)


def test_alert_after_the_handshake_is_the_clients_refusal() -> None:
    """A client that looks at our certificate late; the name that it called us by is known all the same."""
    facts = HandshakeFacts(
        role="server",
        reason="TLSV1_ALERT_UNKNOWN_CA",
        after_handshake=True,
        client_hello=ClientHello(server_name="pacs.example").encode()[4:],
    )
    diagnosis = explain_failure(HandshakeError("no", facts), TLSSettings())
    assert (diagnosis.code, diagnosis.by) == ("alert-unknown_ca", "peer")
    assert diagnosis.message.endswith("it does not know who issued it; it calls us pacs.example")


def test_long_stories_are_cut(pki: PKI) -> None:
    """A stranger's certificate may have a subject of any length, and its hello thousands of suites."""
    endless = make_certificate(subject="x" * 20_000)
    hello = ClientHello(suites=tuple(range(0x2000, 0x3000)), server_name="y" * 9000).encode()[4:]
    facts = HandshakeFacts(role="server", verify_code=UNKNOWN_CA, chain_der=(endless,), client_hello=hello)
    diagnosis = explain_failure(HandshakeError("no", facts), TLSSettings(ca=(pki.ca,)))
    assert len(diagnosis.message) < 1300
    assert diagnosis.message.endswith(" and so on")
    written = json.dumps(as_facts(diagnosis))
    assert len(written) < 20_000
    assert "unknown-issuer" in written


@pytest.mark.parametrize(("closed", "word"), [("eof", "closed"), ("reset", "reset")])
def test_client_that_left_early_is_told_from_an_abort(closed: str, word: str) -> None:
    """Before it asked for anything; an A-ABORT, and whatever came later, keep their own words."""
    early = explain_failure(aborted(closed), None, is_associated=False)
    assert early.message == f"the client {word} the connection before it asked for an association"
    for other in (
        explain_failure(aborted(closed), None),
        explain_failure(aborted(None), None, is_associated=False),
    ):
        assert other.message == "the peer went away"
        assert other.hints == hints_for("association-aborted")
    assert early.by == "peer"


def test_hints_are_an_operators() -> None:
    """None proposes an option of a client."""
    for error in (AssociationTimeout("no"), PeerExpectsTLS("no"), aborted("eof")):
        hints = as_facts(explain_failure(error, None))["hints"]
        assert hints == list(hints_for(error.code))
        assert hints
    assert hints_for("expired") == ()


@pytest.mark.parametrize(
    ("source", "reason", "option"),
    [
        (RejectSource.SERVICE_USER, UserReason.CALLING_AE_TITLE_NOT_RECOGNIZED, "--allow"),
        (RejectSource.SERVICE_USER, UserReason.CALLED_AE_TITLE_NOT_RECOGNIZED, "--aet"),
        (
            RejectSource.SERVICE_PROVIDER_PRESENTATION,
            PresentationReason.LOCAL_LIMIT_EXCEEDED,
            "--max-associations",
        ),
        (RejectSource.SERVICE_USER, UserReason.NO_REASON_GIVEN, None),
    ],
)
def test_rejection_is_ours_and_names_the_option(source: int, reason: int, option: str | None) -> None:
    """Where an option would change it."""
    facts = rejection_facts(AssociationRejected("no", result=1, source=source, reason=reason))
    assert (facts["code"], facts["stage"], facts["by"]) == ("association-rejected", "association", "us")
    hints = " ".join(facts["hints"])  # type: ignore[arg-type]  # a list
    assert (option in hints) if option else hints == ""
