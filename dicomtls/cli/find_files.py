"""The folder that `find --output` fills: one DICOM file for each match, as it came over the wire."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from dicomtls.dataset import encode_file_meta
from dicomtls.errors import UsageError
from dicomtls.files import machine_errors, open_flags

if TYPE_CHECKING:
    from dicomtls.scu.query import Match

_DIGITS: Final = 6


class MatchFolder:
    """Files with numbers for names, from 000001.dcm on: nothing that a peer sent is in them."""

    def __init__(self, path: Path, sop_class: str) -> None:
        """Make the folder; raises `UsageError` where it holds matches already, and `MachineError`."""
        self._path = path
        self._sop_class = sop_class
        self._count = 0
        if path.exists() and not path.is_dir():
            msg = f"{path} is no folder"
            raise UsageError(msg, hints=("name a folder with --output; it is made where it is missing",))
        with machine_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            if any(path.glob("[0-9]" * _DIGITS + "*.dcm")):
                msg = f"{path} holds matches already"
                raise UsageError(msg, hints=("choose another folder with --output",))

    def add(self, match: "Match") -> None:
        """Write one match whole, or not at all; raises `MachineError`.

        As an identifier is no instance, the file bears the SOP class of the query, and a UID of its own.
        """
        self._count += 1
        name = f"{self._count:0{_DIGITS}}.dcm"
        target, temporary = self._path / name, self._path / f".dicomtls-{name}.new"
        meta = encode_file_meta(self._sop_class, f"2.25.{uuid4().int}", match.transfer_syntax)
        with machine_errors(target):
            try:
                descriptor = os.open(temporary, open_flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_CLOEXEC"), 0o666)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(meta + match.dataset)
                temporary.rename(target)
            except BaseException:  # KeyboardInterrupt too: nothing half written may stay
                temporary.unlink(missing_ok=True)
                raise
