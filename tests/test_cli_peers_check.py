"""`dicomtls peers check`."""

from tests.support.peer_files import PeerFiles, peer_files
from tests.support.peers import pynetdicom_scp
from tests.support.pki import PKI, server_context
from tests.support.processes import reserved_port

__all__ = ["peer_files"]


def test_each_peer_is_probed_with_its_own_settings(peer_files: PeerFiles, pki: PKI) -> None:
    """One behind TLS, one in clear, one who is not there; the exit status is the highest."""
    with pynetdicom_scp(server_context(pki)) as tls, pynetdicom_scp() as clear, reserved_port() as nobody:
        peer_files.write(
            f'[defaults]\nca = "{pki.ca}"\ncert = "{pki.client.cert}"\nkey = "{pki.client.key}"\n'
            f'[peers.tls]\nhost = "localhost"\nport = {tls.port}\n'
            f'[peers.clear]\nhost = "localhost"\nport = {clear.port}\nno-tls = true\n'
            f'[peers.gone]\nhost = "localhost"\nport = {nobody}\n'
        )
        result = peer_files.peers("check")
        good = peer_files.peers("check", "tls", "clear", "--json")
    assert [line.partition(",")[0] for line in result.stdout.splitlines()] == [
        "tls: works",
        "clear: works",
        "gone: failed",
    ]
    assert result.exit_status == 3
    assert good.exit_status == 0
    assert [document["target"] for document in good.json_lines()] == ["tls", "clear"]


def test_nobody_to_check_is_a_mistake(peer_files: PeerFiles) -> None:
    """Without a file, without peers, with a name that is none."""
    assert "there is no configuration" in peer_files.peers("check").stderr
    peer_files.write("[defaults]\n")
    assert "there is no peer in the configuration" in peer_files.peers("check").stderr
    peer_files.write('[peers.a]\nhost = "x"\n')
    result = peer_files.peers("check", "b")
    assert result.exit_status == 2
    assert "no peer of dicomtls.toml is called b" in result.stderr
