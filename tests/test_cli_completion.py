"""What a shell's TAB gets."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dicomtls.cli.app import COMMANDS
from dicomtls.cli.completion import answer, script
from dicomtls.errors import UsageError
from tests.support.cli import dicomtls_environment
from tests.support.processes import require

IN_BASH = """
source "$1"
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_dicomtls_completion {program} "${{COMP_WORDS[-1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def complete(shell: str, *words: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the program answers when the last word is being completed."""
    line = shlex.join(["dicomtls", *words[:-1]]) + f" {words[-1]}"
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    monkeypatch.setenv("_TYPER_COMPLETE_WORD_TO_COMPLETE", words[-1])
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    return answer(COMMANDS, f"complete_{shell}").splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ec"], ["echo"]),
        (["s"], ["store", "serve"]),
        (["certgen", "re"], ["request", "renew", "revoke"]),
        (["echo", "--pass"], ["--passphrase-file", "--passphrase-env"]),
        (["echo", "pacs", "--tls-min", ""], ["1.0", "1.1", "1.2", "1.3"]),
        (["echo", "--profile", "bcp195-m"], ["bcp195-modified"]),
        (["certgen", "pki", "--key-"], ["--key-type"]),
        (["--v"], ["--version"]),
        (["echo", "--ca", ""], []),
        (["nix", "--ca"], []),
    ],
)
def test_commands_options_and_values_complete(
    words: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that begin so; nothing where the shell knows better (paths), and nothing for what does not exist."""
    assert complete("bash", *words, monkeypatch=monkeypatch) == expected


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("zsh", ["""_arguments '*: :(("--no-sni":"do not send the servers name"))\'"""]),
        ("fish", ["--no-sni\tdo not send the server's name"]),
        ("powershell", ["--no-sni:::do not send the server's name"]),
    ],
)
def test_shells_that_show_a_meaning_get_it(shell: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in its own form; quotes are left out where they would end a string."""
    assert complete(shell, "echo", "--no-sn", monkeypatch=monkeypatch) == expected


def test_meaning_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brackets are no markup, and a colon is escaped for zsh."""
    (found,) = complete("zsh", "ec", monkeypatch=monkeypatch)
    assert found == """_arguments '*: :(("echo":"ask a peer whether it answers (C-ECHO)"))'"""
    (found,) = complete("zsh", "echo", "--passphrase-f", monkeypatch=monkeypatch)
    assert r"first line\\: the passphrase" in found


def test_completing_imports_neither_rich_nor_other_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """TAB has to answer at once."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    code = "import sys; from dicomtls.cli.app import main; main([]); print(*sys.modules, file=sys.stderr)"
    env = {"_DICOMTLS_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=dicomtls_environment({**env, "_TYPER_COMPLETE_ARGS": "dicomtls echo --"}),
    )
    assert "--ca\t" in done.stdout
    modules = set(done.stderr.split())
    assert modules.isdisjoint({"rich", "cryptography", "pydicom", "pynetdicom", "dicomtls.cli.certgen"})


@pytest.mark.parametrize("instruction", ["source_tcsh", "complete_", "bash_complete", "x"])
def test_unknown_instruction_is_refused(instruction: str) -> None:
    """With what is known in the hint."""
    with pytest.raises(UsageError) as caught:
        answer(COMMANDS, instruction)
    assert "powershell" in caught.value.hints[0]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["dicomtls", "ec"], ["echo"]),
        (["dicomtls", "echo", "--calling"], ["--calling-aet"]),
        (["dicomtls", "echo", "pacs", "--tls-max", "1.3"], ["1.3"]),
    ],
)
def test_real_bash_completes(words: list[str], expected: list[str], tmp_path: Path) -> None:
    """The script, sourced by bash, calls the program and fills COMPREPLY."""
    program = tmp_path / "dicomtls"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dicomtls "$@"\n')
    program.chmod(0o755)
    (tmp_path / "completion").write_text(script(COMMANDS, "bash"))
    code = IN_BASH.format(words=shlex.join(words), program=program)
    done = subprocess.run(
        [require("bash"), "--norc", "-c", code, "bash", tmp_path / "completion"],
        capture_output=True,
        text=True,
        check=False,
        env=dicomtls_environment(),
    )
    assert (done.stdout.split(), done.stderr) == (expected, "")
