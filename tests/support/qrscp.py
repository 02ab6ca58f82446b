"""pynetdicom's own archive, `python -m pynetdicom qrscp`: it knows no TLS, so that a front of ours stands before it."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import LOOPBACK, PeerProcess, reserved_port, running

_CONFIGURATION = """
[DEFAULT]
ae_title: QRSCP
port: {port}
max_pdu: 16382
acse_timeout: 30
dimse_timeout: 30
network_timeout: 30
bind_address: {host}
instance_location: {directory}/instances
database_location: {directory}/instances.sqlite
"""


@contextmanager
def pynetdicom_qrscp(directory: Path, destinations: Mapping[str, int]) -> Iterator[PeerProcess]:
    """An empty one that keeps everything below `directory`; `destinations` are ports here by AE title, in clear."""
    with reserved_port() as port:
        sections = [f"[{title}]\naddress: {LOOPBACK}\nport: {other}\n" for title, other in destinations.items()]
        written = _CONFIGURATION.format(port=port, host=LOOPBACK, directory=directory) + "\n".join(sections)
        configuration = directory / "qrscp.ini"
        configuration.write_text(written)
        with running([sys.executable, "-m", "pynetdicom", "qrscp", "-c", configuration], port) as peer:
            peer.wait_until(lambda: peer.listens_on(port), "listening port")
            yield peer
