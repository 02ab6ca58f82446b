"""dicomtls.cli.peers_file: which configuration is meant, and how a peer's address is written."""

from pathlib import Path

import pytest

from dicomtls.cli.peers_file import ConfigurationOptions, address_of
from dicomtls.config import Configuration, NamedPeer


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (NamedPeer("a", "pacs.example"), "pacs.example:2762"),
        (NamedPeer("a", "pacs.example", 11112, "PACS"), "PACS@pacs.example:11112"),
        (NamedPeer("a", "::1", None, None, {"no-tls": True}), "[::1]:104"),
    ],
)
def test_address_is_written_as_it_would_be_typed(peer: NamedPeer, address: str) -> None:
    """With the port that holds."""
    assert address_of(peer) == address


def test_file_is_the_one_given_or_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none yet, the user's own is to be made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("DICOMTLS_CONFIG", raising=False)
    assert ConfigurationOptions().read() == Configuration()
    assert ConfigurationOptions().file_to_write() == tmp_path / "config" / "dicomtls" / "dicomtls.toml"
    given = tmp_path / "given.toml"
    given.write_text('[peers.a]\nhost = "x"\n')
    assert [*ConfigurationOptions(config=given).read().peers] == ["a"]
    assert ConfigurationOptions(config=given).file_to_write() == given
