"""Where a passphrase comes from: a file, an environment variable, or a question on the terminal."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from dicomtls.cli.text import visible
from dicomtls.errors import CredentialError, UsageError

_LONGEST = 4096
"""Bytes; what is longer is not a passphrase but the wrong file."""


def passphrase_source(file: Path | None, variable: str | None) -> Callable[[Path], bytes | None]:
    """Return what gives the passphrase of an encrypted file, asked for only when it is needed.

    Without a file and a variable the user is asked, once for each encrypted file and only on a terminal; None where
    there is none. What is returned raises `UsageError` and `CredentialError`.
    """
    if file is None and variable is None:
        return _Prompt()
    return _Given(file, variable)


def passphrase_of(file: Path | None, variable: str | None) -> bytes | None:
    """Return the passphrase from the file or the environment variable; raises `UsageError`, `CredentialError`."""
    if file is not None:
        return read_secret(file, "passphrase")
    return _from_environment(variable) if variable is not None else None


def ask_twice() -> bytes:
    """Ask for a new passphrase on the terminal, twice; raises `UsageError` where there is none or the two differ."""
    if not _has_terminal():
        msg = "there is no terminal to ask for the passphrase on"
        raise UsageError(msg, hints=("give it with --passphrase-file or --passphrase-env",))
    first, second = _typed("new passphrase: "), _typed("the same again: ")
    if first != second or not first:
        msg = "the passphrase is empty" if not first and not second else "the two passphrases differ"
        raise UsageError(msg)
    return first


def read_secret(path: Path, what: str) -> bytes:
    """Return the first line of a file, without its end; raises `CredentialError`, which never shows the content."""
    line = read_limited(path, what, _LONGEST).partition(b"\n")[0].removesuffix(b"\r")
    if not line:
        msg = f"the {what} file {path} has an empty first line"
        raise CredentialError(msg)
    return line


def read_limited(path: Path, what: str, longest: int) -> bytes:
    """Return the content of a small file, which may be a pipe; raises `CredentialError`."""
    try:
        with path.open("rb") as stream:
            content = stream.read(longest + 1)
    except OSError as error:
        msg = f"cannot read the {what} file {path}: {(error.strerror or str(error)).lower()}"
        raise CredentialError(msg) from error
    if len(content) > longest:
        msg = f"the {what} file {path} has more than {longest} bytes"
        raise CredentialError(msg)
    return content


def _from_environment(variable: str) -> bytes:
    value = os.environ.get(variable)
    if value is None:
        msg = f"the environment variable {variable} is not set"
        raise UsageError(msg, hints=("--passphrase-env takes the name of a variable, not a passphrase",))
    return os.fsencode(value)


class _Given:
    """Reads the file or the variable once: it may be a pipe, and a failure is looked at with further contexts."""

    def __init__(self, file: Path | None, variable: str | None) -> None:
        self._file = file
        self._variable = variable
        self._answer: bytes | None = None

    def __call__(self, _path: Path) -> bytes | None:
        if self._answer is None:
            self._answer = passphrase_of(self._file, self._variable)
        return self._answer


class _Prompt:
    """Asks on the terminal, at most once for each file."""

    def __init__(self) -> None:
        self._answers: dict[Path, bytes | None] = {}

    def __call__(self, path: Path) -> bytes | None:
        if path not in self._answers:
            self._answers[path] = _ask(path)
        return self._answers[path]


def _ask(path: Path) -> bytes | None:
    if not _has_terminal():
        return None
    return _typed(f"passphrase for {visible(str(path))}: ")


def _typed(prompt: str) -> bytes | None:
    """What is typed without being shown, None at an end of file (Ctrl-D)."""
    from getpass import getpass

    try:
        return getpass(prompt).encode()
    except EOFError:
        sys.stderr.write("\n")  # the cursor still stands behind the question
        return None
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise
    except UnicodeError:
        msg = "the passphrase that was typed is not text in the terminal's encoding"
        raise UsageError(msg, hints=("give it with --passphrase-file",)) from None


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
