"""The configuration as the commands of `peers` see it: the file that holds, and what it says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dicomtls.cli.options.values import path_option
from dicomtls.config import Configuration, find_file, load, user_file


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
