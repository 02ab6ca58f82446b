"""dicomtls.connection, the listening side: addresses of this machine, and every way in which one cannot be had."""

import errno
import os
import socket
from typing import Any

import pytest

from dicomtls.connection import connect, listen, resolve
from dicomtls.diagnosis import diagnose
from dicomtls.errors import ExitStatus, MachineError, NetworkError, Stage
from dicomtls.waiting import deadline_in

LONG = 30.0
LOOPBACK = "127.0.0.1"
needs_ipv6 = pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")


@pytest.mark.parametrize("host", [LOOPBACK, "localhost", pytest.param("::1", marks=needs_ipv6)])
def test_listener_takes_connections(host: str) -> None:
    """By address or by name, on a port of the system's choice."""
    with listen(host, 0) as server:
        assert not server.getblocking()
        address = (server.family, server.getsockname())
        with connect([address], deadline_in(LONG)) as sock:
            assert sock.getpeername()[1] == server.getsockname()[1]


@needs_ipv6
def test_listener_without_a_host_takes_both_families() -> None:
    """Whoever gives only a port means every address of the machine."""
    with listen("", 0) as server:
        port = server.getsockname()[1]
        for address in resolve("127.0.0.1", port, deadline_in(LONG)), resolve("::1", port, deadline_in(LONG)):
            connect(address, deadline_in(LONG)).close()


def test_listener_without_a_host_takes_ipv4_where_that_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose kernel has no IPv6."""
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with listen("", 0) as server:
        assert server.family is socket.AF_INET
        assert server.getsockname()[0] == "0.0.0.0"  # noqa: S104 -- what was asked for


def test_listening_at_a_taken_port_says_so() -> None:
    """Our machine failed us: exit 6, with the address and two ways on."""
    with (
        socket.create_server((LOOPBACK, 0)) as taken,
        pytest.raises(MachineError, match="another program listens at") as caught,
    ):
        listen(*taken.getsockname())
    diagnosis = diagnose(caught.value)
    assert (diagnosis.code, diagnosis.stage, diagnosis.exit_status) == ("port-in-use", Stage.LOCAL, ExitStatus.LOCAL)
    assert f"another program listens at {LOOPBACK}:" in diagnosis.message
    assert diagnosis.hints


@pytest.mark.parametrize("host", ["192.0.2.123", pytest.param("2001:db8::1", marks=needs_ipv6)])
def test_listening_at_an_address_of_somebody_else_says_so(host: str) -> None:
    """The address, the system's reason, no noise around it."""
    with pytest.raises(MachineError, match="cannot listen at") as caught:
        listen(host, 0)
    diagnosis = diagnose(caught.value)
    assert diagnosis.exit_status == ExitStatus.LOCAL
    assert diagnosis.message.endswith(": " + os.strerror(errno.EADDRNOTAVAIL).lower())
    assert host in diagnosis.message
    assert diagnosis.hints


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_listening_without_the_right_to_do_so_says_so(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Ports below 1024, for everybody but root."""

    def refuse(*_args: object, **_options: object) -> socket.socket:
        raise OSError(number, "no")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(MachineError, match=r"not allowed to listen at 127\.0\.0\.1:104") as caught:
        listen(LOOPBACK, 104)
    assert caught.value.code == "no-permission"
    assert caught.value.hints


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70, "a..b"])
def test_listening_at_a_name_that_is_not_found_says_so(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """The name cannot be resolved: nothing is wrong with the port."""
    real = socket.getaddrinfo

    def answer(name: str, *args: Any, **options: Any) -> list[Any]:
        if name == "nowhere.invalid":  # never to a real name service
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return list(real(name, *args, **options))

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(NetworkError, match="cannot resolve") as caught:
        listen(host, 104)
    assert (caught.value.code, caught.value.stage) == ("name-not-found", Stage.NAME)
    assert host in caught.value.message
    assert caught.value.hints
