"""Peers that were trusted when they were met for the first time, and their pins: one readable file, a line for each.

As SSH keeps its known hosts (RFC 4251 section 4.1): safe against whoever comes later, not against whoever was there
first. A line is HOST:PORT, the pin of the certificate, the day and the subject, between tabs.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

from dicomtls.errors import CredentialError
from dicomtls.files import alone_in, machine_errors, write_files
from dicomtls.peer import format_address

FILE_NAME: Final = "known-peers.txt"
"""Of the file in its folder."""
_HEADER: Final = (
    "# dicomtls: peers trusted when they were met first; without its line a peer is met for the first time again"
)
_LARGEST: Final = 8 << 20
_DIGITS: Final = 64
_FIELDS: Final = 4


@dataclass(frozen=True)
class Remembered:
    """A peer and the certificate that it showed.

    `address` is HOST:PORT, `pin` as `--pin` takes it, `since` the day of the first meeting (YYYY-MM-DD, UTC).
    """

    address: str
    pin: str
    since: str
    subject: str


class RememberedPeers:
    """The file in a folder; several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path: Final = folder / FILE_NAME

    def all(self) -> list[Remembered]:
        """Everybody who is remembered; raises `CredentialError` where the file is damaged or cannot be read."""
        try:
            with self.path.open("rb") as file:
                content = file.read(_LARGEST + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            self._refuse((error.strerror or str(error)).lower())
        if len(content) > _LARGEST:
            self._refuse("it is too large")
        lines = content.decode("utf-8", "replace").splitlines()
        return [self._parse(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]

    def pin_of(self, host: str, port: int) -> str | None:
        """The pin of a peer, None for one that was never met; raises as `all` does."""
        address = _address(host, port)
        return next((one.pin for one in self.all() if one.address == address), None)

    def remember(self, host: str, port: int, fingerprint: str, subject: str) -> None:
        """Keep the certificate of a peer; `fingerprint` is its SHA-256 in hexadecimal.

        Raises as `all` does, `MachineError`, and `UsageError` where another process keeps the file for ten seconds.
        Whoever met the peer at the same time and saw another certificate is contradicted: `CredentialError`.
        """
        address, pin = _address(host, port), f"sha256:{fingerprint}"
        with machine_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        with alone_in(self._folder, "the remembered peers"):
            known = self.all()
            other = next((one for one in known if one.address == address), None)
            if other is not None and other.pin != pin:
                msg = f"{address} was met with two certificates at once: {other.pin} and {pin}"
                raise CredentialError(msg, code="configuration", hints=(f"forget it: dicomtls peers forget {address}",))
            if other is None:
                shown = "".join(one if one.isprintable() else "?" for one in subject)
                self._write([*known, Remembered(address, pin, f"{datetime.now(UTC):%Y-%m-%d}", shown)])

    def forget(self, host: str, port: int) -> bool:
        """Take a peer's line away; says whether there was one. Raises as `remember` does."""
        address = _address(host, port)
        if not any(one.address == address for one in self.all()):
            return False
        with alone_in(self._folder, "the remembered peers"):
            known = self.all()
            left = [one for one in known if one.address != address]
            if len(left) != len(known):
                self._write(left)
            return len(left) != len(known)

    def _write(self, known: Iterable[Remembered]) -> None:
        lines = (f"{one.address}\t{one.pin}\t{one.since}\t{one.subject}" for one in known)
        content = "".join(f"{line}\n" for line in (_HEADER, *lines)).encode()
        write_files({self.path: content}, replaced=(self.path,))

    def _parse(self, number: int, line: str) -> Remembered:
        parts = line.split("\t")
        if len(parts) != _FIELDS or not _is_pin(parts[1]):
            self._refuse(f"line {number} is not HOST:PORT, sha256:HEX, a day and a subject, between tabs")
        return Remembered(*parts)

    def _refuse(self, reason: str) -> NoReturn:
        msg = f"cannot read the remembered peers in {self.path}: {reason}"
        raise CredentialError(msg, hints=("mend the line, or take it away to meet that peer for the first time again",))


def _address(host: str, port: int) -> str:
    """However the host is spelled: `PACS.example.` is `pacs.example`, and `0:0::1` is `::1` (RFC 5952)."""
    name = host.casefold().removesuffix(".")
    if ":" in name:
        from ipaddress import IPv6Address  # 3 ms that only such an address is to cost

        with suppress(ValueError):  # nobody's address; connecting will say so
            name = str(IPv6Address(name))
    return format_address(name, port)


def _is_pin(text: str) -> bool:
    digest = text.removeprefix("sha256:")
    return digest != text and len(digest) == _DIGITS and set(digest) <= set("0123456789abcdef")
