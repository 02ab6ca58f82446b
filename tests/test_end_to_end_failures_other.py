"""Real peers that speak something else, or nothing, or stop in the middle: each with a hint that leads on."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.failing import (
    Orthanc,
    Port,
    Pynetdicom,
    Raw,
    SServer,
    Storescp,
    TLSRaw,
    WebServer,
    close_at_once,
    reset_at_once,
    say_after_hello,
)
from tests.support.following import NOBODY, OURS, Bench, Failure, Reachable, assert_hint_works
from tests.support.peers import LOOPBACK, receive_until_end, reserved_port
from tests.support.proxies import Proxy

IN_CLEAR = "connect in clear with --no-tls, in place of the other TLS options"
TLS_PORT = "ask for the peer's TLS port"
PLAIN = "peer-speaks-plain-dicom"
NO_TLS = {"DICOMTLS_CA": "ca.pem", "DICOMTLS_CERT": "client.pem", "DICOMTLS_KEY": "client.key"}


OTHER_PROTOCOLS = {
    "storescp in clear": Failure(Storescp(tls=False), OURS, PLAIN, "neither", IN_CLEAR),
    "storescp in clear, at TLS 1.2": Failure(
        Storescp(tls=False), f"{OURS} --tls-max 1.2 --profile aes", PLAIN, "neither", IN_CLEAR
    ),
    "storescp in clear, and its TLS port": Failure(
        Storescp(tls=False), OURS, PLAIN, "neither", TLS_PORT, mended=Storescp()
    ),
    "pynetdicom in clear": Failure(Pynetdicom(tls=False), NOBODY, PLAIN, "neither", IN_CLEAR),
    "Orthanc in clear": Failure(Orthanc(tls=False), NOBODY, PLAIN, "neither", IN_CLEAR),
    "Orthanc's web port": Failure(
        Orthanc(web=True), OURS, "peer-speaks-http", "neither", "ask for the DICOM TLS port", mended=Orthanc()
    ),
    "a web server": Failure(
        WebServer(), NOBODY, "peer-speaks-http", "neither", "ask for the DICOM TLS port", mended=Pynetdicom()
    ),
    "a web server behind TLS": Failure(
        TLSRaw(say_after_hello(b"HTTP/1.1 400 Bad Request\r\n\r\n")), NOBODY, "peer-speaks-http", "neither",
        "ask for the DICOM TLS port", mended=Pynetdicom(),
    ),
    "SSH": Failure(
        Raw(say_after_hello(b"SSH-2.0-OpenSSH_9.2\r\n")), NOBODY, "peer-is-not-tls", "neither", "check the port",
        mended=Pynetdicom(),
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("failure", OTHER_PROTOCOLS.values(), ids=OTHER_PROTOCOLS)
def test_peer_speaks_another_protocol(bench: Bench, failure: Failure) -> None:
    """Plain DICOM, HTTP, SSH."""
    assert_hint_works(failure, bench)


IN_CLEAR_TO_TLS = {
    "storescp": Failure(
        Storescp(), "--no-tls", "peer-expects-tls", "neither", "leave out --no-tls", stage="association", env=NO_TLS
    ),
    "Orthanc": Failure(
        Orthanc(), "--no-tls", "peer-expects-tls", "neither", "leave out --no-tls", stage="association", env=NO_TLS
    ),
    "pynetdicom": Failure(
        Pynetdicom(), "--no-tls", "peer-expects-tls", "neither", "leave out --no-tls", stage="association", env=NO_TLS
    ),
    "s_server": Failure(
        SServer(), "--no-tls --association-timeout 1", "peer-expects-tls", "neither", "leave out --no-tls",
        stage="association", env=NO_TLS, reaches="association",
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("failure", IN_CLEAR_TO_TLS.values(), ids=IN_CLEAR_TO_TLS)
def test_peer_expects_tls(bench: Bench, failure: Failure) -> None:
    """Each hangs up in its own way on an association in clear."""
    assert_hint_works(failure, bench)


CLOSED = "peer-closed"
BY_ADDRESS = "it may take connections from known addresses only"
SEE_THE_LOG = "see the peer's log"
GOOD = Pynetdicom()
OLD = Pynetdicom(protocol=ssl.TLSVersion.TLSv1_2)
ENDS = {
    "before a word": Failure(Proxy(GOOD, 0), NOBODY, CLOSED, "peer", BY_ADDRESS, mended=Proxy(GOOD)),
    "after 1 byte": Failure(Proxy(GOOD, 1), NOBODY, CLOSED, "peer", BY_ADDRESS, mended=Proxy(GOOD)),
    "after 5 bytes": Failure(Proxy(GOOD, 5), NOBODY, CLOSED, "peer", BY_ADDRESS, mended=Proxy(GOOD)),
    "after 40 bytes": Failure(Proxy(GOOD, 40), NOBODY, CLOSED, "peer", BY_ADDRESS, mended=Proxy(GOOD)),
    "after the ServerHello of TLS 1.3": Failure(
        Proxy(GOOD, 127), NOBODY, CLOSED, "peer", SEE_THE_LOG, mended=Proxy(GOOD), says=("it speaks TLS",)
    ),
    "after the ServerHello of TLS 1.2": Failure(
        Proxy(OLD, 100), NOBODY, CLOSED, "peer", SEE_THE_LOG, mended=Proxy(OLD), says=("it speaks TLS",)
    ),
    "before the last byte": Failure(
        Proxy(GOOD, -1), NOBODY, CLOSED, "peer", SEE_THE_LOG, mended=Proxy(GOOD), says=("it speaks TLS",)
    ),
    "before the last byte, TLS 1.2": Failure(
        Proxy(OLD, -1), NOBODY, CLOSED, "peer", SEE_THE_LOG, mended=Proxy(OLD), says=("it speaks TLS",)
    ),
    "by a reset": Failure(
        Proxy(GOOD, 40, resets=True), NOBODY, "connection-reset", "peer", BY_ADDRESS, mended=Proxy(GOOD)
    ),
    "by a reset after the handshake": Failure(
        TLSRaw(reset_at_once), NOBODY, "association-aborted", "peer", "the peer's log says why", mended=GOOD,
        stage="association",
    ),
    "after the handshake": Failure(
        TLSRaw(close_at_once), NOBODY, "association-aborted", "peer", "the peer's log says why", mended=GOOD,
        stage="association",
    ),
    "after it has asked for a certificate": Failure(
        TLSRaw(close_at_once, client_auth=ssl.CERT_OPTIONAL), NOBODY, CLOSED, "peer",
        "may have refused our client certificate", mended=GOOD, says=("right after the TLS handshake",),
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("failure", ENDS.values(), ids=ENDS)
def test_peer_goes_away(bench: Bench, failure: Failure) -> None:
    """A proxy before a real peer ends the connection in the middle, for everybody; and then it is set right."""
    assert_hint_works(failure, bench)


@contextmanager
def nobody(_bench: Bench) -> Iterator[Reachable]:
    """A port at which nobody listens."""
    with reserved_port() as port:
        yield Port(port)


@contextmanager
def full(_bench: Bench) -> Iterator[Reachable]:
    """A port whose queue of connections is full: further SYN packets are dropped."""
    with socket.create_server((LOOPBACK, 0), backlog=0) as server:
        port = server.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)  # noqa: FBT003 -- the name of the argument is not to be given
            one.connect_ex((LOOPBACK, port))
        yield Port(port)
        for one in waiting:
            one.close()


SILENCE = {
    "no answer to the hello": Failure(
        Raw(receive_until_end), f"{NOBODY} --connect-timeout 1", "handshake-timeout", "neither",
        "be busy", mended=GOOD,
    ),
    "it waits for plain DICOM": Failure(
        Proxy(Pynetdicom(tls=False), is_choosy=True), f"{NOBODY} --connect-timeout 1", "handshake-timeout", "neither",
        "may wait for plain DICOM at this port: try --no-tls, in place of the other TLS options",
    ),
    "too little time": Failure(
        Proxy(GOOD, delay=0.6), f"{NOBODY} --connect-timeout 0.3", "handshake-timeout", "neither",
        "give a slow peer more time with --connect-timeout", {"--connect-timeout": "20"},
    ),
    "nobody listens": Failure(
        nobody, NOBODY, "connection-refused", "peer", "check the port", mended=GOOD, stage="tcp"
    ),
    "packets are dropped": Failure(
        full, f"{NOBODY} --connect-timeout 1", "connect-timeout", "neither", "check the address and the firewall",
        mended=GOOD, stage="tcp", host="127.0.0.1",
    ),
    "no such name": Failure(
        GOOD, NOBODY, "name-not-found", "neither", "give an IP address", mended=GOOD, mended_host="127.0.0.1",
        stage="name", host="no-such-host.invalid",
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("failure", SILENCE.values(), ids=SILENCE)
def test_nothing_comes(bench: Bench, failure: Failure) -> None:
    """No name, nobody there, nothing said."""
    assert_hint_works(failure, bench)
