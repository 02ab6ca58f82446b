"""Who is asked for the passphrase of a file that turns out to be encrypted."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from dicomtls.errors import CredentialError

Passphrase: TypeAlias = Callable[[Path], bytes | None]
"""Asked with the file's path, only when that file turns out to be encrypted; None: there is no passphrase."""


def ask(path: Path, passphrase: Passphrase | None) -> bytes:
    """Return the passphrase of an encrypted file; raises `CredentialError` (`passphrase-needed`) where nobody has it.

    Whatever `passphrase` itself raises comes through.
    """
    answer = None if passphrase is None else passphrase(path)
    if answer is None:
        msg = f"{path} is encrypted, and there is no passphrase"
        hints = ("give the passphrase with --passphrase-file PATH or --passphrase-env NAME",)
        raise CredentialError(msg, code="passphrase-needed", hints=hints, evidence={"path": str(path)})
    return answer
