"""The index of `serve` from the shell: killed, rebuilt, left out; and the worklist folder."""

import os
import random
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from dicomtls.association.query import Level
from dicomtls.peer import Peer
from dicomtls.scp.index_schema import FILE_NAME
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from tests.support.cli import Running, run_dicomtls, serving, started_dicomtls
from tests.support.exchange import SMALL_PIXELS, assert_whole, client_options, server_options
from tests.support.instances import make_instances
from tests.support.keeping import INSTANCE_UID, STUDY_UID, keys, write_instances
from tests.support.pki import PKI
from tests.support.queries import FIND_CONTEXTS, SUCCESS, ask_for, with_level
from tests.support.servers import client_tls, stored_files


def found(pki: PKI, running: Running, level: Level = Level.IMAGE, **asked: str) -> list[str]:
    """The unique keys that a server answers with, over TLS."""
    tag = INSTANCE_UID if level is Level.IMAGE else STUDY_UID
    wanted = keys({tag: None, **{int(name.removeprefix("x"), 16): value for name, value in asked.items()}})
    requestor = Requestor(Peer(running.host, running.port), client_tls(pki), AssociationSettings())
    association = requestor.associate(requestor.attempt(), FIND_CONTEXTS)
    _, matches, final = ask_for(association, with_level(level, wanted))
    assert final.status == SUCCESS
    association.release()
    return [str(match[tag].values[0]) for match in matches]


def kill_in_the_middle(pki: PKI, kept: Path, sent: Path, *, asks: bool) -> tuple[list[str], set[str]]:
    """Kill a server while it receives; what it finds when it starts, and what it then answers with success."""
    already = len(stored_files(kept))
    until = already + random.randrange(1, 40)
    with serving(kept, *server_options(pki)) as running:
        before = found(pki, running)
        options = (*client_options(pki, pki.client), "--json", "--max-ops", "8", sent)
        with started_dicomtls("store", running.address, *options) as store:
            store.wait_until(lambda: len(stored_files(kept)) >= until, "stored instances")
            if asks:  # so that it is indexing when it dies
                found(pki, running)
            os.kill(running.process.pid, signal.SIGKILL)
            document = store.stop_by_itself().json()
    failed = {item["sop_instance_uid"] for item in document["failed"]}
    uids = {path.stem for path in sent.iterdir()}
    assert len(uids - failed) == document["sent"]
    return before, uids - failed


@pytest.mark.timeout(600)
@pytest.mark.parametrize("times", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_what_was_answered_is_found_once_after_every_kill(pki: PKI, tmp_path: Path, times: int) -> None:
    """SIGKILL at any moment: all of it is there, readable and found; nothing twice, nothing half written."""
    kept, answered = tmp_path / "kept", set[str]()
    sent = {}
    for number in range(times):
        folder = tmp_path / f"sent{number}"
        for instance in make_instances(folder, 60, pixel_bytes=SMALL_PIXELS):
            named = instance.path.with_name(f"{instance.sop_instance_uid}.dcm")
            sent[instance.sop_instance_uid] = replace(instance, path=instance.path.rename(named))
        before, done = kill_in_the_middle(pki, kept, folder, asks=number % 2 == 1)
        assert_found(before, answered, kept)
        answered |= done
    with serving(kept, *server_options(pki)) as running:
        assert_found(found(pki, running), answered, kept)
        assert found(pki, running, Level.STUDY)
        assert_whole(stored_files(kept), sent.values())
    left = [path.name for path in kept.rglob("*") if path.is_file() and path.suffix != ".dcm"]
    assert left == [FILE_NAME]
    assert answered, "nothing was answered before any of the kills"


def assert_found(uids: list[str], answered: set[str], kept: Path) -> None:
    """What was answered is found, once, and everything that is found is there."""
    assert answered <= set(uids), f"{len(answered - set(uids))} of {len(answered)} were lost"
    assert set(Counter(uids).values()) <= {1}
    assert set(uids) <= {path.stem for path in stored_files(kept)}


def test_what_was_received_before_there_was_an_index_is_found(pki: PKI, tmp_path: Path) -> None:
    """And how many it took is in the log."""
    write_instances(tmp_path, 40)
    with serving(tmp_path, *server_options(pki)) as running:
        assert len(found(pki, running)) == 40
        assert "40 instances indexed" in running.log()


def test_reindex_builds_the_index_from_the_files_alone(pki: PKI, tmp_path: Path) -> None:
    """What somebody removed is found until then."""
    stored = write_instances(tmp_path, 40)
    with serving(tmp_path, *server_options(pki)) as running:
        assert len(found(pki, running)) == 40
    stored[0].path.unlink()
    with serving(tmp_path, *server_options(pki)) as running:
        assert len(found(pki, running)) == 40
    with serving(tmp_path, *server_options(pki), "--reindex") as running:
        assert len(found(pki, running)) == 39
        assert found(pki, running, Level.STUDY, x00100010="patient0*") == ["1.2.0", "1.2.1"]


def test_damaged_index_is_mended_with_a_warning(pki: PKI, tmp_path: Path) -> None:
    """And serves on."""
    write_instances(tmp_path, 20)
    (tmp_path / FILE_NAME).write_text("no database" * 100)
    with serving(tmp_path, *server_options(pki)) as running:
        assert len(found(pki, running)) == 20
        assert "warning: the index was damaged" in running.log()
    assert (tmp_path / f"{FILE_NAME}.damaged-1").exists()


def test_server_without_an_index_answers_no_queries(pki: PKI, tmp_path: Path) -> None:
    """And leaves nothing beside the files."""
    from dicomtls.errors import NoPresentationContext

    [sent] = make_instances(tmp_path / "sent", pixel_bytes=SMALL_PIXELS)
    with serving(tmp_path / "kept", *server_options(pki), "--no-index") as running:
        stored = run_dicomtls("store", running.address, *client_options(pki, pki.client), sent.path)
        assert stored.exit_status == 0
        with pytest.raises(NoPresentationContext):
            found(pki, running)
    assert [path.name for path in (tmp_path / "kept").iterdir() if path.name.startswith(".")] == []


def test_two_servers_of_one_folder_find_what_either_received(pki: PKI, tmp_path: Path) -> None:
    """One index, and a journal for each."""
    kept = tmp_path / "kept"
    with serving(kept, *server_options(pki)) as one, serving(kept, *server_options(pki)) as other:
        for number, running in enumerate((one, other)):
            [sent] = make_instances(tmp_path / f"sent{number}", pixel_bytes=SMALL_PIXELS)
            assert run_dicomtls("store", running.address, *client_options(pki, pki.client), sent.path).exit_status == 0
            assert sent.sop_instance_uid in found(pki, running)
        assert sorted(found(pki, one)) == sorted(found(pki, other))
        assert len(found(pki, one)) == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--worklist", "gone"), "the worklist is not a folder"),
        (("--reindex", "--no-index"), "contradict each other"),
        (("--move-destination", "plain:A@localhost:1", "--no-index"), "contradict each other"),
    ],
)
def test_options_that_mean_nothing_are_refused(tmp_path: Path, options: tuple[str, ...], expected: str) -> None:
    """Before anything listens, a folder is made, or an index is built from a million files."""
    listen = ("--listen", "127.0.0.1:0", "--no-tls")
    result = run_dicomtls("serve", *listen, "--directory", tmp_path / "kept", *options, cwd=tmp_path)
    assert not (tmp_path / "kept").exists()
    assert result.exit_status == 2, result.stderr
    assert expected in result.stderr
    assert "listening" not in result.stdout


def test_index_that_cannot_be_written_is_an_error_of_this_machine(tmp_path: Path) -> None:
    """Exit 6, and which file it is."""
    (tmp_path / FILE_NAME).mkdir()
    listen = ("--listen", "127.0.0.1:0", "--no-tls")
    result = run_dicomtls("serve", *listen, "--directory", tmp_path)
    assert result.exit_status == 6, result.stderr
    assert FILE_NAME in result.stderr
