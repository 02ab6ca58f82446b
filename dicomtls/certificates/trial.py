"""Doing in a child process, with little time, what a hostile file may have made expensive."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from dicomtls.certificates.quiet import quiet

CPU_SECONDS = 1
"""An archive with 1.3 million iterations, the most that OWASP asks for, in each of its derivations takes half of it."""
SECONDS = 60
"""By the clock: a lock that another thread held when the child was made is never given back there."""


def ends_in_time(action: Callable[[], object]) -> bool:
    """Whether `action` ends, however it does, before it has used a second of a processor, or a minute has gone by.

    True where this system knows no such limits, and where no process can be made.
    """
    try:
        import resource
    except ImportError:  # Windows
        return True
    try:
        with quiet():  # about other threads: the child uses none of their locks
            child = os.fork()
    except OSError:
        return True
    if child == 0:
        with suppress(BaseException):
            # A core file would hold what was decrypted.
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            action()
        os._exit(0)  # nothing of the parent's may run twice
    _, status = os.waitpid(child, 0)
    return not (os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL, signal.SIGALRM})
