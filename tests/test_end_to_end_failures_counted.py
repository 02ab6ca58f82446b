"""What a peer sees of one echo that fails: few connections, one after the other, and Verification only."""

from collections.abc import Sequence

import pytest
from pynetdicom import evt
from pynetdicom.events import Event

from tests.support.failing import Pynetdicom, SServer, Storescp, WebServer
from tests.support.following import NOBODY, OURS, Bench, Peer, parse, command_line
from tests.support.cli import run_dicomtls
from tests.support.proxies import Proxy, counted
from tests.support.processes import LOOPBACK

VERIFICATION = "1.2.840.10008.1.1"
MOST = 12

pytestmark = pytest.mark.filterwarnings(
    # pynetdicom's reactor may fail over the end of our connection while it is being shut down itself.
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)


@pytest.mark.parametrize(
    ("peer", "arguments", "fewest"),
    [
        (Storescp(("+pa",)), f"{OURS} --profile modern", 3),
        (Storescp(("+pn",)), OURS, 3),
        (Storescp(), "--ca ca.pem --cert other_client.pem --key other_client.key", 2),
        (Storescp(tls=False), OURS, 2),
        (Storescp(identity="expired"), OURS, 2),
        (Pynetdicom("wrong_name"), NOBODY, 2),
        (Proxy(Pynetdicom(), 0), NOBODY, 4),
        (Proxy(Pynetdicom(), -1), NOBODY, 4),
        (Proxy(Pynetdicom(), 40, resets=True), NOBODY, 4),
        (SServer(("-alpn", "h2")), f"{NOBODY} --association-timeout 0.3", 2),
        (WebServer(), NOBODY, 1),
    ],
    ids=lambda value: type(value).__name__ if callable(value) else None,
)  # fmt: skip  # a table
def test_few_connections_and_never_two_at_once(bench: Bench, peer: Peer, arguments: str, fewest: int) -> None:
    """Whatever it takes to find out why."""
    with counted(bench.running(peer).port) as counter:
        result = run_dicomtls(
            "echo", f"localhost:{counter.server.port}", *command_line(parse(arguments)), "--json",
            cwd=bench.pki.directory,
        )  # fmt: skip
        connections = counter.server.connections
    assert result.exit_status == 4
    assert fewest <= connections <= MOST
    assert counter.most_at_once == 1
    assert connections == 1 + len(result.json()["error"]["evidence"].get("follow_up", ()))
