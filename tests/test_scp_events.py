"""Events: what a server has to say."""

from dicomtls.scp.events import Event, Severity


def test_event_says_only_what_is_known() -> None:
    """A name and a message are enough; nobody is involved, and it is nothing to worry about."""
    event = Event("listening", "listening")
    assert (event.severity, event.peer, event.association, event.facts) == (Severity.INFO, None, None, {})


def test_severities_are_words() -> None:
    """They stand in logs as they are."""
    words = [str(severity) for severity in Severity]
    assert words[-4:] == ["detail", "info", "warning", "error"]
