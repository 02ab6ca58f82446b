"""The TCP connection: from a name to a connected socket, within one deadline (PS3.8 section 9.1)."""

import errno
import os
import socket
import threading
from collections.abc import Sequence
from time import monotonic
from typing import TypeAlias

from dicomtls.errors import By, MachineError, NetworkError, Stage
from dicomtls.peer import format_address
from dicomtls.waiting import Interrupt, Waiter

Address: TypeAlias = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]

_REFUSED = frozenset({errno.ECONNREFUSED})
_IN_PROGRESS = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN})


def resolve(host: str, port: int, deadline: float, interrupt: Interrupt | None = None) -> list[Address]:
    """Return the addresses of `host`, in the resolver's order.

    A lookup cannot be interrupted, so it runs in a thread of its own, which is left behind when the deadline
    passes. Raises `NetworkError` (`name-not-found`, `connect-timeout`).
    """
    numeric = _numeric(host, port)
    if numeric is not None:
        return [numeric]
    lookup = _Lookup(host, port)
    threading.Thread(target=lookup.run, name=f"resolve {host}", daemon=True).start()
    try:
        Waiter(lookup.done, interrupt).readable(deadline)
    except TimeoutError:
        msg = f"no answer from the name service for {host} in time"
        raise NetworkError(
            msg,
            code="connect-timeout",
            stage=Stage.NAME,
            hints=("check the name server of this machine, or give an IP address",),
        ) from None
    finally:
        lookup.done.close()
    return lookup.result()


class _Lookup:
    """One name lookup; `done` becomes readable at its end."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._addresses: list[Address] = []
        self._error: OSError | UnicodeError | None = None
        self.done, self._finished = socket.socketpair()

    def run(self) -> None:
        try:
            # As bytes a name needs no IDNA codec, which takes 3 ms to import.
            host = self._host.encode() if self._host.isascii() else self._host
            found = socket.getaddrinfo(host, self._port, type=socket.SOCK_STREAM)
            self._addresses = [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]  # typeshed's address is the union over all families
        except (OSError, UnicodeError) as error:  # UnicodeError: a label of over 63 characters
            self._error = error
        self._finished.close()

    def result(self) -> list[Address]:
        if self._error is None:
            return self._addresses
        msg = f"the name {self._host} cannot be resolved"
        raise NetworkError(
            msg,
            code="name-not-found",
            stage=Stage.NAME,
            hints=("check the spelling and the name server, or give an IP address",),
            evidence={"reason": str(self._error)},
        ) from self._error


def _numeric(host: str, port: int) -> Address | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):  # ValueError: a NUL inside
            continue
        return (family, (host, port)) if family == socket.AF_INET else (family, (host, port, 0, 0))
    return None


def connect(addresses: Sequence[Address], deadline: float, interrupt: Interrupt | None = None) -> socket.socket:
    """Connect to the first address that answers and return a non-blocking socket without Nagle's algorithm.

    What is left of the time is shared out among the addresses not tried yet, so that one that swallows packets
    cannot use up all of it. Raises `NetworkError` (`connection-refused`, `unreachable`, `connect-timeout`).
    """
    failure: NetworkError | None = None
    for number, address in enumerate(addresses):
        remaining = deadline - monotonic()
        try:
            return _connect_one(address, monotonic() + remaining / (len(addresses) - number), interrupt)
        except NetworkError as error:
            # A refusal says more than silence: somebody is there.
            if failure is None or error.code == "connection-refused":
                failure = error
    if failure is None:
        msg = "the name has no address"
        raise NetworkError(msg, code="name-not-found", stage=Stage.NAME, hints=("give an IP address",))
    raise failure


def _connect_one(address: Address, deadline: float, interrupt: Interrupt | None) -> socket.socket:
    family, target = address
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:  # EMFILE, or a family that this machine lacks
        raise _network_error(error.errno or 0, target) from error
    try:
        code = _connect_to(sock, target, deadline, interrupt)
    except TimeoutError:
        code = errno.ETIMEDOUT
    except OSError as error:
        code = error.errno or errno.EINVAL
    except BaseException:  # an interrupt
        sock.close()
        raise
    if code:
        sock.close()
        raise _network_error(code, target)
    return sock


def _connect_to(
    sock: socket.socket,
    target: tuple[str, int] | tuple[str, int, int, int],
    deadline: float,
    interrupt: Interrupt | None,
) -> int:
    """Connect without blocking; returns 0 or the error's number."""
    sock.setblocking(False)  # noqa: FBT003 -- the standard library's own signature
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    code = sock.connect_ex(target)
    if code not in _IN_PROGRESS:
        return code
    Waiter(sock, interrupt).writable(deadline)
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    # A refusal has another number: this peer accepted, and reset at once. Whoever reads or writes next will say so.
    return 0 if code == errno.ECONNRESET else code


def _network_error(code: int, target: tuple[str, int] | tuple[str, int, int, int]) -> NetworkError:
    where = format_address(target[0], target[1])
    evidence = {"address": where, "reason": os.strerror(code)}
    if code in _REFUSED:
        return NetworkError(f"nothing listens at {where}", code="connection-refused", by=By.PEER, evidence=evidence)
    if code == errno.ETIMEDOUT:
        return NetworkError(f"no answer from {where} in time", code="connect-timeout", evidence=evidence)
    message = f"{where} cannot be reached: {os.strerror(code).lower()}"
    hints = TOO_MANY_FILES_HINTS if code in TOO_MANY_FILES else ()
    return NetworkError(message, code="unreachable", evidence=evidence, hints=hints)


TOO_MANY_FILES = frozenset({errno.EMFILE, errno.ENFILE})
"""The system's numbers for no more descriptors, of this process or of the whole machine."""
TOO_MANY_FILES_HINTS = ("do less at once (--jobs, --associations), or allow more open files: ulimit -n",)


def listen(host: str, port: int, backlog: int = 1024) -> socket.socket:
    """Listen on `host` (empty: every address, IPv6 and IPv4) and return the non-blocking socket.

    Raises `MachineError` (`port-in-use`, `no-permission`), `NetworkError` (`name-not-found`).
    """
    try:
        if not host and socket.has_dualstack_ipv6():
            sock = socket.create_server(("", port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True)
        else:
            family, address = _own_address(host, port)
            sock = socket.create_server(address, family=family, backlog=backlog)
    except (OSError, OverflowError, UnicodeError) as error:  # UnicodeError: a label of over 63 characters
        raise _listen_error(error, format_address(host or "*", port)) from error
    sock.setblocking(False)  # noqa: FBT003 -- the standard library's own signature
    return sock


def _own_address(host: str, port: int) -> Address:
    if not host:
        return socket.AF_INET, ("", port)
    # Looked up here, since `create_server` turns a name that cannot be found into an error of `bind`.
    family, _, _, _, (found, _, *scope) = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    return family, (found, port, *scope)  # type: ignore[return-value]  # typeshed's address is the union over all families


def _listen_error(error: OSError | OverflowError | UnicodeError, where: str) -> MachineError | NetworkError:
    code = getattr(error, "errno", None)
    if isinstance(error, socket.gaierror | UnicodeError):
        return NetworkError(
            f"cannot resolve {where}",
            code="name-not-found",
            stage=Stage.NAME,
            hints=("give an address of this machine with --listen",),
        )
    if code == errno.EADDRINUSE:
        return MachineError(
            f"another program listens at {where} already",
            code="port-in-use",
            hints=("choose another port with --listen, or stop that program",),
        )
    if code in (errno.EACCES, errno.EPERM):
        return MachineError(
            f"not allowed to listen at {where}",
            code="no-permission",
            hints=("ports below 1024 need special rights: choose another with --listen",),
        )
    reason = os.strerror(code).lower() if code else str(error)
    return MachineError(
        f"cannot listen at {where}: {reason}",
        code="port-in-use",
        hints=("give a free port at an address of this machine with --listen",),
    )
