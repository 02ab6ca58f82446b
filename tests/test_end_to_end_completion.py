"""The scripts of `completions/` in the shells that they are for, each in a terminal, with a TAB."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cli import REPOSITORY, dicomtls_environment
from tests.support.processes import require
from tests.support.terminal import Terminal, terminal

COMPLETIONS = REPOSITORY / "completions"
READY = "ready> "
CONFIGURATION = '[peers.radiology]\nhost = "pacs.example"\n\n[peers.research]\nhost = "192.0.2.7"\nport = 11112\n'


def bash(home: Path) -> list[str | Path]:
    """Bash, which reads the script as bash-completion would."""
    (home / "rc").write_text(f"PS1='{READY}'\nbind 'set bell-style none'\nsource {COMPLETIONS / 'dicomtls.bash'}\n")
    return [require("bash"), "--noprofile", "--rcfile", home / "rc", "-i"]


def zsh(home: Path) -> list[str | Path]:
    """Z shell, which finds the script in its `$fpath`."""
    setting = f"PROMPT='{READY}'\nunsetopt PROMPT_SP\nunsetopt BEEP\nfpath=({COMPLETIONS} $fpath)\n"
    (home / ".zshrc").write_text(f"{setting}autoload -Uz compinit\ncompinit -u\nsetopt NO_LIST_BEEP\n")
    return [require("zsh"), "-o", "NO_GLOBAL_RCS", "-i"]


def fish(home: Path) -> list[str | Path]:
    """Fish, which finds the script in its folder of completions."""
    folder = home / ".config" / "fish"
    (folder / "completions").mkdir(parents=True)
    (folder / "completions" / "dicomtls.fish").write_bytes((COMPLETIONS / "dicomtls.fish").read_bytes())
    lines = [
        f"function fish_prompt; echo -n '{READY}'; end",
        "set -g fish_greeting",
        "set -g fish_autosuggestion_enabled 0",
    ]
    (folder / "config.fish").write_text("".join(f"{line}\n" for line in lines))
    return [require("fish"), "-i"]


@pytest.fixture(params=[bash, zsh, fish], ids=lambda shell: str(shell.__name__))
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    """Each shell, at its prompt, in a folder with a configuration and a file; `dicomtls` is on its PATH."""
    start: Callable[[Path], list[str | Path]] = request.param
    home, work = tmp_path / "home", tmp_path / "work"
    for folder in (home, work, tmp_path / "bin"):
        folder.mkdir()
    program = tmp_path / "bin" / "dicomtls"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dicomtls "$@"\n')
    program.chmod(0o755)
    (work / "dicomtls.toml").write_text(CONFIGURATION)
    (work / "hospital-ca.pem").touch()
    given = dicomtls_environment()
    env: dict[str, str] = {name: given[name] for name in ("PYTHONPATH", "LANG") if name in given}
    env |= {"HOME": str(home), "PATH": f"{program.parent}:{given['PATH']}", "XDG_CONFIG_HOME": str(home / ".config")}
    with terminal(start(home), env=env, cwd=work) as opened:
        opened.wait_for(READY)
        yield opened


@pytest.mark.parametrize(
    ("begun", "completed"),
    [
        ("dicomtls handsh", "handshake-probe "),
        ("dicomtls certgen self-signed --ho", "--host "),
        ("dicomtls echo radi", "radiology "),
        ("dicomtls echo --profile bcp195-m", "bcp195-modified "),
        ("dicomtls certgen issue --key-type rsa:2", "rsa:2048 "),
        ("dicomtls certgen issue --purpose se", "server "),
        ("dicomtls certgen issue --purpose=se", "--purpose=server "),
        ("dicomtls certgen issue --key-type=rsa:2", "--key-type=rsa:2048 "),
        ("dicomtls echo radiology --ca hosp", "hospital-ca.pem "),
    ],
)
def test_tab_completes_what_is_begun(shell: Terminal, begun: str, completed: str) -> None:
    """One candidate: the rest of the word appears, and a space after it; a path where only the shell knows better."""
    shell.type(f"{begun}\t")
    shell.wait_for(completed.removeprefix(begun.rpartition(" ")[2]))


@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        ("dicomtls echo r", ["radiology", "research"]),
        ("dicomtls certgen issue --key-type ec:p", ["256", "384"]),
        ("dicomtls certgen sign --purpose ", ["both", "server", "client"]),
    ],
)
def test_tabs_show_the_choice(shell: Terminal, begun: str, offered: list[str]) -> None:
    """Several candidates: all of them stand on the screen."""
    shell.type(f"{begun}\t\t")
    shell.wait_for("".join(f"(?=.*{name})" for name in offered))


def test_line_runs_after_it_was_completed(shell: Terminal) -> None:
    """What the shell put there is what the program understands."""
    shell.type("dicomtls --vers\t")
    shell.wait_for("ion ")
    shell.type("\r")
    shell.wait_for(r"dicomtls \d+\.\d+\.\d+")


def test_program_that_is_gone_says_nothing(shell: Terminal) -> None:
    """An environment that was left: the line stays as it was typed, and no error breaks into it."""
    shell.type("rm ../bin/dicomtls\r")
    shell.wait_for(READY)
    shell.type("dicomtls ec\tho x")
    shell.wait_for("ho x")
    assert "not found" not in shell.screen
    assert "No such file" not in shell.screen
