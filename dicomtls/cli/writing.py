"""Writing the files that a user names for what a command reports: whole or not at all, and never over a device."""

import os
from pathlib import Path

from dicomtls.errors import UsageError
from dicomtls.files import machine_errors, write_file


def check_writable(path: Path, what: str) -> None:
    """Refuse a file that could not be written later, before anything is done; raises `UsageError`."""
    problem = (
        "it is a folder"
        if path.is_dir()
        else "there is no such folder"
        if not path.parent.is_dir()
        else "this user may not write there"
        if not os.access(path if _is_stream(path) else path.parent, os.W_OK)
        else None
    )
    if problem:
        msg = f"the {what} cannot be written to {path}: {problem}"
        raise UsageError(msg, hints=("name a file in a folder that is there",))


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole, or into the pipe or device that is there; raises `MachineError`."""
    if _is_stream(path):
        with machine_errors(path), path.open("wb") as stream:
            stream.write(content)
    else:
        write_file(path.resolve(), content, force=True)


def remove_file(path: Path) -> None:
    """Remove what `replace_file` wrote, if it is a file; raises `MachineError`."""
    if path.is_file():
        with machine_errors(path):
            path.unlink(missing_ok=True)


def _is_stream(path: Path) -> bool:
    return path.exists() and not path.is_file()
