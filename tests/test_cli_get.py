"""`dicomtls get`, as users run it."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomtls.association.association import Association
from dicomtls.association.dimse import CommandField
from dicomtls.scu.suboperations import Counts
from tests.support.archives import Archive, our_archive, paths_of, study_key, study_uid
from tests.support.cli import Result, run_dicomtls, started_dicomtls
from tests.support.documents import assert_document
from tests.support.exchange import client_options
from tests.support.instances import Instance, make_instances
from tests.support.kept import DATASET
from tests.support.pki import PKI
from tests.support.retrieving import answering, failed_list, retrieve_response, send_instance, take_request
from tests.support.servers import acceptor, open_policy, server_tls, stored_files

EVERYTHING = open_policy(scp_role_allowed=lambda _uid: True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Instance]:
    """One study."""
    return make_instances(tmp_path_factory.mktemp("made"), 5, pixel_bytes=2048)


@pytest.fixture(scope="module")
def archive(pki: PKI, made: list[Instance], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Which has it, behind TLS."""
    with our_archive(tmp_path_factory.mktemp("archive"), paths_of(made), server_tls(pki)) as running:
        yield running


def get(address: str, directory: Path, *options: str | Path) -> Result:
    """Run `get` into a folder."""
    return run_dicomtls("get", address, "--output", directory, *options)


def test_study_is_two_lines(pki: PKI, archive: Archive, made: list[Instance], tmp_path: Path) -> None:
    """What the peer says, and what has come; nothing on stderr."""
    result = get(archive.address, tmp_path / "got", *study_key(made), *client_options(pki, pki.client))
    assert (result.exit_status, result.stderr) == (0, "")
    said, received = result.stdout.splitlines()
    assert said.startswith("5 completed, success (0x0000), TLSv1.3, ")
    assert re.fullmatch(r"received 5 instances, \d+\.\d kB in \d+\.\d\d s", received)
    assert len(stored_files(tmp_path / "got")) == 5


def test_document_has_every_key(pki: PKI, archive: Archive, made: list[Instance], tmp_path: Path) -> None:
    """Of the contract."""
    options = (*study_key(made), *client_options(pki, pki.client), "--json")
    document = get(archive.address, tmp_path / "got", *options).json()
    assert_document(document, "get")
    assert (document["status"], document["completed"], document["received"]) == ("0x0000", 5, 5)
    assert document["bytes"] > 5 * 2048


def test_what_is_there_already_stays(pki: PKI, archive: Archive, made: list[Instance], tmp_path: Path) -> None:
    """A second run is a success too."""
    options = (*study_key(made), *client_options(pki, pki.client), "--json")
    for _ in range(2):
        result = get(archive.address, tmp_path / "got", *options)
        assert (result.exit_status, result.json()["received"]) == (0, 5)
    assert len(stored_files(tmp_path / "got")) == 5


def test_failure_names_the_instances(tmp_path: Path) -> None:
    """By UID, and hostile text of a peer stays text."""

    def script(association: Association) -> None:
        request, _ = take_request(association)
        if request.command.command_field is CommandField.C_FIND_RQ:  # a second look, at what failed
            association.abort()
            return
        send_instance(association, "1.2.3.4", DATASET)
        final = retrieve_response(
            request,
            0xB000,
            Counts(None, 1, 1, 0),
            has_dataset=True,
            changed={"error_comment": "oh no"},
        )
        association.send(request.context.context_id, final, failed_list(request, ["1.2.3.5"]))
        association.receive()

    with acceptor(script, EVERYTHING) as peer:
        result = get(str(peer.peer), tmp_path, "-k", "StudyInstanceUID=1.2.3", "--no-tls")
    assert result.exit_status == 1
    assert "not retrieved: 1.2.3.5" in result.stderr
    assert "error: 1 of 2 sub-operations failed" in result.stderr
    assert "oh no" in result.stderr
    assert "give --sop-class UID" in result.stderr


def test_folder_that_cannot_be_written_is_our_own_failure(made: list[Instance], tmp_path: Path) -> None:
    """Exit status 6, before anybody is asked."""
    (tmp_path / "file").write_text("")
    result = get("127.0.0.1:9", tmp_path / "file", *study_key(made), "--no-tls", "--json")
    assert (result.exit_status, result.json()["error"]["stage"]) == (6, "local")


def test_disk_that_fails_is_our_own_failure(pki: PKI, archive: Archive, made: list[Instance], tmp_path: Path) -> None:
    """The layout's folder is a file: each instance is refused with A700, and the exit status is 6."""
    (tmp_path / study_uid(made)).write_text("in the way")
    result = get(archive.address, tmp_path, *study_key(made), *client_options(pki, pki.client), "--json")
    document = result.json()
    assert (result.exit_status, document["error"]["stage"]) == (6, "local")
    assert (document["status"], document["failed"], document["received"]) == ("0xA702", 5, 0)


def test_wrong_sop_class_is_an_error_of_usage(made: list[Instance], tmp_path: Path) -> None:
    """It is no UID."""
    result = get("127.0.0.1:9", tmp_path, *study_key(made), "--no-tls", "--sop-class", "CT")
    assert result.exit_status == 2
    assert "SOP class UID" in result.stderr
    assert "hint: --sop-class takes a UID" in result.stderr


def test_nobody_there_is_told(made: list[Instance], tmp_path: Path) -> None:
    """By the stage at which it failed."""
    with acceptor(answering(0)) as peer:
        address = str(peer.peer)
    result = get(address, tmp_path, *study_key(made), "--no-tls", "--json")
    assert (result.exit_status, result.json()["error"]["code"]) == (3, "connection-refused")
    assert_document(result.json(), "get")


def test_interrupt_cancels(tmp_path: Path) -> None:
    """Ctrl-C: the peer is asked to cancel; exit status 130, and the counts are told."""

    def script(association: Association) -> None:
        request, _ = take_request(association)
        send_instance(association, "1.2.3.4", DATASET)
        association.send(request.context.context_id, retrieve_response(request, 0xFF00, Counts(9, 1, 0, 0)))
        message = association.receive()
        assert message is not None
        association.send(request.context.context_id, retrieve_response(request, 0xFE00, Counts(9, 1, 0, 0)))
        association.receive()

    with acceptor(script, EVERYTHING) as peer:
        options = ("--output", tmp_path, "-k", "StudyInstanceUID=1.2.3", "--no-tls", "--json", "-v")
        with started_dicomtls("get", str(peer.peer), *options) as running:
            running.wait_for_log("kept ")
            result = running.stop(how=signal.SIGINT)
    document = result.json()
    assert (result.exit_status, document["error"]["code"]) == (130, "interrupted")
    assert (document["status"], document["received"]) == ("0xFE00", 1)
