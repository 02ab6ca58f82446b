"""The test set against real peers: `openssl` as either side with the files of one case, as `index.json` has them."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import LOOPBACK, PeerProcess, require, reserved_port, running

# OpenSSL itself would not load a certificate of 1024 bits, or one signed with SHA-1, above this level.
ANY_STRENGTH = ("-cipher", "DEFAULT:@SECLEVEL=0")
_BEGIN = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class Entry:
    """One entry of an index, with paths that can be opened."""

    file: Path
    key: Path
    ca: Path
    crl: Path | None
    host: str | None
    purpose: str
    code: str | None
    title: str

    @property
    def name(self) -> str:
        """Such as `server/expired`."""
        return f"{self.purpose}/{self.file.stem}"

    @property
    def trust(self) -> tuple[str | Path, ...]:
        """The options of the side that verifies it: what it trusts, and which list it has."""
        return ("--ca", self.ca, *(() if self.crl is None else ("--crl", self.crl)))

    @property
    def own(self) -> tuple[str | Path, ...]:
        """The options of dicomtls as the side whose certificate it is."""
        return ("--cert", self.file, "--key", self.key)

    def openssl_options(self, scratch: Path) -> tuple[str | Path, ...]:
        """The same for OpenSSL, whose `-cert` reads one certificate: the rest goes into a file below `scratch`."""
        _, _, *others = self.file.read_text().split(_BEGIN)
        options: tuple[str | Path, ...] = ("-cert", self.file, "-key", self.key, *ANY_STRENGTH)
        if not others:
            return options
        rest = scratch / f"{self.purpose}-{self.file.stem}.rest.pem"
        rest.write_text("".join(_BEGIN + other for other in others))
        return (*options, "-cert_chain", rest)


def read_index(directory: Path) -> list[Entry]:
    """The entries of the test set in a folder."""
    return [
        Entry(
            directory / entry["file"],
            directory / entry["key"],
            directory / entry["ca"],
            None if entry["crl"] is None else directory / entry["crl"],
            entry["host"],
            entry["purpose"],
            entry["code"],
            entry["title"],
        )
        for entry in json.loads((directory / "index.json").read_bytes())
    ]


@contextmanager
def case_server(entry: Entry, scratch: Path) -> Iterator[PeerProcess]:
    """`openssl s_server` with the files of this case, sending exactly what is in them."""
    with reserved_port() as port:
        command = (require("openssl"), "s_server", "-accept", f"{LOOPBACK}:{port}", *entry.openssl_options(scratch))
        # With stdin at its end s_server would close each connection at once.
        with running(command, port, stdin=subprocess.PIPE) as peer:
            peer.wait_until(lambda: peer.listens_on(port), "listening port")
            yield peer
