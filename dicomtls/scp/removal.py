"""Whether a kept file was removed, or is out of reach only: on a disk that is not mounted, behind a link to nowhere."""

import os
from stat import S_ISDIR
from typing import Final

_MOST_KNOWN: Final = 10_000


class Removal:
    """Tells of files below the folder `root` that are missing there; for one look at them, since it remembers folders.

    An empty folder may be one that a disk is to be mounted on, so nothing is said to have been removed from it. Raises
    `OSError` where the root itself cannot be looked at.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._device = os.stat(root).st_dev  # noqa: PTH116 -- plain strings, as in `storage`
        self._speaks: dict[str, bool] = {"": True}

    def is_of(self, place: str) -> bool:
        """Whether the file at this path below the root was removed: False where it is there, or may be again."""
        folder = place.rpartition("/")[0]
        try:
            os.lstat(f"{self._root}/{place}")
        except FileNotFoundError:
            return self._is_to_be_believed(folder)
        except OSError:  # no folder on the way to it, or none that we may enter
            return False
        return False

    def _is_to_be_believed(self, folder: str) -> bool:
        """Whether what a folder does not have is nowhere."""
        if folder not in self._speaks:
            if len(self._speaks) >= _MOST_KNOWN:
                self._speaks = {"": True}
            self._speaks[folder] = self._look_at(folder)
        return self._speaks[folder]

    def _look_at(self, folder: str) -> bool:
        path, above = f"{self._root}/{folder}", folder.rpartition("/")[0]
        try:
            status = os.lstat(path)
            is_ours = S_ISDIR(status.st_mode) and status.st_dev == self._device
            return is_ours and _has_entries(path) and self._is_to_be_believed(above)
        except FileNotFoundError:  # removed itself, if the one above it can tell
            return self._is_to_be_believed(above)
        except OSError:
            return False


def _has_entries(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return next(entries, None) is not None
