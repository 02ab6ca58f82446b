"""`dicomtls demo`, as users run it."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dicomtls.cli import demo
from dicomtls.errors import RemoteProtocolError
from tests.support.cli import REPOSITORY, Result, run_dicomtls, started_dicomtls

LONGEST_SECONDS = 150
"""Five on a machine with nothing else to do; fifteen beside another suite, and several times that on a slow one."""

pytestmark = pytest.mark.timeout(LONGEST_SECONDS + 50)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that nobody else uses."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def leftovers(folder: Path) -> list[str]:
    """Command lines of processes that work in a folder, and the files in it."""
    found = [str(path) for path in folder.rglob("*")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if folder in (process / "cwd").readlink().parents:
                found.append((process / "cmdline").read_text())
        except OSError:
            continue  # somebody else's, or gone
    return found


def test_demo_shows_both_sides_and_leaves_nothing_behind(temporary: Path) -> None:
    """Each step with what is typed and what comes of it; a good end, and a clean folder."""
    result = run_dicomtls("demo", timeout=LONGEST_SECONDS)
    assert (result.exit_status, result.stderr) == (0, "")
    steps = re.findall(r"^(\d+)\. ", result.stdout, re.MULTILINE)
    assert steps == [str(number) for number in range(1, 12)]
    typed = re.findall(r"^  \$ dicomtls ([\w-]+) ", result.stdout, re.MULTILINE)
    assert typed == [
        "certgen",
        "serve",
        "echo",
        "handshake-probe",
        "store",
        "find",
        "get",
        "echo",
        "echo",
        "inspect-cert",
    ]
    for said in (
        "  success (0x0000), TLSv1.3, ",
        "  client authentication: required, ours was taken\n",
        "  20 stored, ",
        "  dicomtls: error: the peer requires a client certificate, and we sent none\n",
        "whom we do not trust\n",
        "  nothing wrong was found\n",
        "association accepted, TLSv1.3, client ",
        "no certificate, and we require one; it calls us localhost [client-certificate-required by us]; hint: ",
        "\nAll of it worked.\n",
    ):
        assert said in result.stdout
    assert leftovers(temporary) == []


def test_document_has_the_steps(temporary: Path) -> None:
    """One JSON document: what was typed, what it shows, how it ended."""
    result = run_dicomtls("demo", "--json", timeout=LONGEST_SECONDS)
    written = result.json()
    assert (written["command"], written["ok"], written["folder"], written["error"]) == ("demo", True, None, None)
    assert [(step["command"][1], step["exit_status"]) for step in written["steps"]] == [
        ("certgen", 0),
        ("serve", None),
        ("echo", 0),
        ("handshake-probe", 0),
        ("store", 0),
        ("find", 0),
        ("get", 0),
        ("echo", 4),
        ("echo", 4),
        ("inspect-cert", 0),
    ]
    assert all(step["shows"] for step in written["steps"])
    assert written["steps"][4]["output"][0].startswith("20 stored, ")
    assert leftovers(temporary) == []


def test_folder_is_kept_and_can_be_used_on(tmp_path: Path) -> None:
    """What was received and made stays there, and the last line starts a server on it again."""
    kept = tmp_path / "a" / "kept"
    result = run_dicomtls("demo", "--keep", kept, timeout=LONGEST_SECONDS)
    assert result.exit_status == 0
    assert f"Everything is in {kept}: " in result.stdout
    assert {path.name for path in kept.iterdir()} == {"fetched", "instances", "pki", "received", "serve.log"}
    assert len(list((kept / "received").rglob("*.dcm"))) == 20
    last = shlex.split(result.stdout.splitlines()[-1])
    assert last[:5] == ["$", "dicomtls", "serve", "--listen", "127.0.0.1:11112"]
    options = [kept / word if word.startswith("pki/") else word for word in last[5:]]
    options[options.index("received")] = kept / "received"
    with started_dicomtls("serve", "--listen", "127.0.0.1:0", *options) as server:
        server.wait_until(lambda: "listening on" in server.stdout_path.read_text(), "server")


def test_folder_in_use_is_refused(tmp_path: Path) -> None:
    """Nothing of the user's is written over."""
    (tmp_path / "file").touch()
    result = run_dicomtls("demo", "--keep", tmp_path, "--json")
    assert (result.exit_status, result.json()["error"]["message"]) == (2, f"{tmp_path} is there already")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_empty_folder_is_as_good_as_none(tmp_path: Path) -> None:
    """There is nothing in it to be written over."""
    with demo._folder(tmp_path) as folder:
        assert folder == tmp_path


def test_settings_for_real_work_do_not_reach_the_demo(temporary: Path) -> None:
    """Variables of the environment that would change what its commands do; and quiet is quiet."""
    env = {"DICOMTLS_CA": "/nix", "DICOMTLS_JSON": "0", "DICOMTLS_NO_TLS": "1", "DICOMTLS_PROFILE": "nix"}
    assert run_dicomtls("demo", "--quiet", env=env, timeout=LONGEST_SECONDS) == Result("", "", 0)
    assert leftovers(temporary) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_that_is_ended_leaves_nothing_behind(temporary: Path, how: signal.Signals) -> None:
    """Neither the server nor the folder, whoever ends it: exit 130 and one line."""
    with started_dicomtls("demo") as running:
        running.wait_until(lambda: "listening on" in running.stdout_path.read_text(), "server")
        result = running.stop(how=how)
    assert result.exit_status == 130
    assert result.stderr == "dicomtls: error: interrupted\n"
    assert leftovers(temporary) == []


def test_ctrl_c_on_the_terminal_reaches_all_of_them(temporary: Path) -> None:
    """The whole process group gets it, the server and the command that runs just now too."""
    with started_dicomtls("demo") as running:
        running.wait_until(lambda: "$ dicomtls echo" in running.stdout_path.read_text(), "echo")
        os.killpg(running.process.pid, signal.SIGINT)
        result = running.stop(how=signal.SIGCONT)
    assert result.exit_status == 130
    assert "Traceback" not in result.stderr + result.stdout
    assert leftovers(temporary) == []


def run_checkout(cwd: Path) -> Result:
    """The demo by the path of a checkout that is not installed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, REPOSITORY / "dicomtls" / "__main__.py", "demo", "--quiet"],
        cwd=cwd,
        env={**environment, "PYTHONPATH": os.path.relpath(REPOSITORY, cwd)},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    return Result(done.stdout, done.stderr, done.returncode)


def test_demo_works_where_the_modules_are_found_by_a_relative_path(temporary: Path, tmp_path: Path) -> None:
    """Its commands run in another folder, and find the same modules."""
    assert run_checkout(tmp_path) == Result("", "", 0)
    assert leftovers(temporary) == []


def test_dataset_that_changed_on_its_way_is_found(tmp_path: Path) -> None:
    """The claim that all are the same is looked at, not only made."""
    from dicomtls.cli.demo_instances import make_instances

    make_instances(tmp_path / "instances", 2)
    shutil.copytree(tmp_path / "instances", tmp_path / "received")
    demo._compare(tmp_path, "received")
    changed = tmp_path / "received" / "CT0001.dcm"
    changed.write_bytes(changed.read_bytes()[:-1] + b"\xff")
    with pytest.raises(RemoteProtocolError, match="did not arrive as it was sent"):
        demo._compare(tmp_path, "received")
    changed.unlink()
    with pytest.raises(RemoteProtocolError):
        demo._compare(tmp_path, "received")
