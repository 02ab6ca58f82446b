"""`dicomtls peers forget`."""

from dicomtls.tls.remembered import RememberedPeers
from tests.support.peer_files import PeerFiles, peer_files

__all__ = ["peer_files"]


def test_peer_is_forgotten_by_address_or_name(peer_files: PeerFiles) -> None:
    """And only that one."""
    peer_files.write('[peers.pacs]\nhost = "h"\nport = 11112\n')
    known = RememberedPeers(peer_files.home / "data" / "dicomtls")
    for host, port in (("h", 11112), ("other", 2762), ("stays", 1)):
        known.remember(host, port, "a" * 64, "x")
    assert "forgotten: h:11112" in peer_files.peers("forget", "pacs").stdout
    assert peer_files.peers("forget", "other").exit_status == 0
    assert [one.address for one in known.all()] == ["stays:1"]


def test_stranger_cannot_be_forgotten(peer_files: PeerFiles) -> None:
    """It is said, since a wrong port is a likely mistake."""
    result = peer_files.peers("forget", "pacs")
    assert result.exit_status == 2
    assert "pacs:2762 is not remembered" in result.stderr
