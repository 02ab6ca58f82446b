"""Where a server may send to."""

import pytest

from dicomtls.errors import UsageError
from dicomtls.peer import Peer
from dicomtls.scp.destinations import Destination, Destinations
from tests.support.pki import PKI
from tests.support.servers import client_tls


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WS1@ws1.example:11112", Destination(Peer("ws1.example", 11112, "WS1"))),
        ("WS1@ws1.example", Destination(Peer("ws1.example", 2762, "WS1"))),
        ("plain:WS1@ws1.example", Destination(Peer("ws1.example", 104, "WS1"), in_clear=True)),
        ("plain:WS1@[::1]:104", Destination(Peer("::1", 104, "WS1"), in_clear=True)),
    ],
)
def test_destination_is_read(text: str, expected: Destination) -> None:
    """Over TLS, unless it is written that it is not."""
    assert Destination.parse(text) == expected


@pytest.mark.parametrize("text", ["ws1.example", "", "plain:", "WS1@", "WS1@host:0", "plain:host:104", "A\\B@host"])
def test_what_is_none_is_refused(text: str) -> None:
    """With a hint of how it is written."""
    with pytest.raises(UsageError) as caught:
        Destination.parse(text)
    assert caught.value.hints


def test_destinations_are_found_by_their_titles(pki: PKI) -> None:
    """And nobody else is."""
    known = Destination.parse("WS1@127.0.0.1:11112")
    destinations = Destinations([known], client_tls(pki))
    assert destinations.find("WS1") is known
    assert destinations.find("WS2") is None
    assert Destinations().find("WS1") is None


def test_two_destinations_of_one_title_are_refused() -> None:
    """Nobody could say which is meant."""
    twice = [Destination.parse("plain:WS1@a"), Destination.parse("plain:WS1@b")]
    with pytest.raises(UsageError, match="two move destinations"):
        Destinations(twice)


def test_destination_over_tls_needs_tls() -> None:
    """It is never spoken to in clear for want of a certificate."""
    with pytest.raises(UsageError) as caught:
        Destinations([Destination.parse("WS1@host:2762")], None)
    assert "plain:WS1@host:2762" in caught.value.hints[0]


def test_requestor_has_tls_unless_in_clear(pki: PKI) -> None:
    """Under the name that we are called by."""
    plain, secure = Destination.parse("plain:A@127.0.0.1"), Destination.parse("B@127.0.0.1")
    destinations = Destinations([plain, secure], client_tls(pki))
    clear, encrypted = (destinations.requestor(one, "ARCHIVE", None) for one in (plain, secure))
    assert clear.ssl_context is None
    assert encrypted.ssl_context is not None
    assert encrypted.settings.calling_ae_title == "ARCHIVE"
    assert encrypted.peer.called_ae_title == "B"


@pytest.mark.parametrize("title", ["", "A\\B", "\\xe4", "\xe4"])
def test_requestor_has_our_usual_name_where_we_are_called_by_none(title: str) -> None:
    """Any called AE title is let in; one that is none could not be said to anybody."""
    destination = Destination.parse("plain:A@127.0.0.1")
    requestor = Destinations([destination]).requestor(destination, title, None)
    assert requestor.settings.calling_ae_title == "DICOMTLS"
