"""dicomtls.diagnosis.alerts: every alert says what it means, to either side."""

import pytest

from dicomtls.diagnosis import diagnose
from dicomtls.diagnosis.alerts import CERTIFICATE_ALERTS, alert_hints, alert_message
from dicomtls.errors import HandshakeError
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.tls.transcript import ALERTS


@pytest.mark.parametrize("alert", ALERTS.values())
@pytest.mark.parametrize("role", ["client", "server"])
def test_alert_is_named_and_something_can_be_done(alert: str, role: str) -> None:
    """By its RFC spelling; what has no meaning here stands alone."""
    facts = HandshakeFacts(role=role, alert_received=alert)
    assert alert in alert_message(alert, facts)
    assert alert_hints(alert, facts)


@pytest.mark.parametrize("alert", sorted(CERTIFICATE_ALERTS.keys() - {"handshake_failure"}))
def test_server_is_told_that_its_certificate_was_refused(alert: str) -> None:
    """Which of our clients does not trust us, and why; to a client the same alert is about its own."""
    server = diagnose(HandshakeError("x", HandshakeFacts(role="server", alert_received=alert)))
    assert server.code == f"alert-{alert}"
    assert server.message.startswith(f"the client refused our certificate with the alert {alert}: ")
    client = diagnose(HandshakeError("x", HandshakeFacts(alert_received=alert, client_certificate="sent")))
    assert client.message.startswith(f"the peer refused our client certificate with the alert {alert}: ")


@pytest.mark.parametrize(
    ("alert", "client", "server"),
    [
        ("unknown_ca", "given the authority that issued our certificate", "given the certificate of the authority"),
        ("certificate_expired", "certgen renew", "certgen renew"),
        ("certificate_revoked", "certgen issue", "certgen issue"),
        ("unsupported_certificate", "one for a client", "one for a server"),
        ("access_denied", "must be set to let it in", "must be set to trust it"),
    ],
)
def test_refused_certificate_is_mended_as_the_alert_asks(alert: str, client: str, server: str) -> None:
    """Who takes it for expired knows its authority well."""
    ours = diagnose(HandshakeError("x", HandshakeFacts(alert_received=alert, client_certificate="sent")))
    theirs = diagnose(HandshakeError("x", HandshakeFacts(role="server", alert_received=alert)))
    assert client in ours.hints[0]
    assert ours.hints[-1] == "or give another one with --cert and --key"
    assert server in theirs.hints[0]


@pytest.mark.parametrize(
    ("alert", "option"), [("unrecognized_name", "--no-sni"), ("no_application_protocol", "--no-alpn")]
)
def test_alert_about_an_extension_names_the_option(alert: str, option: str) -> None:
    """The first hint is what to try."""
    assert option in diagnose(HandshakeError("x", HandshakeFacts(alert_received=alert))).hints[0]


def test_unknown_alert_stays_as_it_is() -> None:
    """Nothing is made up."""
    assert alert_message("199", HandshakeFacts()) == "the peer ended the handshake with the alert 199"
