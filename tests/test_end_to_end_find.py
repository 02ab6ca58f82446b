"""`find` as a process beside a peer that sends much, or does not let go."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from dicomtls.association.association import Association
from dicomtls.association.dimse import CommandField, encode_command
from dicomtls.association.outbox import pack
from dicomtls.dataset.identifier import encode
from tests.support.cli import dicomtls_command, dicomtls_environment, started_dicomtls
from tests.support.finding import ONE, find_response, put_match, received_query
from tests.support.servers import acceptor

AT_ONCE = 100
MATCHES = (1_000, 20_000)
ALLOWED_GROWTH = 4 << 10
"""KiB that twenty times as many matches may take more: less than they have on the wire."""


def flood(association: Association, count: int) -> None:
    """Send so many matches as fast as they are taken, and success."""
    received_query(association)
    ((context_id, context),) = association.parameters.contexts.items()
    response = pack(
        context_id, encode_command(find_response(0xFF00, has_dataset=True)), is_command=True, fragment=16_000
    )
    match = pack(context_id, encode(ONE, context.transfer_syntax), is_command=False, fragment=16_000)
    for _ in range(count // AT_ONCE):
        association.write((response + match) * AT_ONCE)
    association.send(context_id, find_response(0x0000))
    association.receive()


def peak_kib(count: int, path: Path, *options: str) -> int:
    """The most memory that a query with so many matches has taken; the matches are lines in a file."""
    with acceptor(lambda association: flood(association, count)) as peer, path.open("wb") as stream:
        command = dicomtls_command("find", f"{peer.peer.host}:{peer.peer.port}", "--no-tls", *options)
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.DEVNULL, env=dicomtls_environment())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert path.read_bytes().count(b"\n") == count
    return usage.ru_maxrss


@pytest.mark.parametrize("form", ["table", "json"])
def test_memory_does_not_grow_with_the_matches(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is written as it comes, and forgotten."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # it keeps what it counts in memory
    few, many = (peak_kib(count, tmp_path / str(count), "--format", form) for count in MATCHES)
    assert many - few < ALLOWED_GROWTH


def test_second_interrupt_ends_at_once() -> None:
    """The peer has heard the first one, and goes on as if it had not."""
    heard: list[CommandField] = []
    has_heard = threading.Event()

    def script(association: Association) -> None:
        received_query(association)
        put_match(association, ONE)
        message = association.receive()
        assert message is not None
        heard.append(message.command.command_field)
        has_heard.set()
        association.receive()

    with acceptor(script) as peer:
        address = f"{peer.peer.host}:{peer.peer.port}"
        with started_dicomtls("find", address, "--no-tls", "--format", "json") as running:
            running.wait_until(lambda: running.stdout_path.read_text() != "", "first match")
            running.process.send_signal(signal.SIGINT)
            assert has_heard.wait(20)
            result = running.stop(how=signal.SIGINT, timeout=4)
    assert (result.exit_status, heard) == (130, [CommandField.C_CANCEL_RQ])
    assert "Traceback" not in result.stderr
    assert [type(end).__name__ for end in peer.ends] == ["AssociationAborted"]
