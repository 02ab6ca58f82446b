"""The options about the passphrase of keys that are to be written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dicomtls.cli.declaring import option
from dicomtls.cli.options.values import path_option
from dicomtls.cli.passphrase import ask_twice, passphrase_of
from dicomtls.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class NewPassphraseOptions:
    """Where the passphrase comes from under which keys and archives are encrypted; from nowhere by default."""

    passphrase_file: Annotated[
        Path | None, path_option("--passphrase-file", help="first line: the passphrase to encrypt keys with")
    ] = None
    passphrase_env: Annotated[
        str | None, option("--passphrase-env", metavar="NAME", help="environment variable with it")
    ] = None
    ask_passphrase: Annotated[bool, option("--ask-passphrase", help="ask for it on the terminal")] = False

    def secret(self) -> bytes | None:
        """Return the passphrase, None where none is wanted; raises `UsageError`, `CredentialError`."""
        given = [self.passphrase_file is not None, self.passphrase_env is not None, self.ask_passphrase]
        if sum(given) > 1:
            msg = "more than one source for the passphrase"
            raise UsageError(msg, hints=("give one of --passphrase-file, --passphrase-env and --ask-passphrase",))
        if self.ask_passphrase:
            return ask_twice()
        return passphrase_of(self.passphrase_file, self.passphrase_env)
