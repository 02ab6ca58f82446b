"""dicomtls.cli.options.peer: who is meant by what was written."""

import pytest

from dicomtls.cli.options.peer import KnownPeers
from dicomtls.config import Configuration, NamedPeer
from dicomtls.errors import UsageError
from dicomtls.peer import Peer

KNOWN = KnownPeers(
    configuration=Configuration(
        peers={
            "pacs": NamedPeer("pacs", "pacs.example", None, "PACS"),
            "ct": NamedPeer("ct", "::1", 11112),
            "long": NamedPeer("long", "x", None, "A" * 17),
        }
    )
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pacs", Peer("pacs.example", 2762, "PACS")),
        ("ct", Peer("::1", 11112, "ANY-SCP")),
        ("ct:104", Peer("ct", 104, "ANY-SCP")),
        ("AET@host", Peer("host", 2762, "AET")),
    ],
)
def test_name_of_the_configuration_comes_first(text: str, expected: Peer) -> None:
    """What is none is an address."""
    assert KNOWN.address(text) == expected


def test_default_port_is_that_of_the_command() -> None:
    """A name without a port has it too."""
    assert KNOWN.address("pacs", 104).port == KNOWN.address("host", 104).port == 104


@pytest.mark.parametrize(("text", "error"), [("host:0", "port 0"), ("long", "AE title"), ("::1", "brackets")])
def test_nobody_is_refused(text: str, error: str) -> None:
    """Before any connection."""
    with pytest.raises(UsageError, match=error):
        KNOWN.address(text)
