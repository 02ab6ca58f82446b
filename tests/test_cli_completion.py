"""What a shell's TAB gets."""

import resource
import shlex
import subprocess
import sys

import pytest

from dicomtls.certificates.building import KeyType, Purpose
from dicomtls.certificates.record import REASONS as RECORDED
from dicomtls.cli.app import COMMANDS
from dicomtls.cli.completion import answer
from dicomtls.cli.options.certgen import KEY_TYPES, PURPOSES, REASONS
from dicomtls.errors import UsageError
from tests.support.cli import dicomtls_command, dicomtls_environment


def complete(shell: str, *words: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the program answers when the last word is being completed."""
    line = shlex.join(["dicomtls", *words[:-1]]) + f" {words[-1]}"
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    monkeypatch.setenv("_TYPER_COMPLETE_WORD_TO_COMPLETE", words[-1])
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
        (["certgen", "pki", "--key-type", "ec"], ["ec:p256", "ec:p384"]),
        (["certgen", "issue", "--key-type", "rsa:3"], ["rsa:3072"]),
        (["certgen", "renew", "a.pem", "--new-key", "ed"], ["ed25519"]),
        (["certgen", "sign", "--purpose", ""], ["both", "server", "client"]),
        (["certgen", "issue", "--purpose=s"], ["server"]),
        (["inspect-cert", "--purpose", ""], ["server", "client"]),
        (["serve", "--client-auth", "o"], ["optional"]),
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
    env = {"_DICOMTLS_COMPLETE": "complete_fish"}
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


def test_names_are_those_that_the_library_knows() -> None:
    """They are written down twice, since reading them from there takes longer than a TAB may."""
    assert tuple(KeyType) == KEY_TYPES
    assert tuple(RECORDED) == REASONS
    assert tuple(Purpose) == PURPOSES


@pytest.mark.parametrize(
    "words",
    [
        "dicomtls ec",
        "dicomtls echo --",
        "dicomtls certgen pki --key-type ",
        "dicomtls echo ",
        "dicomtls find x -k Patient",
        "dicomtls peers forget ",
    ],
)
def test_answer_takes_little_time(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """0.15 s at most. Time of a processor, and the best of several: what else this machine does is not counted."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    env = dicomtls_environment({"_DICOMTLS_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": words})
    assert any(_processor_seconds(dicomtls_command(), env) < 0.15 for _ in range(10))


def _processor_seconds(command: list[str], env: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
