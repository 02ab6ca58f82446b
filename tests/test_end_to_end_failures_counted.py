"""What a peer sees of one command that fails: few connections, one after the other, and Verification only."""

from pathlib import Path
from typing import Any

import pytest
from pynetdicom import evt

from tests.support.cli import run_dicomtls
from tests.support.failing import Pynetdicom, SServer, Storescp, WebServer
from tests.support.following import NOBODY, OURS, Bench, Peer, command_line, parse
from tests.support.instances import make_instance
from tests.support.proxies import Proxy, counted

VERIFICATION = "1.2.840.10008.1.1"
MOST = 12


@pytest.mark.parametrize(
    ("peer", "arguments", "fewest"),
    [
        (Storescp(("+pa",)), f"{OURS} --profile modern", 4),
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
    ids=["+pa", "+pn", "client", "plain", "expired", "name", "closes", "stops", "resets", "ALPN", "HTTP"],
)
def test_few_connections_and_never_two_at_once(bench: Bench, peer: Peer, arguments: str, fewest: int) -> None:
    """Whatever it takes to find out why; each is in the evidence."""
    with counted(bench.running(peer).port) as (server, counter):
        options = (*command_line(parse(arguments)), "--json")
        result = run_dicomtls("echo", f"localhost:{server.port}", *options, cwd=bench.pki.directory)
    assert result.exit_status == 4
    assert fewest <= counter.connections <= MOST
    assert counter.most_at_once == 1
    assert counter.connections == 1 + len(result.json()["error"]["evidence"].get("follow_up", ()))


@pytest.mark.parametrize("identity", ["wrong_name", None], ids=["behind TLS", "in clear"])
def test_nothing_but_verification_is_proposed(bench: Bench, tmp_path: Path, identity: str | None) -> None:
    """Neither a storage context nor anybody's name or title goes to a peer that is being looked at."""
    asked: list[Any] = []

    def note(event: Any) -> None:
        asked.append(event.assoc.requestor)

    peer = Pynetdicom(identity or "server", tls=identity is not None, handlers=((evt.EVT_REQUESTED, note),))
    secret = tmp_path / "password"
    secret.write_text("swordfish\n")
    user = ("--calling-aet", "WARD7", "--user", "doctor", "--user-password-file", secret)
    instance = make_instance(tmp_path / "instance.dcm", pixel_bytes=1000)
    port = bench.running(peer).port
    result = run_dicomtls(
        "store", f"localhost:{port}", instance.path, "--ca", bench.pki.ca, *user, "--json", cwd=bench.pki.directory
    )
    assert result.json()["error"]["code"] == ("name-mismatch" if identity else "peer-speaks-plain-dicom")
    # Where pynetdicom has told in clear by itself what it is, it need not be asked.
    assert len(asked) == (1 if identity else 0)
    for requestor in asked:
        assert [context.abstract_syntax for context in requestor.requested_contexts] == [VERIFICATION]
        assert requestor.primitive.calling_ae_title.strip() == "DICOMTLS"
        assert requestor.user_identity is None
