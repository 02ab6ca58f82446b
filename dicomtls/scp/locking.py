"""Folders that a process holds for as long as it lives, so that the next one knows what it may tidy up."""

import os
from pathlib import Path

from dicomtls.files import open_flags


def lock_folder(directory: Path) -> int | None:
    """Hold a lock on a folder for as long as this process lives; None where the system has no such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        descriptor = os.open(directory, open_flags("O_RDONLY", "O_CLOEXEC"))
    except OSError:  # another user's, or gone by now
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
