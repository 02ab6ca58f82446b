"""A CA folder made by `certgen`, and its commands run within this process."""

import json
from pathlib import Path
from typing import Any

import pytest

from dicomtls.certificates.authority import Authority
from dicomtls.cli.app import main

EC = "ec:p256"


@pytest.fixture
def certgen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> "Certgen":
    """A CA in its folder, and the commands."""
    return Certgen(tmp_path, capsys)


class Certgen:
    """Runs `dicomtls certgen …`; `ca` is a root in a folder of its own, with an EC key."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.ca = directory / "ca"
        self._capsys = capsys
        self.run("ca", "--name", "Clinic", "--out", self.ca, "--key-type", EC)

    def run(self, *arguments: str | Path, status: int = 0) -> str:
        """Run a command to this exit status; returns what it wrote on both streams."""
        assert main(["certgen", *map(str, arguments)]) == status, self._capsys.readouterr().err
        said = self._capsys.readouterr()
        return said.out + said.err

    def document(self, *arguments: str | Path, status: int = 0) -> dict[str, Any]:
        """Run a command with `--json`."""
        assert main(["certgen", *map(str, arguments), "--json"]) == status
        found: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return found

    def issue(self, name: str, *arguments: str | Path) -> Path:
        """A leaf for `name.example`, with an EC key, beside the CA's folder; returns its certificate's path."""
        base = ("--ca-dir", self.ca, "--name", name, "--key-type", EC, "--out", self.directory)
        self.run("issue", *base, *(arguments or ("--host", f"{name}.example")))
        return self.directory / f"{name}.pem"

    def authority(self) -> Authority:
        """The CA as the library has it."""
        return Authority.load(self.ca, None)

    def files(self, folder: Path | None = None) -> set[str]:
        """The names of all files below a folder."""
        root = folder or self.directory
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
