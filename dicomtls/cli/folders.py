"""Where this user's data lie, by the customs of each system."""

import os
import sys
from pathlib import Path


def data_folder() -> Path:
    """The folder for what dicomtls keeps between runs; it may not be there yet."""
    if sys.platform == "win32":
        return _from("LOCALAPPDATA", "AppData/Local") / "dicomtls"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "dicomtls"
    return _from("XDG_DATA_HOME", ".local/share") / "dicomtls"


def _from(variable: str, otherwise: str) -> Path:
    given = os.environ.get(variable, "")
    # The XDG specification wants relative paths ignored.
    return Path(given) if Path(given).is_absolute() else Path.home() / otherwise
