"""`dicomtls move`, as users run it."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dicomtls.association.association import Association
from dicomtls.peer import Peer
from dicomtls.scp.destinations import Destination
from dicomtls.scu.suboperations import Counts
from tests.support.archives import Archive, our_archive, paths_of, study_key
from tests.support.cli import Result, run_dicomtls, started_dicomtls
from tests.support.documents import assert_document
from tests.support.exchange import client_options
from tests.support.instances import Instance, make_instances
from tests.support.pki import PKI
from tests.support.processes import LOOPBACK, reserved_port
from tests.support.retrieving import answering, retrieve_response, take_request
from tests.support.servers import acceptor, client_tls, server_tls, stored_files

KEY = ("-k", "StudyInstanceUID=1.2.3")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Instance]:
    """One study."""
    return make_instances(tmp_path_factory.mktemp("made"), 5, pixel_bytes=2048)


@contextmanager
def archive_for(
    pki: PKI, made: list[Instance], directory: Path, *, in_clear: bool = False
) -> Iterator[tuple[Archive, tuple[str | Path, ...]]]:
    """An archive that knows WS1 at a port, and the options of a `move` that receives there."""
    with reserved_port() as port:
        known = Destination(Peer(LOOPBACK, port, "WS1"), in_clear=in_clear)
        tls, ours = (None, None) if in_clear else (server_tls(pki), client_tls(pki))
        with our_archive(
            directory / "archive", paths_of(made), tls, destinations=[known], destination_tls=ours
        ) as archive:
            receiver = ("--to", "WS1", "--receive", directory / "in", "--listen", f"{LOOPBACK}:{port}")
            yield archive, (*study_key(made), *receiver)


def move(address: str, *options: str | Path) -> Result:
    """Run `move`."""
    return run_dicomtls("move", address, *options)


def test_study_comes_to_our_receiver_over_tls(pki: PKI, made: list[Instance], tmp_path: Path) -> None:
    """Two lines for people; the port and the AE title that the archive must know are said before."""
    with archive_for(pki, made, tmp_path) as (archive, options):
        result = move(archive.address, *options, *client_options(pki, pki.server))
    assert result.exit_status == 0
    said, received = result.stdout.splitlines()
    assert said.startswith("5 completed, success (0x0000), TLSv1.3")
    assert received.startswith("received 5 instances")
    assert re.fullmatch(
        r"dicomtls: info: receiving over TLS on port \d+: the archive must know WS1 as this host and that port\n",
        result.stderr,
    )
    assert len(stored_files(tmp_path / "in")) == 5


def test_document_has_every_key(pki: PKI, made: list[Instance], tmp_path: Path) -> None:
    """In clear too, where that is asked for."""
    with archive_for(pki, made, tmp_path, in_clear=True) as (archive, options):
        document = move(archive.address, *options, "--no-tls", "--json").json()
    assert_document(document, "move")
    assert (document["status"], document["completed"], document["received"]) == ("0x0000", 5, 5)


def test_certificate_for_clients_only_is_warned_of(pki: PKI, made: list[Instance], tmp_path: Path) -> None:
    """The archive refuses it, and both sides of that are told."""
    with archive_for(pki, made, tmp_path) as (archive, options):
        result = move(archive.address, *options, *client_options(pki, pki.client), "--json")
    assert (result.exit_status, result.json()["status"]) == (1, "0xA702")
    assert "is not made for a server" in result.stderr
    assert "our receiver: " in result.stderr


def test_self_made_certificate_is_named(pki: PKI, made: list[Instance], tmp_path: Path) -> None:
    """Without --cert our receiver shows one of its own, as `serve` does; an archive that verifies refuses it."""
    with archive_for(pki, made, tmp_path) as (archive, options):
        result = move(archive.address, *options, "--ca", pki.ca, "--json")
    assert "with a self-signed certificate of our own, sha256:" in result.stderr
    assert result.exit_status == 4  # the archive demands a certificate of its requestor, too


def test_move_to_somebody_else_receives_nothing(tmp_path: Path) -> None:
    """There is no receiver, and its numbers are null."""
    with acceptor(answering(0)) as peer:
        result = move(str(peer.peer), "--to", "WS9", *KEY, "--no-tls", "--json")
    document = result.json()
    assert_document(document, "move")
    assert (result.exit_status, document["completed"], document["received"]) == (0, 2, None)
    assert list(tmp_path.iterdir()) == []


def test_archive_that_sends_elsewhere_is_noticed(tmp_path: Path) -> None:
    """It counts instances that never came here."""
    with acceptor(answering(0)) as peer:
        options = ("--to", "WS9", "--receive", tmp_path, "--no-tls", "--listen", f"{LOOPBACK}:0", "--json")
        result = move(str(peer.peer), *KEY, *options)
    assert (result.exit_status, result.json()["error"]["code"]) == (5, "protocol-error")
    assert "counts 2 instances that it has sent to WS9, and none has come here" in result.stderr


@pytest.mark.parametrize(("status", "said"), [(0xA801, "must be told of the move destination WS9"), (0xA702, "WS9")])
def test_refusal_has_its_hint(status: int, said: str) -> None:
    """Exit status 1."""
    with acceptor(answering(status, Counts())) as peer:
        result = move(str(peer.peer), "--to", "WS9", *KEY, "--no-tls")
    assert result.exit_status == 1
    assert said in result.stderr


def test_port_that_is_taken_is_our_own_failure(tmp_path: Path) -> None:
    """Before anybody is asked."""
    with acceptor(answering(0)) as peer:
        options = ("--to", "WS9", "--receive", tmp_path, "--listen", str(peer.peer), "--no-tls", "--json")
        result = move(str(peer.peer), *KEY, *options)
    assert (result.exit_status, result.json()["error"]["code"]) == (6, "port-in-use")


def test_interrupt_cancels(tmp_path: Path) -> None:
    """Ctrl-C: the peer is asked to cancel, and the receiver ends too."""

    def script(association: Association) -> None:
        request, _ = take_request(association)
        association.send(request.context.context_id, retrieve_response(request, 0xFF00, Counts(9, 1, 0, 0)))
        message = association.receive()
        assert message is not None
        association.send(request.context.context_id, retrieve_response(request, 0xFE00, Counts(9, 1, 0, 0)))
        association.receive()

    with acceptor(script) as peer:
        options = ("--to", "WS9", "--receive", tmp_path, "--listen", f"{LOOPBACK}:0", "--no-tls", "--json", "-vv")
        with started_dicomtls("move", str(peer.peer), *KEY, *options) as running:
            running.wait_for_log("received P-DATA-TF")
            result = running.stop(how=signal.SIGINT)
    document = result.json()
    assert (result.exit_status, document["error"]["code"]) == (130, "interrupted")
    assert (document["status"], document["completed"]) == ("0xFE00", 1)
