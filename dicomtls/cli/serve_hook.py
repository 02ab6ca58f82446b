"""`--on-stored`: a command of the user's for each new instance, without a shell and without slowing the receiving."""

import os
import queue
import shlex
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from dicomtls.errors import UsageError
from dicomtls.scp.events import Event, Listener, Severity

if TYPE_CHECKING:
    from dicomtls.scp.services import StoreOutcome

_PLACE = "{path}"
_MOST_WAITING = 10_000


class StoredHook:
    """Runs the command for one instance after the other, in a thread of its own.

    The path stands where `{path}` is, else at the end; the environment has `DICOMTLS_PATH`,
    `DICOMTLS_SOP_CLASS_UID`, `DICOMTLS_SOP_INSTANCE_UID`, `DICOMTLS_CALLING_AET` and `DICOMTLS_CALLED_AET`.
    """

    def __init__(self, command: str, on_event: Listener) -> None:
        """Take the command apart as a shell would; raises `UsageError` where that cannot be done."""
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            msg = f"--on-stored cannot be read as a command: {str(error).lower()}"
            raise UsageError(msg) from None
        if not self._words:
            msg = "--on-stored is empty"
            raise UsageError(msg, hints=("give a command such as 'gzip {path}'",))
        if not any(_PLACE in word for word in self._words):
            self._words.append(_PLACE)
        self._on_event = on_event
        self._waiting: queue.Queue[StoreOutcome | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __call__(self, outcome: "StoreOutcome") -> None:
        """Let the command run for an instance, after those before it."""
        self._waiting.put(outcome)

    def close(self, patience: float) -> None:
        """Wait until the command has run for every instance, for `patience` seconds at most."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=patience)
            self._thread.join(patience)
        if self._thread.is_alive():
            message = f"--on-stored is too slow: stopped before {self._waiting.qsize()} instances had their turn"
            self._on_event(Event("hook-abandoned", message, Severity.WARNING))

    def _run(self) -> None:
        while (outcome := self._waiting.get()) is not None:
            if outcome.stored is not None:
                self._run_one(outcome, os.fspath(outcome.stored.path))

    def _run_one(self, outcome: "StoreOutcome", path: str) -> None:
        header = outcome.header
        environment = {
            **os.environ,
            "DICOMTLS_PATH": path,
            "DICOMTLS_SOP_CLASS_UID": header.sop_class_uid,
            "DICOMTLS_SOP_INSTANCE_UID": header.sop_instance_uid,
            "DICOMTLS_CALLING_AET": header.calling_ae_title,
            "DICOMTLS_CALLED_AET": header.called_ae_title,
        }
        words = [word.replace(_PLACE, path) for word in self._words]
        try:
            # Its output goes to stderr: stdout is for results.
            ended = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, stdout=2, check=False)  # noqa: S603 -- the user's own command
        except (OSError, ValueError) as error:  # ValueError: a NUL that a peer put into its AE title
            self._complain(path, (getattr(error, "strerror", None) or str(error)).lower())
            return
        if ended.returncode:
            self._complain(path, f"exit status {ended.returncode}")

    def _complain(self, path: str, why: str) -> None:
        message = f"--on-stored failed for {path}: {why}"
        self._on_event(Event("hook-failed", message, Severity.WARNING, facts={"path": path, "reason": why}))
