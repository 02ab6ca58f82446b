"""pynetdicom's own archive, qrscp, behind TLS: `find`, `get` and `move` against it, and our `serve` beside it."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.cli import Running, run_dicomtls, serving
from tests.support.exchange import client_options
from tests.support.finding import PATIENTS, behind_tls, study_uid, write_archive
from tests.support.pki import PKI
from tests.support.processes import LOOPBACK, reserved_port, running

CONFIGURATION = """
[DEFAULT]
ae_title: QRSCP
port: {port}
max_pdu: 16382
acse_timeout: 30
dimse_timeout: 30
network_timeout: 30
bind_address: 127.0.0.1
instance_location: {directory}/instances
database_location: {directory}/instances.sqlite
log_identifier: False
[WS1]
address: 127.0.0.1
port: {destination}
"""


class Peers(NamedTuple):
    """Both archives with the same instances, and what qrscp moves to, with its folder."""

    qrscp: str
    ours: str
    received: Path


@contextmanager
def qrscp_behind_tls(pki: PKI, root: Path, destination: Running) -> Iterator[str]:
    """The address of a running qrscp."""
    configuration = root / "qrscp.ini"
    (root / "instances").mkdir()
    with reserved_port() as port:
        configuration.write_text(CONFIGURATION.format(port=port, directory=root, destination=destination.port))
        command = [sys.executable, "-m", "pynetdicom", "qrscp", "-q", "-c", str(configuration)]
        with running(command, port) as peer:
            peer.wait_until(lambda: peer.listens_on(port), "listening port")
            with behind_tls(pki, peer) as address:
                yield address


@pytest.fixture(scope="module")
def peers(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    """Filled by our `store` over TLS; qrscp itself moves in clear."""
    root = tmp_path_factory.mktemp("qrscp")
    files = write_archive(root / "files")
    with ExitStack() as stack:
        destination = stack.enter_context(serving(root / "received", "--no-tls", "--no-index"))
        qrscp = f"QRSCP@{stack.enter_context(qrscp_behind_tls(pki, root, destination))}"
        tls = ("--cert", pki.server.cert, "--key", pki.server.key, "--ca", pki.ca)
        server = stack.enter_context(serving(root / "ours", *tls))
        ours = f"{LOOPBACK}:{server.port}"
        for address in (qrscp, ours):
            stored = run_dicomtls("store", address, *client_options(pki, pki.client), *files)
            assert stored.exit_status == 0, stored.stderr
        yield Peers(qrscp, ours, root / "received")


def found(pki: PKI, address: str, level: str, *keys: str) -> list[str]:
    """The unique keys that `find` prints."""
    options = [part for key in keys for part in ("-k", key)]
    result = run_dicomtls("find", address, *client_options(pki, pki.client), "--level", level, *options)
    assert result.exit_status == 0, result.stderr
    return sorted(result.stdout.splitlines())


@pytest.mark.parametrize(
    ("level", "keys", "count"),
    [
        ("study", ["StudyInstanceUID"], len(PATIENTS)),
        ("study", ["StudyInstanceUID", "PatientID=P3"], 1),
        ("study", ["StudyInstanceUID", "PatientID=P?"], len(PATIENTS)),
        ("study", ["StudyInstanceUID", "PatientID=X*"], 0),
        ("series", ["SeriesInstanceUID", f"StudyInstanceUID={study_uid(2)}"], 2),
        ("image", ["SOPInstanceUID", f"StudyInstanceUID={study_uid(2)}", f"SeriesInstanceUID={study_uid(2)}.1"], 2),
    ],
)
def test_qrscp_and_serve_find_the_same(pki: PKI, peers: Peers, level: str, keys: list[str], count: int) -> None:
    """Unique key by unique key; qrscp answers once for each instance below, and we once for each entity."""
    theirs, ours = (found(pki, address, level, *keys) for address in (peers.qrscp, peers.ours))
    assert sorted(set(theirs)) == ours
    assert len(ours) == count


def test_get_brings_the_same_from_both(pki: PKI, peers: Peers, tmp_path: Path) -> None:
    """One study, all of it."""
    names: list[list[str]] = []
    for number, address in enumerate((peers.qrscp, peers.ours)):
        into = tmp_path / str(number)
        result = run_dicomtls(
            "get", address, *client_options(pki, pki.client), "-k", f"StudyInstanceUID={study_uid(1)}", "--output", into
        )
        assert result.exit_status == 0, result.stderr
        names.append(sorted(path.name for path in into.rglob("*.dcm")))
    assert names[0] == names[1]
    assert len(names[0]) == 4


def test_qrscp_moves_for_us(pki: PKI, peers: Peers) -> None:
    """To a destination of its own configuration, and not to one that it does not know."""
    options = ("-k", f"StudyInstanceUID={study_uid(2)}", *client_options(pki, pki.client))
    result = run_dicomtls("move", peers.qrscp, *options, "--to", "WS1")
    assert result.exit_status == 0, result.stderr
    assert len(list(peers.received.rglob("*.dcm"))) == 4
    refused = run_dicomtls("move", peers.qrscp, *options, "--to", "WS9")
    assert refused.exit_status != 0
    assert "A801" in refused.stderr
