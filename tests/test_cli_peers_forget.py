"""`dicomtls peers forget`."""

from dicomtls.remembered import RememberedPeers
from tests.support.cli import run_dicomtls
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


def test_shell_completes_who_is_remembered(peer_files: PeerFiles) -> None:
    """And the names of the configuration; a damaged file is no more than nobody."""
    peer_files.write('[peers.pacs]\nhost = "h"\n')
    known = RememberedPeers(peer_files.home / "data" / "dicomtls")
    known.remember("h", 11112, "a" * 64, "CN=h")
    assert completed(peer_files, "") == ["h:11112", "pacs"]
    assert completed(peer_files, "h:") == ["h:11112"]
    known.path.write_bytes(b"\xff damaged")
    assert completed(peer_files, "") == ["pacs"]


def completed(peer_files: PeerFiles, begun: str) -> list[str]:
    """What fish is told, without the explanations."""
    asked = {"_DICOMTLS_COMPLETE": "complete_fish", "_DICOMTLS_COMPLETE_LINE": f"dicomtls peers forget {begun}"}
    answer = run_dicomtls(cwd=peer_files.folder, env={**peer_files.environment, **asked})
    return [line.partition("\t")[0] for line in answer.stdout.splitlines() if not line.startswith("-")]


def test_stranger_cannot_be_forgotten(peer_files: PeerFiles) -> None:
    """It is said, since a wrong port is a likely mistake."""
    result = peer_files.peers("forget", "pacs")
    assert result.exit_status == 2
    assert "pacs:2762 is not remembered" in result.stderr
