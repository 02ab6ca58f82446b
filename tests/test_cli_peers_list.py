"""`dicomtls peers list`."""

from dicomtls.remembered import RememberedPeers
from tests.support.peer_files import PeerFiles, peer_files

__all__ = ["peer_files"]


def test_peers_are_shown_with_what_holds_for_each(peer_files: PeerFiles) -> None:
    """Defaults and their own, in text and as a document."""
    path = peer_files.write(
        '[defaults]\nca = ["a.pem", "b.pem"]\nno-sni = true\n[peers.pacs]\nhost = "h"\naet = "P"\nprofile = "aes"\n'
    )
    said = peer_files.peers("list").stdout
    assert said.splitlines()[:2] == [f"{path.name}: 1 peer", "pacs  P@h:2762"]
    assert "ca = a.pem, b.pem" in said
    assert "no-sni = true" in said
    assert "profile = aes" in said
    document = peer_files.peers("list", "--json").json()
    (peer,) = document["peers"]
    assert (document["ok"], document["file"], document["remembered"]) == (True, "dicomtls.toml", [])
    assert (peer["name"], peer["host"], peer["port"], peer["aet"]) == ("pacs", "h", None, "P")
    assert peer["settings"] == {"ca": ["a.pem", "b.pem"], "no-sni": True, "profile": "aes"}


def test_remembered_peers_are_shown_too(peer_files: PeerFiles) -> None:
    """With their pins."""
    RememberedPeers(peer_files.home / "data" / "dicomtls").remember("pacs", 2762, "a" * 64, "CN=pacs")
    said = peer_files.peers("list").stdout
    assert "no configuration: dicomtls peers add makes one" in said
    assert f"pacs:2762  sha256:{'a' * 64}  since " in said
    assert peer_files.peers("list", "--json").json()["remembered"][0]["address"] == "pacs:2762"


def test_broken_configuration_is_told(peer_files: PeerFiles) -> None:
    """With its line."""
    peer_files.write("[defaults]\nprofil = 1\n")
    result = peer_files.peers("list")
    assert result.exit_status == 2
    assert "'profil' is not a key of [defaults] (line 2)" in result.stderr
