"""`--on-stored`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dicomtls.cli.serve_hook import StoredHook
from dicomtls.errors import UsageError
from dicomtls.scp.events import Event
from dicomtls.scp.services import StoreOutcome
from dicomtls.scp.storage import InstanceHeader, StoredInstance

HEADER = InstanceHeader(
    sop_class_uid="1.2.3",
    sop_instance_uid="1.2.3.4",
    transfer_syntax="1.2.840.10008.1.2",
    calling_ae_title="CT1",
    called_ae_title="PACS",
)
SHOW_ARGUMENTS = "import sys; open(sys.argv[1], 'a').write(repr(sys.argv[2:]) + '\\n')"


def outcome(path: str | Path, header: InstanceHeader = HEADER) -> StoreOutcome:
    """A new instance."""
    return StoreOutcome(header, 0, StoredInstance(str(path), 1000, is_new=True))


@contextmanager
def hooked(command: str) -> Iterator[tuple[StoredHook, list[Event]]]:
    """A hook, and the events that it emits; at the end of the block it has run for everything."""
    events: list[Event] = []
    hook = StoredHook(command, events.append)
    yield hook, events
    hook.close(30)


def python(code: str, *words: str | Path) -> str:
    """The command that runs some Python."""
    return " ".join(f"'{word}'" for word in (sys.executable, "-c", code.replace("'", "'\"'\"'"), *words))


def test_path_stands_where_it_is_asked_for_or_at_the_end(tmp_path: Path) -> None:
    """In any word, more than once."""
    log = tmp_path / "log"
    for words in (["--in={path}", "x", "{path}"], ["y"]):
        with hooked(python(SHOW_ARGUMENTS, log, *words)) as (hook, events):
            hook(outcome("/data/a b.dcm"))
        assert events == []
    assert log.read_text().splitlines() == [
        "['--in=/data/a b.dcm', 'x', '/data/a b.dcm']",
        "['y', '/data/a b.dcm']",
    ]


def test_no_shell_reads_the_path(tmp_path: Path) -> None:
    """Whatever a peer manages to put into it, it stays one word that nobody runs."""
    log, trap = tmp_path / "log", tmp_path / "trap"
    names = [f"$(touch {trap})", f"; touch {trap}", f"`touch {trap}`", "a' \"b", "-rf", "{path}", "*"]
    with hooked(python(SHOW_ARGUMENTS, log)) as (hook, _):
        for name in names:
            hook(outcome(name))
    assert log.read_text().splitlines() == [repr([str(Path(name))]) for name in names]
    assert not trap.exists()


def test_environment_says_what_was_stored(tmp_path: Path) -> None:
    """The UIDs and AE titles are there without taking the path apart."""
    log = tmp_path / "log"
    code = "import os, sys; open(sys.argv[1], 'w').write(repr({k: v for k, v in os.environ.items() if k in sys.argv}))"
    names = [f"DICOMTLS_{n}" for n in ("PATH", "SOP_CLASS_UID", "SOP_INSTANCE_UID", "CALLING_AET", "CALLED_AET")]
    with hooked(python(code, log, *names)) as (hook, _):
        hook(outcome("a.dcm"))
    assert eval(log.read_text()) == dict(zip(names, ("a.dcm", "1.2.3", "1.2.3.4", "CT1", "PACS"), strict=True))  # noqa: S307 -- our own repr


def test_command_that_fails_is_told_and_the_next_one_runs(tmp_path: Path) -> None:
    """An exit status, a program that is not there, an AE title that no environment can hold."""
    log = tmp_path / "log"
    code = f"import sys; open({str(log)!r}, 'a').write(sys.argv[1]); sys.exit(sys.argv[1] == 'b')"
    with hooked(python(code)) as (hook, events):
        hook(outcome("b"))
        hook(outcome("x", replace(HEADER, calling_ae_title="A\0B")))
        hook(outcome("c"))
    assert log.read_text() == "bc"
    assert [event.message for event in events] == [
        "--on-stored failed for b: exit status 1",
        "--on-stored failed for x: embedded null byte",
    ]
    with hooked("/nix/da") as (hook, events):
        hook(outcome("a"))
    assert [event.facts["reason"] for event in events] == ["no such file or directory"]


def test_output_of_the_command_does_not_mix_with_the_results(capfd: pytest.CaptureFixture[str]) -> None:
    """stdout belongs to the server."""
    with hooked(python("print('hello')")) as (hook, _):
        hook(outcome("a"))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


def test_slow_command_does_not_keep_the_server_from_stopping(tmp_path: Path) -> None:
    """What did not get its turn is counted in the log."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    events: list[Event] = []
    hook = StoredHook(python("import sys; sys.argv[2] == 'slow' and open(sys.argv[1]).read()", gate), events.append)
    for name in ("slow", "a", "b"):
        hook(outcome(name))
    hook.close(0.1)
    assert events[-1].name == "hook-abandoned"
    assert " instances had their turn" in events[-1].message
    gate.write_text("go")
    hook.close(30)


def test_instance_that_was_not_kept_runs_nothing() -> None:
    """There is no file to do anything with."""
    with hooked("/nix/da") as (hook, events):
        hook(StoreOutcome(HEADER, 0xA700, None, "no room"))
    assert events == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("a 'b", "--on-stored cannot be read as a command: no closing quotation"),
        (" ", "--on-stored is empty"),
    ],
)
def test_command_that_is_none_is_refused(command: str, message: str) -> None:
    """At the start, not at the first instance."""
    with pytest.raises(UsageError, match=message):
        StoredHook(command, lambda _: None)
