"""dicomtls.cli.peers_file: which configuration is meant."""

from pathlib import Path

import pytest

from dicomtls.cli.peers_file import ConfigurationOptions
from dicomtls.config import Configuration


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
