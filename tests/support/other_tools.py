"""The lines of DCMTK, dcm4che, OpenSSL and keytool that README, docs/ and the program show."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicomtls.cli.quick_start import lines_to_type
from dicomtls.cli.text import render
from tests.support.peers import require
from tests.support.source import REPOSITORY

DOCUMENTS = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
DCMTK = ("echoscu", "findscu", "storescp", "storescu")
# What turns TLS on in dcm4che 5.35; its --tls12 and --tls13 only choose among what is on (CLIUtils.configureTLS).
DCM4CHE_TLS = frozenset({"--tls", "--tls-null", "--tls-3des", "--tls-aes", "--tls-cipher"})
# Of those that we show; `-b [AET[@IP]:]PORT`, and a colon without a title before it is an error.
DCM4CHE = DCM4CHE_TLS | {
    "-b",
    "-c",
    "--key-store",
    "--key-store-pass",
    "--tls12",
    "--trust-store",
    "--trust-store-pass",
}
_SPAN = re.compile(r"`([^`\n]+)`")
_ROW = re.compile(r"^\| (?:DCMTK|dcm4che|OpenSSL): `([^`]+)`[^|]*\| (.*) \|$", re.MULTILINE)


def shown() -> list[list[str]]:
    """Every line of another tool, as words."""
    texts = [span for page in DOCUMENTS for span in _SPAN.findall(page.read_text(encoding="utf-8"))]
    for key_type in ("rsa:2048", "ec:p256", "ed25519"):
        lines = lines_to_type(Path("pki"), "localhost", key_type=key_type, encrypted=False)
        texts += [render(line, colour=False).strip() for line in lines]
    words = [shlex.split(text) for text in texts if text.startswith((*DCMTK, "openssl ", "keytool "))]
    return [line for line in words if len(line) > 1]


def is_dcm4che(words: Sequence[str]) -> bool:
    """Its tools have the names of DCMTK's."""
    return words[0] in DCMTK and any(word.startswith("--") for word in words)


def options_of(words: Sequence[str]) -> Iterator[str]:
    """The options of a line, without their values."""
    yield from (word for word in words[1:] if re.fullmatch(r"--?[a-zA-Z][\w-]*|\+[a-z]+", word))


def options_in_help(words: Sequence[str]) -> set[str]:
    """Those that the program says it has; of OpenSSL and keytool, what the command has."""
    program, *rest = words
    asked = {"openssl": [*rest[:1], "-help"], "keytool": [*rest[:1], "-help"]}.get(program, ["--help"])
    done = subprocess.run([require(program), *asked], capture_output=True, encoding="utf-8", timeout=50, check=False)
    listed = re.findall(r"^ +([-+][\w-]+)(?: +(--[\w-]+))?", done.stdout + done.stderr, re.MULTILINE)
    return {option for pair in listed for option in pair if option} | set(rest[:1] if program == "keytool" else ())


@dataclass(frozen=True)
class Row:
    """What was typed there, and what is typed here."""

    there: str
    here: list[str]

    @property
    def program(self) -> str:
        """The other one."""
        return self.there.split()[0]

    @property
    def name(self) -> str:
        """Short, for a test."""
        return "_".join(self.there.split()[:2])

    @property
    def is_anonymous(self) -> bool:
        """Without a certificate of the client's."""
        return "+tla" in self.there

    def at(self, port: int) -> list[str]:
        """All its lines, with a server on this machine in the peer's place; names to be checked stay."""
        return [_at(port, text) for text in (self.there, *self.here)]


def _at(port: int, text: str) -> str:
    text = re.sub(r"(dicomtls [\w-]+ (?:\w+@)?)pacs\b(?::2762)?", rf"\1localhost:{port}", text)
    return text.replace("pacs:2762", f"localhost:{port}").replace("pacs 2762", f"localhost {port}")


def rows() -> list[Row]:
    """README's table for those who come from another tool."""
    text = DOCUMENTS[0].read_text(encoding="utf-8")
    return [Row(there, _SPAN.findall(here)) for there, here in _ROW.findall(text)]
