"""Locks on folders."""

import os
from pathlib import Path

from dicomtls.scp.locking import lock_folder


def test_folder_is_locked_once(tmp_path: Path) -> None:
    """Until whoever has it lets go."""
    lock = lock_folder(tmp_path)
    assert lock is not None
    assert lock_folder(tmp_path) is None
    os.close(lock)
    again = lock_folder(tmp_path)
    assert again is not None
    os.close(again)


def test_folder_that_is_not_there_has_no_lock(tmp_path: Path) -> None:
    """Nor has it an error."""
    assert lock_folder(tmp_path / "gone") is None
