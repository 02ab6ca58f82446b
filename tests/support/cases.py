"""The test set against real peers: `openssl` as either side with the files of one case, as `index.json` has them."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dicomtls.certificates.cases.case import Case
from dicomtls.certificates.cases.layout import make_cases
from dicomtls.files import write_files
from tests.support.openssl import openssl
from tests.support.processes import LOOPBACK, PeerProcess, require, reserved_port, running

# OpenSSL itself would not load a certificate of 1024 bits, or one signed with SHA-1, above this level.
ANY_STRENGTH = ("-cipher", "DEFAULT:@SECLEVEL=0")
# An A-ASSOCIATE-RJ (PS3.8 section 9.3.4): transient, by the service user, no reason given.
REJECTION = bytes.fromhex("03000000000400020101")
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

    def without_crl(self) -> "Entry":
        """The same for a side that has no revocation list."""
        return replace(self, crl=None)

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
        leaf, others = self.leaf_and_others()
        first = scratch / f"{self.purpose}-{self.file.stem}.leaf.pem"
        first.write_text(leaf)
        options: tuple[str | Path, ...] = ("-cert", first, "-key", self.key, *ANY_STRENGTH)
        if not others:
            return options
        rest = scratch / f"{self.purpose}-{self.file.stem}.rest.pem"
        rest.write_text("".join(others))
        return (*options, "-cert_chain", rest)

    def leaf_and_others(self) -> tuple[str, list[str]]:
        """The certificates in PEM: what the side whose they are sends first, wherever it stands, and the others."""
        _, *found = self.file.read_text().split(_BEGIN)
        leaf = found.pop(-1 if self.file.stem == "leaf-last" else 0)
        return _BEGIN + leaf, [_BEGIN + other for other in found]


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


def write_cases(directory: Path) -> list[Entry]:
    """Make a test set in a folder."""
    contents, private = make_cases().files.below(directory)
    write_files(contents, private=private)
    return read_index(directory)


def name_of(case: Case) -> str:
    """What `Entry.name` is once the case has been written."""
    return f"{case.purpose}/{case.name}"


@contextmanager
def case_server(entry: Entry, scratch: Path) -> Iterator[PeerProcess]:
    """`openssl s_server` with the files of this case, sending exactly what is in them.

    It rejects the association of whoever gets past TLS, since it speaks no DICOM beyond that.
    """
    with reserved_port() as port:
        command = (require("openssl"), "s_server", "-accept", f"{LOOPBACK}:{port}", *entry.openssl_options(scratch))
        # With stdin at its end s_server would close each connection at once.
        with running(command, port, stdin=subprocess.PIPE) as peer:
            assert peer.process.stdin is not None
            peer.process.stdin.write(REJECTION)
            peer.process.stdin.flush()
            peer.wait_until(lambda: peer.listens_on(port), "listening port")
            yield peer


def openssl_errors(entry: Entry, scratch: Path, *options: str) -> list[tuple[int, int]]:
    """What `openssl verify` has against a case at the security level of BCP 195: errors, each with its depth.

    It goes on after most errors, so a second fault would show.
    """
    leaf, others = entry.leaf_and_others()
    first, rest = scratch / "leaf.pem", scratch / "rest.pem"
    first.write_text(leaf)
    rest.write_text("".join(others))
    crl = () if entry.crl is None else ("-crl_check", "-CRLfile", entry.crl)
    host = () if entry.host is None else ("-verify_ip" if entry.host[0].isdigit() else "-verify_hostname", entry.host)
    purpose = ("-purpose", f"ssl{entry.purpose}")
    untrusted = ("-untrusted", rest) if others else ()
    strength = ("-auth_level", "2", "-partial_chain", *options)
    done = openssl("verify", *strength, *purpose, *host, "-CAfile", entry.ca, *crl, *untrusted, first, check=False)
    found = re.findall(r"^error (\d+) at (\d+) depth lookup", done.stdout + done.stderr, re.MULTILINE)
    return [(int(error), int(depth)) for error, depth in found]
