"""The configuration as the commands of `peers` see it: the file that holds, and what it says."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dicomtls.cli.options.values import path_option
from dicomtls.config import Configuration, find_file, load, user_file

if TYPE_CHECKING:
    from dicomtls.config import NamedPeer


@dataclass(frozen=True, kw_only=True)
class ConfigurationOptions:
    """Which configuration is meant."""

    config: Annotated[
        Path | None, path_option("--config", panel="Output", help="configuration, in place of dicomtls.toml")
    ] = None

    def read(self) -> Configuration:
        """The configuration that holds; raises `UsageError` where it has mistakes."""
        from dicomtls.cli.configuring import known_keys

        path = find_file(self.config)
        return load(path, known_keys()) if path is not None else Configuration()

    def file_to_write(self) -> Path:
        """Where a peer is to be written: the file that holds, else the user's own."""
        import os

        return find_file(self.config) or user_file(os.environ)


def address_of(peer: "NamedPeer") -> str:
    """[AET@]HOST:PORT, as it would be typed."""
    from dicomtls.peer import DEFAULT_PLAIN_PORT, DEFAULT_TLS_PORT, format_address

    usual = DEFAULT_PLAIN_PORT if peer.settings.get("no-tls") else DEFAULT_TLS_PORT
    title = f"{peer.ae_title}@" if peer.ae_title else ""
    return title + format_address(peer.host, peer.port or usual)
