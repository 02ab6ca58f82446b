"""`dicomtls peers` as users run it, in a folder and a home of its own."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cli import Result, run_dicomtls


@dataclass(frozen=True)
class PeerFiles:
    """Runs `dicomtls peers` in `folder`, with everything of the user below `home`."""

    folder: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """Where this user's configuration and data lie."""
        return {"XDG_CONFIG_HOME": str(self.home / "config"), "XDG_DATA_HOME": str(self.home / "data")}

    def peers(self, *arguments: str | Path) -> Result:
        """Run `dicomtls peers ARGUMENTS`."""
        return run_dicomtls("peers", *arguments, cwd=self.folder, env=self.environment)

    def write(self, text: str) -> Path:
        """A configuration in the working folder."""
        path = self.folder / "dicomtls.toml"
        path.write_text(text)
        return path


@pytest.fixture
def peer_files(tmp_path: Path) -> PeerFiles:
    """A folder and a home, both empty."""
    for name in ("work", "home"):
        (tmp_path / name).mkdir()
    return PeerFiles(tmp_path / "work", tmp_path / "home")
