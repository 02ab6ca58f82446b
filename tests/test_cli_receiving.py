"""The server that a command runs while it lasts; users meet it in test_cli_move and test_end_to_end_commit."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dicomtls.cli.output import Output
from dicomtls.cli.receiving import receiving
from dicomtls.errors import AssociationRejected, HandshakeError, MachineError, NetworkError
from dicomtls.peer import Peer
from dicomtls.scp.server import Server
from dicomtls.scu import AssociationSettings
from dicomtls.scu.echo import echo
from dicomtls.tls import TLSSettings
from tests.support.pki import PKI
from tests.support.processes import LOOPBACK
from tests.support.servers import client_tls, server_tls


@contextmanager
def running(
    tls: TLSSettings | None, client_auth: str = "required", port: int = 0, max_associations: int = 2
) -> Iterator[Server]:
    """A server of ours that keeps nothing, under the AE title WS1."""
    with receiving(
        Output("store"),
        lambda settings, certificates: Server(settings, certificates, None, on_event=lambda _event: None),
        "WS1",
        (LOOPBACK, port),
        client_auth,
        tls=tls,
        association=AssociationSettings(),
        max_associations=max_associations,
    ) as server:
        yield server


def test_it_is_there_under_our_ae_title_for_as_long_as_the_block(pki: PKI, capsys: pytest.CaptureFixture[str]) -> None:
    """For those only who show a certificate; the user is told what the archive must know."""
    settings = AssociationSettings()
    with running(server_tls(pki)) as server:
        peer = Peer(LOOPBACK, server.port, "WS1")
        echo(peer, client_tls(pki), settings).check()
        with pytest.raises(AssociationRejected):
            echo(Peer(LOOPBACK, server.port, "OTHER"), client_tls(pki), settings)
        with pytest.raises(HandshakeError):
            echo(peer, TLSSettings(ca=(pki.ca,)), settings)
    with pytest.raises(NetworkError):
        echo(peer, client_tls(pki), settings)
    said = capsys.readouterr().err
    assert f"over TLS on port {peer.port}: the archive must know WS1" in said
    assert "warning" not in said


def test_in_clear_there_is_nothing_to_show(capsys: pytest.CaptureFixture[str]) -> None:
    """As the command speaks with the archive."""
    with running(None) as server:
        echo(Peer(LOOPBACK, server.port, "WS1"), None, AssociationSettings()).check()
    assert "receiving in clear" in capsys.readouterr().err


def test_without_a_certificate_one_is_made_and_named(
    pki: PKI,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """For the archive to pin; it need not show one of its own where that is said."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
    with running(TLSSettings(ca=(pki.ca,)), "none") as server:
        pin = capsys.readouterr().err.partition("sha256:")[2][:64]
        echo(Peer(LOOPBACK, server.port, "WS1"), TLSSettings(pins=(pin,)), AssociationSettings()).check()


def test_certificate_for_clients_only_is_warned_of(pki: PKI, capsys: pytest.CaptureFixture[str]) -> None:
    """Archives that verify it refuse it."""
    with running(client_tls(pki)):
        pass
    assert "is not made for a server" in capsys.readouterr().err


def test_port_in_use_is_our_machines_fault(pki: PKI) -> None:
    """Before anything is sent."""
    with running(server_tls(pki)) as server, pytest.raises(MachineError) as caught, running(None, port=server.port):
        pass
    assert caught.value.code == "port-in-use"
