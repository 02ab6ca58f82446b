"""Asking for completions as a shell does."""

import shlex

import pytest

from dicomtls.cli.completion import answer
from dicomtls.cli.completion_scripts import LINE, WORD


def complete(shell: str, *words: str) -> list[str]:
    """The lines that the program answers when the last word is being completed."""
    line = shlex.join(["dicomtls", *words[:-1]]) + f" {words[-1]}"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv(LINE, line)
        if shell in ("powershell", "pwsh"):
            monkeypatch.setenv(WORD, words[-1])
        else:
            monkeypatch.delenv(WORD, raising=False)
        return answer(f"complete_{shell}").splitlines()
