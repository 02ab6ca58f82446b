"""`python -m dicomtls.cli.completion_scripts DIRECTORY`: writes the scripts of all shells, for `completions/`."""

import sys
from pathlib import Path

from dicomtls.cli.app import COMMANDS
from dicomtls.cli.completion import script

FILE_NAMES = {"bash": "dicomtls.bash", "zsh": "_dicomtls", "fish": "dicomtls.fish", "powershell": "dicomtls.ps1"}
"""As each shell wants its file to be called."""


def write_scripts(directory: Path) -> None:
    """Write one script for each shell into the folder, which is made where it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    for shell, name in FILE_NAMES.items():
        (directory / name).write_text(script(COMMANDS, shell), encoding="utf-8")


if __name__ == "__main__":
    write_scripts(Path(sys.argv[1]))
