"""Runs `dicomtls ARGS` in a Python that lacks what Windows, macOS or both lack: `python elsewhere.py SYSTEM ARGS`.

The names are taken away before anything of dicomtls is imported, so that whatever relies on one of them fails here too.
"""

import os
import select
import signal
import socket
import sys
from typing import Any

EVERYWHERE_BUT_LINUX = {
    os: (
        *("preadv", "pwritev", "memfd_create", "MFD_CLOEXEC", "sched_getaffinity", "posix_fallocate", "eventfd"),
        *("O_TMPFILE", "O_PATH"),
    ),
    socket: ("TCP_QUICKACK", "SOCK_CLOEXEC", "SOCK_NONBLOCK", "MSG_NOSIGNAL"),
    select: ("epoll",),
}
ONLY_WITH_POSIX = {
    os: (
        *("readv", "writev", "pread", "pwrite", "sendfile"),
        *("O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY", "O_NONBLOCK", "O_NOCTTY", "O_SYNC", "O_DSYNC"),
        *("fchmod", "fchown", "chown", "lchown", "fork", "forkpty", "getuid", "geteuid", "getgid", "getegid"),
        *("killpg", "setsid", "fdatasync", "statvfs", "fstatvfs", "uname", "WIFSIGNALED", "WTERMSIG", "posix_fadvise"),
    ),
    socket: ("SO_REUSEPORT", "CMSG_SPACE", "MSG_DONTWAIT", "SCM_RIGHTS"),
    select: ("poll",),
    signal: ("SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGALRM", "pthread_kill", "setitimer"),
}
POSIX_MODULES = ("fcntl", "grp", "pwd", "resource", "syslog", "termios", "tty")
SYSTEMS = {"macos": (EVERYWHERE_BUT_LINUX,), "windows": (EVERYWHERE_BUT_LINUX, ONLY_WITH_POSIX)}


def take_away(system: str) -> None:
    """Make this process look like one of that system, as far as what the standard library has there goes."""
    for names in SYSTEMS[system]:
        for module, lacking in names.items():
            for name in lacking:
                if hasattr(module, name):
                    delattr(module, name)
    if system == "windows":
        sys.modules.update(dict.fromkeys(POSIX_MODULES))  # type: ignore[arg-type]  # None forbids the import
        _link_without_following()
        os.supports_dir_fd.clear()
        os.supports_fd.discard(os.scandir)
        sys.modules.pop("shutil", None)  # it decides when it is loaded how to walk through folders


def _link_without_following() -> None:
    """Windows cannot say whether a hard link is to follow a symbolic one."""
    real = os.link

    def link(source: Any, target: Any, *, follow_symlinks: bool = True) -> None:
        if not follow_symlinks:
            raise NotImplementedError
        real(source, target)

    os.supports_follow_symlinks.discard(real)
    os.link = link  # type: ignore[assignment]  # it takes no descriptors of folders


if __name__ == "__main__":
    take_away(sys.argv.pop(1))
    from dicomtls.__main__ import main

    sys.exit(main())
