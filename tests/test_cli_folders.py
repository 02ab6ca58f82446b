"""Where this user's data lie."""

from pathlib import Path

import pytest

from dicomtls.cli.folders import data_folder


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/dicomtls"),
        ("linux", {}, "HOME/.local/share/dicomtls"),
        ("linux", {"XDG_DATA_HOME": "relative"}, "HOME/.local/share/dicomtls"),
        ("darwin", {"XDG_DATA_HOME": "/data"}, "HOME/Library/Application Support/dicomtls"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/dicomtls"),
        ("win32", {}, "HOME/AppData/Local/dicomtls"),
    ],
)
def test_folder_follows_the_customs_of_the_system(
    platform: str, variables: dict[str, str], expected: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made by asking for it."""
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert str(data_folder()) == expected.replace("HOME", str(home))
    assert not data_folder().exists()
