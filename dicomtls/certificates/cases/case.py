"""One case of the test set, and where its files lie."""

from dataclasses import dataclass
from enum import StrEnum

from dicomtls.certificates.cases.workshop import LEAF_KEY, Authority, RevocationList


class Purpose(StrEnum):
    """Whose certificate it is: what `--purpose` of `inspect-cert` takes."""

    SERVER = "server"
    CLIENT = "client"

    @property
    def host(self) -> str | None:
        """The name to check where a case is not about names; None for clients, which are not called by a name."""
        return "localhost" if self is Purpose.SERVER else None


@dataclass(frozen=True)
class Case:
    """A chain as one side sends it, and what the other side, which trusts `ca` only, must say of it.

    `code` is an error code of dicomtls, None where the chain must pass. `chain` is DER, as it stands in the file: leaf
    first but in one case; `key` is the name of the leaf's key. `host` is the name to check, None where there is none.
    `crl` is the revocation list that the verifying side has.
    """

    name: str
    title: str
    code: str | None
    chain: tuple[bytes, ...]
    ca: Authority
    key: str = LEAF_KEY
    purpose: Purpose = Purpose.SERVER
    host: str | None = "localhost"
    crl: RevocationList | None = None

    @property
    def file(self) -> str:
        """The chain, in PEM."""
        return f"{self.purpose}/{self.name}.pem"

    @property
    def key_file(self) -> str:
        """The leaf's key."""
        return f"keys/{self.key}.key"

    @property
    def ca_file(self) -> str:
        """The trust anchor."""
        return f"ca/{self.ca.name}.pem"

    @property
    def crl_file(self) -> str | None:
        """The revocation list, if the case has one."""
        return None if self.crl is None else f"crl/{self.crl.name}.pem"

    def entry(self) -> dict[str, str | None]:
        """The case as `index.json` has it; paths are relative to the folder of the test set."""
        return {
            "file": self.file,
            "key": self.key_file,
            "ca": self.ca_file,
            "crl": self.crl_file,
            "host": self.host,
            "purpose": self.purpose,
            "code": self.code,
            "title": self.title,
        }
