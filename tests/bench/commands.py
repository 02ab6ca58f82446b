"""The command lines that are compared.

DCMTK's stand in the form that was fastest when we tried them (3.6.7, 5,000 small instances, TCP_NODELAY=1):
1.2 s with storescp's `+B` (bit preserving) and 1.8 s without; storescu's `-R` makes 1.4 s of the 1.2 s, since it
looks into every file beforehand. `-dhl` and `-xe` change nothing, and nothing changes the 6.7 s of a stock run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.pki import PKI

HOST = "127.0.0.1"
MAXIMUM_LENGTH = "131072"
"""Maximum PDU length in bytes that DCMTK is told to offer; it takes no more, and offers 16384 by itself."""

Command = list[str]


_TUNING = frozenset({"TCP_NODELAY", "TCP_BUFFER_LENGTH", "SSLKEYLOGFILE", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH"})


def plain_environment() -> dict[str, str]:
    """Return our environment without what would tune DCMTK, configure dicomtls or keep Python from using bytecode."""
    return {
        name: value for name, value in os.environ.items() if name not in _TUNING and not name.startswith("DICOMTLS_")
    }


def no_delay_environment() -> dict[str, str]:
    """Return the environment in which DCMTK turns Nagle's algorithm off."""
    return plain_environment() | {"TCP_NODELAY": "1"}


def _dcmtk_tls(key: Path, cert: Path, ca: Path) -> Command:
    return ["+tls", str(key), str(cert), "+cf", str(ca), "-pdu", MAXIMUM_LENGTH]


def _tls(ca: Path, cert: Path, key: Path) -> Command:
    return ["--ca", str(ca), "--cert", str(cert), "--key", str(key)]


def storescp(pki: PKI, port: int, directory: Path) -> Command:
    """DCMTK's receiver."""
    tls = _dcmtk_tls(pki.server_key, pki.server_cert, pki.ca)
    return ["storescp", *tls, "+B", "-od", str(directory), str(port)]


def storescu(pki: PKI, port: int, directory: Path) -> Command:
    """DCMTK's sender, which sends all files of one folder."""
    return ["storescu", *_dcmtk_tls(pki.client_key, pki.client_cert, pki.ca), "+sd", HOST, str(port), str(directory)]


def findscu(pki: PKI, port: int, return_keys: Sequence[str]) -> Command:
    """DCMTK's find: all studies with these attributes. Without `-q` most of its time goes into printing them."""
    keys = [part for key in ("QueryRetrieveLevel=STUDY", *return_keys) for part in ("-k", key)]
    tls = _dcmtk_tls(pki.client_key, pki.client_cert, pki.ca)
    return ["findscu", *tls, "-q", "-S", *keys, HOST, str(port)]


def echoscu(pki: PKI, port: int) -> Command:
    """DCMTK's echo."""
    return ["echoscu", *_dcmtk_tls(pki.client_key, pki.client_cert, pki.ca), HOST, str(port)]


def dicomtls(*arguments: str) -> Command:
    """Ours, by the Python that runs the benchmarks."""
    return [sys.executable, "-m", "dicomtls", *arguments]


def serve(pki: PKI, directory: Path, *options: str, host: str = HOST) -> Command:
    """Our receiver, on a free port."""
    identity = _tls(pki.ca, pki.server_cert, pki.server_key)
    return dicomtls("serve", "--listen", f"{host}:0", "--directory", str(directory), *identity, *options)


def store(pki: PKI, port: int, directory: Path, *options: str) -> Command:
    """Our sender."""
    identity = _tls(pki.ca, pki.client_cert, pki.client_key)
    return dicomtls("store", f"{HOST}:{port}", str(directory), *identity, *options)


def echo(pki: PKI, port: int) -> Command:
    """Our echo."""
    return dicomtls("echo", f"{HOST}:{port}", *_tls(pki.ca, pki.client_cert, pki.client_key))


def probe(pki: PKI, *options: str) -> Command:
    """Our probe, of the peers among the options."""
    return dicomtls("handshake-probe", *options, *_tls(pki.ca, pki.client_cert, pki.client_key))


def pynetdicom_echo(pki: PKI, port: int) -> Command:
    """The echo that a user of pynetdicom would write."""
    script = Path(__file__).with_name("pynetdicom_echo.py")
    return [sys.executable, str(script), str(port), *map(str, (pki.ca, pki.client_cert, pki.client_key))]


def _bare(ca: Path, cert: Path, key: Path, size: int) -> Command:
    return [sys.executable, "-m", "tests.bench.bare", *_tls(ca, cert, key), "--size", str(size)]


def bare_receive(pki: PKI, size: int) -> Command:
    """The receiving end of a bare `ssl` socket pair."""
    return [*_bare(pki.ca, pki.server_cert, pki.server_key, size), "receive"]


def bare_send(pki: PKI, port: int, size: int) -> Command:
    """The sending end of a bare `ssl` socket pair."""
    return [*_bare(pki.ca, pki.client_cert, pki.client_key, size), "send", str(port)]
